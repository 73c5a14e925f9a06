import {
  atMost,
  bytes,
  type Context,
  conditionOf,
  configurationsIn,
  counted,
  countOf,
  firstOf,
  formatBytes,
  type Graph,
  isKind,
  type Live,
  nodesBy,
  type ObjectOf,
  objectAt,
  quantity,
  quantityPattern,
  rule,
  stringAt,
  type Untyped,
  valueAt,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>
type Report = Parameters<Context<Record<never, never>>['report']>

export default rule({
  title: 'Nodes keep too little back for the kubelet and the system',
  category: 'node',
  severity: 'warning',
  why: `Without a reservation the scheduler gives all memory of a node to pods. When they use it, the
kubelet, the container runtime and sshd compete with them, the kernel kills by its own scores, and a
node dies where one pod should have. Setting a single \`evictionHard\` signal also switches the defaults of
all others off.`,
  remedy:
    'Set `kubeReserved` and `systemReserved` with memory, and write every `evictionHard` signal when you write one.',
  decides: `A KubeletConfiguration (a file, inside a ConfigMap, or \`spec.kubelet\` of a kops cluster or
InstanceGroup) with

- \`memory.available\` eviction switched off (0, or missing beside other signals while
  \`mergeDefaultEvictionSettings\` is not true);
- \`enforceNodeAllocatable\` empty or \`none\`;
- neither \`kubeReserved\` nor \`systemReserved\` with memory, unless \`evictionHard\` keeps 500Mi or more free.

One finding per configuration, the gravest cause.

In a cluster: nodes whose \`allocatable\` memory is within 100Mi (the kubelet's threshold for evictions) of their
\`capacity\`, from \`smallest\` on. What they tell goes before a configuration that reserves nothing, as flags may
do it. Those of one size and one operating system are one finding; an error where such nodes are under memory
pressure, or the kernel has killed processes outside of containers on them (events SystemOOM).`,
  falsePositives:
    'The flags of the kubelet or the node image may add a reservation that the file does not show.',
  sources: [
    'kubernetes/pkg/kubelet/eviction/defaults_linux.go',
    'k8s.io/kubelet/config/v1beta1/types.go (EvictionHard, EnforceNodeAllocatable)',
  ],
  stories: [
    'nordstrom-101-ways',
    'nunl-elastalert-oom',
    'buffer-cpu-limits',
    'dfds-agent-system-oom',
    'saltside-first-outage',
  ],
  params: {
    smallest: {
      type: 'string',
      pattern: quantityPattern,
      default: '2Gi',
      about: 'Memory from which a node of a cluster is looked at: smaller ones are for trying things out.',
    },
  },
  for: [
    'kubelet.config.k8s.io/KubeletConfiguration',
    'ConfigMap',
    'kops.k8s.io/Cluster',
    'kops.k8s.io/InstanceGroup',
    'Node',
  ],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'Node')) {
      const found = seenOn(subject, graph, bytes(params.smallest) ?? 0)
      if (found) report(...found)
      return
    }
    if (subject.kind === 'Cluster' || subject.kind === 'InstanceGroup') {
      const kubelet = objectAt(subject, 'spec', 'kubelet')
      const hard = stringAt(kubelet, 'evictionHard')
      if (!kubelet || hard === undefined) return
      if (!hard.includes('memory.available'))
        report(kubelet, 'evictionHard', starves('evictionHard names no memory.available'))
      else if (/memory\.available<0(\.0*)?%?[KMG]?i?(,|$)/.test(hard))
        report(kubelet, 'evictionHard', starves(`eviction by memory is off (${hard})`))
      return
    }
    for (const { value, place } of configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration')) {
      const found = causeIn(value)
      // A cluster's nodes show what the kubelet made of it, and of its flags.
      if (!found || (found.field === 'kubeReserved' && graph.live && graph.all('Node').length > 0)) continue
      report(...place(found.node, found.field), starves(found.cause))
    }
  },
})

const starves = (cause: string) =>
  `Pods can take the kubelet's memory and the node dies instead of a pod: ${cause}.`

function causeIn(kubelet: Untyped): { node: object; field: string; cause: string } | undefined {
  const hard = objectAt(kubelet, 'evictionHard')
  if (hard) {
    const memory = hard['memory.available']
    if (
      memory === undefined &&
      Object.keys(hard).length > 0 &&
      kubelet.mergeDefaultEvictionSettings !== true
    ) {
      return {
        node: kubelet,
        field: 'evictionHard',
        cause: 'evictionHard leaves out memory.available, which switches its default of 100Mi off',
      }
    }
    if (memory !== undefined && (quantity(memory) === 0 || /^0(\.0*)?%$/.test(String(memory))))
      return { node: hard, field: 'memory.available', cause: `eviction by memory is off (${String(memory)})` }
  }
  const enforce = valueAt(kubelet, 'enforceNodeAllocatable')
  if (Array.isArray(enforce) && (enforce.length === 0 || enforce.includes('none')))
    return {
      node: kubelet,
      field: 'enforceNodeAllocatable',
      cause: 'enforceNodeAllocatable holds pods to no limit',
    }
  const reserved = [objectAt(kubelet, 'kubeReserved'), objectAt(kubelet, 'systemReserved')]
  if (
    reserved.some((one) => (quantity(one?.memory) ?? 0) > 0) ||
    (quantity(hard?.['memory.available']) ?? 0) >= 500 * 2 ** 20
  )
    return undefined
  return {
    node: kubelet,
    field: 'kubeReserved',
    cause: 'neither kubeReserved nor systemReserved keeps memory back',
  }
}

/** What an eviction threshold of 100Mi, the default, takes from the capacity, in bytes. */
const threshold = 100 * 2 ** 20

/** Nodes that keep nothing back, reported on the first of those alike. */
function seenOn(node: Node, graph: Graph, smallest: number): Report | undefined {
  const { live } = graph
  if (!live) return undefined
  const groups = graph.once('nodes without reservation', () =>
    nodesBy(graph.all('Node'), ({ status }) => {
      const capacity = bytes(status?.capacity?.memory)
      const allocatable = bytes(status?.allocatable?.memory)
      const { operatingSystem = 'linux', osImage } = status?.nodeInfo ?? {}
      if (capacity === undefined || allocatable === undefined || operatingSystem !== 'linux') return undefined
      return capacity >= smallest && capacity - allocatable <= threshold
        ? `${formatBytes(capacity)} ${osImage}`
        : undefined
    }),
  )
  const alike = groups.get(node)
  const { allocatable, capacity } = node.status ?? {}
  if (!allocatable) return undefined
  if (!alike) {
    const kills = killsOn(node, live)
    return kills && [...groups.values()].some((group) => group.includes(node)) ? undefined : kills
  }
  const troubles = alike.flatMap((one) => troublesOf(one, live))
  const kept = (bytes(capacity?.memory) ?? 0) - (bytes(allocatable.memory) ?? 0)
  const names = firstOf(alike.map(({ metadata }) => metadata?.name ?? ''))
  return [
    allocatable,
    'memory',
    starves(
      `${names} ${alike.length > 1 ? 'keep' : 'keeps'} ${kept > 0 ? formatBytes(kept) : 'nothing'} of ${formatBytes(bytes(capacity?.memory) ?? 0)} back`,
    ),
    // Names alone are nothing that happened.
    troubles.length > 0 ? { severity: 'error', evidence: atMost(3, troubles) } : { severity: 'warning' },
  ]
}

/** A reservation that did not suffice: the kernel killed the system's own processes all the same. */
function killsOn(node: Node, live: Live): Report | undefined {
  const { allocatable, capacity } = node.status ?? {}
  const [kills] = troublesOf(node, live)
  const kept = (bytes(capacity?.memory) ?? 0) - (bytes(allocatable?.memory) ?? 0)
  if (!allocatable || !kills?.includes('outside of containers') || kept <= 0) return undefined
  return [
    allocatable,
    'memory',
    `The node runs out of memory that it needs for itself: ${formatBytes(kept)} are kept back, and the kernel has killed its processes.`,
    { severity: 'error', evidence: [kills] },
  ]
}

/**
 * Memory pressure, and processes of the system that the kernel killed. Source:
 * kubernetes/pkg/kubelet/oom/oom_watcher_linux.go.
 */
function troublesOf(node: Node, { eventsOf }: Live): readonly string[] {
  const name = node.metadata?.name ?? ''
  const kills = eventsOf(node).filter(({ reason }) => reason === 'SystemOOM')
  const victims = new Set(kills.map(({ message }) => /victim process: ([^,]+)/.exec(message ?? '')?.[1]))
  victims.delete(undefined)
  const count = kills.reduce((sum, event) => sum + countOf(event), 0)
  const killed = firstOf([...victims].map((victim) => victim ?? ''))
  return [
    ...(count > 0
      ? [`${name}: ${counted(count, 'kill')} outside of containers${killed ? `: ${killed}` : ''}`]
      : []),
    ...(conditionOf(node, 'MemoryPressure')?.status === 'True' ? [`${name}: MemoryPressure`] : []),
  ]
}
