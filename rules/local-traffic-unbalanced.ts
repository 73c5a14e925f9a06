import {
  at,
  type Graph,
  matchesSelector,
  readyByNode,
  rule,
  type Service,
  sendsToPods,
  topologyOf,
  zoneLabel,
} from '../src/rule.js'

export default rule({
  title: 'Traffic is split by node while the pods are not',
  category: 'networking',
  severity: 'warning',
  why: `With policy Local the balancer or router gives every node that has a pod the same share, however
many pods stand there. A pod that is alone on its node gets as much as five together on another, and is
overloaded first.`,
  remedy:
    'Spread the pods evenly: `topologySpreadConstraints` over `kubernetes.io/hostname`, `maxSkew: 1`, `DoNotSchedule`.',
  decides: `A Service with \`externalTrafficPolicy: Local\` (type LoadBalancer or NodePort) over a workload with
more than two pods at least, that has neither a hard spread with maxSkew 1 nor required anti-affinity over the
hostname or the zone. In a cluster what counts is where the ready pods stand: it is reported when one node has more
than \`maxRatio\` times the pods of another that has any, whatever the constraints say. DaemonSets are exempt, as
are Services whose balancer sends to pods (AWS with target type ip), goes by their number
(\`networking.gke.io/weighted-load-balancing: pods-per-node\`) or sends to one node only (MetalLB in L2 mode alone),
and workloads that \`local-traffic-drain-blackhole\` reports on the same Service.`,
  sources: [
    'Kubernetes documentation, external traffic policy',
    'ingress-gce/pkg/l4/annotations/service.go (pods-per-node)',
    'metallb/speaker/layer2_controller.go (ShouldAnnounce)',
  ],
  stories: ['oneandone-ecmp-resets', 'skyscanner-haproxy-template'],
  unless: ['local-traffic-drain-blackhole'],
  params: {
    maxRatio: {
      type: 'number',
      minimum: 1,
      default: 2,
      about: 'Pods on one node of a cluster for each one on another.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const { spec } = service
    if (spec?.externalTrafficPolicy !== 'Local' || (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort'))
      return
    if (sendsToPods(service) || isWeighted(service) || hasOneNode(graph)) return
    for (const workload of graph.backendsOf(service)) {
      const fewest = graph.fewestPods(workload)
      if (!fewest) continue
      const places = graph.live && readyByNode(graph.live.podsOf(workload))
      if (places) {
        const [[name, most] = ['', 0]] = places
        const [other, least] = places.at(-1) ?? ['', 0]
        if (most <= params.maxRatio * least) continue
        report(
          spec,
          'externalTrafficPolicy',
          `A pod of ${workload.name} on node ${other} gets ${times(most / least)} the traffic of one on ${name}: ${least} ready ${least === 1 ? 'pod is' : 'pods are'} on ${other}, ${most} on ${name}.`,
          {
            see: [at(workload, workload.pod, 'topologySpreadConstraints')],
            evidence: places.slice(0, 4).map(([node, count]) => `node ${node}: ${count} ready`),
          },
        )
        return
      }
      if (fewest.pods <= 2) continue
      const { pod, labels } = workload
      const byHost = (key: string | undefined) => key === 'kubernetes.io/hostname'
      const hard = pod.topologySpreadConstraints?.some(
        (one) =>
          byHost(one.topologyKey) &&
          one.whenUnsatisfiable === 'DoNotSchedule' &&
          (one.maxSkew ?? 1) <= 1 &&
          matchesSelector(one.labelSelector, labels),
      )
      // One pod in each zone is one pod on a node.
      const apart = pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.some(
        (term) =>
          (byHost(term.topologyKey) || topologyOf(term) === zoneLabel) &&
          matchesSelector(term.labelSelector, labels),
      )
      if (hard || apart) continue
      report(
        spec,
        'externalTrafficPolicy',
        `A pod that is alone on its node gets several times the traffic of others: ${fewest.pods} pods of ${workload.name} are not spread evenly over nodes.`,
        {
          see: [at(workload, pod, 'topologySpreadConstraints', 'no hard spread by hostname')],
        },
      )
      return
    }
  },
})

/** Whether the balancer sends to nodes by the number of their pods. Source: ingress-gce/pkg/l4/annotations/service.go. */
function isWeighted({ metadata }: Service): boolean {
  return metadata?.annotations?.['networking.gke.io/weighted-load-balancing'] === 'pods-per-node'
}

/** Whether one node at a time answers for each address, as MetalLB does it without BGP. */
function hasOneNode(graph: Graph): boolean {
  return (
    graph.all('metallb.io/L2Advertisement').length > 0 &&
    graph.all('metallb.io/BGPAdvertisement').length === 0
  )
}

/** `3 times`, `2.5 times`. */
function times(ratio: number): string {
  return `${Number(ratio.toFixed(1))} times`
}
