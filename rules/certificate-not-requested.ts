import {
  arrayAt,
  at,
  type Fault,
  firstOf,
  flagOf,
  type Graph,
  type Ingress,
  ingressClassOf,
  matchesWildcard,
  rule,
  set,
} from '../src/rule.js'

/** Source: cert-manager/pkg/apis/certmanager/v1/types.go (IngressIssuerNameAnnotationKey, IngressClusterIssuerNameAnnotationKey). */
const issuers = ['cert-manager.io/issuer', 'cert-manager.io/cluster-issuer'] as const

/** Classes whose controllers have certificates of their own. */
const ownTls = /^alb|tunnel|cloudflare|ngrok|tailscale/

export default rule({
  title: 'cert-manager is asked for a certificate, and makes none',
  category: 'networking',
  severity: 'warning',
  why: `The annotation only tells which issuer to use. What cert-manager makes it reads in \`tls\`: a Certificate
for each entry, for the \`hosts\` there, in the Secret \`secretName\`. Without \`tls\` it does nothing and says
nothing; an entry without hosts or Secret it leaves out, with an event. Most controllers then answer HTTPS with a
certificate of their own, which no client trusts, and others do not answer it.`,
  remedy: 'Add an entry to `tls` with the hosts and the name of a Secret.',
  decides: `An Ingress with the annotation \`cert-manager.io/issuer\` or \`cert-manager.io/cluster-issuer\` and
without \`tls\`, or with an entry of \`tls\` that lacks \`hosts\` or \`secretName\`.

Not reported: hosts for which another Ingress or a Certificate of the input has an entry, entries whose Secret is in
the input, Ingresses without any host, and those of AWS load balancers and tunnels, which take no Secrets. Nothing
is reported where the input gives its controller a default certificate (\`--default-ssl-certificate\` of
ingress-nginx, a TLSStore of Traefik).`,
  falsePositives:
    'Controllers with a default certificate for these hosts of which the input does not tell: the annotation is not needed then.',
  sources: [
    'cert-manager/pkg/controller/certificate-shim/sync.go (buildCertificates, validateIngressTLSBlock)',
    'cert-manager documentation, Annotated Ingress resource',
    'ingress-nginx documentation, TLS (default SSL certificate); Traefik documentation, TLSStore',
  ],
  stories: [],
  for: 'Ingress',
  check(ingress, { graph, report }) {
    const { metadata, spec } = ingress
    const annotations = metadata?.annotations
    const issuer = issuers.find((key) => annotations?.[key])
    if (!spec || !annotations || !issuer || ownTls.test(ingressClassOf(ingress))) return
    const hosts = [...new Set((spec.rules ?? []).flatMap(({ host }) => host || []))]
    const faults = spec.tls?.length
      ? spec.tls.map((tls) => faultOfEntry(tls, hosts, ingress, graph))
      : [faultOfNone(spec, hosts, ingress, graph)]
    for (const [node, field, message, more] of faults.filter((one) => one !== undefined))
      report(node, field, message, { ...more, see: [at(ingress, annotations, issuer)] })
  },
})

type Spec = NonNullable<Ingress['spec']>

/** That it has no tls at all. */
function faultOfNone(
  spec: Spec,
  hosts: readonly string[],
  ingress: Ingress,
  graph: Graph,
): Fault | undefined {
  const bare = bareAmong(hosts, graph)
  if (bare.length === 0) return undefined
  const name = ingress.metadata?.name
  return [
    spec,
    'tls',
    `HTTPS clients of ${firstOf(bare)} get no certificate that they trust: ${graph.describe(ingress)} has no tls, so cert-manager makes none.`,
    { fix: name ? set(spec, 'tls', [{ hosts: bare, secretName: `${name}-tls` }]) : undefined },
  ]
}

/** That an entry of its tls has no hosts, or no Secret. */
function faultOfEntry(
  tls: NonNullable<Spec['tls']>[number],
  hosts: readonly string[],
  ingress: Ingress,
  graph: Graph,
): Fault | undefined {
  const named = tls.hosts ?? []
  if (tls.secretName && (named.length > 0 || graph.find('Secret', tls.secretName, ingress))) return undefined
  const bare = bareAmong(named.length > 0 ? named : hosts, graph)
  const field = tls.secretName ? 'hosts' : 'secretName'
  return bare.length === 0
    ? undefined
    : [
        tls,
        field,
        `HTTPS clients of ${firstOf(bare)} get no certificate that they trust: cert-manager leaves out an entry of tls without ${field}.`,
      ]
}

/** The hosts for which nothing else of the input is known to have a certificate. */
function bareAmong(hosts: readonly string[], graph: Graph): readonly string[] {
  const bare = hosts.filter((host) => !isServed(host, graph))
  const isCovered = bare.length > 0 && graph.once('default certificate', () => hasDefaultCertificate(graph))
  return isCovered ? [] : bare
}

/** Whether another Ingress or a Certificate of the input has a certificate for the host. */
function isServed(host: string, graph: Graph): boolean {
  const isFor = (names: readonly unknown[] | undefined) =>
    names?.some((name) => typeof name === 'string' && matchesWildcard(name, host)) ?? false
  return (
    graph.all('Ingress').some((one) => one.spec?.tls?.some((tls) => tls.secretName && isFor(tls.hosts))) ||
    graph.all('cert-manager.io/Certificate').some((one) => isFor(arrayAt(one, 'spec', 'dnsNames')))
  )
}

/** Whether the input gives a controller a certificate for what has none. */
function hasDefaultCertificate(graph: Graph): boolean {
  const flag = 'default-ssl-certificate'
  const isSet = (one: object) => JSON.stringify(one).includes(flag)
  return (
    graph.all('traefik.io/TLSStore').length > 0 ||
    graph.all('helm.toolkit.fluxcd.io/HelmRelease').some(isSet) ||
    graph.all('argoproj.io/Application').some(isSet) ||
    graph.workloads.some(({ running }) => running.some((one) => flagOf(one, flag) !== undefined))
  )
}
