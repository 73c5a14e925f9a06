import { advise, enumerate, rule } from '../src/rule.js'

/** Containers that are told by their names. */
const most = 8

export default rule({
  title: 'A process that hangs is never restarted',
  category: 'workload-lifecycle',
  severity: 'info',
  recommended: false,
  why: 'The kubelet restarts a container whose process ends, not one that hangs. A liveness probe closes that gap; a bad one, which also fails when a dependency is slow, does more harm than none.',
  remedy:
    'Add a liveness probe that looks at the process only, with generous limits; leave it out if you cannot.',
  decides: `An ordinary container with a declared port, of a workload that makes long-running pods, without
\`livenessProbe\`. Jobs, single Pods and native sidecars are exempt. One finding per workload.`,
  falsePositives:
    'Processes that end themselves when they are stuck need no probe, and a team may rightly prefer an alert on readiness.',
  sources: ['kubernetes/pkg/kubelet/prober', 'k8s.io/api/core/v1/types.go (LivenessProbe)'],
  stories: ['oneandone-calico-ip-collision', 'oneandone-open-issues'],
  for: 'Workload',
  check(workload, { report }) {
    if (workload.batch || workload.kind === 'Pod') return
    const bare = workload.running.filter(
      ({ role, spec }) => role === 'ordinary' && !spec.livenessProbe && (spec.ports?.length ?? 0) > 0,
    )
    const [first] = bare
    if (!first) return
    report(
      first.spec,
      'livenessProbe',
      `If ${
        bare.length > most
          ? `one of ${bare.length} containers`
          : enumerate(
              bare.map(({ name }) => name),
              'or',
            )
      } hangs it stays so: no liveness probe restarts it.`,
      { fix: advise('a livenessProbe that looks at the process only') },
    )
  },
})
