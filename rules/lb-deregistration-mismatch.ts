import {
  at,
  type Custom,
  configuredService,
  formatSeconds,
  formatTurnover,
  type Graph,
  graceOf,
  type Ingress,
  isKind,
  type Node,
  nlbAttributes,
  numberAt,
  objectAt,
  objectsAt,
  type PodTargets,
  podTargetsOfIngress,
  podTargetsTo,
  rule,
  type Service,
  type Sight,
  seconds,
  stringAt,
  targetGroupsOf,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The balancer lets go of a pod sooner or later than the pod stops',
  category: 'networking',
  severity: 'info',
  why: `After a pod is taken out of the target group the balancer keeps its open connections for the
deregistration delay. A delay of a few seconds cuts requests in flight, where the balancer closes what is open then;
one longer than the pod's grace period promises them time that the pod does not have.`,
  remedy:
    'Make the delay at least as long as your longest request, and the grace period at least as long as the delay.',
  decides: `\`deregistration_delay.timeout_seconds\` in the target group attributes of an Ingress or Service of the
AWS Load Balancer Controller with target type ip (or type nlb-ip): below \`minDelay\`, or above
\`terminationGracePeriodSeconds\` (default 30) of the pods behind it. What a Service says of an Ingress's target
group, its type and its attributes, counts before what the Ingress says, and the type that the IngressClassParams
of its class have before both. The default of 300 is not reported when nothing is written, unless the rule is asked
for. The same for this attribute in a TargetGroupConfiguration with target type ip, and for \`drainingTimeoutSec\`
of a BackendConfig of GKE that Services name.

Left alone is a short delay of a Network Load Balancer without \`deregistration_delay.connection_termination.enabled\`:
it goes on with connections that are in use.

In a cluster it says how often pods were stopped lately, by rollouts, autoscalers and evictions, as far as that is still
known.`,
  falsePositives: 'Where no request takes as long as the grace period, a longer delay costs nothing.',
  sources: [
    'aws-load-balancer-controller/docs/guide/ingress/annotations.md, docs/guide/service/annotations.md (target-group-attributes)',
    'aws-load-balancer-controller/pkg/ingress/model_build_target_group.go (buildTargetGroupSpec)',
    'aws-load-balancer-controller/docs/guide/gateway/targetgroupconfig.md, apis/gateway/v1/targetgroupconfig_types.go',
    'Elastic Load Balancing documentation, deregistration delay (of Application and of Network Load Balancers)',
    'ingress-gce/pkg/apis/backendconfig/v1/types.go (ConnectionDrainingConfig), pkg/backends/features/draining.go',
  ],
  stories: ['ravelin-ingress-502', 'zalando-misc-races', 'betz-gke-upgrade'],
  params: {
    minDelay: { type: 'integer', minimum: 0, default: 10, about: 'Seconds that requests in flight need.' },
  },
  for: ['Ingress', 'Service', 'cloud.google.com/BackendConfig', 'gateway.k8s.aws/TargetGroupConfiguration'],
  check(subject, { graph, params, report }) {
    for (const draining of drainingsOf(subject, graph)) {
      const { node, field, seconds: delay, isWritten, services, see } = draining
      const workloads = services.flatMap(graph.backendsOf)
      const stopped = (workload: Workload) =>
        formatTurnover(workload, graph, ['scaleDowns', 'rollouts', 'evictions', 'made'])
      if (delay < params.minDelay) {
        if (draining.isOpenEnded) continue
        const [only, ...others] = workloads
        report(
          node,
          field,
          `Requests in flight are cut at every rollout: the balancer waits ${formatSeconds(delay)} for them.`,
          { often: only && others.length === 0 ? stopped(only) : [], see: [see] },
        )
        continue
      }
      const short = workloads.find((workload) => delay > graceOf(workload))
      if (!short) continue
      const grace = graceOf(short)
      report(
        node,
        field,
        `Requests of more than ${formatSeconds(grace)} are cut off when a pod stops: the balancer waits ${formatSeconds(delay)}${isWritten ? '' : ' by default'} for them, pods of ${short.name} end before.`,
        {
          recommended: isWritten,
          often: stopped(short),
          see: [at(short, short.pod, 'terminationGracePeriodSeconds'), see],
        },
      )
    }
  },
})

/** How long a balancer keeps the connections of a pod that goes, and where that is written. */
interface Draining {
  readonly node: Node
  readonly field: string
  readonly seconds: number
  readonly isWritten: boolean
  /** Whether connections that are in use live on after it. */
  readonly isOpenEnded: boolean
  /** The Services whose pods it is about. */
  readonly services: readonly Service[]
  /** What says that it is pods that the balancer sends to, where that is another object. */
  readonly see?: Sight | undefined
}

type Subject = Ingress | Service | Custom

function drainingsOf(subject: Subject, graph: Graph): readonly Draining[] {
  if (isKind(subject, 'Ingress')) return drainingsIn(podTargetsOfIngress(subject, graph), subject)
  if (isKind(subject, 'Service')) return drainingsIn(podTargetsTo(subject, graph), subject)
  if (subject.kind === 'TargetGroupConfiguration') return drainingsOfGroups(subject, graph)
  const node = objectAt(subject, 'spec', 'connectionDraining')
  const seconds = numberAt(node, 'drainingTimeoutSec')
  return node && seconds !== undefined
    ? [
        {
          node,
          field: 'drainingTimeoutSec',
          seconds,
          isWritten: true,
          isOpenEnded: false,
          services: namedFor(subject, graph),
        },
      ]
    : []
}

/** What the subject decides of these target groups: one for each of its annotations. */
function drainingsIn(groups: readonly PodTargets[], subject: Ingress | Service): readonly Draining[] {
  const places = new Map<string, Draining>()
  for (const { type, attributes, service } of groups) {
    const { of, node, key } = attributes ?? type
    if (of !== subject) continue
    const written = attributes ? (stringAt(node, key) ?? '') : ''
    const text = /deregistration_delay\.timeout_seconds=(\d+)/.exec(written)?.[1]
    places.set(key, {
      node,
      field: key,
      // 300 s: Elastic Load Balancing documentation, deregistration delay.
      seconds: seconds(text) ?? 300,
      isWritten: text !== undefined,
      isOpenEnded: key === nlbAttributes && !written.includes(`${termination}=true`),
      services: [...(places.get(key)?.services ?? []), ...(service ? [service] : [])],
      see: type.params
        ? at(type.params.of, type.params.spec, 'targetType')
        : type.of === subject
          ? undefined
          : at(type.of, type.node, type.key),
    })
  }
  return [...places.values()]
}

/** What a configuration says of the target groups that routes of the Gateway API make: for all of them, and for some. */
function drainingsOfGroups(subject: Custom, graph: Graph): readonly Draining[] {
  const service = configuredService(subject, graph)
  const routes = service ? graph.routesTo(service) : []
  // Routes of connections make a Network Load Balancer, those of requests an Application Load Balancer.
  const isNetwork =
    routes.length > 0 && routes.every(({ from }) => /^(TCP|TLS|UDP)Route$/.test(from.kind ?? ''))
  return targetGroupsOf(subject).flatMap(({ type, node }) => {
    const attributes = objectsAt(node, 'targetGroupAttributes')
    const called = (key: string) => attributes.find((one) => stringAt(one, 'key') === key)
    const attribute = called('deregistration_delay.timeout_seconds')
    const isOpenEnded = isNetwork && stringAt(called(termination), 'value') !== 'true'
    const text = stringAt(attribute, 'value') ?? ''
    // AWS refuses anything but whole seconds.
    const delay = /^\d+$/.test(text) ? seconds(text) : undefined
    if (type !== 'ip' || !attribute || delay === undefined) return []
    const services = service ? [service] : []
    return [{ node: attribute, field: 'value', seconds: delay, isWritten: true, isOpenEnded, services }]
  })
}

/**
 * The Services that name a BackendConfig: {"default": "web"} or {"ports": {"80": "web"}}. Of two annotations the newer counts. Source:
 * ingress-gce/pkg/annotations/service.go (getBackendConfigAnnotation).
 */
function namedFor(subject: Custom, graph: Graph): readonly Service[] {
  const { name } = subject.metadata ?? {}
  return graph
    .siblings('Service', subject)
    .filter(({ metadata: { annotations } = {} }) =>
      (annotations?.[backendConfig] ?? annotations?.[`beta.${backendConfig}`])?.includes(`"${name}"`),
    )
}

const backendConfig = 'cloud.google.com/backend-config'

/** By which a Network Load Balancer closes what is open when the delay is over. Off by default for TCP and TLS. */
const termination = 'deregistration_delay.connection_termination.enabled'
