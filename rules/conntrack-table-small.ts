import {
  advise,
  at,
  atMost,
  type Configuration,
  type ConnectionTable,
  type Container,
  configurationsIn,
  connectionTables,
  counted,
  countOf,
  cpuCores,
  type Fault,
  flagOf,
  type Graph,
  grouped,
  isKind,
  isWorkload,
  type Live,
  numberAt,
  type ObjectOf,
  objectAt,
  rule,
  type Sight,
  set,
  spanSince,
  timeOf,
  wordsOf,
} from '../src/rule.js'

const proxyConfiguration = 'kubeproxy.config.k8s.io/KubeProxyConfiguration'

/** kube-proxy's defaults. Source: kubernetes/pkg/proxy/apis/config/v1alpha1/defaults.go. */
const defaults = { maxPerCore: 32768, min: 131072 }
/** kube-proxy makes no larger table from the number of cores. Source: kubernetes/pkg/proxy/conntrack/sysctls.go. */
const largest = 1_048_576

/** The part of a table above which the kernel throws entries out, once the table has overflowed. */
const full = 0.95

export default rule({
  title: 'The connection tracking table is too small',
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
value alone and is not reported (an info where the rule is asked for).

In a cluster an error when the condition of a node, or a warning of the last hour about one, says that its table is
full, as node-problem-detector and the detectors of providers do; nodes are one finding together. With \`scan
--node-metrics\` node-exporter tells how many entries are in use, of how many: above \`warnRatio\` a warning, from
95 % on an error, whatever kube-proxy is told and whatever data plane there is. Where the configuration of
kube-proxy comes to just that size, it is shown.`,
  falsePositives: 'Clusters whose data plane does not use connection tracking (eBPF) may set what they like.',
  versions: 'Defaults 32768 per core and at least 131072; from 1.36 the product is capped at 1048576.',
  sources: [
    'kubernetes/pkg/proxy/apis/config/v1alpha1/defaults.go',
    'kubernetes/pkg/proxy/conntrack/sysctls.go',
    'linux/net/netfilter/nf_conntrack_core.c (gc_worker)',
    'prometheus/node_exporter, collector/conntrack_linux.go',
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
    warnRatio: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.75,
      about: 'The part of the table of a node that may be in use.',
    },
  },
  for: ['kubeproxy.config.k8s.io/KubeProxyConfiguration', 'ConfigMap', 'Workload', 'Node'],
  check(subject, { graph, params, report }) {
    const faults = isKind(subject, 'Node')
      ? onNode(subject, graph, params.warnRatio)
      : isWorkload(subject)
        ? subject.containers.flatMap((container) => inContainer(container, params))
        : configurationsIn(subject, proxyConfiguration).flatMap((one) => inConfiguration(one, params))
    for (const fault of faults) report(...fault)
  },
})

/** The entries that are enough, per core and per node. */
interface Enough {
  readonly maxPerCore: number
  readonly min: number
}

/** What is said of all nodes with full tables, on the fullest of them. */
function onNode(node: ObjectOf<'Node'>, graph: Graph, warnRatio: number): Fault[] {
  const { live } = graph
  const filled = live
    ? graph.once(`full connection tables ${warnRatio}`, () => filledTables(graph, live.seen, warnRatio))
    : []
  const [worst] = filled
  if (!worst || worst.node !== node) return []
  return [
    [
      node,
      undefined,
      messageOf(filled),
      {
        severity: worst.isSaidFull || worst.share >= full ? 'error' : 'warning',
        evidence: atMost(
          3,
          filled.map((one) => `node ${one.node.metadata?.name}: ${one.text}`),
        ),
        see: [worst.table && sizeSetBy(graph, worst.node, worst.table)],
        fix: advise('Raise conntrack.maxPerCore of kube-proxy, or nf_conntrack_max where it does not set it'),
      },
    ],
  ]
}

/** Flags of kube-proxy, and what a command writes into the kernel. */
function inContainer(container: Container, enough: Enough): Fault[] {
  const { spec, name } = container
  const maxPerCore = Number(flagOf(container, 'conntrack-max-per-core') ?? defaults.maxPerCore)
  const min = Number(flagOf(container, 'conntrack-min') ?? defaults.min)
  const written = /net[./]netfilter[./]nf_conntrack_max\s*=\s*["']?(\d+)/.exec(wordsOf(spec).join(' '))?.[1]
  const faults: Fault[] = []
  if (isSmall(maxPerCore, min, enough))
    faults.push([spec, spec.command ? 'command' : 'args', capped(maxPerCore, min)])
  if (written !== undefined && Number(written) < enough.min)
    faults.push([
      spec,
      spec.args ? 'args' : 'command',
      `New connections are dropped silently when the table is full: container ${name} sets it to ${Number(written)} entries (kube-proxy's minimum is ${defaults.min}).`,
    ])
  return faults
}

function inConfiguration({ value, place }: Configuration, enough: Enough): Fault[] {
  const conntrack = objectAt(value, 'conntrack')
  if (!conntrack) return []
  const maxPerCore = numberAt(conntrack, 'maxPerCore') ?? defaults.maxPerCore
  const min = numberAt(conntrack, 'min') ?? defaults.min
  const [node, field] = place(conntrack, 'maxPerCore')
  if (maxPerCore === 0)
    return [
      [
        node,
        field,
        'How many connections a node can track is up to its kernel: kube-proxy leaves the size of the table alone.',
        { severity: 'info', recommended: false },
      ],
    ]
  if (!isSmall(maxPerCore, min, enough)) return []
  const fix = node === conntrack ? set(conntrack, 'maxPerCore', defaults.maxPerCore) : undefined
  return [[node, field, capped(maxPerCore, min), { fix }]]
}

/** Whether the larger of both is too small; 0 per core leaves the size to the kernel. */
const isSmall = (maxPerCore: number, min: number, enough: Enough) =>
  maxPerCore > 0 && maxPerCore < enough.maxPerCore && min < enough.min

const capped = (maxPerCore: number, min: number) =>
  `New connections are dropped silently when the table is full: it is capped at ${maxPerCore} entries per core, at least ${min} (defaults ${defaults.maxPerCore} and ${defaults.min}).`

/** A node whose table is full, or nearly so. */
interface Filled {
  readonly node: ObjectOf<'Node'>
  /** Whether somebody says that it is full. */
  readonly isSaidFull: boolean
  readonly table: ConnectionTable | undefined
  /** The part of it that is in use; 0 where nobody has measured it. */
  readonly share: number
  readonly text: string
}

/** Those that are said to be full first, then the fullest. */
function filledTables(graph: Graph, live: Live, warnRatio: number): readonly Filled[] {
  const tables = connectionTables(live)
  return graph
    .all('Node')
    .flatMap((node) => {
      const sign = signOf(node, live)
      const table = tables.get(node.metadata?.name ?? '')
      const share = table ? table.entries / table.limit : 0
      const text = [sign, table && formatTable(table)].filter((one) => one !== undefined).join('; ')
      return sign !== undefined || share > warnRatio
        ? [{ node, isSaidFull: sign !== undefined, table, share, text }]
        : []
    })
    .sort(
      (a, b) =>
        Number(b.isSaidFull) - Number(a.isSaidFull) ||
        b.share - a.share ||
        ((a.node.metadata?.name ?? '') < (b.node.metadata?.name ?? '') ? -1 : 1),
    )
}

function formatTable({ entries, limit, pushedOut }: ConnectionTable): string {
  const before = pushedOut > 0 ? `, ${grouped(pushedOut)} pushed out of the full table since boot` : ''
  return `${grouped(entries)} of ${grouped(limit)} entries${before}`
}

function messageOf(filled: readonly Filled[]): string {
  const said = filled.filter(({ isSaidFull }) => isSaidFull).length
  if (said === 1) return 'New connections are dropped on this node: its connection tracking table is full.'
  if (said > 1)
    return `New connections are dropped on ${said} nodes: their connection tracking tables are full.`
  const percent = Math.floor(100 * Math.max(...filled.map(({ share }) => share)))
  return filled.length === 1
    ? `New connections are dropped when the connection tracking table of this node is full: ${percent} % of it is in use.`
    : `New connections are dropped when the connection tracking table of a node is full: ${filled.length} nodes use up to ${percent} % of theirs.`
}

/** Who says that the table of a node is full: its conditions, or an event. */
function signOf(node: ObjectOf<'Node'>, live: Live): string | undefined {
  const isFull = (...texts: readonly (string | undefined)[]) => {
    const text = texts.join(' ')
    return /conn?track/i.test(text) && /full/i.test(text) && !/not.?full/i.test(text)
  }
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

/** The configuration of kube-proxy that comes to this size on the node. */
function sizeSetBy(graph: Graph, node: ObjectOf<'Node'>, { limit }: ConnectionTable): Sight | undefined {
  const cores = cpuCores(node.status?.capacity?.cpu)
  if (cores === undefined) return undefined
  for (const configMap of graph.seen('ConfigMap')) {
    for (const { value, place } of configurationsIn(configMap, proxyConfiguration)) {
      const conntrack = objectAt(value, 'conntrack')
      const maxPerCore = numberAt(conntrack, 'maxPerCore')
      const min = numberAt(conntrack, 'min')
      if (!conntrack || (maxPerCore ?? min) === undefined) continue
      const scaled = (maxPerCore ?? defaults.maxPerCore) * cores
      const sized = Math.max(scaled, min ?? defaults.min)
      // Before 1.36 there is no largest size, and it never holds for the minimum alone.
      const isIts = limit === sized || (scaled > largest && limit === largest)
      if (scaled > 0 && isIts)
        return at(
          configMap,
          ...place(conntrack, maxPerCore === undefined ? 'min' : 'maxPerCore'),
          `comes to ${grouped(limit)} entries`,
        )
    }
  }
  return undefined
}
