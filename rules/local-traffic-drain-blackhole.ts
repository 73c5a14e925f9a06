import {
  at,
  type Graph,
  isAway,
  isExcludedFromBalancers,
  matchesSelector,
  type ObjectOf,
  type ReportOptions,
  readyByNode,
  rule,
  type Service,
  sendsToPods,
  spreadTermsOf,
  takesHostPort,
  topologyOf,
  type Workload,
  zoneLabel,
} from '../src/rule.js'

export default rule({
  title: 'All endpoints of a Local service can be on one draining node',
  category: 'networking',
  severity: 'warning',
  why: `With \`externalTrafficPolicy: Local\` only nodes that have a ready pod accept traffic. When all pods
stand on one node, a drain of that node leaves the balancer without any target until a new pod is ready and
its node has passed the health check: total loss for that time.`,
  remedy:
    'Run at least two pods, spread over nodes by a hard constraint, with a budget that lets one go at a time.',
  decides: `A Service of type LoadBalancer or NodePort with \`externalTrafficPolicy: Local\` whose pods come
from one workload with two pods or more at least, and no anti-affinity or spread over the hostname or the zone that
matches them. DaemonSets and pods with a hostPort, which cannot share a node, are exempt, and so are balancers of AWS that
send to pods (target type ip). A single pod is
\`single-replica-service\`. In a cluster: an error when all ready pods stand on nodes that are cordoned, not ready,
being scaled away or kept from balancers by their label, whatever the workload; an info when the pods happen to
stand on several nodes, and nothing in a cluster of one node.`,
  versions:
    'Cordoned nodes stay behind cloud balancers from 1.19 on, NotReady nodes from 1.27 on. From 1.26 on a node goes on to serve what still comes while its last pods end, and fails the health check.',
  sources: [
    'kubernetes PR 90823',
    'kubernetes/pkg/features/kube_features.go of 1.31 (StableLoadBalancerNodeSet)',
    'k8s.io/cloud-provider/controllers/service/controller.go (stableNodeSetPredicates)',
    'kubernetes/pkg/proxy/topology.go (CategorizeEndpoints), KEP-1669',
    'aws-load-balancer-controller/pkg/backend/endpoint_utils.go (IsNodeSuitableAsTrafficProxy)',
    'kubernetes/pkg/apis/core/v1/defaults.go (hostPort of hostNetwork pods)',
  ],
  stories: ['devopshof-drain-local', 'oneandone-node-join-timeouts'],
  for: 'Service',
  check(service, { graph, report }) {
    const { spec } = service
    if (spec?.externalTrafficPolicy !== 'Local' || (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort'))
      return
    if (sendsToPods(service)) return
    const backends = graph.backendsOf(service)
    const [workload] = backends
    if (!workload || backends.length > 1) return
    const name = graph.describe(service)
    const places = graph.live ? readyByNode(graph.live.podsOf(workload)) : []
    const harm = harmOfLeaving(name, places, spec, graph) ?? harmOfDrain(name, places, workload, graph)
    if (!harm) return
    const { message, ...more } = harm
    report(spec, 'externalTrafficPolicy', message, { ...more, see: [at(workload, workload.pod)] })
  },
})

/** What becomes of the traffic, and how bad that is. */
type Harm = Pick<ReportOptions, 'severity' | 'evidence'> & { readonly message: string }
/** The nodes with ready pods, and how many. */
type Places = ReturnType<typeof readyByNode>

/** That a balancer lets go of all nodes with ready pods. */
function harmOfLeaving(
  service: string,
  places: Places,
  spec: NonNullable<Service['spec']>,
  graph: Graph,
): Harm | undefined {
  const nodes = graph.live ? graph.all('Node') : []
  // Where all nodes have the label, it is not what the balancer goes by.
  const byLabel = spec.type === 'LoadBalancer' && !nodes.every(isExcludedFromBalancers)
  const leaving = places.flatMap(([name]) => {
    const why = leavingBy(
      nodes.find(({ metadata }) => metadata?.name === name),
      byLabel,
    )
    return why ? [`node ${name}: ${why}`] : []
  })
  const [first] = places
  if (!first || leaving.length < places.length) return undefined
  const which = leaving.length === 1 ? `node ${first[0]}` : `${leaving.length} nodes`
  const ready = places.reduce((sum, [, count]) => sum + count, 0)
  const pods = ready === 1 ? 'its only ready pod stands' : `its ${ready} ready pods stand`
  return {
    message: `All traffic to ${service} is lost when its balancer lets go of ${which}: ${pods} there.`,
    severity: 'error',
    evidence: leaving.slice(0, 4),
  }
}

/** That all pods stand on one node, or may. */
function harmOfDrain(service: string, places: Places, workload: Workload, graph: Graph): Harm | undefined {
  const pods = graph.fewestPods(workload)?.pods ?? 0
  if (pods < 2 || keepsApart(workload)) return undefined
  const [first, ...others] = places
  const [, most = 0] = first ?? []
  // What is uneven by now is told by local-traffic-unbalanced.
  if (others.length > 0 && most > 2 * (others.at(-1)?.[1] ?? 0)) return undefined
  const isAlone = places.length === 1
  if (isAlone && graph.all('Node').length === 1) return undefined
  const evidence = places.slice(0, 4).map(([name, count]) => `node ${name}: ${count} ready`)
  if (isAlone && most > 1)
    return {
      message: `A drain of node ${first?.[0]} cuts all traffic to ${service}: its ${most} ready pods stand there, and only nodes with a ready pod accept it.`,
      evidence,
    }
  return {
    message: `One node drain can cut all traffic to ${service}: its ${pods} pods may stand on one node, and only nodes with a ready pod accept it.`,
    ...(others.length > 0 && { severity: 'info' }),
    evidence,
  }
}

/** Why a balancer may send nothing to a node soon, or does so no more. */
function leavingBy(node: ObjectOf<'Node'> | undefined, byLabel: boolean): string | undefined {
  if (!node) return undefined
  const { metadata, spec } = node
  if (metadata?.deletionTimestamp !== undefined) return 'being deleted'
  const taint = spec?.taints?.find(({ key }) =>
    /^ToBeDeletedByClusterAutoscaler$|^karpenter\.sh\/disrupt/.test(key ?? ''),
  )
  if (taint) return `tainted ${taint.key}`
  if (isAway(node)) return 'not ready'
  if (spec?.unschedulable) return 'cordoned'
  return byLabel && isExcludedFromBalancers(node) ? 'excluded from load balancers by its label' : undefined
}

/** What is different for pods only if their nodes are. */
const apart: readonly string[] = ['kubernetes.io/hostname', zoneLabel]

/** Whether something keeps the workload's pods on different nodes. */
function keepsApart(workload: Workload): boolean {
  const { labels, pod } = workload
  return (
    takesHostPort(workload) ||
    spreadTermsOf(pod).some(
      (term) => apart.includes(topologyOf(term)) && matchesSelector(term.labelSelector, labels),
    )
  )
}
