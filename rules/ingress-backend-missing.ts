import {
  arrayAt,
  at,
  atMost,
  conditionIn,
  type Fault,
  type Graph,
  groupBy,
  groupOf,
  isGuess,
  isObject,
  type KubernetesObject,
  type NamedBackend,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  type Service,
  set,
  stringAt,
  valueAt,
  variantsOf,
} from '../src/rule.js'

export default rule({
  title: 'A route leads to a Service or port that does not exist',
  category: 'networking',
  severity: 'error',
  why: `The controller has nowhere to send the path: it answers 503, 404 or 500, and some releases of some
controllers drop all routes of the object, or of the whole proxy, over one that is broken.`,
  remedy: 'Name an existing Service of the same namespace, and one of its ports.',
  decides: `Ingress, Gateway API routes, Traefik IngressRoutes, Istio VirtualServices, Contour HTTPProxies and
OpenShift Routes. An error

- when the Service is in the input and has no such port;
- when its name is missing while a nearly equal one stands beside it;
- in complete input, when it is not there at all, or when a Gateway API route leads to a Service of another
  namespace without a ReferenceGrant there;
- when the match rule of an IngressRoute is empty or its brackets or quotes do not close.

Where the rule is asked for, these and Services that the input lacks are told of input that is not complete, too. In
a cluster also a Gateway API route whose status says \`ResolvedRefs: False\`, with the reason (\`BackendNotFound\`,
\`RefNotPermitted\`, \`InvalidKind\`).

Exempt: the default backend of an Ingress of Traefik that has rules, which Traefik takes no notice of, backends that are no Services (\`resource\`, TraefikService), the \`use-annotation\` port of the AWS
controller, ports of Services or routes that a kustomization patches, Services of partial input without a near name,
ports of one in another folder where neither a namespace nor kustomizations say that the two go together,
those that operators make for objects of theirs (\`web-predictor\` for an InferenceService), and externals. The
number in a Route of OpenShift may also be the port of the pods.`,
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
    for (const fault of brokenMatches(route)) report(...fault)
    const backends = groupBy(
      graph.backendsNamedBy(route),
      ({ name, namespace, port }) => `${namespace ?? ''}/${name}:${port ?? ''}`,
    )
    const faults = [...backends.values()].flatMap(([backend]): Fault[] => {
      const fault =
        backend &&
        (absence(backend, route, graph) ??
          wrongPort(backend, route, graph) ??
          ungranted(backend, route, graph))
      return fault ? [fault] : []
    })
    for (const fault of faults) report(...fault)
    const unresolved = unresolvedBy(route)
    const [first] = unresolved
    if (!first || faults.length > 0) return
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
  },
})

/**
 * Match rules that Traefik cannot read. Source: traefik/pkg/provider/kubernetes/crd/kubernetes_http.go (Empty match rule),
 * pkg/server/router/router.go (AddRoute).
 */
function brokenMatches(route: KubernetesObject): readonly Fault[] {
  if (route.kind !== 'IngressRoute') return []
  return objectsAt(route, 'spec', 'routes').flatMap((one): Fault[] => {
    const match = stringAt(one, 'match')
    const broken = match === undefined ? undefined : faultIn(match)
    return broken
      ? [[one, 'match', `Requests fail: Traefik leaves this route out, as its match rule ${broken}.`]]
      : []
  })
}

function faultIn(match: string): string | undefined {
  if (match.trim() === '') return 'is empty'
  if ((match.split('`').length - 1) % 2) return 'has an open backquote'
  return depth(match) === 0 ? undefined : 'has brackets that do not close'
}

/** That there is no such Service, where that is certain or a slip of the pen. */
function absence(
  { name, namespace, port, node, field, service }: NamedBackend,
  route: KubernetesObject,
  graph: Graph,
): Fault | undefined {
  // An action of the AWS controller, and no Service.
  if (port === 'use-annotation') return undefined
  // A Service of that name may stand in a namespace that the route does not tell.
  const isKnown = (one: string) =>
    graph.complete && graph.seen('Service').some((other) => graph.namespaceOf(other) === one)
  if (service || (namespace !== undefined && !isKnown(namespace))) return undefined
  if (graph.exists('Service', name, route)) return undefined
  const near = nearestName(name, graph.namesNear('Service', route))
  const isCertain = near !== undefined || graph.hasAll('Service', route)
  if (!isCertain && graph.complete) return undefined
  return [
    node,
    field,
    isCertain
      ? `Requests fail: there is no Service ${name}${near ? `, but one named ${near}` : ` in ${graph.source}`}.`
      : `Requests fail unless Service ${name} comes from elsewhere: the input does not have it.`,
    {
      severity: isCertain ? 'error' : 'info',
      recommended: isCertain,
      fix: near && name === stringAt(node, field) ? set(node, field, near) : undefined,
    },
  ]
}

/** That a route of the Gateway API leads into a namespace of the input that has not agreed. A cluster says so itself, in the status. */
function ungranted(
  { namespace, node, field, service }: NamedBackend,
  route: KubernetesObject,
  graph: Graph,
): Fault | undefined {
  const own = graph.namespaceOf(route)
  const group = groupOf(route.apiVersion ?? '')
  if (graph.live || group !== 'gateway.networking.k8s.io' || !service || own === '') return undefined
  if (namespace === undefined || namespace === own) return undefined
  const isGranted = graph
    .all('gateway.networking.k8s.io/ReferenceGrant')
    .some(
      (grant) =>
        graph.namespaceOf(grant) === namespace &&
        objectsAt(grant, 'spec', 'from').some(
          (one) => one.group === group && one.kind === route.kind && one.namespace === own,
        ) &&
        objectsAt(grant, 'spec', 'to').some(
          (one) => one.kind === 'Service' && (one.name ?? service.metadata?.name) === service.metadata?.name,
        ),
    )
  if (isGranted) return undefined
  return [
    node,
    field,
    `Requests fail${graph.complete ? '' : ' unless a ReferenceGrant comes from elsewhere'}: nothing in ${graph.source} lets ${route.kind}s of namespace ${own} use ${graph.describe(service)}.`,
    { severity: graph.complete ? 'error' : 'warning', recommended: graph.complete },
  ]
}

/** Where a backend names its port: beside its name, by itself or in a mapping; an OpenShift Route has it elsewhere. */
function portOf(node: object, name: string): [node: object, field: string] {
  const port = valueAt(node, 'port')
  if (isObject(port)) return [port, 'number' in port ? 'number' : 'name']
  const field = ['port', 'servicePort'].find((one) => one in node)
  return [node, field ?? name]
}

function wrongPort(
  { port, node, field, service }: NamedBackend,
  route: KubernetesObject,
  graph: Graph,
): Fault | undefined {
  const ports = service?.spec?.ports ?? []
  if (!service || port === undefined || port === 'use-annotation' || ports.length === 0) return undefined
  if (
    service.spec?.type === 'ExternalName' ||
    // Of several variants any may be the one that is meant.
    variantsOf('Service', service, graph).some((one) => hasPort(one, port, route.kind === 'Route')) ||
    isGuess(service, route, graph) ||
    // The port may be added, or changed, by a patch.
    graph.patched(service) ||
    graph.patched(route)
  )
    return undefined
  const own = ports.flatMap(({ name, port: number }) =>
    number === undefined ? [] : name ? `${number} (${name})` : String(number),
  )
  return [
    ...portOf(node, field),
    `Requests fail: ${graph.describe(service)} has no port ${port}${own.length > 0 ? `, only ${own.join(', ')}` : ''}.`,
    { see: [at(service, service.spec ?? service, 'ports')] },
  ]
}

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
