import {
  at,
  bytes,
  type Container,
  evictionsOf,
  type Fault,
  formatBytes,
  formatEvictions,
  type Graph,
  heavyPods,
  memoryTrouble,
  quantityPattern,
  requestOf,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'One pod may use most of the memory of a node',
  category: 'resources',
  severity: 'warning',
  why: `A pod that may grow to more than half of a node leaves no room for its own next peak: the request
fits, the limit does not fit beside the others, and the kernel settles it. Other pods of that node may go with
it.`,
  remedy: 'Give it a node pool of its own, or a request near to its limit.',
  decides: `The memory limits of a pod together, or the limit of the pod itself, are above \`share\` of the largest
node (the parameter, or the Nodes of the input), and its request is smaller than its limit. Pods to which a node is
dedicated are left alone: by a node selector, save for operating system and architecture, by node affinity or by a
toleration of their own. Where the rule is asked for, an info where the request is as large, or there is no limit.

In a cluster an error: the kubelet evicted pods of the workload because their node ran out of memory, and by its
message one of their containers used more than it requests, by a tenth of the node (1Gi where the node is not
known). Below the warning stand pods that use \`share\` of their node now (where the metrics API tells), containers
that were killed for lack of memory, and nodes of theirs that ran out of it.`,
  sources: [
    'Kubernetes documentation, node-pressure eviction',
    'k8s.io/api/core/v1/types.go (PodSpec.Resources: it stands for all containers)',
  ],
  stories: ['dfds-agent-system-oom', 'bluematador-node-oom', 'nunl-elastalert-oom', 'dfds-pvc-stuck'],
  params: {
    share: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.5,
      about: 'The part of a node that one pod may use.',
    },
    largestMemory: {
      type: 'string',
      pattern: `^$|${quantityPattern}`,
      default: '',
      about: 'Memory of the largest node, such as `16Gi`; empty takes the Nodes of the input.',
    },
  },
  unless: ['request-exceeds-node'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const fault = eviction(workload, graph) ?? overcommitment(workload, graph, params)
    if (fault) report(...fault)
  },
})

/** That the kubelet has evicted pods that used much more memory than they request. */
function eviction(workload: Workload, graph: Graph): Fault | undefined {
  const evicted = evictionsOf(workload, graph.live, 'memory').filter(({ node: name, excess }) => {
    const size = bytes(graph.find('Node', name, workload.object, '')?.status?.allocatable?.memory)
    return excess !== undefined && excess.used - excess.requested > (size ?? 10 * 2 ** 30) / 10
  })
  const [worst] = [...evicted].sort((a, b) => (b.excess?.used ?? 0) - (a.excess?.used ?? 0))
  if (!worst?.excess) return undefined
  const { container, used, requested } = worst.excess
  const spec = workload.containers.find(({ name }) => name === container)?.spec
  const { requests } = spec?.resources ?? {}
  return [
    requests ?? spec ?? workload.object,
    requests ? 'memory' : spec && 'resources',
    `${workload.name} takes the memory of its node: container ${container} used ${formatBytes(used)} of ${formatBytes(requested)} requested, and was evicted.`,
    { severity: 'error', evidence: [formatEvictions(evicted), worst.message] },
  ]
}

/** That a pod may take, or takes, a large part of a node which is not set aside for it. */
function overcommitment(
  workload: Workload,
  graph: Graph,
  { share, largestMemory }: { readonly share: number; readonly largestMemory: string },
): Fault | undefined {
  const node = bytes(largestMemory || undefined) ?? graph.once('largest node', () => largestNode(graph))
  if (node === undefined || isDedicated(workload)) return undefined
  const { running, pod } = workload
  const [heaviest] = [...running].sort((a, b) => limitOf(b) - limitOf(a))
  const { requests } = heaviest?.spec.resources ?? {}
  const { resources: whole } = pod
  const limits = whole?.limits?.memory === undefined ? heaviest?.spec.resources?.limits : whole.limits
  const limit = bytes(whole?.limits?.memory) ?? sumOf(running, limitOf)
  const request = requestOf(workload, 'memory')
  const most = node * share
  if (limits && limit > most && request < limit)
    return [
      limits,
      'memory',
      `The next peak of ${workload.name} can take its node down: it may use ${formatBytes(limit)} of ${formatBytes(node)}, and ${formatBytes(request)} are set aside.`,
      {
        evidence: seenOf(workload, graph, share),
        see: [requests ? at(workload, requests, 'memory') : undefined],
      },
    ]
  const place = limits ?? requests
  return place && Math.max(limit, request) > most
    ? [
        place,
        'memory',
        `Little else fits beside ${workload.name}: it takes ${formatBytes(Math.max(limit, request))} of a node's ${formatBytes(node)}, and no node is set aside for it.`,
        { severity: 'info', recommended: false },
      ]
    : undefined
}

/** That its pods take that part of their node already, and where memory ran out below them. */
function seenOf(workload: Workload, graph: Graph, share: number): readonly string[] {
  if (!graph.live) return []
  const containers = workload.running.map(({ name }) => name)
  const { killed, nodes } = memoryTrouble(workload, graph, graph.live.seen)
  return [
    ...heavyPods(workload, graph, share, containers),
    ...killed.map(({ line }) => line).slice(0, 2),
    ...nodes,
  ]
}

function limitOf({ spec }: Container): number {
  return bytes(spec.resources?.limits?.memory) ?? 0
}

function sumOf(containers: readonly Container[], amountOf: (container: Container) => number): number {
  return containers.reduce((sum, container) => sum + amountOf(container), 0)
}

function largestNode(graph: Graph): number | undefined {
  const sizes = graph
    .all('Node')
    .map((node) => bytes(node.status?.allocatable?.memory) ?? bytes(node.status?.capacity?.memory))
  const known = sizes.filter((size) => size !== undefined)
  return known.length > 0 && known.length === sizes.length ? Math.max(...known) : undefined
}

function isDedicated({ pod }: Workload): boolean {
  return (
    Object.keys(pod.nodeSelector ?? {}).some(
      (key) => key !== 'kubernetes.io/os' && key !== 'kubernetes.io/arch',
    ) ||
    pod.affinity?.nodeAffinity !== undefined ||
    (pod.tolerations?.some((one) => one.key && !one.key.startsWith('node.kubernetes.io/')) ?? false)
  )
}
