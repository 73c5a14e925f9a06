import {
  changedAt,
  conditionOf,
  configurationsIn,
  enumerate,
  type Fault,
  firstOf,
  formatSpan,
  type Graph,
  holds,
  inRange,
  isKind,
  isLeaving,
  nodesBy,
  type ObjectOf,
  objectAt,
  objectsAt,
  placeOfCondition,
  rule,
  stringAt,
  turnedAt,
  turnedTogether,
  version,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

const elb =
  /(^|[/.])[\w-]+(\.[\w-]+)*\.elb\.[\w-]*\.?amazonaws\.com(\.cn)?(:\d+)?$|\.elb\.amazonaws\.com(:\d+)?$/

export default rule({
  title: 'All nodes can lose the API server at the same moment',
  category: 'node',
  severity: 'info',
  why: `The kubelet keeps one connection to the API server. When the addresses behind a balancer's name
change, old clients go on writing into a connection that nobody answers; all nodes stop posting their status
together. The control plane then takes the pods of these nodes for unready: their Services lose them. It may begin to
evict them, too: where most nodes of a zone are silent it slows down or, up to 50 nodes, stops; where a whole zone is it
does not; and while all nodes of the cluster are silent it evicts nothing.`,
  remedy:
    'Give the API server an endpoint with static addresses (a network load balancer, a virtual IP), and keep kubelets current.',
  decides: `\`controlPlaneEndpoint\` of a kubeadm ClusterConfiguration and \`clusters[].cluster.server\` of a
kubeconfig in the input that name a classic or application load balancer of AWS directly (\`*.elb.amazonaws.com\`,
whose addresses change). Literal addresses are not reported: they may well be a virtual IP.

In a cluster kubelets without the check of their connection are a warning. It is an error while half of the nodes,
and three at least, are silent whose kubelets fell silent one after the other within a minute. For a day after they
came back that is a warning, told by all their conditions, which changed together.`,
  falsePositives: `The hostname of a network load balancer has the same form and keeps its addresses. A
cluster whose machines are stopped at night looks as if it had lost them.`,
  versions: `Affected: kubelets below 1.8.14, 1.9.0 to 1.9.8 and 1.10.0 to 1.10.2 (they never close a dead
connection), and below 1.18.18 and 1.19.0 to 1.19.4 (HTTP/2 without a health check).`,
  sources: [
    'kubernetes issue 48638',
    'kubernetes PRs 63492, 95981, 96778 and 100376 (CHANGELOG-1.8.md to CHANGELOG-1.20.md)',
    'kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go (tryUpdateNodeHealth, MarkPodsNotReady, handleDisruption, ReducedQPSFunc)',
  ],
  stories: ['turnitin-elb', 'zalando-hamburg-elb-notready', 'salemove-master-dns', 'nordstrom-101-ways'],
  for: ['kubeadm.k8s.io/ClusterConfiguration', 'ConfigMap', '/Config', 'Node'],
  check(subject, { graph, report }) {
    if (isKind(subject, 'Node')) {
      const found = seenOn(subject, graph)
      if (found) report(...found)
      return
    }
    const say = (server: string) =>
      `Every kubelet may hang on a dead connection when the addresses of ${server.replace(/^https:\/\//, '')} change.`
    for (const { value, place } of configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration')) {
      const endpoint = stringAt(value, 'controlPlaneEndpoint')
      if (endpoint && elb.test(endpoint)) report(...place(value, 'controlPlaneEndpoint'), say(endpoint))
    }
    for (const { value, place } of configurationsIn(subject, '/Config')) {
      for (const cluster of objectsAt(value, 'clusters')) {
        const node = objectAt(cluster, 'cluster')
        const server = stringAt(node, 'server')
        if (node && server && elb.test(server)) report(...place(node, 'server'), say(server))
      }
    }
  },
})

/** What is seen in a cluster, on the first of the nodes that it is about. */
function seenOn(node: Node, graph: Graph): Fault | undefined {
  const { live } = graph
  if (!live) return undefined
  const nodes = graph.all('Node')
  const groups = graph.once('nodes lost together', () => lostTogether(nodes, live.now))
  const lost = groups.find(([first]) => first === node)
  const place = placeOfCondition(node, 'Ready')
  if (lost) {
    const isSilent = conditionOf(node, 'Ready')?.status === 'Unknown'
    const first = turnedAt(node)
    const span = (turnedAt(lost.at(-1) ?? node) - first) / 1000
    const many = `${lost.length} of ${nodes.length} kubelets`
    const when = formatSpan((live.now - first) / 1000)
    const versions = new Set(lost.filter(lacksCheck).map((one) => one.status?.nodeInfo?.kubeletVersion ?? ''))
    const evidence = [
      firstOf(lost.map(({ metadata }) => metadata?.name ?? '')),
      ...(versions.size > 0
        ? [`kubelets ${enumerate([...versions], 'and')} do not notice a dead connection`]
        : []),
    ]
    return isSilent
      ? [
          ...place,
          `Services lose the pods of ${lost.length === nodes.length ? 'all nodes' : 'most nodes, which may be evicted'}: ${many} fell silent within ${formatSpan(span)}, ${when} ago.`,
          { severity: 'error', evidence },
        ]
      : [
          ...place,
          `Most nodes lost the API server together and came back within ${formatSpan(span)}, ${when} ago: ${many}.`,
          { severity: 'warning', evidence },
        ]
  }
  const old = graph.once('kubelets that do not notice a dead connection', () =>
    nodesBy(nodes.filter(lacksCheck), ({ status }) => status?.nodeInfo?.kubeletVersion),
  )
  const alike = old.get(node)
  const info = node.status?.nodeInfo
  if (!alike || !info) return undefined
  const who = alike.length === 1 ? 'The kubelet' : `${alike.length} kubelets`
  return [
    info,
    'kubeletVersion',
    `${who} may write into a dead connection to the API server until the node is taken for lost: ${info.kubeletVersion} does not check it.`,
    {
      severity: 'warning',
      onValue: true,
      evidence: [firstOf(alike.map(({ metadata }) => metadata?.name ?? ''))],
    },
  ]
}

const withoutCheck = ['<1.18.18', '>=1.19.0 <1.19.5']

function lacksCheck({ status }: Node): boolean {
  const release = version(status?.nodeInfo?.kubeletVersion)
  return release !== undefined && withoutCheck.some((range) => inRange(release, range))
}

/**
 * Half of the nodes, three at least, that fell silent together, or came back together within the last day.
 */
function lostTogether(nodes: readonly Node[], now: number): readonly (readonly Node[])[] {
  const staying = nodes.filter((node) => !isLeaving(node))
  const silent = staying.filter((node) => conditionOf(node, 'Ready')?.status === 'Unknown')
  const returned = staying.filter((node) => now - turnedAt(node) < 86_400_000 && hasReturned(node))
  return [...turnedTogether(silent), ...turnedTogether(returned)].filter(
    (group) => group.length >= Math.max(3, nodes.length / 2),
  )
}

/**
 * Whether the node was lost and is back: the control plane turns all conditions of a silent node Unknown, and its
 * kubelet turns them back at once. A node that was only just made is not meant.
 */
function hasReturned(node: Node): boolean {
  const pressureTurnedAt = changedAt(conditionOf(node, 'MemoryPressure'))
  const made = Date.parse(node.metadata?.creationTimestamp ?? '')
  return (
    holds(node, 'Ready') &&
    Math.abs(turnedAt(node) - pressureTurnedAt) < 5000 &&
    turnedAt(node) - made > 1_800_000
  )
}
