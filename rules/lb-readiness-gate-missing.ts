import {
  advise,
  at,
  type Custom,
  firstOf,
  type Graph,
  type Ingress,
  isGone,
  isKind,
  isNamespaceOf,
  type Live,
  type Node,
  objectAt,
  type PodSpec,
  rule,
  type Service,
  set,
  stringAt,
  type Workload,
} from '../src/rule.js'

const label = 'elbv2.k8s.aws/pod-readiness-gate-inject'
const annotations = [
  'alb.ingress.kubernetes.io/target-type',
  'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type',
]

const targetKinds = ['Ingress', 'Service', 'elbv2.k8s.aws/TargetGroupBinding'] as const

export default rule({
  title: 'Pods count as ready before the load balancer knows them',
  category: 'networking',
  severity: 'warning',
  why: `When the AWS balancer sends to pods directly it must register each new pod first, which takes longer
than the pod's start. A rollout that goes by the pods' own readiness can replace all of them before one is
registered, and the balancer answers 502 or 503 from an empty target group.`,
  remedy: `Label the namespace \`${label}: enabled\`, so that the controller adds a readiness gate.`,
  decides: `An Ingress, Service or TargetGroupBinding for the AWS Load Balancer Controller with target type ip, whose Namespace
is in the input without the label and whose pods have no \`target-health.elbv2.k8s.aws\` readiness gate of
their own; in a cluster its pods themselves count, whoever gave them the gate. Without the Namespace in the input it is silent,
or, where the rule is asked for, an info.`,
  versions: 'The label takes effect for pods created after it.',
  sources: ['aws-load-balancer-controller/docs/deploy/pod_readiness_gate.md'],
  stories: ['zalando-misc-races', 'ravelin-ingress-502'],
  for: ['Namespace', ...targetKinds],
  check(subject, { graph, report }) {
    if (!isKind(subject, 'Namespace')) {
      const place = placeOfTarget(subject)
      if (!place || graph.live || hasGate(subject, graph) || hasNamespace(subject, graph)) return
      report(
        ...place,
        `A fast rollout leaves the balancer of ${graph.describe(subject)} without targets unless its namespace, which the input lacks, asks for readiness gates.`,
        { severity: 'info', recommended: false, fix: advise(`${label}: enabled on the namespace`) },
      )
      return
    }
    const { metadata } = subject
    if (!metadata?.name || metadata.labels?.[label] === 'enabled') return
    for (const one of graph.once('targets of type ip', () => targetsIn(graph))) {
      const place = placeOfTarget(one)
      if (!place || !isNamespaceOf(subject, one, graph) || hasGate(one, graph)) continue
      const bare = graph.live && bareBehind(one, graph, graph.live)
      if (bare?.length === 0) continue
      report(
        metadata,
        'labels',
        `A fast rollout leaves the balancer of ${graph.describe(one)} without targets: pods here get no readiness gate.`,
        {
          see: [at(one, ...place)],
          evidence: bare && [`without a readiness gate: ${firstOf(bare)}`],
          fix: metadata.labels
            ? set(metadata.labels, label, 'enabled')
            : set(metadata, 'labels', { [label]: 'enabled' }, `${label}: enabled`),
        },
      )
      return
    }
  },
})

/** What may make a balancer send to pods directly. */
type Target = Ingress | Service | Custom

/** Where it says that it does; undefined where it does not. */
function placeOfTarget(one: Target): readonly [node: Node, field: string] | undefined {
  const spec = objectAt(one, 'spec')
  if (one.kind === 'TargetGroupBinding')
    return spec && stringAt(spec, 'targetType') === 'ip' ? [spec, 'targetType'] : undefined
  const own = one.metadata?.annotations
  const key = annotations.find((name) => own?.[name] === 'ip')
  return own && key ? [own, key] : undefined
}

function hasNamespace(one: Target, graph: Graph): boolean {
  return graph.all('Namespace').some((namespace) => isNamespaceOf(namespace, one, graph))
}

/** Whether the pods behind it have a readiness gate for the balancer already. */
function hasGate(one: Target, graph: Graph): boolean {
  return backendsOf(one, graph).some(({ pod }) => isGated(pod))
}

/** The pods of a cluster that stand behind it without a readiness gate. */
function bareBehind(one: Target, graph: Graph, live: Live): readonly string[] {
  const pods = new Set(backendsOf(one, graph).flatMap(live.podsOf))
  return [...pods]
    .filter((pod) => !isGone(pod) && !isGated(pod.spec))
    .map(({ metadata }) => metadata?.name ?? '')
    .sort()
}

function backendsOf(one: Target, graph: Graph): readonly Workload[] {
  return servicesOf(one, graph).flatMap(graph.backendsOf)
}

function servicesOf(one: Target, graph: Graph): readonly Service[] {
  if (isKind(one, 'Service')) return [one]
  if (isKind(one, 'Ingress')) return graph.backendsNamedBy(one).flatMap(({ service }) => service ?? [])
  const service = graph.find('Service', stringAt(one, 'spec', 'serviceRef', 'name'), one)
  return service ? [service] : []
}

function isGated(pod: PodSpec | undefined): boolean {
  return (
    pod?.readinessGates?.some(({ conditionType }) =>
      conditionType?.startsWith('target-health.elbv2.k8s.aws'),
    ) ?? false
  )
}

/** What has balancers that send to pods directly. */
function targetsIn(graph: Graph): readonly Target[] {
  return targetKinds
    .flatMap((kind): readonly Target[] => graph.all(kind))
    .filter((one) => placeOfTarget(one) !== undefined)
}
