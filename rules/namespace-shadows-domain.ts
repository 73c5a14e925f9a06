import {
  at,
  type Configuration,
  configurationsIn,
  corefile,
  type Graph,
  type KubernetesObject,
  objectAt,
  rule,
  stringAt,
} from '../src/rule.js'

export default rule({
  title: 'Names of the cluster stand in front of names of the Internet',
  category: 'dns',
  severity: 'warning',
  why: `Pods look a short name up in the cluster first: \`example.com\` has fewer than five dots, so with the search
domains it is tried as Service \`example\` in namespace \`com\`, and answered by it. And the DNS server of a
cluster answers for all of its own domain: names below it that exist elsewhere are denied to pods.`,
  remedy:
    'Name namespaces other than top-level domains, and use `cluster.local` or a subdomain that nothing else uses.',
  decides: `A Service in a namespace that is called like a top-level domain (\`tlds\`), once for each such namespace.
A domain of the cluster (\`clusterDomain\` of the kubelet, \`dnsDomain\` of kubeadm, the zones of \`kubernetes\` in a
Corefile) that holds the host of an Ingress, so that pods cannot resolve it, unless the Corefile has \`fallthrough\`.

Exempt: names such as \`dev\`, \`app\` or \`cloud\`, which are top-level domains and good names of namespaces: add
them to \`tlds\`. Where the rule is asked for, an info for them, and for a domain of the cluster that somebody may
have on the Internet.`,
  sources: [
    'kubernetes/pkg/kubelet/network/dns/dns.go (search domains, ndots 5)',
    'coredns/plugin/kubernetes/README.md (ZONES, fallthrough)',
  ],
  stories: ['oath-101-ways'],
  params: {
    tlds: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'com',
        'net',
        'org',
        'io',
        'co',
        'edu',
        'gov',
        'mil',
        'de',
        'uk',
        'fr',
        'us',
        'eu',
        'jp',
        'cn',
        'ru',
        'br',
      ],
      about: 'Top-level domains that a namespace must not be called.',
    },
  },
  for: [
    'Service',
    'ConfigMap',
    'kubelet.config.k8s.io/KubeletConfiguration',
    'kubeadm.k8s.io/ClusterConfiguration',
  ],
  check(subject, { graph, params, report }) {
    if (subject.kind === 'Service') {
      const own = graph.namespaceOf(subject)
      const isCertain = params.tlds.includes(own)
      if (!isCertain && !usualNames.has(own)) return
      const first = graph
        .once(
          'first-services',
          () => new Map([...graph.seen('Service')].reverse().map((one) => [graph.namespaceOf(one), one])),
        )
        .get(own)
      if (first !== subject || !first.metadata?.name) return
      const name = `${first.metadata.name}.${own}`
      report(
        subject,
        undefined,
        `Pods that ask for ${name} on the Internet get this Service: its namespace is called like a top-level domain.`,
        isCertain ? {} : { severity: 'info', recommended: false },
      )
      return
    }
    for (const { domain, node, field } of domainsOf(subject)) {
      const shadowed = graph
        .once('hosts-of-ingresses', () => hostsIn(graph))
        .find(({ host }) => host.endsWith(`.${domain}`))
      if (!shadowed) {
        report(
          node,
          field,
          `Pods cannot resolve hosts of ${domain} on the Internet: the cluster's DNS answers for all of it, and knows its Services only.`,
          { severity: 'info', recommended: false },
        )
        continue
      }
      report(
        node,
        field,
        `Pods cannot resolve ${shadowed.host}: the cluster's DNS answers for all of ${domain}, and knows its Services only.`,
        { see: [at(shadowed.of, shadowed.node, 'host')] },
      )
      return
    }
  },
})

/** Top-level domains that are good names of namespaces. */
const usualNames: ReadonlySet<string> = new Set(
  'ai app blog build cafe cloud dev games info live map media network news page shop store studio tools'.split(
    ' ',
  ),
)

interface Domain {
  readonly domain: string
  readonly node: object
  readonly field: string | undefined
}

/** The domains that a subject makes the cluster's own; none that nobody can have on the Internet. */
function domainsOf(subject: KubernetesObject): readonly Domain[] {
  const make = ({ place }: Configuration, field: 'clusterDomain' | 'dnsDomain', of: object) => {
    const domain = stringAt(of, field)?.replace(/\.$/, '')
    const [node, own] = place(of, field)
    return domain ? [{ domain, node, field: own }] : []
  }
  const found = [
    ...configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration').flatMap((one) =>
      make(one, 'clusterDomain', one.value),
    ),
    ...configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration').flatMap((one) => {
      const networking = objectAt(one.value, 'networking')
      return networking ? make(one, 'dnsDomain', networking) : []
    }),
    ...zonesOf(subject),
  ]
  return found.filter(
    ({ domain }) => domain.includes('.') && !/(^|\.)(local|internal|arpa|test|lan)$/.test(domain),
  )
}

/** The zones of a Corefile that are answered for the cluster's Services and for nothing else. */
function zonesOf(subject: KubernetesObject): readonly Domain[] {
  const data = subject.kind === 'ConfigMap' ? objectAt(subject, 'data') : undefined
  const text = stringAt(data, 'Corefile')
  if (!data || !text) return []
  return corefile(text)
    .flatMap(({ plugins }) => plugins)
    .filter(({ name }) => name === 'kubernetes')
    .flatMap(({ args, options }) =>
      args
        .map(bare)
        .filter((domain) => !options.some((one) => one.name === 'fallthrough' && isOpen(domain, one.args)))
        .map((domain) => ({ domain, node: data, field: 'Corefile' })),
    )
}

function bare(zone: string): string {
  return zone.replace(/\.$/, '')
}

/** Whether what the zone does not have is asked elsewhere: without zones of its own the option is for all of them. */
function isOpen(zone: string, zones: readonly string[]): boolean {
  return zones.length === 0 || zones.map(bare).includes(zone)
}

function hostsIn(graph: Graph) {
  return graph
    .all('Ingress')
    .flatMap((of) =>
      (of.spec?.rules ?? []).flatMap((node) => (node.host ? [{ host: node.host, of, node }] : [])),
    )
}
