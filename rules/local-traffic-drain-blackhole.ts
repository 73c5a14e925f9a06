import { at, type Graph, matchesSelector, rule, type Workload } from '../src/rule.js'

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
from a workload with fewer than \`minReplicas\` pods at least, or with no anti-affinity or spread over the
hostname that matches them. DaemonSets are exempt.`,
  versions: 'Cordoned nodes stay behind cloud balancers from 1.19 on, NotReady nodes from 1.27 on.',
  sources: ['kubernetes PR 90823', 'kubernetes/pkg/features/kube_features.go (StableLoadBalancerNodeSet)'],
  stories: ['devopshof-drain-local', 'oneandone-node-join-timeouts'],
  params: {
    minReplicas: { type: 'integer', minimum: 2, default: 2, about: 'Pods that such a Service needs.' },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const { spec } = service
    if (spec?.externalTrafficPolicy !== 'Local' || (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort'))
      return
    const backends = graph.backendsOf(service)
    const [workload] = backends
    if (!workload || backends.length > 1) return
    const cause = causeIn(workload, graph, params.minReplicas)
    if (!cause) return
    report(
      spec,
      'externalTrafficPolicy',
      `One node drain can cut all traffic to ${graph.describe(service)}: ${cause.text}, and only nodes with a ready pod accept it.`,
      { see: [cause.see] },
    )
  },
})

function causeIn(workload: Workload, graph: Graph, min: number) {
  const fewest = graph.fewestPods(workload)
  if (!fewest || fewest.pods === 0) return undefined
  if (fewest.pods < min)
    return {
      text: `${workload.kind} ${workload.name} may run a single pod`,
      see: at(fewest.of, fewest.node, fewest.field),
    }
  const { podAntiAffinity } = workload.pod.affinity ?? {}
  const terms = [
    ...(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(
      (one) => one.podAffinityTerm ?? [],
    ),
    ...(workload.pod.topologySpreadConstraints ?? []),
  ]
  if (
    terms.some(
      (term) =>
        term.topologyKey === 'kubernetes.io/hostname' && matchesSelector(term.labelSelector, workload.labels),
    )
  )
    return undefined
  return {
    text: `nothing keeps the pods of ${workload.name} on different nodes`,
    see: at(workload, workload.pod, undefined),
  }
}
