import { at, matchesSelector, rule, type Workload } from '../src/rule.js'

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
from one workload with two pods or more at least, and no anti-affinity or spread over the hostname that
matches them. DaemonSets and pods with a hostPort, which cannot share a node, are exempt. A single pod is
\`single-replica-service\`.`,
  versions: 'Cordoned nodes stay behind cloud balancers from 1.19 on, NotReady nodes from 1.27 on.',
  sources: ['kubernetes PR 90823', 'kubernetes/pkg/features/kube_features.go (StableLoadBalancerNodeSet)'],
  stories: ['devopshof-drain-local', 'oneandone-node-join-timeouts'],
  for: 'Service',
  check(service, { graph, report }) {
    const { spec } = service
    if (spec?.externalTrafficPolicy !== 'Local' || (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort'))
      return
    const backends = graph.backendsOf(service)
    const [workload] = backends
    if (!workload || backends.length > 1) return
    const pods = graph.fewestPods(workload)?.pods ?? 0
    if (pods < 2 || keepsApart(workload)) return
    report(
      spec,
      'externalTrafficPolicy',
      `One node drain can cut all traffic to ${graph.describe(service)}: its ${pods} pods may stand on one node, and only nodes with a ready pod accept it.`,
      { see: [at(workload, workload.pod)] },
    )
  },
})

/** Whether something keeps the workload's pods on different nodes. */
function keepsApart({ labels, pod, running }: Workload): boolean {
  const { podAntiAffinity } = pod.affinity ?? {}
  const terms = [
    ...(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(
      (one) => one.podAffinityTerm ?? [],
    ),
    ...(pod.topologySpreadConstraints ?? []),
  ]
  const ports = running.flatMap(({ spec }) => spec.ports ?? [])
  return (
    // With hostNetwork every port is a hostPort: pkg/apis/core/v1/defaults.go.
    ports.some((port) => port.hostPort || (pod.hostNetwork && port.containerPort)) ||
    terms.some(
      (term) => term.topologyKey === 'kubernetes.io/hostname' && matchesSelector(term.labelSelector, labels),
    )
  )
}
