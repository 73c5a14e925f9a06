import {
  advise,
  at,
  type Custom,
  classOf,
  configuredService,
  firstOf,
  type Graph,
  type Ingress,
  isGone,
  isKind,
  isNamespaceOf,
  type Live,
  objectAt,
  type PodSpec,
  podTargetsOfIngress,
  podTargetsTo,
  rule,
  type Service,
  type Sight,
  set,
  stringAt,
  targetGroupsOf,
} from '../src/rule.js'

const label = 'elbv2.k8s.aws/pod-readiness-gate-inject'
/** The label of EKS Auto Mode, whose balancers AWS makes without a controller in the cluster. */
const autoLabel = 'eks.amazonaws.com/pod-readiness-gate-inject'

const gatewayApi = 'gateway.networking.k8s.io/'

const targetKinds = [
  'Ingress',
  'Service',
  'elbv2.k8s.aws/TargetGroupBinding',
  'eks.amazonaws.com/TargetGroupBinding',
  'gateway.k8s.aws/TargetGroupConfiguration',
] as const

export default rule({
  title: 'Pods count as ready before the load balancer knows them',
  category: 'networking',
  severity: 'warning',
  why: `When the AWS balancer sends to pods directly it must register each new pod first, which takes longer
than the pod's start. A rollout that goes by the pods' own readiness can replace all of them before one is
registered, and the balancer answers 502 or 503 from an empty target group.`,
  remedy: `Label the namespace \`${label}: enabled\`, so that the controller adds a readiness gate.`,
  decides: `An Ingress, Service or TargetGroupBinding for the AWS Load Balancer Controller with target type ip (or
type nlb-ip), whose pods have no readiness gate of their own for the balancer (\`target-health.elbv2.k8s.aws\`) and
whose Namespace is in the input without the label. EKS Auto Mode goes by a label of its own
(\`${autoLabel}\`) and not by that of the controller. In a cluster the
pods themselves count, whoever gave them the gate. The target type that a Service says for Ingresses counts before
theirs, and that of the IngressClassParams of their class before both. The same for a TargetGroupConfiguration with
target type ip for a Service that a route of the Gateway API leads to. Without the Namespace in the input it is
silent, or, where the rule is asked for, an info.`,
  versions: 'The label takes effect for pods created after it.',
  sources: [
    'aws-load-balancer-controller/docs/deploy/pod_readiness_gate.md',
    'aws-load-balancer-controller/pkg/ingress/model_build_target_group.go (buildTargetGroupTargetType)',
    'aws-load-balancer-controller/docs/guide/gateway/targetgroupconfig.md, pkg/inject/pod_readiness/pod_readiness_gate.go',
    'Amazon EKS documentation, EKS Auto Mode (controller of its IngressClass, loadBalancerClass, TargetGroupBinding)',
    'Clusters of EKS Auto Mode: its webhook eks-load-balancing-webhook (namespace selector), and the readiness gates of pods',
  ],
  stories: ['zalando-misc-races', 'ravelin-ingress-502'],
  for: ['Namespace', ...targetKinds],
  check(subject, { graph, report, isAsked }) {
    if (!isKind(subject, 'Namespace')) {
      if (!isAsked || graph.live || graph.namespacesCalled(graph.namespaceOf(subject)).length > 0) return
      const target = targetOf(subject, graph)
      if (!target || hasGate(target, graph)) return
      const { node, field } = target.place
      report(
        node,
        field,
        `A fast rollout leaves the balancer of ${graph.describe(subject)} without targets unless its namespace, which the input lacks, asks for readiness gates.`,
        {
          severity: 'info',
          recommended: false,
          see: [target.decider],
          fix: advise(`${labelFor(subject, graph)}: enabled on the namespace`),
        },
      )
      return
    }
    const { metadata } = subject
    if (!metadata?.name || metadata.labels?.[autoLabel] === 'enabled') return
    const isAsking = metadata.labels?.[label] === 'enabled'
    for (const target of targetsIn(metadata.name, graph)) {
      const { one } = target
      const wanted = labelFor(one, graph)
      if (isAsking && wanted === label) continue
      if (!isNamespaceOf(subject, one, graph) || hasGate(target, graph)) continue
      const bare = graph.live && bareBehind(target, graph, graph.live)
      if (bare?.length === 0) continue
      report(
        metadata,
        'labels',
        `A fast rollout leaves the balancer of ${graph.describe(one)} without targets: pods here get no readiness gate.`,
        {
          see: [target.place, target.decider],
          evidence: bare && [`without a readiness gate: ${firstOf(bare)}`],
          fix: metadata.labels
            ? set(metadata.labels, wanted, 'enabled')
            : set(metadata, 'labels', { [wanted]: 'enabled' }, `${wanted}: enabled`),
        },
      )
      return
    }
  },
})

/** What makes a balancer send to pods directly. */
interface Target {
  readonly one: Ingress | Service | Custom
  /** The Services whose pods it sends to, as far as they are in the input. */
  readonly services: readonly Service[]
  /** Where it is said that it does. */
  readonly place: Sight
  /** What says it for all Ingresses of a class. */
  readonly decider?: Sight | undefined
}

function targetOf(one: Target['one'], graph: Graph): Target | undefined {
  const groups = isKind(one, 'Ingress')
    ? podTargetsOfIngress(one, graph)
    : isKind(one, 'Service')
      ? podTargetsTo(one, graph)
      : undefined
  if (groups) {
    const own = groups.filter(({ type }) => type.of === one)
    const [first] = own
    return (
      first && {
        one,
        services: own.flatMap(({ service }) => service ?? []),
        place: at(one, first.type.node, first.type.key),
        decider: first.type.params && at(first.type.params.of, first.type.params.spec, 'targetType'),
      }
    )
  }
  if (one.kind === 'TargetGroupConfiguration') return targetOfConfiguration(one, graph)
  const spec = objectAt(one, 'spec')
  if (!spec || stringAt(spec, 'targetType') !== 'ip') return undefined
  const service = graph.find('Service', stringAt(spec, 'serviceRef', 'name'), one)
  return { one, services: service ? [service] : [], place: at(one, spec, 'targetType') }
}

/** Of a configuration for the target groups of a Service that routes of the Gateway API lead to. */
function targetOfConfiguration(one: Target['one'], graph: Graph): Target | undefined {
  const [of, ...ofRoutes] = targetGroupsOf(one)
  if (of?.type !== 'ip' || ofRoutes.some(({ type }) => type !== 'ip')) return undefined
  const service = configuredService(one, graph)
  const isRouted =
    service && graph.routesTo(service).some(({ from }) => from.apiVersion?.startsWith(gatewayApi))
  return isRouted ? { one, services: [service], place: at(one, of.node, 'targetType') } : undefined
}

/** The label that asks for readiness gates: EKS Auto Mode has its own. */
function labelFor(one: Target['one'], graph: Graph): string {
  const isAuto =
    one.apiVersion?.startsWith('eks.amazonaws.com/') ||
    (isKind(one, 'Service') && one.spec?.loadBalancerClass === 'eks.amazonaws.com/nlb') ||
    (isKind(one, 'Ingress') && classOf(one, graph)?.spec?.controller === 'eks.amazonaws.com/alb')
  return isAuto ? autoLabel : label
}

/** Whether pods behind it have a readiness gate for the balancer already. */
function hasGate({ services }: Target, graph: Graph): boolean {
  return services.flatMap(graph.backendsOf).some(({ pod }) => isGated(pod))
}

/** The pods of a cluster that stand behind it without a readiness gate. */
function bareBehind({ services }: Target, graph: Graph, live: Live): readonly string[] {
  const pods = new Set(services.flatMap(graph.backendsOf).flatMap(live.podsOf))
  return [...pods]
    .filter((pod) => !isGone(pod) && !isGated(pod.spec))
    .map(({ metadata }) => metadata?.name ?? '')
    .sort()
}

function isGated(pod: PodSpec | undefined): boolean {
  return (
    pod?.readinessGates?.some(({ conditionType = '' }) =>
      /^target-health\.(elbv2\.k8s\.aws|eks\.amazonaws\.com)/.test(conditionType),
    ) ?? false
  )
}

/** What has balancers that send to pods of a namespace directly. */
function targetsIn(namespace: string, graph: Graph): readonly Target[] {
  return targetKinds
    .flatMap((kind): readonly Target['one'][] => graph.allIn(kind, namespace))
    .flatMap((one) => targetOf(one, graph) ?? [])
}
