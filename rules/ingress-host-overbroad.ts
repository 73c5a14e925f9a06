import {
  at,
  balancerOf,
  blankIn,
  claimingKinds,
  firstOf,
  type Graph,
  groupBy,
  type Ingress,
  isPlaceholder,
  type KubernetesObject,
  type Node,
  objectAt,
  objectsAt,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

/** What an entrance claims, and where it says so. */
interface Claim {
  /** The host; `*.example.com`, or `*` for all. */
  readonly host: string
  readonly node: Node
  readonly field: string
  /** Entrances with the same one are served by the same balancer. */
  readonly shared: string
  /** Whether any rule with a host is longer: `/` of every host. */
  readonly isShort?: boolean
}

export default rule({
  title: 'An Ingress or route claims hosts of others',
  category: 'networking',
  severity: 'warning',
  why: `A rule without a host, or with a wildcard, matches requests that are meant for others: for hosts without
a rule for their path, and with controllers that rank rules by their length even for hosts that have one. A
dashboard that claims \`/api\` of every host has answered 404 for all applications that have such a path.`,
  remedy: 'Name the host in the rule.',
  decides: `An Ingress rule without a host or with \`*.\`, a default backend of an Ingress without rules, a Traefik match without
\`Host\`, or an HTTPRoute without hostnames. Another namespace has entrances at the same class, entry points or
Gateway, and the rule covers their hosts. An info for wildcards, default backends, nginx, HTTPRoutes and \`/\` of an Ingress
of Traefik, where the rule of the host itself wins. In manifests both must be in folders near each other, unless the input is complete. Where the rule
is asked for, an info for such claims of whose neighbours nothing is known, too.

Exempt: the namespaces in \`allowNamespaces\`, classes each of whose Ingresses has a balancer of its own (Google,
AWS without \`group.name\`), and HTTPRoutes whose Gateway has listeners with a hostname or for its own namespace
only.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (IngressRule.Host)',
    'Traefik documentation, router priority',
    'traefik/pkg/provider/kubernetes/ingress/kubernetes.go (loadConfigurationFromIngresses), ingress-nginx/internal/ingress/controller/controller.go (getBackendServers: defaultBackend)',
    'Gateway API specification, HTTPRouteSpec (hostnames: the longest one that matches comes first)',
  ],
  stories: ['google-how-not-to', 'dfds-traefik-route-hijack'],
  unless: ['ingress-route-conflict'],
  params: {
    allowNamespaces: {
      type: 'array',
      items: { type: 'string' },
      default: ['kube-system', 'ingress-nginx', 'ingress', 'traefik', 'gateway', 'istio-system'],
      about: 'Namespaces of the platform, which may claim every host.',
    },
  },
  for: claimingKinds,
  check(entrance, { graph, params, report }) {
    const own = graph.namespaceOf(entrance)
    if (params.allowNamespaces.includes(own)) return
    const users = graph.once('hosts-by-balancer', () => hostsIn(graph))
    const wide = claimsOf(entrance, graph).filter(({ host }) => host.startsWith('*'))
    for (const { host, node, field, shared, isShort } of wide) {
      const foreign = (users.get(shared) ?? []).filter(
        (one) =>
          !one.host.startsWith('*') &&
          one.host.endsWith(host.slice(1)) &&
          own !== '' &&
          graph.namespaceOf(one.of) !== '' &&
          graph.namespaceOf(one.of) !== own &&
          // What is filled in may be the namespace of both, and any host.
          ![one.host, own, graph.namespaceOf(one.of)].some(isOpen) &&
          (graph.complete || graph.apart(one.of, entrance) <= 2),
      )
      const [first] = foreign
      if (!first) continue
      const names = [...new Set(foreign.map((one) => one.host))].sort()
      const spaces = new Set(foreign.map((one) => graph.namespaceOf(one.of))).size
      report(
        node,
        field,
        `${graph.describe(entrance)} can take requests for ${first.host}: it claims ${host === '*' ? 'every host' : host}, and ${spaces === 1 ? `namespace ${graph.namespaceOf(first.of)} shares` : `${spaces} other namespaces share`} its balancer.`,
        {
          // These look for the host first, and give a rule without it only what no other host asks for.
          severity:
            host !== '*' ||
            field === 'defaultBackend' ||
            shared.includes('nginx') ||
            // Traefik ranks rules by their length.
            (isShort && shared.includes('traefik')) ||
            entrance.kind === 'HTTPRoute'
              ? 'info'
              : 'warning',
          see: [at(first.of, first.node, first.field, 'this one, too')],
          evidence: graph.live && [`hosts of others: ${firstOf(names)}`],
        },
      )
      return
    }
    const [first] = wide
    if (!first) return
    report(
      first.node,
      first.field,
      `${graph.describe(entrance)} takes requests for ${first.host === '*' ? 'every host' : `hosts like ${first.host}`} that nobody else claims, those of applications to come included.`,
      { severity: 'info', recommended: false },
    )
  },
})

/** Whether somebody or something still has to fill in a part of a name. */
const isOpen = (name: string): boolean => isPlaceholder(name) || blankIn(name) !== undefined

type Use = Claim & { readonly of: KubernetesObject }

/** The claims of all entrances, by what serves them. */
function hostsIn(graph: Graph): ReadonlyMap<string, readonly Use[]> {
  const entrances = claimingKinds.flatMap((kind): readonly KubernetesObject[] => graph.all(kind))
  const uses = entrances.flatMap((of) => claimsOf(of, graph).map((claim): Use => ({ ...claim, of })))
  return groupBy(uses, ({ shared }) => shared)
}

function claimsOf(entrance: KubernetesObject, graph: Graph): readonly Claim[] {
  switch (entrance.kind) {
    case 'Ingress':
      return claimsOfIngress(entrance, graph)
    case 'HTTPRoute':
      return claimsOfHttpRoute(entrance, graph)
    default:
      return claimsOfIngressRoute(entrance)
  }
}

function claimsOfIngress(ingress: Ingress, graph: Graph): readonly Claim[] {
  const { spec } = ingress
  const shared = balancerOf(ingress, graph)
  if (!spec || shared === undefined) return []
  return [
    // Beside rules it is for their hosts alone to ingress-nginx, and for nothing to Traefik.
    ...(spec.defaultBackend && !spec.rules?.length
      ? [{ host: '*', node: spec, field: 'defaultBackend', shared }]
      : []),
    ...(spec.rules ?? [])
      .filter(({ http }) => http?.paths?.some(({ path }) => !path?.startsWith('/.well-known/')))
      .map((one) => ({
        host: one.host || '*',
        node: one,
        field: one.host ? 'host' : 'http',
        shared,
        isShort:
          one.http?.paths?.every(({ path }) => !path || path === '/') === true &&
          ingress.metadata?.annotations?.['traefik.ingress.kubernetes.io/router.priority'] === undefined,
      })),
  ]
}

function isRedirect(rule: object): boolean {
  return objectsAt(rule, 'filters').some(
    (one) =>
      stringAt(one, 'type') === 'RequestRedirect' &&
      stringAt(one, 'requestRedirect', 'hostname') === undefined,
  )
}

function claimsOfHttpRoute(route: KubernetesObject, graph: Graph): readonly Claim[] {
  const spec = objectAt(route, 'spec')
  const rules = objectsAt(spec, 'rules')
  // Such a route sends everybody to the same host again, most often by https.
  if (rules.length > 0 && rules.every(isRedirect)) return []
  const names = valueAt(spec, 'hostnames')
  const hosts = Array.isArray(names) && names.length > 0 ? names.map(String) : ['*']
  return objectsAt(spec, 'parentRefs').flatMap((parent) => {
    const name = stringAt(parent, 'name')
    const namespace = stringAt(parent, 'namespace')
    const gateway = graph.find('gateway.networking.k8s.io/Gateway', name, route, namespace)
    // A listener's hostname narrows the route's; of a Gateway that is not known nothing is.
    const isOpen =
      gateway &&
      objectsAt(gateway, 'spec', 'listeners').some(
        (one) =>
          stringAt(one, 'hostname') === undefined &&
          // Its own namespace alone, unless it says otherwise.
          ['All', 'Selector'].includes(stringAt(one, 'allowedRoutes', 'namespaces', 'from') ?? 'Same'),
      )
    const shared = `Gateway ${namespace ?? graph.namespaceOf(route)}/${name}`
    return hosts.flatMap((host) =>
      host === '*' && !isOpen
        ? []
        : [{ host, node: spec ?? route, field: host === '*' ? 'rules' : 'hostnames', shared }],
    )
  })
}

function claimsOfIngressRoute(route: KubernetesObject): readonly Claim[] {
  const shared = `Traefik ${JSON.stringify(valueAt(route, 'spec', 'entryPoints'))}`
  return objectsAt(route, 'spec', 'routes').flatMap((one) => {
    const match = stringAt(one, 'match') ?? ''
    const hosts = [...match.matchAll(/\bHost\(([^)]*)\)/g)]
      .flatMap(([, list = '']) => [...list.matchAll(/[`"]([^`"]+)[`"]/g)])
      .map(([, host = '']) => host)
    if (hosts.length > 0) return hosts.map((host) => ({ host, node: one, field: 'match', shared }))
    return /Host(SNI|Header|Regexp|SNIRegexp)?\(|ClientIP|Header/.test(match) || match === ''
      ? []
      : [{ host: '*', node: one, field: 'match', shared }]
  })
}
