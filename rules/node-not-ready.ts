import { countOf, formatSpan, type Live, type ObjectOf, rule } from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'A node is not ready',
  category: 'node',
  severity: 'error',
  why: `Services send nothing to the pods of such a node. The node controller taints it at once, and pods
are evicted after another 300 s unless they tolerate it longer. A pod that a dead kubelet cannot end stays
in the API: its volumes remain attached, and a StatefulSet makes no replacement.`,
  remedy:
    'Look at the kubelet and the container runtime of the node; drain or delete it when it does not come back.',
  decides: `The condition \`Ready\` is \`False\` or \`Unknown\`, for longer than \`seconds\`. Nodes that are being
deleted or scaled away are left alone. What the kubelet said last, events and pressure stand below the
finding, and how many other nodes of the pool and the zone are affected: one node is a node, a pool is its
image, all of them are the network or the API server's address.`,
  versions: 'The condition turns Unknown 50 s after the last heartbeat (40 s before 1.32).',
  sources: [
    'kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go',
    'kubernetes/pkg/kubelet/nodestatus/setters.go',
  ],
  stories: [
    'airmap-pleg',
    'xing-moving',
    'nunl-elastalert-oom',
    'target-cascading',
    'dfds-ami-latest',
    'dfds-agent-system-oom',
    'nordstrom-101-ways',
    'zalando-fallacies-2017',
    'oath-101-ways',
  ],
  needs: 'cluster',
  params: {
    seconds: {
      type: 'integer',
      minimum: 0,
      default: 60,
      about: 'How long a node may be without readiness.',
    },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const { live } = graph
    const ready = readiness(node)
    if (!live || !isAway(node) || isLeaving(node)) return
    const since = (live.now - (Date.parse(ready?.lastTransitionTime ?? '') || 0)) / 1000
    if (since < params.seconds) return
    const pods = live.pods.filter(
      ({ spec, status }) => spec?.nodeName === node.metadata?.name && status?.phase === 'Running',
    )
    const running = pods.length === 1 ? 'its pod' : `its ${pods.length} pods`
    report(
      node.status?.conditions ?? node,
      node.status?.conditions?.findIndex(({ type }) => type === 'Ready'),
      ready?.status === 'Unknown'
        ? `Nobody knows how ${running} ${pods.length === 1 ? 'is' : 'are'}: the kubelet has been silent for ${formatSpan(since)}.`
        : `No Service sends anything to ${running}: the node has not been ready for ${formatSpan(since)}.`,
      { evidence: [...evidenceOf(node, live), ...companyOf(node, graph.all('Node'))] },
    )
  },
})

function readiness({ status }: Node) {
  return status?.conditions?.find(({ type }) => type === 'Ready')
}

function isAway(node: Node): boolean {
  const ready = readiness(node)
  return ready !== undefined && ready.status !== 'True'
}

/** Scaled away by an autoscaler, or deleted. */
function isLeaving({ metadata, spec }: Node): boolean {
  const leaving = /^(ToBeDeletedByClusterAutoscaler|karpenter\.sh\/disrupted|karpenter\.sh\/disruption)$/
  return (
    metadata?.deletionTimestamp !== undefined ||
    (spec?.taints ?? []).some(({ key }) => leaving.test(key ?? ''))
  )
}

/** What the kubelet said last, pressure, and how often the node came and went. */
function evidenceOf(node: Node, live: Live): string[] {
  const ready = readiness(node)
  const pressure = (node.status?.conditions ?? [])
    .filter(({ type, status }) => type !== 'Ready' && status === 'True')
    .map(({ type, message }) => `${type}${message ? `: ${message}` : ''}`)
  const flaps = live.eventsOf(node).filter(({ reason }) => reason === 'NodeNotReady')
  const count = flaps.reduce((sum, event) => sum + countOf(event), 0)
  return [
    ...(ready?.message ? [`${ready.reason ?? 'Ready'}: ${ready.message}`] : []),
    ...pressure,
    ...(count > 1 ? [`NodeNotReady ${count} times in the events`] : []),
  ]
}

const pools = [
  'karpenter.sh/nodepool',
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'kops.k8s.io/instancegroup',
]

/** How many of the nodes that have something in common with this one are away, too. */
function companyOf(node: Node, nodes: readonly Node[]): string[] {
  const away = nodes.filter(isAway)
  if (away.length < 2) return []
  const shares = (label: string) => {
    const value = node.metadata?.labels?.[label]
    const same = nodes.filter((one) => value !== undefined && one.metadata?.labels?.[label] === value)
    return { value, all: same.length, away: same.filter(isAway).length }
  }
  const lines = [`${away.length} of ${nodes.length} nodes are not ready`]
  for (const label of [...pools, 'topology.kubernetes.io/zone']) {
    const { value, all, away: gone } = shares(label)
    if (gone > 1 && all < nodes.length) lines.push(`${gone} of ${all} with ${label}=${value}`)
  }
  return lines
}
