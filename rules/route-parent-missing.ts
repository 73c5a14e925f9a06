import {
  arrayAt,
  at,
  enumerate,
  firstOf,
  type Graph,
  type KubernetesObject,
  nearestName,
  numberAt,
  objectAt,
  objectsAt,
  rule,
  set,
  stringAt,
  type Untyped,
  unmet,
  variantsOf,
} from '../src/rule.js'

const group = 'gateway.networking.k8s.io'
const gatewayKind = 'gateway.networking.k8s.io/Gateway'

export default rule({
  title: 'A route is attached to no Gateway',
  category: 'networking',
  severity: 'error',
  why: `A Gateway serves a route only when an entry of the route's \`parentRefs\` finds it: by name and namespace, by the
name or port of a listener where one is given, and only of kinds and from namespaces that the listener allows, which is its
own namespace alone unless \`allowedRoutes\` says more. A route that finds none is valid, is stored, and serves nothing. Where the
Gateway does not exist, no controller feels responsible, and the route has no status that would say so.`,
  remedy: 'Name an existing Gateway with its namespace, and a listener that admits the route.',
  decides: `\`parentRefs\` of HTTPRoute, GRPCRoute, TCPRoute and TLSRoute that name a Gateway. An error

- when the Gateway is known and has no listener of that \`sectionName\` and \`port\`;
- when none of those admits routes of that kind, by \`allowedRoutes.kinds\` or, of HTTPRoute and GRPCRoute, because their protocol is TCP or
  UDP;
- when all of those admit routes of their own namespace only, and the route is in another one;
- when there is no such Gateway but one of nearly that name, or, in complete input, none at all.

In a cluster also when a controller has not accepted the route for five minutes, with its reason. A warning when
another parent of the route is in order. Where neither the route nor a Gateway of its folder says a namespace, that
Gateway is meant, whatever namespace the reference gives it.

Exempt: parents of other kinds (Services of a mesh, ListenerSets), Gateways of partial input without a near name,
Gateways and routes that a kustomization patches, and externals. Backends are the business of
\`ingress-backend-missing\`, the Gateway itself that of \`gateway-not-programmed\`.`,
  sources: [
    'Gateway API, apis/v1/shared_types.go (ParentReference, RouteConditionAccepted)',
    'Gateway API, apis/v1/gateway_types.go (AllowedRoutes, RouteGroupKind; RouteNamespaces: the default is Same)',
  ],
  stories: [],
  for: [
    'gateway.networking.k8s.io/HTTPRoute',
    'gateway.networking.k8s.io/GRPCRoute',
    'gateway.networking.k8s.io/TCPRoute',
    'gateway.networking.k8s.io/TLSRoute',
  ],
  check(route, { graph, report }) {
    const parents = objectsAt(route, 'spec', 'parentRefs')
    const faults = parents.flatMap((ref) => faultOf(ref, route, graph) ?? [])
    const seen = new Set<string>()
    for (const { ref, field, what, evidence, gateway, near } of faults) {
      if (seen.has(what)) continue
      seen.add(what)
      report(
        ref,
        field,
        `${faults.length < parents.length ? 'Requests to this parent' : 'Requests'} do not reach ${graph.describe(route)}: ${what}.`,
        {
          severity: faults.length < parents.length ? 'warning' : 'error',
          evidence,
          see: [gateway && at(gateway, objectAt(gateway, 'spec') ?? gateway, 'listeners')],
          fix: near === undefined ? undefined : set(ref, field, near),
        },
      )
    }
  },
})

interface Fault {
  readonly ref: Untyped
  readonly field: string
  readonly what: string
  readonly gateway?: KubernetesObject
  /** What the field was probably meant to be. */
  readonly near?: string | undefined
  readonly evidence?: readonly string[]
}

function faultOf(ref: Untyped, route: KubernetesObject, graph: Graph): Fault | undefined {
  const name = stringAt(ref, 'name')
  const isGateway =
    (stringAt(ref, 'group') ?? group) === group && (stringAt(ref, 'kind') ?? 'Gateway') === 'Gateway'
  if (!name || !isGateway) return undefined
  const namespace = stringAt(ref, 'namespace')
  // Of a Gateway in a namespace that was not read its controller tells, in the route.
  const told = graph.hasRead(gatewayKind, namespace ?? graph.namespaceOf(route))
    ? undefined
    : refusalOf(ref, route, graph)
  if (told) return told
  const gateway =
    graph.find(gatewayKind, name, route, namespace) ??
    besideIt(route, graph).find(({ metadata }) => metadata?.name === name)
  if (!gateway) return absenceOf(ref, name, route, graph)
  return graph.patched(gateway) || graph.patched(route)
    ? undefined
    : (listenerFault(ref, gateway, route, graph) ?? refusalOf(ref, route, graph))
}

/** The Gateways in the route's folder, where none of them says its namespace: somebody else does. */
function besideIt(route: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  const isUntold = (one: object) => graph.namespaceOf(one) === ''
  return graph.live || !isUntold(route)
    ? []
    : graph.all(gatewayKind).filter((one) => isUntold(one) && graph.apart(one, route) === 0)
}

function absenceOf(ref: Untyped, name: string, route: KubernetesObject, graph: Graph): Fault | undefined {
  const own = graph.namespaceOf(route)
  const namespace = stringAt(ref, 'namespace') ?? own
  const known = graph.seen(gatewayKind)
  // Files need not tell their namespace, and a Gateway of that name is probably the one.
  if (!graph.live && known.some((one) => one.metadata?.name === name)) return undefined
  const there = (one: object) => graph.namespaceOf(one) === namespace
  const home = namespace === own ? route : [...known, ...graph.seen('Service')].find(there)
  if (graph.exists(gatewayKind, name, home ?? route)) return undefined
  const names =
    namespace === own
      ? graph.namesNear(gatewayKind, route)
      : [...known.filter(there), ...besideIt(route, graph)].map((one) => one.metadata?.name ?? '')
  const near = nearestName(name, names)
  // Partial input does not tell of namespaces of which it has nothing.
  if (!near && !(graph.complete && (home || graph.live))) return undefined
  const place = namespace === own ? '' : ` in namespace ${namespace}`
  return {
    ref,
    field: 'name',
    what: `there is no Gateway ${name}${place}${near ? `, but one named ${near}` : ''}`,
    near,
  }
}

/** What is wrong with the listeners that the reference names. Of several variants of the Gateway any may be meant. */
function listenerFault(
  ref: Untyped,
  gateway: KubernetesObject,
  route: KubernetesObject,
  graph: Graph,
): Fault | undefined {
  const section = stringAt(ref, 'sectionName')
  const port = numberAt(ref, 'port')
  const listeners = variantsOf(gatewayKind, gateway, graph).flatMap((one) =>
    objectsAt(one, 'spec', 'listeners'),
  )
  if (listeners.length === 0) return undefined
  const named = listeners.filter((one) => !section || one.name === section)
  if (named.length === 0) {
    const names = [...new Set(listeners.flatMap((one) => stringAt(one, 'name') ?? []))]
    // A letter apart, and no slip of each other.
    const opposite = { http: 'https', https: 'http' }[section ?? '']
    const what = `${graph.describe(gateway)} has no listener ${section}, only ${firstOf(names)}`
    return {
      ref,
      field: 'sectionName',
      what,
      gateway,
      near: nearestName(
        section ?? '',
        names.filter((one) => one !== opposite),
      ),
    }
  }
  const chosen = named.filter((one) => port === undefined || one.port === port)
  if (chosen.length === 0) {
    const ports = [...new Set(named.map((one) => `${one.port ?? ''} (${one.name ?? ''})`))]
    const asked = section ? `${section} with port ${port}` : `on port ${port}`
    const what = `${graph.describe(gateway)} has no listener ${asked}, only ${firstOf(ports)}`
    return { ref, field: 'port', what, gateway }
  }
  const place = `${section ? `listener ${section} of ` : ''}${graph.describe(gateway)}`
  const admitting = chosen.filter((one) => admits(one, route.kind ?? ''))
  if (admitting.length === 0) {
    const kinds = [...new Set(chosen.flatMap(kindsOf))]
    const protocols = [...new Set(chosen.flatMap((one) => stringAt(one, 'protocol') ?? []))]
    const admitted =
      kinds.length > 0 ? `only ${enumerate(kinds, 'and')}` : `and speaks ${enumerate(protocols, 'and')}`
    const what = `${place} admits no ${route.kind}, ${admitted}`
    return { ref, field: 'name', what, gateway }
  }
  const from = graph.namespaceOf(route)
  const to = graph.namespaceOf(gateway)
  if (from === to || from === '' || to === '' || !admitting.every(isForItsOwnNamespace)) return undefined
  return { ref, field: 'name', what: `${place} admits only routes of its own namespace`, gateway }
}

/** The kinds of Gateway API's routes that a listener says it admits. */
function kindsOf(listener: Untyped): readonly string[] {
  return objectsAt(listener, 'allowedRoutes', 'kinds').flatMap((one) =>
    (stringAt(one, 'group') ?? group) === group ? (stringAt(one, 'kind') ?? []) : [],
  )
}

/** Whether a listener admits routes of a kind: those that it names, or those of its protocol. What speaks HTTP needs a listener that does. */
function admits(listener: Untyped, kind: string): boolean {
  if (objectsAt(listener, 'allowedRoutes', 'kinds').length > 0) return kindsOf(listener).includes(kind)
  const protocol = stringAt(listener, 'protocol')
  return !(kind === 'HTTPRoute' || kind === 'GRPCRoute') || (protocol !== 'TCP' && protocol !== 'UDP')
}

function isForItsOwnNamespace(listener: Untyped): boolean {
  return (stringAt(listener, 'allowedRoutes', 'namespaces', 'from') ?? 'Same') === 'Same'
}

/** Why no controller accepts the route at that parent. */
function refusalOf(ref: Untyped, route: KubernetesObject, graph: Graph): Fault | undefined {
  const { live } = graph
  if (!live) return undefined
  const place = (one: unknown) =>
    [
      stringAt(one, 'namespace') ?? graph.namespaceOf(route),
      stringAt(one, 'name'),
      stringAt(one, 'sectionName'),
      numberAt(one, 'port'),
    ].join('/')
  const told = objectsAt(route, 'status', 'parents')
    .filter((one) => place(objectAt(one, 'parentRef')) === place(ref))
    .map((one) => ({ one, refusal: unmet(route, arrayAt(one, 'conditions'), 'Accepted', live) }))
  const refusals = told.flatMap(({ one, refusal }) => (refusal ? [{ one, refusal }] : []))
  const [first] = refusals
  if (!first || refusals.length < told.length) return undefined
  return {
    ref,
    field: 'name',
    what: `Gateway ${stringAt(ref, 'name')} does not accept it, ${first.refusal.reason}`,
    evidence: refusals.map(
      ({ one, refusal }) => `${stringAt(one, 'controllerName') ?? 'controller'}: ${refusal.message}`,
    ),
  }
}
