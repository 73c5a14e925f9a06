import {
  atMost,
  configurationsIn,
  counted,
  countOf,
  flagOf,
  type Graph,
  isKind,
  isWorkload,
  type Live,
  numberAt,
  type ObjectOf,
  objectAt,
  rule,
  set,
  spanSince,
  timeOf,
  wordsOf,
} from '../src/rule.js'

/** kube-proxy's defaults. Source: kubernetes/pkg/proxy/apis/config/v1alpha1/defaults.go. */
const defaults = { maxPerCore: 32768, min: 131072 }

export default rule({
  title: 'The connection tracking table is smaller than kube-proxy would make it',
  category: 'networking',
  severity: 'warning',
  why: `Every connection through a Service takes an entry in the kernel's connection tracking table. When
the table is full the kernel drops the first packet of each new flow without a word to anybody; DNS over UDP
goes first. kube-proxy sizes the table as the larger of \`min\` and \`maxPerCore\` × cores, so a low pair of
values caps every node of the cluster.`,
  remedy:
    'Leave `conntrack.maxPerCore` and `conntrack.min` at their defaults or raise them; an entry costs about 300 bytes.',
  decides: `Looks at \`conntrack\` of a KubeProxyConfiguration (a file of its own, or inside the ConfigMap
that kubeadm writes), at the flags \`--conntrack-max-per-core\` and \`--conntrack-min\` of kube-proxy, and
at containers that set \`net.netfilter.nf_conntrack_max\` by \`sysctl\` to less than kube-proxy's minimum.
Reported only when both values together are below the defaults. \`maxPerCore: 0\` leaves the kernel's own
value alone and is not reported.

In a cluster an error when the condition of a node, or a warning of the last hour about one, says that its table is full, as
node-problem-detector and the detectors of providers do; nodes are one finding together.`,
  falsePositives: 'Clusters whose data plane does not use connection tracking (eBPF) may set what they like.',
  versions: 'Defaults 32768 per core and at least 131072; from 1.36 the product is capped at 1048576.',
  sources: [
    'kubernetes/pkg/proxy/apis/config/v1alpha1/defaults.go',
    'kubernetes/pkg/proxy/conntrack/sysctls.go',
  ],
  stories: ['betz-conntrack', 'loveholidays-conntrack'],
  params: {
    maxPerCore: {
      type: 'integer',
      minimum: 1,
      default: defaults.maxPerCore,
      about: 'Entries per core that are enough.',
    },
    min: { type: 'integer', minimum: 1, default: defaults.min, about: 'Entries per node that are enough.' },
  },
  for: ['kubeproxy.config.k8s.io/KubeProxyConfiguration', 'ConfigMap', 'Workload', 'Node'],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'Node')) {
      const { live } = graph
      const full = live ? graph.once('full connection tables', () => fullTables(graph, live)) : []
      if (full[0]?.node === subject)
        report(
          subject,
          undefined,
          `New connections are dropped on ${full.length === 1 ? 'this node' : `${full.length} nodes`}: ${full.length === 1 ? 'its connection tracking table is' : 'their connection tracking tables are'} full.`,
          {
            severity: 'error',
            evidence: atMost(
              3,
              full.map(({ node, text }) => `node ${node.metadata?.name}: ${text}`),
            ),
          },
        )
      return
    }
    const small = (maxPerCore: number, min: number) =>
      maxPerCore > 0 && maxPerCore < params.maxPerCore && min < params.min
    const say = (maxPerCore: number, min: number) =>
      `New connections are dropped silently when the table is full: it is capped at ${maxPerCore} entries per core, at least ${min} (defaults ${defaults.maxPerCore} and ${defaults.min}).`
    if (isWorkload(subject)) {
      for (const { spec, ...container } of subject.containers) {
        const all = { spec, ...container }
        const maxPerCore = Number(flagOf(all, 'conntrack-max-per-core') ?? defaults.maxPerCore)
        const min = Number(flagOf(all, 'conntrack-min') ?? defaults.min)
        if (small(maxPerCore, min)) report(spec, spec.command ? 'command' : 'args', say(maxPerCore, min))
        const words = wordsOf(spec).join(' ')
        const entries = Number(
          /net[./]netfilter[./]nf_conntrack_max\s*=\s*["']?(\d+)/.exec(words)?.[1] ?? Number.NaN,
        )
        if (entries < params.min) {
          report(
            spec,
            spec.args ? 'args' : 'command',
            `New connections are dropped silently when the table is full: container ${all.name} sets it to ${entries} entries (kube-proxy's minimum is ${defaults.min}).`,
          )
        }
      }
      return
    }
    for (const configuration of configurationsIn(subject, 'kubeproxy.config.k8s.io/KubeProxyConfiguration')) {
      const conntrack = objectAt(configuration.value, 'conntrack')
      if (!conntrack) continue
      const maxPerCore = numberAt(conntrack, 'maxPerCore') ?? defaults.maxPerCore
      const min = numberAt(conntrack, 'min') ?? defaults.min
      if (!small(maxPerCore, min)) continue
      const [node, field] = configuration.place(conntrack, 'maxPerCore')
      report(node, field, say(maxPerCore, min), {
        fix: node === conntrack ? set(conntrack, 'maxPerCore', defaults.maxPerCore) : undefined,
      })
    }
  },
})

/** The nodes that somebody says have a full table, by name, and who says so. */
function fullTables(graph: Graph, live: Live) {
  const isFull = (...texts: readonly (string | undefined)[]) => {
    const text = texts.join(' ')
    return /conn?track/i.test(text) && /full/i.test(text) && !/not.?full/i.test(text)
  }
  const signOf = (node: ObjectOf<'Node'>): string | undefined => {
    const condition = node.status?.conditions?.find(
      ({ type, status, reason }) => status === 'True' && isFull(type, reason),
    )
    if (condition) return `${condition.type}${condition.message ? `: ${condition.message}` : ''}`
    const event = live.eventsOf(node).find(({ reason, message }) => isFull(reason, message))
    return (
      event &&
      `${event.reason}, ${counted(countOf(event), 'time')}, last ${spanSince(timeOf(event), live)} ago: ${event.message}`
    )
  }
  return graph
    .all('Node')
    .flatMap((node) => {
      const text = signOf(node)
      return text === undefined ? [] : [{ node, text }]
    })
    .sort((a, b) => ((a.node.metadata?.name ?? '') < (b.node.metadata?.name ?? '') ? -1 : 1))
}
