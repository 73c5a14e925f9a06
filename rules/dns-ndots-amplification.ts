import { type Container, type Graph, rule, takenVariables, type Workload } from '../src/rule.js'

export default rule({
  title: 'External names are looked up through every search domain first',
  category: 'dns',
  severity: 'info',
  recommended: false,
  why: `Pods get \`ndots:5\` and three or more search domains. A name with fewer than five dots is tried
with each of them before it is tried as it stands, for IPv4 and IPv6: one call to \`api.example.com\` costs
eight to ten queries. On a busy service that multiplies the load on the DNS servers and adds their latency
to each new connection.`,
  remedy:
    'Write external names with a trailing dot, or set `dnsConfig.options` `ndots` to 2, where no Service is called by a name with two dots or more that is not whole (`web.shop.svc`).',
  decides: `A pod template with dnsPolicy ClusterFirst (the default) and no \`ndots\` option of \`ndotsMax\` or
less, where an environment variable, in place or from a ConfigMap, or an argument holds the name of an external
host. That is one with two to four dots and no trailing dot, not below \`.svc\`, the cluster domain, \`.local\` or
\`.internal\`, and no address. hostNetwork pods resolve like their node and are exempt.`,
  falsePositives:
    'A name that is used once at start, or kept by a connection pool, costs nothing worth mentioning.',
  versions:
    'With `ndots: 2` names such as `service.namespace` still resolve. Longer ones that are not whole (`service.namespace.svc`) are asked for as they stand first, and by musl (Alpine) so only: it does not find them any more.',
  sources: [
    'kubernetes/pkg/kubelet/network/dns/dns.go',
    'glibc, resolv/res_query.c (ndots); musl, src/network/lookup_name.c (name_from_dns_search)',
  ],
  stories: [
    'zalando-coredns-oom',
    'toyota-dns-storm',
    'datadog-10-ways',
    'zalando-misc-races',
    'zalando-skipper-oom',
  ],
  params: {
    ndotsMax: { type: 'integer', minimum: 0, default: 2, about: 'The largest ndots that is fine.' },
    clusterDomain: { type: 'string', default: 'cluster.local', about: 'The domain of the cluster.' },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod } = workload
    if ((pod.dnsPolicy ?? 'ClusterFirst') !== 'ClusterFirst' || pod.hostNetwork) return
    const ndots = pod.dnsConfig?.options?.find((option) => option.name === 'ndots')?.value
    if (ndots !== undefined && Number(ndots) <= params.ndotsMax) return
    const name = externalName(workload, params.clusterDomain, graph)
    if (!name) return
    report(
      pod,
      'dnsConfig',
      `Each lookup of ${name} asks every search domain first: the pods run with ndots ${ndots ?? 5}.`,
      {
        fix: {
          title: 'dnsConfig.options: ndots 2',
          safe: false,
          edits: [
            {
              op: 'set',
              node: pod,
              field: 'dnsConfig',
              value: {
                ...pod.dnsConfig,
                options: [
                  ...(pod.dnsConfig?.options ?? []).filter((option) => option.name !== 'ndots'),
                  { name: 'ndots', value: String(params.ndotsMax) },
                ],
              },
            },
          ],
        },
      },
    )
  },
})

const host = /(?:^|[\s"'=,@(]|:\/\/)((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.){1,4}[a-z]{2,})(?=$|[\s"',/:;)?])/gi
/** Endings of file names that look like hosts, in values such as `config.json`. */
const fileEnding =
  /\.(ya?ml|json|conf|cfg|toml|ini|xml|properties|txt|log|sock|pem|crt|key|sh|py|js|ts|jar|go|db|sql|html?|env|pid|lock|so|csv|bin|gz|zip)$/i

/** Variables whose value is an address even without a scheme; other dotted values are class, webhook or label names. */
const addressName = /HOST|URL|URI|ADDR|ENDPOINT|SERVER|DOMAIN|BROKER/i

function isUrl(text: string | undefined): boolean {
  return text !== undefined && (text.includes('://') || /^[\w.-]+\.[a-z]{2,}:\d+$/i.test(text))
}

function externalName(workload: Workload, clusterDomain: string, graph: Graph): string | undefined {
  const texts = workload.running.flatMap(({ spec }: Container) => [
    ...[...(spec.env ?? []), ...takenVariables(spec, workload, graph)].map(({ name = '', value }) =>
      addressName.test(name) || isUrl(value) ? (value ?? '') : '',
    ),
    ...(spec.args ?? []).filter(isUrl),
  ])
  for (const text of texts) {
    for (const [, name = ''] of text.matchAll(host)) {
      const lower = name.toLowerCase()
      const inside =
        lower.endsWith('.svc') ||
        lower.endsWith(`.${clusterDomain}`) ||
        lower.endsWith('.local') ||
        lower.endsWith('.internal')
      if (!inside && lower.split('.').length > 2 && !fileEnding.test(lower)) return name
    }
  }
  return undefined
}
