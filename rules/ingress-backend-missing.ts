import {
  arrayAt,
  at,
  atMost,
  conditionIn,
  type Graph,
  type KubernetesObject,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  type Service,
  set,
  stringAt,
  type Untyped,
} from '../src/rule.js'

export default rule({
  title: 'A route leads to a Service or port that does not exist',
  category: 'networking',
  severity: 'error',
  why: `The controller has nowhere to send the path: it answers 503 or 404, and some releases of some
controllers drop all routes of the object, or of the whole proxy, over one that is broken.`,
  remedy: 'Name an existing Service of the same namespace, and one of its ports.',
  decides: `Ingress, Gateway API routes, Traefik IngressRoutes, Istio VirtualServices, Contour HTTPProxies
and OpenShift Routes. An error when the Service is in the input and has no such port, when its name is
missing while a nearly equal one stands beside it, or, in complete input, when it is not there at all; and
when the match rule of an IngressRoute is empty or its brackets or quotes do not close. In a cluster also a Gateway API route
whose status says \`ResolvedRefs: False\`, with the reason (\`BackendNotFound\`, \`RefNotPermitted\`, \`InvalidKind\`).

Exempt: backends that are no Services (\`resource\`, TraefikService), the \`use-annotation\` port of the AWS
controller, ports of Services or routes that a kustomization patches, Services of partial input without a
near name, and externals. The number in a Route of OpenShift may also be the port of the pods.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (IngressBackend)',
    'Gateway API specification',
    'Traefik documentation, IngressRoute',
    'OpenShift API, RoutePort (targetPort)',
  ],
  stories: ['dfds-traefik-malformed', 'machu-kube-proxy-ipvs'],
  for: [
    'Ingress',
    'gateway.networking.k8s.io/HTTPRoute',
    'gateway.networking.k8s.io/GRPCRoute',
    'gateway.networking.k8s.io/TCPRoute',
    'gateway.networking.k8s.io/TLSRoute',
    'traefik.io/IngressRoute',
    'traefik.containo.us/IngressRoute',
    'networking.istio.io/VirtualService',
    'projectcontour.io/HTTPProxy',
    'route.openshift.io/Route',
  ],
  check(route, { graph, report }) {
    for (const one of objectsAt(route, 'spec', 'routes')) checkMatch(one)
    const seen = new Set<string>()
    let isReported = false
    for (const { name, namespace, port, node, field, service } of graph.backendsNamedBy(route)) {
      const key = `${namespace ?? ''}/${name}:${port ?? ''}`
      if (seen.has(key)) continue
      seen.add(key)
      if (!service) {
        // A Service of that name may stand in a namespace that the route does not tell.
        if (
          namespace !== undefined &&
          !(graph.complete && graph.seen('Service').some((one) => graph.namespaceOf(one) === namespace))
        )
          continue
        if (graph.exists('Service', name, route)) continue
        const near = nearestName(name, graph.namesNear('Service', route))
        if (!near && !graph.complete) continue
        isReported = true
        report(
          node,
          field,
          `Requests fail: there is no Service ${name}${near ? `, but one named ${near}` : ` in ${graph.source}`}.`,
          { fix: near && name === stringAt(node, field) ? set(node, field, near) : undefined },
        )
        continue
      }
      const ports = service.spec?.ports ?? []
      if (
        port === undefined ||
        port === 'use-annotation' ||
        ports.length === 0 ||
        service.spec?.type === 'ExternalName' ||
        // Of several variants any may be the one that is meant.
        variantsOf(service, graph).some((one) => hasPort(one, port, route.kind === 'Route')) ||
        // The port may be added, or changed, by a patch.
        graph.patched(service) ||
        graph.patched(route)
      )
        continue
      isReported = true
      report(
        node,
        field,
        `Requests fail: ${graph.describe(service)} has no port ${port}, only ${ports.map((one) => (one.name ? `${one.port} (${one.name})` : one.port)).join(', ')}.`,
        { see: [at(service, service.spec ?? service, 'ports')] },
      )
    }

    const unresolved = unresolvedBy(route)
    const [first] = unresolved
    if (first && !isReported) {
      const spec = objectAt(route, 'spec')
      report(
        spec ?? route,
        spec && 'rules' in spec ? 'rules' : undefined,
        `Requests fail: the gateway does not resolve a backend of this route, ${first.reason}.`,
        {
          evidence: atMost(
            3,
            unresolved.map(({ controller, message }) => `${controller}: ${message}`),
          ),
        },
      )
    }

    function checkMatch(one: Untyped) {
      const match = stringAt(one, 'match')
      if (match === undefined || route.kind !== 'IngressRoute') return
      const broken =
        match.trim() === ''
          ? 'is empty'
          : (match.split('`').length - 1) % 2
            ? 'has an open backquote'
            : depth(match) !== 0
              ? 'has brackets that do not close'
              : undefined
      if (broken)
        report(
          one,
          'match',
          `Some releases of Traefik drop all routes over this one: its match rule ${broken}.`,
        )
    }
  },
})

/**
 * What controllers say of backends that they cannot resolve, of the route as it is now.
 * Source: Gateway API, apis/v1/shared_types.go (RouteConditionResolvedRefs).
 */
function unresolvedBy(route: KubernetesObject) {
  const generation = route.metadata?.generation
  return objectsAt(route, 'status', 'parents').flatMap((parent) => {
    const found = conditionIn(arrayAt(parent, 'conditions'), 'ResolvedRefs')
    if (found?.status !== 'False' || (found.observedGeneration ?? generation) !== generation) return []
    const reason = found.reason ?? 'ResolvedRefs is False'
    const controller = stringAt(parent, 'controllerName') ?? 'a controller'
    return [{ reason, message: found.message || reason, controller }]
  })
}

/** The Services of that name and namespace, itself included. */
function variantsOf(service: Service, graph: Graph): readonly Service[] {
  return graph
    .seen('Service')
    .filter(
      (one) =>
        one.metadata?.name === service.metadata?.name &&
        graph.namespaceOf(one) === graph.namespaceOf(service),
    )
}

/** @param ofPods the number is a port of the pods, as in OpenShift's Routes */
function hasPort(service: Service, port: number | string, ofPods: boolean): boolean {
  return (service.spec?.ports ?? []).some((one) =>
    typeof port === 'number'
      ? one.port === port || (ofPods && (one.targetPort === port || typeof one.targetPort === 'string'))
      : one.name === port || String(one.port) === port || String(one.targetPort) === port,
  )
}

/** Open less closed brackets, outside of backquotes. */
function depth(match: string): number {
  const plain = match.replace(/`[^`]*`/g, '')
  return (plain.match(/\(/g)?.length ?? 0) - (plain.match(/\)/g)?.length ?? 0)
}
