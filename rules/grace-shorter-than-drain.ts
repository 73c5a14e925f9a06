import { at, delayOfCommand, rule, safe, set } from '../src/rule.js'

export default rule({
  title: 'The grace period ends before the preStop hook and the shutdown',
  category: 'workload-lifecycle',
  severity: 'error',
  why: `The grace period starts with the preStop hook, not after it. A hook that sleeps as long as the grace period leaves the process two seconds between SIGTERM and SIGKILL: open requests are cut, and nothing is flushed.`,
  remedy: 'Set `terminationGracePeriodSeconds` to the length of the hook plus the time of a clean shutdown.',
  decides: `The longest preStop delay of the running containers (\`sleep\`, or the \`sleep N\` of a command) plus \`minShutdownSeconds\` is more than \`terminationGracePeriodSeconds\` (default 30). An error when the hook alone takes the whole grace
period, else a warning. Commands whose length can't be read are left alone.`,
  versions:
    'The API server refuses `sleep.seconds` above the grace period; equal values and long commands are accepted.',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go',
    'kubernetes/pkg/apis/core/validation/validation.go (sleep)',
  ],
  stories: ['ravelin-ingress-502', 'zalando-misc-races'],
  params: {
    minShutdownSeconds: {
      type: 'integer',
      minimum: 0,
      default: 5,
      about: 'Seconds that the process needs after SIGTERM.',
    },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    const { pod } = workload
    const grace = pod.terminationGracePeriodSeconds ?? 30
    let longest: { name: string; hook: object; field: string; delay: number; refused: boolean } | undefined
    for (const { name, spec } of workload.running) {
      const hook = spec.lifecycle?.preStop
      const delay = hook?.sleep?.seconds ?? delayOfCommand(hook?.exec?.command)
      if (hook && delay > (longest?.delay ?? 0))
        longest = {
          name,
          hook,
          field: hook.sleep ? 'sleep' : 'exec',
          delay,
          refused: hook.sleep !== undefined && delay > grace,
        }
    }
    if (!longest || longest.delay + params.minShutdownSeconds <= grace) return
    const { name, delay, hook, field, refused } = longest
    const message = refused
      ? `The API server refuses this pod: container ${name} sleeps ${delay} s in preStop, the grace period is ${grace} s.`
      : delay >= grace
        ? `Container ${name} is killed before it can shut down: its preStop hook takes ${delay} s of a grace period of ${grace} s.`
        : `Container ${name} has ${grace - delay} s to shut down: its preStop hook takes ${delay} s of a grace period of ${grace} s.`
    report(pod, 'terminationGracePeriodSeconds', message, {
      severity: delay >= grace ? 'error' : 'warning',
      see: [at(workload, hook, field, `${delay} s`)],
      fix: safe(set(pod, 'terminationGracePeriodSeconds', delay + Math.max(30, params.minShutdownSeconds))),
    })
  },
})
