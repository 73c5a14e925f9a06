import {
  at,
  countOf,
  firstTimeOf,
  formatSeconds,
  formatSpan,
  type HorizontalPodAutoscaler,
  imageNamed,
  isScaleUp,
  type Live,
  rescalesOf,
  rule,
  set,
  timeOf,
} from '../src/rule.js'

export default rule({
  title: 'The autoscaler removes pods as soon as a spike is over',
  category: 'autoscaling',
  severity: 'info',
  why: `With a short stabilization window the autoscaler takes pods away at the first quiet minute and adds
them at the next spike. Each turn changes endpoints, cuts long connections, and, where addresses are
announced by the nodes that have pods, moves traffic between nodes.`,
  remedy: 'Leave `scaleDown.stabilizationWindowSeconds` at 300 or more.',
  decides: `\`behavior.scaleDown.stabilizationWindowSeconds\` below \`minWindow\` (absent means 300 and is
fine) for a workload behind a Service. A warning when such a Service has \`externalTrafficPolicy: Local\` or
the pods are DNS servers.

In a cluster a warning, whatever the window: its events tell that the autoscaler turned from adding pods to removing
them, or back, more than \`turns\` times an hour. Where the API server counts equal events together, a size that was
reached again and again from the same side counts for a turn there and one back each time.

Exempt: workers without a Service, \`selectPolicy: Disabled\`, and policies that take one pod a minute at
most.`,
  versions: 'The default window is 300 seconds in all releases of autoscaling/v2.',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/config/v1alpha1/defaults.go',
    'kubernetes/pkg/controller/podautoscaler/horizontal.go (SuccessfulRescale)',
  ],
  stories: ['oneandone-ecmp-resets', 'preply-dns-conntrack'],
  params: {
    minWindow: { type: 'integer', minimum: 0, default: 120, about: 'Seconds of quiet that are enough.' },
    turns: {
      type: 'integer',
      minimum: 1,
      default: 4,
      about: 'Changes of direction an hour that are well in a cluster.',
    },
  },
  for: 'HorizontalPodAutoscaler',
  check(hpa, { graph, params, report }) {
    const target = graph.targetOf(hpa)
    const services = target ? graph.servicesOf(target) : []
    const [service] = services
    if (!target || !service) return
    const down = hpa.spec?.behavior?.scaleDown
    const window = down?.stabilizationWindowSeconds
    const short = down && window !== undefined && window < params.minWindow ? down : undefined
    const flapping = graph.live && flappingOf(hpa, graph.live)
    if (flapping && flapping.turns > params.turns * Math.max(1, flapping.hours)) {
      report(
        short ?? hpa.spec ?? hpa,
        short ? 'stabilizationWindowSeconds' : 'metrics',
        `Connections to ${target.name} are cut again and again: the autoscaler turned between adding and removing pods ${flapping.turns} times within ${formatSpan(Math.max(1, flapping.hours) * 3600)}.`,
        { severity: 'warning', evidence: flapping.lines, see: [at(service, service)] },
      )
      return
    }
    if (!short || window === undefined || short.selectPolicy === 'Disabled') return
    const policies = short.policies ?? []
    const slow = policies.every(
      ({ type, value = 0, periodSeconds = 0 }) => type === 'Pods' && value * 60 <= periodSeconds,
    )
    if (slow && policies.length > 0) return
    const local = services.find((one) => one.spec?.externalTrafficPolicy === 'Local')
    const dns = target.running.some(({ image }) => imageNamed(image, ['coredns', 'kube-dns', 'dnsmasq']))
    const after = window === 0 ? 'at the first quiet moment' : `after ${formatSeconds(window)} of quiet`
    report(
      short,
      'stabilizationWindowSeconds',
      `${local ? 'Client connections are reset' : 'Connections are cut'} after each short spike: pods of ${target.name} go ${after}.`,
      {
        severity: local || dns ? 'warning' : 'info',
        see: [local ? at(local, local.spec ?? local, 'externalTrafficPolicy') : at(service, service)],
        fix: set(short, 'stabilizationWindowSeconds', 300),
      },
    )
  },
})

interface Flapping {
  /** Changes between adding and removing pods, at least. */
  readonly turns: number
  /** From the first of the events to the last. */
  readonly hours: number
  readonly lines: readonly string[]
}

/** What the events of the last hour, and those they continue, tell of an autoscaler; undefined when nothing does. */
function flappingOf(hpa: HorizontalPodAutoscaler, live: Live): Flapping | undefined {
  const events = rescalesOf(hpa, live)
  // Of the moments of an event only the first and the last are known.
  const moments = events
    .flatMap((event) => [firstTimeOf(event), timeOf(event)].map((time) => ({ time, isUp: isScaleUp(event) })))
    .sort((a, b) => a.time - b.time)
  const [first] = moments
  const last = moments.at(-1)
  if (!first || !last) return undefined
  const turns = moments.filter(({ isUp }, i) => i > 0 && isUp !== moments[i - 1]?.isUp).length
  // Without an event of the other side somebody else has set the number back.
  const returns = turns > 0 ? 2 * (Math.max(...events.map(countOf)) - 1) : 0
  return {
    turns: Math.max(turns, returns),
    hours: (last.time - first.time) / 3_600_000,
    lines: events
      .slice(0, 3)
      .map((event) => `${event.message ?? ''}${countOf(event) > 1 ? `, ${countOf(event)} times` : ''}`),
  }
}
