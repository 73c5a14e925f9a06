import {
  at,
  atMost,
  counted,
  type Fault,
  type Graph,
  groupBy,
  isGone,
  isReady,
  type Live,
  type Pod,
  rule,
  type Service,
  set,
  toleratesAll,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A node-local Service has no pod on some nodes',
  category: 'networking',
  severity: 'error',
  why: `With \`internalTrafficPolicy: Local\` a node sends to pods on itself only. On a node that has none, every
connection from its pods is dropped: there is no way to another node. Which clients fail depends on where the
scheduler put them.`,
  remedy:
    'Run the pods on every node (DaemonSet), or use `trafficDistribution`, which prefers near pods and goes on to others.',
  decides: `A Service with \`internalTrafficPolicy: Local\` and a selector whose pods come from a Deployment or
StatefulSet, or from a DaemonSet that a node selector or required node affinity keeps off some nodes (a warning: the
clients may be there only). Where the rule is asked for, an info for a DaemonSet that does not tolerate every taint.
In a cluster: nodes that run pods with addresses of their own and no ready pod of the Service, outside kube-system;
a workload that happens to have a ready pod on each of them is silent.`,
  falsePositives: 'Clients that are on the same nodes by affinity, or the same pods talking to themselves.',
  versions:
    'internalTrafficPolicy is GA from 1.26. trafficDistribution: PreferClose from 1.31 (beta, GA 1.33), PreferSameNode and PreferSameZone from 1.34 (beta, GA 1.35).',
  sources: [
    'k8s.io/api/core/v1/types.go (ServiceInternalTrafficPolicy, TrafficDistribution)',
    'kubernetes/pkg/proxy/topology.go',
    'kubernetes/pkg/features/kube_features.go (PreferSameTrafficDistribution)',
  ],
  stories: ['oneandone-ecmp-resets', 'oneandone-node-join-timeouts'],
  for: 'Service',
  check(service, { graph, minor, report }) {
    const { spec } = service
    if (spec?.internalTrafficPolicy !== 'Local') return
    const backends = graph.backendsOf(service)
    const [workload] = backends
    if (!workload) return
    const everywhere = backends.find(isEverywhere)
    if (everywhere) {
      if (!graph.live && !backends.some(({ pod }) => toleratesAll(pod)))
        report(...keptOffByTaints(spec, service, everywhere, graph))
      return
    }
    const bare = graph.live && bareNodes(backends, graph, graph.live)
    if (bare && bare.length === 0) return
    const isSome = workload.kind === 'DaemonSet'
    report(
      spec,
      'internalTrafficPolicy',
      bare
        ? `Pods on ${bare.length === 1 ? `node ${bare[0]?.name}` : `${bare.length} nodes`} cannot reach ${graph.describe(service)}: no ready pod of ${workload.name} is there, and the Service stays on the node.`
        : `Pods on nodes without a pod of ${workload.kind} ${workload.name} cannot reach ${graph.describe(service)}: the Service stays on the node.`,
      {
        severity: isSome ? 'warning' : 'error',
        see: [at(workload, workload.object, undefined, isSome ? 'on some nodes only' : 'not on every node')],
        evidence:
          bare &&
          atMost(
            3,
            bare.map(({ name, pods }) => `node ${name}: ${counted(pods, 'pod')} without it`),
          ),
        fix:
          minor >= 34 && !isSome
            ? {
                safe: false,
                title: 'internalTrafficPolicy: Cluster with trafficDistribution: PreferSameNode',
                edits: [
                  { op: 'set', node: spec, field: 'internalTrafficPolicy', value: 'Cluster' },
                  { op: 'set', node: spec, field: 'trafficDistribution', value: 'PreferSameNode' },
                ],
              }
            : set(spec, 'internalTrafficPolicy', 'Cluster'),
      },
    )
  },
})

/** A DaemonSet that no selector keeps off nodes with Linux. */
function isEverywhere({ kind, pod }: Workload): boolean {
  const isPlain = (key: string | undefined) => key === 'kubernetes.io/os' || key === 'kubernetes.io/arch'
  const { requiredDuringSchedulingIgnoredDuringExecution: required } = pod.affinity?.nodeAffinity ?? {}
  return (
    kind === 'DaemonSet' &&
    Object.keys(pod.nodeSelector ?? {}).every(isPlain) &&
    (required?.nodeSelectorTerms ?? []).every((term) =>
      // Fargate and virtual nodes are kept out by their labels.
      (term.matchExpressions ?? []).every(({ key, operator }) => isPlain(key) || operator === 'NotIn'),
    )
  )
}

/** That nodes may have taints which keep the DaemonSet off. */
function keptOffByTaints(
  spec: NonNullable<Service['spec']>,
  service: Service,
  workload: Workload,
  graph: Graph,
): Fault {
  const { pod, kind, name } = workload
  const tolerated = pod.tolerations?.length ?? 0
  return [
    spec,
    'internalTrafficPolicy',
    `Pods on tainted nodes cannot reach ${graph.describe(service)}: ${kind} ${name} tolerates ${tolerated > 0 ? 'some taints only' : 'no taints'}, and the Service stays on the node.`,
    {
      severity: 'info',
      recommended: false,
      see: [at(workload, pod, tolerated > 0 ? 'tolerations' : undefined)],
    },
  ]
}

/** The nodes whose pods find no pod of the Service, those with the most pods first. */
function bareNodes(
  backends: readonly Workload[],
  graph: Graph,
  live: Live,
): readonly { readonly name: string; readonly pods: number }[] {
  const own = new Set<Pod>(backends.flatMap((one) => live.podsOf(one)))
  const served = new Set(
    [...own].filter((pod) => isReady(pod) && !isGone(pod)).map(({ spec }) => spec?.nodeName),
  )
  const clients = graph.once('clients-by-node', () => clientsIn(live))
  return [...clients]
    .map(([name, pods]) => ({ name, pods: pods.filter((pod) => !own.has(pod)).length }))
    .filter(({ name, pods }) => pods > 0 && !served.has(name))
    .sort((a, b) => b.pods - a.pods || (a.name < b.name ? -1 : 1))
}

/** The running pods of each node that have addresses of their own and may be clients. */
function clientsIn(live: Live): ReadonlyMap<string, readonly Pod[]> {
  return groupBy(live.pods, (pod) => {
    const { nodeName, hostNetwork } = pod.spec ?? {}
    const isClient = !hostNetwork && !isGone(pod) && pod.metadata?.namespace !== 'kube-system'
    return nodeName && isClient ? nodeName : undefined
  })
}
