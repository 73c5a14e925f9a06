import {
  at,
  balancerOf,
  claimingKinds,
  type Graph,
  groupBy,
  type Ingress,
  isObject,
  type KubernetesObject,
  madeAt,
  type Node,
  objectsAt,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

/** A path of a host that a route claims. */
interface Claim {
  /** Equal for claims that are the same for the controller. */
  readonly key: string
  /** `app.example.com/api`, for messages. */
  readonly what: string
  readonly of: KubernetesObject
  readonly node: Node
  readonly field: string
  /** Where the requests are to go; claims of the same destination are no conflict. */
  readonly to: string
}

export default rule({
  title: 'Two routes claim the same host and path',
  category: 'networking',
  severity: 'warning',
  why: `Only one of them gets the requests: with ingress-nginx and the Gateway API the older one, with others the
one that was read first or has the longer rule. When the winner is deleted, made anew or renamed, the traffic of
one application goes to another, and neither has been changed.`,
  remedy: 'Give each host and path to one route; split traffic by weights or canary annotations.',
  decides: `Rules of Ingresses with the same class (and entry points of Traefik), host, path and path type, matches
of HTTPRoutes with the same parent, hostname, path, headers, parameters and method, and Traefik IngressRoutes with
the same class, entry points and match, in two objects that lead to different Services. An error when they are of
different namespaces and run in a cluster. In manifests both must have a namespace, or stand near each other, unless
the input is complete.

Exempt: canaries and merged Ingresses of nginx, Ingresses with a priority (\`group.order\` of AWS,
\`router.priority\` of Traefik), IngressRoutes with a \`priority\`, Ingresses of Google, each of which has a
balancer of its own, and solvers of ACME challenges.`,
  sources: [
    'ingress-nginx/internal/ingress/controller/controller.go (createServers, getBackendServers)',
    'Gateway API specification, HTTPRouteRule (matches, precedence)',
    'Traefik documentation, router priority',
  ],
  stories: ['dfds-traefik-route-hijack'],
  for: claimingKinds,
  check(route, { graph, report }) {
    const claims = graph.once('claims-of-routes', () => claimsIn(graph))
    const lost = claimsOf(route, graph).flatMap((claim) => {
      const winner = claims.get(claim.key)?.find((one) => isBefore(one, claim, graph))
      return winner && winner.of !== route && winner.to !== claim.to ? [{ claim, winner }] : []
    })
    const [first] = lost
    if (!first) return
    const { claim, winner } = first
    const others = new Set(lost.map((one) => one.claim.what)).size - 1
    const foreign = graph.namespaceOf(winner.of) !== graph.namespaceOf(route)
    const isOlder = graph.live && madeAt(winner.of) !== madeAt(route)
    report(
      claim.node,
      claim.field,
      `Requests for ${claim.what}${others > 0 ? ` and ${others} more` : ''} may go to another application: ${graph.describe(winner.of)} claims them, too.`,
      {
        severity: foreign && graph.live ? 'error' : 'warning',
        see: [at(winner.of, winner.node, winner.field, isOlder ? 'older' : 'the same')],
        evidence: isOlder ? whenMade(winner.of, route, graph) : [],
      },
    )
  },
})

/** Whether a claim wins over another that is the same, and both can be in force together. */
function isBefore(one: Claim, other: Claim, graph: Graph): boolean {
  if (one.of === other.of || !meet(one.of, other.of, graph)) return false
  const [a, b] = [madeAt(one.of), madeAt(other.of)]
  if (a !== b) return a < b
  return identityOf(one.of, graph) < identityOf(other.of, graph)
}

function identityOf(of: KubernetesObject, graph: Graph): string {
  return `${graph.namespaceOf(of)}/${of.metadata?.name ?? ''}`
}

/** Whether two routes are meant for one cluster. Variants of one object are not. */
function meet(a: KubernetesObject, b: KubernetesObject, graph: Graph): boolean {
  if (identityOf(a, graph) === identityOf(b, graph)) return false
  if (graph.complete) return true
  if (graph.namespaceOf(a) === graph.namespaceOf(b)) return graph.together(a, b) && graph.apart(a, b) <= 1
  return graph.namespaceOf(a) !== '' && graph.namespaceOf(b) !== '' && graph.apart(a, b) <= 2
}

function claimsIn(graph: Graph): ReadonlyMap<string, readonly Claim[]> {
  const routes = claimingKinds.flatMap((kind): readonly KubernetesObject[] => graph.all(kind))
  return groupBy(
    routes.flatMap((route) => claimsOf(route, graph)),
    ({ key }) => key,
  )
}

function claimsOf(route: KubernetesObject, graph: Graph): readonly Claim[] {
  const own = graph.namespaceOf(route)
  switch (route.kind) {
    case 'Ingress':
      return claimsOfIngress(route, own, graph)
    case 'HTTPRoute':
      return claimsOfHttpRoute(route, own)
    default:
      return claimsOfIngressRoute(route, own)
  }
}

function claimsOfIngress(ingress: Ingress, namespace: string, graph: Graph): readonly Claim[] {
  const balancer = balancerOf(ingress, graph)
  const isOrdered = Object.keys(ingress.metadata?.annotations ?? {}).some((key) =>
    /(\/canary|mergeable-ingress-type|group\.order|router\.priority)$/.test(key),
  )
  if (balancer === undefined || isOrdered) return []
  const entryPoints =
    ingress.metadata?.annotations?.['traefik.ingress.kubernetes.io/router.entrypoints'] ?? ''
  return (ingress.spec?.rules ?? []).flatMap(({ host, http }) =>
    // A host that is filled in later is not known.
    (host && /__|[<${]/.test(host) ? [] : (http?.paths ?? [])).flatMap((path) => {
      const service = path.backend?.service?.name ?? stringAt(path.backend, 'serviceName') ?? ''
      if (path.path?.startsWith('/.well-known/acme-challenge')) return []
      const where = path.path || '/'
      return [
        {
          // A prefix is one of elements: k8s.io/api/networking/v1/types.go (PathTypePrefix).
          key: `${balancer} ${entryPoints} ${host} ${path.pathType === 'Exact'} ${path.pathType === 'Prefix' ? withoutSlash(where) : where}`,
          what: placeOf(host, where),
          of: ingress,
          node: path,
          field: 'path',
          to: `${namespace}/${service}`,
        },
      ]
    }),
  )
}

/** `app.example.com/api`, `/api of any host`. */
function placeOf(host: string | undefined, path: string): string {
  if (!host) return path === '/' ? 'any host' : `${path} of any host`
  return path === '/' ? host : `${host}${path}`
}

/** `/api/` and `/api` are the same prefix. */
function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function claimsOfHttpRoute(route: KubernetesObject, namespace: string): readonly Claim[] {
  const parents = objectsAt(route, 'spec', 'parentRefs').map(
    (one) =>
      `${stringAt(one, 'kind') ?? 'Gateway'} ${stringAt(one, 'namespace') ?? namespace}/${stringAt(one, 'name')} ${valueAt(one, 'sectionName')} ${valueAt(one, 'port')}`,
  )
  const hosts = valueAt(route, 'spec', 'hostnames')
  const names = Array.isArray(hosts) && hosts.length > 0 ? hosts.map(String) : ['*']
  // What begins with a name that is filled in later may differ from one route to the next: ${HOSTNAME}.${DOMAIN}.
  const known = names.filter((host) => !/^(?:__|[<${])/.test(host))
  return objectsAt(route, 'spec', 'rules').flatMap((one) => {
    const to = JSON.stringify([namespace, valueAt(one, 'backendRefs'), valueAt(one, 'filters')])
    const matches = objectsAt(one, 'matches')
    return (matches.length > 0 ? matches : [undefined]).flatMap((match) => {
      const path = stringAt(match, 'path', 'value') ?? '/'
      const type = stringAt(match, 'path', 'type') ?? 'PathPrefix'
      const how = JSON.stringify([
        type,
        type === 'PathPrefix' ? withoutSlash(path) : path,
        valueAt(match, 'headers'),
        valueAt(match, 'queryParams'),
        valueAt(match, 'method'),
      ])
      return parents.flatMap((parent) =>
        known.map((host) => ({
          key: `${parent} ${host} ${how}`,
          what: placeOf(host === '*' ? undefined : host, path),
          of: route,
          node: match ?? one,
          field: match ? 'path' : 'matches',
          to,
        })),
      )
    })
  })
}

/** When both were made, where the cluster tells. */
function whenMade(older: KubernetesObject, newer: KubernetesObject, graph: Graph): readonly string[] {
  const [first, second] = [older, newer].map((one) => one.metadata?.creationTimestamp)
  return first === undefined || second === undefined
    ? []
    : [`${graph.describe(older)} was made ${first}, ${graph.describe(newer)} ${second}`]
}

function claimsOfIngressRoute(route: KubernetesObject, namespace: string): readonly Claim[] {
  const entries = valueAt(route, 'spec', 'entryPoints')
  const tls = isObject(valueAt(route, 'spec', 'tls'))
  // Without a class it is for the instances of Traefik that ask for none, as with the class traefik.
  const className =
    stringAt(route, 'spec', 'ingressClassName') ??
    route.metadata?.annotations?.['kubernetes.io/ingress.class'] ??
    'traefik'
  return objectsAt(route, 'spec', 'routes').flatMap((one) => {
    const match = stringAt(one, 'match')
    if (!match || valueAt(one, 'priority') !== undefined) return []
    return [
      {
        key: `${className} ${JSON.stringify(entries)} ${tls} ${match.replaceAll(/\s/g, '')}`,
        what: match,
        of: route,
        node: one,
        field: 'match',
        to: JSON.stringify([namespace, valueAt(one, 'services'), valueAt(one, 'middlewares')]),
      },
    ]
  })
}
