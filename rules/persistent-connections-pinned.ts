import { atMost, rule, type ServicePort, unevenCpu } from '../src/rule.js'

export default rule({
  title: 'Long-lived connections stick to one pod',
  category: 'networking',
  severity: 'info',
  recommended: false,
  why: `A Service balances connections, not requests. gRPC and HTTP/2 clients open one connection and keep
it: all their requests go to one pod, new replicas get nothing, and when that pod goes all of them fail at
once.`,
  remedy: 'Use a headless Service with balancing in the client, or a mesh or proxy that balances requests.',
  decides: `A port that says gRPC or HTTP/2 by \`appProtocol\` or by its name, on a ClusterIP Service that is not
headless, with a workload of two or more pods (where the rule is asked for, also one whose pods the input does not
hold). Left alone are xDS, Services that a route leads to (a proxy balances requests), and mesh injection in the
Namespace or the pods.

In a cluster with the metrics API, the CPU of the pods stands below where it differs by far at this moment: the
standard deviation is more than half of the mean, over three pods or more.`,
  falsePositives: 'Clients that reconnect regularly, or servers that set a maximum connection age.',
  sources: ['Kubernetes documentation, Service (appProtocol)'],
  stories: ['betz-gke-ingress-keepalive', 'monzo-linkerd-etcd', 'skyscanner-haproxy-template'],
  for: 'Service',
  check(service, { graph, report }) {
    const { spec } = service
    if (
      !spec ||
      (spec.type ?? 'ClusterIP') !== 'ClusterIP' ||
      spec.clusterIP === 'None' ||
      graph.routesTo(service).length > 0
    )
      return
    const port = spec.ports?.find(isPersistent)
    const backends = graph.backendsOf(service)
    const workload = backends.find((one) => (graph.fewestPods(one)?.pods ?? 0) > 1)
    const isElsewhere =
      backends.length === 0 && !graph.complete && Object.keys(spec.selector ?? {}).length > 0
    if (!port || !(workload || isElsewhere)) return
    const namespace = graph.namespacesCalled(graph.namespaceOf(service)).at(-1)
    const meshed = JSON.stringify([
      namespace?.metadata?.labels ?? {},
      namespace?.metadata?.annotations ?? {},
      workload?.labels,
      workload?.annotations,
    ])
    if (
      /istio-injection":"enabled|istio\.io\/rev|linkerd\.io\/inject":"enabled|sidecar\.istio\.io|ambient/.test(
        meshed,
      )
    )
      return
    const pods = workload && graph.fewestPods(workload)?.pods
    report(
      port,
      port.appProtocol ? 'appProtocol' : 'name',
      `A client of ${graph.describe(service)} uses one of its ${pods === undefined ? '' : `${pods} `}pods only: gRPC and HTTP/2 keep one connection.`,
      {
        recommended: workload !== undefined,
        evidence: atMost(
          3,
          ((workload && unevenCpu(workload, graph)) ?? []).map(
            ({ pod, cpu }) => `pod ${pod} uses ${Math.round(cpu * 1000)}m CPU now`,
          ),
        ),
      },
    )
  },
})

function isPersistent({ name = '', appProtocol = '' }: ServicePort): boolean {
  // A proxy keeps one stream of xDS by design: to whom makes no difference.
  if (/xds/.test(name)) return false
  return /^(grpc|kubernetes\.io\/h2c|h2c|http2)$/i.test(appProtocol) || /^(grpc|http2)(-|$)/.test(name)
}
