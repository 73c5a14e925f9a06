import {
  at,
  firstOf,
  type Graph,
  type Ingress,
  isGone,
  isKind,
  isNamespaceOf,
  type Live,
  type PodSpec,
  rule,
  type Service,
  set,
  type Workload,
} from '../src/rule.js'

const label = 'elbv2.k8s.aws/pod-readiness-gate-inject'
const annotations = [
  'alb.ingress.kubernetes.io/target-type',
  'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type',
]

export default rule({
  title: 'Pods count as ready before the load balancer knows them',
  category: 'networking',
  severity: 'warning',
  why: `When the AWS balancer sends to pods directly it must register each new pod first, which takes longer
than the pod's start. A rollout that goes by the pods' own readiness can replace all of them before one is
registered, and the balancer answers 502 or 503 from an empty target group.`,
  remedy: `Label the namespace \`${label}: enabled\`, so that the controller adds a readiness gate.`,
  decides: `An Ingress or Service for the AWS Load Balancer Controller with target type ip, whose Namespace
is in the input without the label and whose pods have no \`target-health.elbv2.k8s.aws\` readiness gate of
their own; in a cluster its pods themselves count, whoever gave them the gate. Without the Namespace in the input it is silent.`,
  versions: 'The label takes effect for pods created after it.',
  sources: ['AWS Load Balancer Controller documentation, pod readiness gate'],
  stories: ['zalando-misc-races', 'ravelin-ingress-502'],
  for: 'Namespace',
  check(namespace, { graph, report }) {
    const { metadata } = namespace
    if (!metadata?.name || metadata.labels?.[label] === 'enabled') return
    for (const one of graph.once('targets of type ip', () => targetsIn(graph))) {
      const own = one.metadata?.annotations
      const key = annotations.find((name) => own?.[name] === 'ip')
      if (!own || !key || !isNamespaceOf(namespace, one, graph) || hasGate(one, graph)) continue
      const bare = graph.live && bareBehind(one, graph, graph.live)
      if (bare?.length === 0) continue
      report(
        metadata,
        'labels',
        `A fast rollout leaves the balancer of ${graph.describe(one)} without targets: pods here get no readiness gate.`,
        {
          see: [at(one, own, key)],
          evidence: bare && [`without a readiness gate: ${firstOf(bare)}`],
          fix: set(metadata, 'labels', { ...metadata.labels, [label]: 'enabled' }, `${label}: enabled`),
        },
      )
      return
    }
  },
})

/** Whether the pods behind it have a readiness gate for the balancer already. */
function hasGate(one: Ingress | Service, graph: Graph): boolean {
  return backendsOf(one, graph).some(({ pod }) => isGated(pod))
}

/** The pods of a cluster that stand behind it without a readiness gate. */
function bareBehind(one: Ingress | Service, graph: Graph, live: Live): readonly string[] {
  const pods = new Set(backendsOf(one, graph).flatMap(live.podsOf))
  return [...pods]
    .filter((pod) => !isGone(pod) && !isGated(pod.spec))
    .map(({ metadata }) => metadata?.name ?? '')
    .sort()
}

function backendsOf(one: Ingress | Service, graph: Graph): readonly Workload[] {
  const services = isKind(one, 'Service')
    ? [one]
    : graph.backendsNamedBy(one).flatMap(({ service }) => service ?? [])
  return services.flatMap(graph.backendsOf)
}

function isGated(pod: PodSpec | undefined): boolean {
  return (
    pod?.readinessGates?.some(({ conditionType }) =>
      conditionType?.startsWith('target-health.elbv2.k8s.aws'),
    ) ?? false
  )
}

/** The Ingresses and Services whose balancer sends to pods directly. */
function targetsIn(graph: Graph): readonly (Ingress | Service)[] {
  return [...graph.all('Ingress'), ...graph.all('Service')].filter((one) =>
    annotations.some((name) => one.metadata?.annotations?.[name] === 'ip'),
  )
}
