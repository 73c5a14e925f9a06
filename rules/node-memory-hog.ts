import {
  at,
  bytes,
  evictionsOf,
  formatBytes,
  formatEvictions,
  type Graph,
  quantityPattern,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'One pod may use most of the memory of a node',
  category: 'resources',
  severity: 'warning',
  why: `A pod that may grow to more than half of a node leaves no room for its own next peak: the request
fits, the limit does not fit beside the others, and the kernel settles it. Everything on that node goes with
it.`,
  remedy: 'Give it a node pool of its own, or a request near to its limit.',
  decides: `The memory limits of a pod together, or the limit of the pod itself, are above \`share\` of the
largest node (the parameter, or the Nodes of the input), its request is smaller than its limit, and nothing
dedicates a node to it: no node selector but for operating system and architecture, no node affinity, no toleration of its own. Where the rule is asked for, an info where the
request is as large, or there is no limit.

In a cluster an error: the kubelet evicted pods of the workload because their node ran out of memory, and by
its message one of their containers used more than it requests, by a tenth of the node (1Gi where the node
is not known).`,
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
    const { live } = graph
    const evicted = evictionsOf(workload, live, 'memory').filter(({ node: name, excess }) => {
      const size = bytes(graph.find('Node', name, workload.object, '')?.status?.allocatable?.memory)
      return excess !== undefined && excess.used - excess.requested > (size ?? 10 * 2 ** 30) / 10
    })
    const [worst] = [...evicted].sort((a, b) => (b.excess?.used ?? 0) - (a.excess?.used ?? 0))
    if (worst?.excess) {
      const { container, used, requested } = worst.excess
      const spec = workload.containers.find(({ name }) => name === container)?.spec
      const { requests } = spec?.resources ?? {}
      report(
        requests ?? spec ?? workload.object,
        requests ? 'memory' : spec && 'resources',
        `${workload.name} takes the memory of its node: container ${container} used ${formatBytes(used)} of ${formatBytes(requested)} requested, and was evicted.`,
        {
          severity: 'error',
          evidence: [formatEvictions(evicted), worst.message],
        },
      )
      return
    }
    const node =
      bytes(params.largestMemory || undefined) ?? graph.once('largest node', () => largestNode(graph))
    if (node === undefined || isDedicated(workload)) return
    const [heaviest] = [...workload.running].sort(
      (a, b) =>
        (bytes(b.spec.resources?.limits?.memory) ?? 0) - (bytes(a.spec.resources?.limits?.memory) ?? 0),
    )
    const { resources: whole } = workload.pod
    const limits = whole?.limits?.memory === undefined ? heaviest?.spec.resources?.limits : whole.limits
    const limit =
      bytes(whole?.limits?.memory) ??
      workload.running.reduce((sum, { spec }) => sum + (bytes(spec.resources?.limits?.memory) ?? 0), 0)
    const request =
      bytes(whole?.requests?.memory ?? whole?.limits?.memory) ??
      workload.running.reduce(
        (sum, { spec }) =>
          sum + (bytes(spec.resources?.requests?.memory ?? spec.resources?.limits?.memory) ?? 0),
        0,
      )
    const most = node * params.share
    if (!limits || limit <= most || request >= limit) {
      const place = limits ?? heaviest?.spec.resources?.requests
      if (place && Math.max(limit, request) > most)
        report(
          place,
          'memory',
          `Little else fits beside ${workload.name}: it takes ${formatBytes(Math.max(limit, request))} of a node's ${formatBytes(node)}, and no node is set aside for it.`,
          { severity: 'info', recommended: false },
        )
      return
    }
    report(
      limits,
      'memory',
      `The next peak of ${workload.name} can take its node down: it may use ${formatBytes(limit)} of ${formatBytes(node)}, and ${formatBytes(request)} are set aside.`,
      {
        see: [
          heaviest?.spec.resources?.requests
            ? at(workload, heaviest.spec.resources.requests, 'memory')
            : undefined,
        ],
      },
    )
  },
})

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
