import {
  at,
  atMost,
  type Container,
  countOf,
  delayOfCommand,
  formatTurnover,
  graceOf,
  killsOf,
  type Live,
  rule,
  safe,
  set,
  times,
  type Workload,
} from '../src/rule.js'

/** What the kubelet leaves between SIGTERM and SIGKILL when the hook has used up the grace period, in seconds. */
const leastGrace = 2

export default rule({
  title: 'The grace period ends before the preStop hook and the shutdown',
  category: 'workload-lifecycle',
  severity: 'error',
  why: `The grace period starts with the preStop hook, not after it. A hook that sleeps as long as the grace
period leaves the process two seconds between SIGTERM and SIGKILL: requests that are still open are cut, and
nothing is flushed. A longer hook is cut off itself.`,
  remedy: 'Set `terminationGracePeriodSeconds` to the length of the hook plus the time of a clean shutdown.',
  decides: `The longest preStop delay of the running containers (\`sleep\`, or the \`sleep N\` of a command) plus
\`minShutdownSeconds\` is more than \`terminationGracePeriodSeconds\` (default 30). An error when the hook alone is
longer than the grace period, which the API server refuses for \`sleep\`; else a warning. Commands whose length
can't be read, loops and conditions are left alone in manifests; in a cluster they are a warning where a container
was killed at the end of the grace period.

In a cluster the containers stand below the finding that got SIGKILL (exit code 137, not for memory) at the end of
their grace period, and the events \`FailedPreStopHook\` and \`ExceededGracePeriod\`; and how often pods were stopped
lately, by rollouts, autoscalers and evictions.`,
  versions:
    'The API server refuses `sleep.seconds` above the grace period; equal values and long commands are accepted.',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer, minimumGracePeriodInSeconds)',
    'kubernetes/pkg/apis/core/validation/validation.go (validateSleepAction)',
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
  check(workload, { graph, params, report }) {
    const { pod } = workload
    const grace = graceOf(workload)
    const [longest] = workload.running.map(hookOf).sort((a, b) => b.delay - a.delay)
    if (!longest?.hook || longest.delay === 0 || longest.delay + params.minShutdownSeconds <= grace) {
      const cut = graph.live && cutOffIn(workload, graph.live.seen)
      if (cut)
        report(
          pod,
          'terminationGracePeriodSeconds',
          `Container ${cut.name} is killed at the end of its grace period of ${grace} s: its preStop hook and its own end take longer together.`,
          {
            severity: 'warning',
            evidence: cut.evidence,
            see: [at(workload, cut.spec.lifecycle ?? cut.spec, 'preStop')],
          },
        )
      return
    }
    const { name, hook, delay } = longest
    const left = Math.max(leastGrace, grace - delay)
    report(
      pod,
      'terminationGracePeriodSeconds',
      delay <= grace
        ? `Container ${name} has ${left} s from SIGTERM to SIGKILL: its preStop hook takes ${delay} s of the grace period of ${grace} s.`
        : hook.sleep
          ? `The API server refuses these pods: container ${name} sleeps ${delay} s in preStop, the grace period is ${grace} s.`
          : `The preStop hook of ${name} is cut off after ${grace} of its ${delay} s, and SIGKILL follows ${left} s later: the grace period is ${grace} s.`,
      {
        severity: delay > grace ? 'error' : 'warning',
        evidence: graph.live ? endsIn(workload, name, graph.live.seen) : [],
        often: formatTurnover(workload, graph, ['scaleDowns', 'rollouts', 'evictions', 'made']),
        see: [at(workload, hook, hook.sleep ? 'sleep' : 'exec', `${delay} s`)],
        fix: safe(set(pod, 'terminationGracePeriodSeconds', delay + Math.max(30, params.minShutdownSeconds))),
      },
    )
  },
})

/** A container with a hook of a length that nobody can read, of which the end of the pods' grace period was too early. */
function cutOffIn(workload: Workload, live: Live) {
  for (const container of workload.running) {
    const { name, spec } = container
    const { hook, delay } = hookOf(container)
    const kills = hook && !hook.sleep && delay === 0 ? killsOf(workload, live) : []
    // A failed hook tells nothing: it fails also where it has ended the process, as it was to.
    const isCut = kills.some((one) => one.container === name && one.text.includes('end of its grace period'))
    if (isCut) return { name, spec, evidence: endsIn(workload, name, live) }
  }
  return undefined
}

/** Hooks that failed, and containers that got SIGKILL: one that is cut off counts as failed. */
function endsIn(workload: Workload, name: string, live: Live): string[] {
  const kills = killsOf(workload, live).filter(({ container }) => container === name)
  const failed = live
    .eventsOf(workload)
    .filter(
      ({ reason, involvedObject }) =>
        reason === 'ExceededGracePeriod' ||
        (reason === 'FailedPreStopHook' && (involvedObject?.fieldPath ?? `{${name}}`).endsWith(`{${name}}`)),
    )
    .map((event) => `pod ${event.involvedObject?.name ?? ''}: ${event.reason}, ${times(countOf(event))}`)
  return atMost(3, [...kills.map(({ text }) => text), ...failed])
}

function hookOf({ name, spec }: Container) {
  const hook = spec.lifecycle?.preStop
  return { name, hook, delay: hook?.sleep?.seconds ?? delayOfCommand(hook?.exec?.command) }
}
