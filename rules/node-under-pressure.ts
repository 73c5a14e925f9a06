import {
  atMost,
  conditionOf,
  counted,
  countOf,
  evictedAt,
  firstOf,
  formatBytes,
  formatCondition,
  formatSpan,
  type Graph,
  heldFor,
  holds,
  isAway,
  isGone,
  isLeaving,
  type Live,
  type ObjectOf,
  type Pod,
  placeOfCondition,
  requestOfPod,
  rule,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

/** What a condition means, for one node or several. */
interface Pressure {
  readonly type: string
  readonly severity: 'error' | 'warning'
  readonly says: (nodes: string, isOne: boolean, span: string) => string
  /** What an eviction for this reason says. */
  readonly evicts?: RegExp
  /** Warnings about the node itself, `reason: message`. */
  readonly events?: RegExp
}

const pressures: readonly Pressure[] = [
  {
    type: 'NetworkUnavailable',
    severity: 'error',
    says: (nodes, isOne, span) =>
      `Pods on ${nodes} may not be reached from other nodes, and new ones stay away: ${isOne ? 'its network has' : 'their networks have'} been unavailable for ${span}.`,
  },
  {
    type: 'DiskPressure',
    severity: 'warning',
    says: (nodes, isOne, span) =>
      `No pod starts on ${nodes}, and pods there are evicted: ${isOne ? 'it has' : 'they have'} been short of disk for ${span}.`,
    evicts: /low on resource: (ephemeral-storage|inodes)|had condition: \[?.*DiskPressure/,
    events: /^(EvictionThresholdMet: .*(ephemeral-storage|inodes)|FreeDiskSpaceFailed|ImageGCFailed)/,
  },
  {
    type: 'MemoryPressure',
    severity: 'warning',
    says: (nodes, isOne, span) =>
      `Pods on ${nodes} are evicted, and none without requests starts: ${isOne ? 'it has' : 'they have'} been short of memory for ${span}.`,
    evicts: /low on resource: memory|had condition: \[?.*MemoryPressure/,
    events: /^(EvictionThresholdMet: .*memory|SystemOOM)/,
  },
]

export default rule({
  title: 'A ready node is short of memory or disk, or without its network',
  category: 'node',
  severity: 'warning',
  why: `A node under pressure stays Ready. Its kubelet evicts pods until it is back below its thresholds: first
those that use more than they requested, the least important before others; it refuses new ones, those without requests for memory,
all but critical ones for disk. The node controller taints the node, so that its share of the pods must fit
elsewhere. A network that is not set up is a condition of the cloud's route controller or of the network plugin; the
kubelet knows nothing of it and goes on calling its pods ready.`,
  remedy:
    'Memory and disk: find what uses them beyond its request, and give requests to what has none. Network: look at the agent of the network plugin on the node and at the routes of the cloud.',
  decides: `The condition \`MemoryPressure\`, \`DiskPressure\` or \`NetworkUnavailable\` of a node is True for
\`minutes\`; pressure that has evicted pods is reported at once. An error for the network. Nodes with the same
condition are one finding, on the one that has had it longest. Below stand what the kubelet says, the evicted pods
with what they used, and for memory those that come next: by what they use beyond their requests where the metrics
API tells, else those without requests.

Left out are nodes that are not ready (\`node-not-ready\`) or about to be removed; \`PIDPressure\` is
\`pod-pid-limit-missing\`.`,
  sources: [
    'kubernetes/pkg/kubelet/eviction/eviction_manager.go (Admit, synchronize), helpers.go (rankMemoryPressure)',
    'kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go (nodeConditionToTaintKeyStatusMap)',
    'k8s.io/cloud-provider/controllers/route/route_controller.go',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      about: 'How long a condition may be there: the kubelet keeps pressure up for five minutes at least.',
    },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    for (const pressure of pressures) {
      const nodes = graph.once(`nodes with ${pressure.type} for ${params.minutes} min`, () =>
        affected(pressure, graph, live, params.minutes * 60),
      )
      const [first, ...others] = nodes
      if (first !== node) continue
      const isOne = others.length === 0
      const names = nodes.map(({ metadata }) => metadata?.name ?? '')
      report(
        ...placeOfCondition(node, pressure.type),
        pressure.says(
          isOne ? (names[0] ?? 'the node') : counted(nodes.length, 'node'),
          isOne,
          `${isOne ? '' : 'up to '}${formatSpan(lasting(node, pressure, live))}`,
        ),
        {
          severity: pressure.severity,
          evidence: [...(isOne ? [] : [firstOf(names)]), ...evidenceOf(nodes, pressure, live)],
        },
      )
    }
  },
})

/** The seconds that a node has had the condition; 0 when it does not say. */
function lasting(node: Node, { type }: Pressure, live: Live): number {
  return heldFor(conditionOf(node, type), live)
}

/** The nodes with a condition, the longest first. */
function affected(pressure: Pressure, graph: Graph, live: Live, least: number): readonly Node[] {
  return graph
    .all('Node')
    .filter((node) => holds(node, pressure.type) && !isAway(node) && !isLeaving(node))
    .filter(
      (node) => lasting(node, pressure, live) >= least || evictedFrom([node], pressure, live).length > 0,
    )
    .sort((a, b) => lasting(b, pressure, live) - lasting(a, pressure, live))
}

/** The pods that were evicted for it since the condition is there. */
function evictedFrom(nodes: readonly Node[], pressure: Pressure, live: Live): readonly Pod[] {
  const { evicts } = pressure
  if (!evicts) return []
  const since = new Map(
    nodes.map((node) => [node.metadata?.name ?? '', live.now - (lasting(node, pressure, live) + 60) * 1000]),
  )
  return live.seen.pods.filter((pod) => {
    const { reason, message = '' } = pod.status ?? {}
    const begun = since.get(pod.spec?.nodeName ?? '')
    return begun !== undefined && reason === 'Evicted' && evicts.test(message) && evictedAt(pod) >= begun
  })
}

/** What the kubelets say, what they have evicted and what is next. */
function evidenceOf(nodes: readonly Node[], pressure: Pressure, live: Live): readonly string[] {
  const [first] = nodes
  const condition = first && conditionOf(first, pressure.type)
  const said = nodes
    .flatMap((node) => live.eventsOf(node))
    .filter((event) => pressure.events?.test(`${event.reason}: ${event.message}`))
    .slice(0, 1)
    .map(
      (event) =>
        `${event.reason}, ${counted(countOf(event), 'time')}: ${(event.message ?? '').slice(0, 140)}`,
    )
  const evicted = evictedFrom(nodes, pressure, live).map(
    ({ metadata, status }) =>
      `evicted ${metadata?.name ?? ''}: ${(status?.message ?? '').trim().slice(0, 200)}`,
  )
  const next = pressure.type === 'MemoryPressure' ? nextFrom(nodes, live) : []
  return [
    ...(condition?.message ? [formatCondition(condition)] : []),
    ...said,
    ...atMost(2, evicted),
    ...next,
  ]
}

/**
 * The pods that the kubelets evict next: those with most beyond their requests, or without any where nobody measures.
 */
function nextFrom(nodes: readonly Node[], live: Live): readonly string[] {
  const names = new Set(nodes.map(({ metadata }) => metadata?.name))
  const pods = live.seen.pods.filter((pod) => names.has(pod.spec?.nodeName) && !isGone(pod))
  const greedy = pods
    .map((pod) => {
      const used = (live.usageOf(pod) ?? []).reduce((sum, { memory }) => sum + memory, 0)
      return { pod, used, request: requestOfPod(pod, 'memory') }
    })
    .filter(({ used, request }) => used > request)
    .sort((a, b) => b.used - b.request - (a.used - a.request))
    .slice(0, 2)
  if (greedy.length > 0)
    return greedy.map(
      ({ pod, used, request }) =>
        `pod ${pod.metadata?.name ?? ''}: ${formatBytes(used)} used, ${formatBytes(request)} requested`,
    )
  const bare = pods.flatMap(({ metadata, status }) =>
    status?.qosClass === 'BestEffort' ? (metadata?.name ?? '') : [],
  )
  return bare.length > 0 ? [`without requests: ${firstOf(bare.sort())}`] : []
}
