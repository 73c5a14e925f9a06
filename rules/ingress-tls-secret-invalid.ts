import {
  ageOf,
  at,
  type Fault,
  firstOf,
  formatMaker,
  type Graph,
  type Ingress,
  ingressClassOf,
  isKind,
  type KubernetesObject,
  type Node,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  type Secret,
  secretMaker,
  set,
  stringAt,
} from '../src/rule.js'

/**
 * The annotations by which cert-manager makes a Certificate for an Ingress or Gateway.
 * Source: cert-manager/pkg/apis/certmanager/v1/types.go (IngressIssuerNameAnnotationKey, IngressClusterIssuerNameAnnotationKey).
 */
const issuers: ReadonlySet<string> = new Set(['cert-manager.io/issuer', 'cert-manager.io/cluster-issuer'])

/** A place that names a Secret with a certificate. */
interface Reference {
  readonly name: string
  /** The Secret's namespace, where the reference names another than its own. */
  readonly namespace: string | undefined
  readonly node: Node
  readonly field: string
  /** The hosts that the certificate is for. */
  readonly hosts: readonly string[]
}

const entrances = [
  'Ingress',
  'gateway.networking.k8s.io/Gateway',
  'traefik.io/IngressRoute',
  'traefik.containo.us/IngressRoute',
] as const

export default rule({
  title: 'The TLS Secret of an Ingress or Gateway is absent or has no certificate',
  category: 'networking',
  severity: 'error',
  why: `Most controllers serve a certificate of their own instead, which no client trusts, and say so in their log
only; a listener of a Gateway is not served at all. Some releases of Traefik stop loading routes at a broken one, so that those of other teams go stale
with it.`,
  remedy: 'Create the Secret with the keys `tls.crt` and `tls.key`, or find out why it was not issued.',
  decides: `The Secrets that an Ingress (\`tls\`), a Gateway (\`certificateRefs\`) or a Traefik IngressRoute names,
each once for all entrances that name it:

- one of the input lacks the keys \`tls.crt\` and \`tls.key\`;
- there is none of that name, but one with nearly that name;
- there is none at all, in complete input where no account may make any.

In a cluster every absent one is reported, those that cert-manager or external-secrets should have made included,
once the entrance is older than ten minutes, and not where \`certificate-expiring\` reports the Certificate that
makes it. A warning when a host of \`tls\` is a slip of the host of a rule.

Where the rule is asked for, an info for Secrets that partial input neither has nor makes, and for hosts of \`tls\`
that no rule has.

Exempt in manifests: Secrets that an object of the input makes (Certificate, ExternalSecret, annotations of
cert-manager) and Secrets without data, which something fills. Ingresses of AWS load balancers, which take no
Secrets.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (IngressTLS)',
    'ingress-nginx/internal/ingress/controller/store/backend_ssl.go',
    'Gateway API specification (GatewayTLSConfig)',
  ],
  stories: ['dfds-traefik-tls-secret'],
  for: entrances,
  check(entrance, { graph, report }) {
    if (/^alb/.test(ingressClassOf(entrance))) return
    if (isKind(entrance, 'Ingress')) for (const fault of unserved(entrance, graph)) report(...fault)
    const seen = new Set<string>()
    for (const reference of referencesIn(entrance)) {
      const { name, namespace } = reference
      if (seen.has(`${namespace}/${name}`)) continue
      seen.add(`${namespace}/${name}`)
      const secret = graph.find('Secret', name, entrance, namespace)
      const fault = secret ? keyless(reference, secret, entrance, graph) : absent(reference, entrance, graph)
      if (fault) report(...fault)
    }
  },
})

/** What comes of a reference, for the beginning of a message: the reason follows. */
function harmOf({ hosts }: Reference, entrance: KubernetesObject, graph: Graph): string {
  return `Clients get no trusted certificate ${hosts[0] ? `for ${hosts[0]}` : `of ${graph.describe(entrance)}`}`
}

/** A Secret that is there and lacks what a certificate needs. */
function keyless(
  reference: Reference,
  secret: Secret,
  entrance: KubernetesObject,
  graph: Graph,
): Fault | undefined {
  const { name, node, field } = reference
  const key = missingKey(secret)
  if (key === undefined || graph.isFilledElsewhere('Secret', name)) return undefined
  return [
    node,
    field,
    `${harmOf(reference, entrance, graph)}: Secret ${name} has no key ${key}.`,
    { see: [at(secret, secret.data ?? secret.stringData ?? secret)] },
  ]
}

/** A Secret that is not there, and that nothing makes. */
function absent(reference: Reference, entrance: KubernetesObject, graph: Graph): Fault | undefined {
  const { name, namespace, node, field } = reference
  if (graph.live ? isYoung(entrance, graph) : graph.exists('Secret', name, entrance)) return undefined
  // Of a namespace without any known Secret nothing was read.
  if (namespace && !graph.seen('Secret').some((one) => graph.namespaceOf(one) === namespace)) return undefined
  const harm = harmOf(reference, entrance, graph)
  const near = namespace ? undefined : nearestName(name, graph.namesNear('Secret', entrance))
  if (near === undefined && !graph.hasAll('Secret', entrance))
    return graph.complete
      ? undefined
      : [
          node,
          field,
          `${harm} unless Secret ${name} comes from elsewhere: the input neither has it nor makes it.`,
          { severity: 'info', recommended: false },
        ]
  const others = namespace || (near && !graph.live) ? [] : otherUsers(name, entrance, graph)
  // Of those that name it the first tells of all.
  if (others.some((one) => graph.describe(one) < graph.describe(entrance))) return undefined
  const maker = graph.live && secretMaker(name, namespace ?? graph.namespaceOf(entrance), graph)
  const users = firstOf(others.map((one) => graph.describe(one)))
  return [
    node,
    field,
    `${harm}: there is no Secret ${name}${near ? `, but one named ${near}` : ` in ${graph.source}`}.`,
    {
      fix: near ? set(node, field, near) : undefined,
      evidence: [
        ...(maker ? [formatMaker(maker, graph)] : askedOf(entrance, graph)),
        ...(others.length > 0 ? [`${users} ${others.length === 1 ? 'names' : 'name'} it, too`] : []),
      ],
      symptomOf: maker && { rules: ['certificate-expiring'], objects: certificatesLike(maker, graph) },
    },
  ]
}

function referencesIn(entrance: KubernetesObject): readonly Reference[] {
  const make = (node: Node | undefined, field: string, hosts: readonly string[], namespace?: string) => {
    const name = stringAt(node, field)
    return node && name && !name.includes('/') ? [{ name, namespace, node, field, hosts }] : []
  }
  const spec = objectAt(entrance, 'spec')
  if (entrance.kind === 'IngressRoute') return make(objectAt(spec, 'tls'), 'secretName', [])
  if (entrance.kind === 'Ingress')
    return objectsAt(spec, 'tls').flatMap((tls) => {
      const hosts = Array.isArray(tls.hosts) ? tls.hosts.filter((host) => typeof host === 'string') : []
      return make(tls, 'secretName', hosts)
    })
  return objectsAt(spec, 'listeners').flatMap((listener) => {
    const host = stringAt(listener, 'hostname')
    return objectsAt(listener, 'tls', 'certificateRefs').flatMap((ref) =>
      (stringAt(ref, 'kind') ?? 'Secret') === 'Secret' && (stringAt(ref, 'group') ?? '') === ''
        ? make(ref, 'name', host ? [host] : [], stringAt(ref, 'namespace'))
        : [],
    )
  })
}

/**
 * A key that a certificate needs and that the written Secret does not have. Of a cluster's Secrets no keys are read.
 */
function missingKey({ data, stringData }: Secret): string | undefined {
  const keys = Object.keys({ ...data, ...stringData })
  return keys.length === 0 ? undefined : ['tls.crt', 'tls.key'].find((key) => !keys.includes(key))
}

/** Hosts of certificates that no rule of the Ingress has. */
function unserved({ spec }: Ingress, graph: Graph): readonly Fault[] {
  const rules = (spec?.rules ?? []).map(({ host }) => host ?? '')
  const isServed = (host: string) =>
    rules.some((rule) => rule === host || (host.startsWith('*.') && rule.endsWith(host.slice(1))))
  if (graph.live || rules.length === 0 || rules.includes('')) return []
  return (spec?.tls ?? []).flatMap((tls) =>
    (tls.hosts ?? []).flatMap((host, i): Fault[] => {
      if (isServed(host) || rules.some((rule) => rule.startsWith('*.') && host.endsWith(rule.slice(1))))
        return []
      const bare = rules.filter((rule) => !spec?.tls?.some(({ hosts }) => hosts?.includes(rule)))
      const near = nearestName(host, bare)
      return [
        [
          tls.hosts ?? tls,
          i,
          near
            ? `Clients of ${near} may get no trusted certificate: this one is for ${host}, which no rule has.`
            : `The certificate is for ${host}, which no rule of this Ingress has.`,
          { severity: near ? 'warning' : 'info', recommended: near !== undefined },
        ],
      ]
    }),
  )
}

/** The certificate may still be on its way. */
function isYoung(one: KubernetesObject, { live }: Graph): boolean {
  return live !== undefined && ageOf(one, live) < live.waitFor(600)
}

/** That the annotations of an Ingress ask cert-manager for a Certificate which is not there. */
function askedOf({ metadata }: KubernetesObject, { live, hasRead }: Graph): readonly string[] {
  const asked = Object.entries(metadata?.annotations ?? {}).find(([key]) => issuers.has(key))
  const isKnown = live && hasRead('cert-manager.io/Certificate', metadata?.namespace)
  return isKnown && asked ? [`annotation ${asked.join(': ')} asks for it, and there is no Certificate`] : []
}

/** The other entrances of the namespace that name the Secret, without those that wait for it. */
function otherUsers(secret: string, entrance: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  return entrances
    .flatMap((kind): readonly KubernetesObject[] => graph.siblings(kind, entrance))
    .filter((one) => referencesIn(one).some(({ name, namespace }) => name === secret && !namespace))
    .filter((one) => !isYoung(one, graph) && !/^alb/.test(ingressClassOf(one)))
}

/** The Certificates of the same issuer, of which one may stand for all. */
function certificatesLike(maker: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  const issuer = (one: KubernetesObject) => JSON.stringify(objectAt(one, 'spec', 'issuerRef'))
  return graph.seen('cert-manager.io/Certificate').filter((one) => issuer(one) === issuer(maker))
}
