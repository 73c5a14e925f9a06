import { at, type Container, imageNamed, type Probe, rule } from '../src/rule.js'

/** The API server's defaults. Source: kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Probe). */
const defaults = { period: 10, failures: 3, timeout: 1 }

export default rule({
  title: 'The liveness probe kills slow but healthy processes',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A liveness probe that allows a few seconds fails first under load, when garbage is collected or CPU is throttled. The restart loses caches and connections and puts the load on the other replicas, which then fail the same
probe: one after the other, a healthy service goes down.`,
  remedy:
    'Allow at least half a minute of failures and some seconds per probe, and use a `startupProbe` for slow starts.',
  decides: `The time that the probe allows, \`periodSeconds\` × \`failureThreshold\` (defaults 10 and 3), is below \`minBudgetSeconds\`; or, without a startup probe, the process must answer within less than \`minStartSeconds\` after its start
(\`initialDelaySeconds\` plus that time). A timeout of one second adds to the message where it applies. An error for etcd and kube-apiserver. One finding per workload.`,
  falsePositives: 'Small processes whose check costs nothing and that restart within a second.',
  versions:
    'Defaults: periodSeconds 10, failureThreshold 3, timeoutSeconds 1, initialDelaySeconds 0. kubeadm uses 8 failures and 15 seconds for the control plane.',
  sources: ['kubernetes/pkg/apis/core/v1/defaults.go', 'kubernetes/cmd/kubeadm/app/util/staticpod/utils.go'],
  stories: [
    'thredup-moving',
    'nrelabs-etcd-liveness',
    'omio-cpu-throttling',
    'oneandone-cfs-throttling',
    'airmap-pleg',
  ],
  params: {
    minBudgetSeconds: {
      type: 'integer',
      minimum: 1,
      default: 20,
      about: 'Seconds of failures that a running process must be allowed.',
    },
    minStartSeconds: {
      type: 'integer',
      minimum: 1,
      default: 20,
      about: 'Seconds that a process without a startup probe must be allowed to start.',
    },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    if (workload.batch) return
    for (const container of workload.running) {
      const probe = container.spec.livenessProbe
      if (!probe) continue
      const period = probe.periodSeconds ?? defaults.period
      const failures = probe.failureThreshold ?? defaults.failures
      const budget = period * failures
      const start = (probe.initialDelaySeconds ?? 0) + budget
      const cause =
        budget < params.minBudgetSeconds
          ? `${failures} failed ${failures === 1 ? 'probe' : 'probes'} within ${budget} s`
          : !container.spec.startupProbe && start < params.minStartSeconds
            ? `a start that takes longer than ${start} s`
            : undefined
      if (!cause) continue
      const slow = slowness(container, probe)
      report(
        container.spec,
        'livenessProbe',
        `A slow moment restarts healthy pods of ${workload.name}: ${cause} ${cause.startsWith('a ') ? 'is' : 'are'} enough${slow ? `, and ${slow.why}` : ''}.`,
        {
          severity: imageNamed(container.image, ['etcd', 'kube-apiserver']) ? 'error' : 'warning',
          see: [slow ? at(workload, slow.node, slow.field) : undefined],
        },
      )
      return
    }
  },
})

/** What makes the process slow or the probe strict besides. */
function slowness(
  { spec }: Container,
  probe: Probe,
): { why: string; node: object; field: string } | undefined {
  const { limits } = spec.resources ?? {}
  if (limits?.cpu !== undefined)
    return { why: `CPU beyond ${limits.cpu} is throttled`, node: limits, field: 'cpu' }
  if (!probe.tcpSocket && (probe.timeoutSeconds ?? defaults.timeout) <= 1)
    return { why: 'each must answer within 1 s', node: probe, field: 'timeoutSeconds' }
  return undefined
}
