import { at, matchesSelector, rule } from '../src/rule.js'

export default rule({
  title: 'Traffic is split by node while the pods are not',
  category: 'networking',
  severity: 'warning',
  why: `With policy Local the balancer or router gives every node that has a pod the same share, however
many pods stand there. A pod that is alone on its node gets as much as five together on another, and is
overloaded first.`,
  remedy:
    'Spread the pods evenly: `topologySpreadConstraints` over `kubernetes.io/hostname`, `maxSkew: 1`, `DoNotSchedule`.',
  decides: `A Service with \`externalTrafficPolicy: Local\` (type LoadBalancer or NodePort) over a workload
with more than two pods at least, that has neither a hard spread with maxSkew 1 nor required anti-affinity
over the hostname. DaemonSets are exempt, as are workloads that \`local-traffic-drain-blackhole\` reports on
the same Service.`,
  sources: ['Kubernetes documentation, external traffic policy'],
  stories: ['oneandone-ecmp-resets', 'skyscanner-haproxy-template'],
  unless: ['local-traffic-drain-blackhole'],
  for: 'Service',
  check(service, { graph, report }) {
    const { spec } = service
    if (spec?.externalTrafficPolicy !== 'Local' || (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort'))
      return
    for (const workload of graph.backendsOf(service)) {
      const fewest = graph.fewestPods(workload)
      if (!fewest || fewest.pods <= 2) continue
      const { pod, labels } = workload
      const byHost = (key: string | undefined) => key === 'kubernetes.io/hostname'
      const hard = pod.topologySpreadConstraints?.some(
        (one) =>
          byHost(one.topologyKey) &&
          one.whenUnsatisfiable === 'DoNotSchedule' &&
          (one.maxSkew ?? 1) <= 1 &&
          matchesSelector(one.labelSelector, labels),
      )
      const apart = pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.some(
        (one) => byHost(one.topologyKey) && matchesSelector(one.labelSelector, labels),
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
