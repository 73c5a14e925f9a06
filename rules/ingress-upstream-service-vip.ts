import { type Graph, type KubernetesObject, objectAt, objectsAt, remove, rule } from '../src/rule.js'

export default rule({
  title: 'The ingress controller balances over the Service address instead of pods',
  category: 'networking',
  severity: 'info',
  why: `The controller then has one upstream, the address of the Service, and kube-proxy picks a pod for each
connection, not for each request. With keep-alive a few pods get all requests; retries on another pod, slow start,
sticky sessions and draining of the controller do nothing.`,
  remedy: 'Remove the annotation, so that the controller sees the pods.',
  decides: `\`service-upstream: "true"\` in the annotations of an Ingress (ingress-nginx, HAProxy Ingress) or in the
ConfigMap of ingress-nginx, \`service.nativelb: "true"\` (Traefik) on a Service, and
\`nativeLB: true\` in an IngressRoute.

Exempt: input that shows a service mesh, whose sidecar at the controller balances and needs the Service's
address, and Ingresses with \`upstream-vhost\`, which is set for the same reason.`,
  falsePositives: 'A mesh that the input does not show, and a network plugin that balances each request.',
  sources: [
    'ingress-nginx documentation, annotations (service-upstream)',
    'HAProxy Ingress documentation, service-upstream',
    'Traefik documentation, native load balancing',
  ],
  stories: ['skyscanner-haproxy-template'],
  for: ['Ingress', 'Service', 'ConfigMap', 'traefik.io/IngressRoute', 'traefik.containo.us/IngressRoute'],
  check(subject, { graph, report }) {
    const [node, field] = switchIn(subject) ?? []
    if (!node || !field || graph.once('mesh', () => hasMesh(graph))) return
    report(
      node,
      field,
      `With keep-alive a few pods get all requests${subject.kind === 'ConfigMap' ? ' of this controller' : ` of ${graph.describe(subject)}`}: kube-proxy balances connections, and the controller sees one address.`,
      { fix: remove(node, field) },
    )
  },
})

/** Where the subject tells its controller to use the Service's address. */
function switchIn(subject: KubernetesObject): readonly [node: object, field: string] | undefined {
  const annotations = subject.metadata?.annotations ?? {}
  const isOn = (key: string) => annotations[key] === 'true'
  if (subject.kind === 'Service') {
    const key = 'traefik.ingress.kubernetes.io/service.nativelb'
    return isOn(key) ? [annotations, key] : undefined
  }
  if (subject.kind === 'Ingress') {
    if (annotations['nginx.ingress.kubernetes.io/upstream-vhost'] !== undefined) return undefined
    const prefixes = ['nginx.ingress.kubernetes.io', 'haproxy-ingress.github.io', 'ingress.kubernetes.io']
    const key = prefixes.map((prefix) => `${prefix}/service-upstream`).find(isOn)
    return key === undefined ? undefined : [annotations, key]
  }
  if (subject.kind === 'IngressRoute') {
    const native = objectsAt(subject, 'spec', 'routes')
      .flatMap((route) => objectsAt(route, 'services'))
      .find((service) => service.nativeLB === true)
    return native && [native, 'nativeLB']
  }
  const data = objectAt(subject, 'data')
  return data?.['service-upstream'] === 'true' ? [data, 'service-upstream'] : undefined
}

function hasMesh(graph: Graph): boolean {
  const kinds = [
    'networking.istio.io/VirtualService',
    'networking.istio.io/DestinationRule',
    'security.istio.io/PeerAuthentication',
  ] as const
  const isMeshed = ({ metadata }: KubernetesObject) =>
    metadata?.labels?.['istio-injection'] === 'enabled' ||
    metadata?.labels?.['istio.io/rev'] !== undefined ||
    metadata?.annotations?.['linkerd.io/inject'] !== undefined
  return (
    kinds.some((kind) => graph.all(kind).length > 0) ||
    graph.all('Namespace').some(isMeshed) ||
    graph.workloads.some(({ annotations }) => annotations['linkerd.io/inject'] !== undefined)
  )
}
