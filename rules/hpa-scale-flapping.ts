import {
  at,
  countOf,
  type Fault,
  firstTimeOf,
  flagOf,
  formatSeconds,
  formatSpan,
  imageNamed,
  isKind,
  isScaleUp,
  isWorkload,
  type KubernetesObject,
  type Live,
  numberAt,
  objectAt,
  objectsAt,
  rescalesOf,
  rule,
  type Service,
  seconds,
  sendsToPods,
  set,
  stringAt,
  timeOf,
  type Workload,
} from '../src/rule.js'

const windowFlag = 'horizontal-pod-autoscaler-downscale-stabilization'

export default rule({
  title: 'The autoscaler removes pods as soon as a spike is over',
  category: 'autoscaling',
  severity: 'info',
  why: `With a short stabilization window the autoscaler takes pods away at the first quiet minute and adds
them at the next spike. Each turn changes endpoints, cuts long connections, and, where addresses are
announced by the nodes that have pods, moves traffic between nodes.`,
  remedy: 'Leave `scaleDown.stabilizationWindowSeconds` at 300 or more.',
  decides: `\`behavior.scaleDown.stabilizationWindowSeconds\` below \`minWindow\` (absent means 300 and is fine), of
an autoscaler or in a KEDA ScaledObject, for a workload behind a Service or a DNS server. A warning when such a
Service has \`externalTrafficPolicy: Local\` (and no balancer of AWS that sends to pods) or the pods are DNS
servers. The flag \`--horizontal-pod-autoscaler-downscale-stabilization\` of a kube-controller-manager is measured
in the same way. Asked for, the rule looks at autoscalers whose workload the input does not show, too.

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
  for: ['HorizontalPodAutoscaler', 'keda.sh/ScaledObject', 'Workload'],
  check(autoscaler, { graph, params, report }) {
    if (isWorkload(autoscaler)) {
      const fault = shortDefault(autoscaler, params.minWindow)
      if (fault) report(...fault)
      return
    }
    // In a cluster KEDA has made an autoscaler of it.
    if (graph.live && !isKind(autoscaler, 'HorizontalPodAutoscaler')) return
    const target = graph.targetOf(autoscaler)
    const services = target ? graph.servicesOf(target) : []
    const [service] = services
    const dns = target?.running.some(({ image }) => imageNamed(image, ['coredns', 'kube-dns', 'dnsmasq']))
    if (target && !service && !dns) return
    const name = target?.name ?? stringAt(autoscaler, 'spec', 'scaleTargetRef', 'name') ?? 'its target'
    const down = scaleDownOf(autoscaler)
    const window = numberAt(down, 'stabilizationWindowSeconds')
    const short = down && window !== undefined && window < params.minWindow ? { down, window } : undefined
    const flapping = graph.live && flappingOf(autoscaler, graph.live)
    if (flapping && service && flapping.turns > params.turns * Math.max(1, flapping.hours)) {
      report(
        short?.down ?? objectAt(autoscaler, 'spec') ?? autoscaler,
        short ? 'stabilizationWindowSeconds' : 'metrics',
        `Connections to ${name} are cut again and again: the autoscaler turned between adding and removing pods ${flapping.turns} times within ${formatSpan(Math.max(1, flapping.hours) * 3600)}.`,
        { severity: 'warning', evidence: flapping.lines, see: [at(service, service)] },
      )
      return
    }
    const fault = short && !isSlow(short.down) ? faultOfWindow(short, name, services) : undefined
    if (!fault) return
    const [node, field, message, more] = fault
    report(node, field, message, {
      ...more,
      ...(dns && { severity: 'warning' }),
      // What the input does not show may be a worker that nobody connects to.
      recommended: target !== undefined,
    })
  },
})

/** That pods go soon after a spike. */
function faultOfWindow(
  { down, window }: { readonly down: object; readonly window: number },
  name: string,
  services: readonly Service[],
): Fault {
  const [service] = services
  const local = services.find((one) => one.spec?.externalTrafficPolicy === 'Local' && !sendsToPods(one))
  const after = window === 0 ? 'at the first quiet moment' : `after ${formatSeconds(window)} of quiet`
  return [
    down,
    'stabilizationWindowSeconds',
    `${local ? 'Client connections are reset' : 'Connections are cut'} after each short spike: pods of ${name} go ${after}.`,
    {
      severity: local ? 'warning' : 'info',
      see: [
        local ? at(local, local.spec ?? local, 'externalTrafficPolicy') : service && at(service, service),
      ],
      fix: set(down, 'stabilizationWindowSeconds', 300),
    },
  ]
}

/** What a controller manager does to the autoscalers that have no window of their own. */
function shortDefault({ running }: Workload, minWindow: number): Fault | undefined {
  const manager = running.find(({ image }) => imageNamed(image, ['kube-controller-manager']))
  const span = manager && flagOf(manager, windowFlag)
  const known = seconds(span)
  if (!manager || known === undefined || known >= minWindow) return undefined
  return [
    manager.spec,
    manager.spec.args?.some((arg) => arg.includes(windowFlag)) ? 'args' : 'command',
    `Connections are cut after each short spike: autoscalers without a window of their own remove pods after ${span} of quiet.`,
  ]
}

/** How an autoscaler, or the one that KEDA makes, removes pods. */
function scaleDownOf(autoscaler: KubernetesObject): Readonly<Record<string, unknown>> | undefined {
  return (
    objectAt(autoscaler, 'spec', 'behavior', 'scaleDown') ??
    objectAt(autoscaler, 'spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior', 'scaleDown')
  )
}

/** Whether it never removes a pod, or one a minute at most. */
function isSlow(scaleDown: object): boolean {
  const policies = objectsAt(scaleDown, 'policies')
  return (
    stringAt(scaleDown, 'selectPolicy') === 'Disabled' ||
    (policies.length > 0 &&
      policies.every(
        (policy) =>
          stringAt(policy, 'type') === 'Pods' &&
          (numberAt(policy, 'value') ?? 0) * 60 <= (numberAt(policy, 'periodSeconds') ?? 0),
      ))
  )
}

interface Flapping {
  /** Changes between adding and removing pods, at least. */
  readonly turns: number
  /** From the first of the events to the last. */
  readonly hours: number
  readonly lines: readonly string[]
}

/** What the events of the last hour, and those they continue, tell of an autoscaler; undefined when nothing does. */
function flappingOf(hpa: KubernetesObject, live: Live): Flapping | undefined {
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
