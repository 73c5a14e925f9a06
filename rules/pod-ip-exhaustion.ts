import {
  arrayAt,
  blockSizeOf,
  type Custom,
  cidr,
  configurationsIn,
  countOf,
  type Fault,
  flagOf,
  type Graph,
  givesToPods,
  groupOf,
  isGone,
  isKind,
  isObject,
  isWorkload,
  type KubernetesObject,
  mostFirst,
  type Node,
  objectAt,
  objectsAt,
  overlaps,
  type Pod,
  rule,
  saidOfAddress,
  stringAt,
  times,
  valueAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The pod address range is too small, or used up',
  category: 'networking',
  severity: 'warning',
  why: `With most networks every node takes a block of the pod range when it joins, used or not: from the controller
manager a /24 by default, from Calico a /26 for a start. When the blocks are gone the next node gets no addresses: it stays NotReady, pods stay Pending, and the autoscaler
adds machines that do not help. A pod range can hardly be changed on a running cluster.`,
  remedy: 'Choose a pod range with room for several times the nodes of today, or a smaller block per node.',
  decides: `For a kubeadm ClusterConfiguration: the blocks of the IPv4 \`podSubnet\` at \`node-cidr-mask-size\`
(default 24) are compared with \`plannedNodes\`. The same for a Cluster of Cluster API (by the mask of its
KubeadmControlPlane in the input; not for control planes that a provider manages) and for the \`--cluster-cidr\` of
a kube-controller-manager that allocates blocks. For Calico: the blocks of all enabled IPv4 IPPools for pods together, as
each node wants a block at least; an info, as a node without one takes single addresses from the blocks of others,
unless \`strictAffinity\` forbids that. In a cluster twice the nodes of today are planned for, where that is less.

In a cluster also: pods that get no address by what the network plugin says in their events (host-local,
Calico, Cilium, AWS), nodes that get no podCIDR (event \`CIDRNotAvailable\`), and IPPools of which the pods use
\`warnRatio\`. Of many nodes with the same trouble the one with the most events is reported.`,
  falsePositives:
    'A small range is right for a cluster that will stay small (edge sites, tests): set `plannedNodes`. Network plugins with addresses of their own, as Calico, do without the blocks of the controller manager.',
  sources: [
    'kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go, pkg/controller/util/node/controller_utils.go (CIDRNotAvailable is a normal event)',
    'kubernetes/cmd/kube-controller-manager/app/core.go (default masks)',
    'calico/libcalico-go/lib/clientv3/ippool.go (blockSize 26), api/pkg/apis/projectcalico/v3/ippool.go (allowedUses)',
    'Calico documentation, IPAMConfiguration (strictAffinity, false by default: libcalico-go/lib/ipam/ipam.go)',
  ],
  stories: ['loveholidays-gke-ips', 'dfds-ip-starvation', 'dfds-node-deletion', 'betz-vpc-native'],
  params: {
    plannedNodes: {
      type: 'integer',
      minimum: 1,
      default: 64,
      about: 'Nodes that the cluster must be able to have.',
    },
    warnRatio: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.8,
      about: 'Part of an IPPool of a cluster that pods may use.',
    },
  },
  for: [
    'kubeadm.k8s.io/ClusterConfiguration',
    'cluster.x-k8s.io/Cluster',
    'ConfigMap',
    'Workload',
    'projectcalico.org/IPPool',
    'crd.projectcalico.org/IPPool',
    'Node',
  ],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'Node')) {
      const trouble = graph.live && graph.once('nodes-without-addresses', () => troubleIn(graph)).get(subject)
      if (trouble)
        report(subject, undefined, trouble.message, { severity: 'error', evidence: trouble.evidence })
      return
    }
    // A Cluster of Cluster API is another one than that which holds it.
    const isOwn = subject.kind !== 'Cluster'
    const today = graph.live && isOwn ? graph.all('Node').length : 0
    const planned = today > 0 ? Math.min(params.plannedNodes, 2 * today) : params.plannedNodes
    const plan = { planned, label: today > 0 ? `${today} nodes today` : `${planned} nodes planned` }
    const fault =
      !isWorkload(subject) && subject.kind === 'IPPool'
        ? (faultOfUse(subject, params.warnRatio, graph) ?? faultOfPools(subject, plan, graph))
        : faultOfRange(subject, plan, graph)
    if (fault) report(...fault)
  },
})

/** How many nodes there have to be addresses for. */
interface Plan {
  readonly planned: number
  /** That in words. */
  readonly label: string
}

/** That a pool has few addresses left. */
function faultOfUse(pool: KubernetesObject, most: number, graph: Graph): Fault | undefined {
  const spec = objectAt(pool, 'spec')
  const use = graph.live && useOf(pool, graph, graph.live.pods)
  if (!spec || !use || use.used <= most * use.size) return undefined
  const message = `New pods get no address soon: ${use.used} of the ${use.size} addresses of ${stringAt(spec, 'cidr')} are in use.`
  return [spec, 'cidr', message]
}

/** That all pools of Calico together have too few blocks, on the first of them. */
function faultOfPools(pool: KubernetesObject, { planned, label }: Plan, graph: Graph): Fault | undefined {
  const spec = objectAt(pool, 'spec')
  const pools = graph.once('pod-ip-exhaustion', () => enabledPools(graph))
  if (!spec || pools[0] !== pool) return undefined
  const nodes = pools.reduce(
    (sum, one) => sum + blocks(stringAt(one, 'spec', 'cidr'), blockSizeOf(objectAt(one, 'spec'))),
    0,
  )
  if (nodes >= planned) return undefined
  const range = pools.map((one) => stringAt(one, 'spec', 'cidr')).join(' and ')
  const mask = blockSizeOf(spec)
  return isStrict(graph)
    ? [spec, 'cidr', lackOf(range, mask, nodes), { label }]
    : [
        spec,
        'cidr',
        `Node ${nodes + 1} borrows its pod addresses one by one, each with a route of its own: there is room for ${nodes} blocks of size /${mask} in ${range}.`,
        { severity: 'info', label },
      ]
}

/** That a range has too few blocks. */
function faultOfRange(
  subject: KubernetesObject | Workload,
  { planned, label }: Plan,
  graph: Graph,
): Fault | undefined {
  const few = rangesIn(subject, graph).find(({ range, mask }) => blocks(range, mask) < planned)
  if (!few) return undefined
  const { node, field, range, mask } = few
  return [node, field, lackOf(range, mask, blocks(range, mask)), { label }]
}

function lackOf(range: string, mask: number, nodes: number): string {
  return `Node ${nodes + 1} gets no pod addresses: there is room for ${nodes} blocks of size /${mask} in ${range}.`
}

/** A range from which nodes get blocks. */
interface BlockRange {
  readonly node: Node
  readonly field: string | undefined
  readonly range: string
  /** The length of the prefix of a block. */
  readonly mask: number
}

/** The ranges for pods of kubeadm's configuration, of a Cluster of Cluster API or of a kube-controller-manager. */
function rangesIn(subject: KubernetesObject | Workload, graph: Graph): readonly BlockRange[] {
  if (isWorkload(subject))
    return subject.running.flatMap((container) => {
      const mask =
        flagOf(container, 'node-cidr-mask-size-ipv4') ?? flagOf(container, 'node-cidr-mask-size') ?? 24
      const allocates = flagOf(container, 'allocate-node-cidrs') === 'true'
      const ranges = allocates ? (flagOf(container, 'cluster-cidr')?.split(',') ?? []) : []
      const field = container.spec.args ? 'args' : 'command'
      return ranges.map((range) => ({ node: container.spec, field, range, mask: Number(mask) }))
    })
  const pods = objectAt(subject, 'spec', 'clusterNetwork', 'pods')
  if (pods && groupOf(subject.apiVersion ?? '') === 'cluster.x-k8s.io') {
    const mask = maskOfMachines(subject, graph)
    return arrayAt(pods, 'cidrBlocks').map((block) => {
      return { node: pods, field: 'cidrBlocks', range: String(block), mask }
    })
  }
  return configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration').flatMap(({ value, place }) => {
    const networking = objectAt(value, 'networking')
    if (!networking) return []
    const [node, field] = place(networking, 'podSubnet')
    const mask = maskIn(value)
    return (stringAt(networking, 'podSubnet')?.split(',') ?? []).map((range) => {
      return { node, field, range, mask }
    })
  })
}

/** The length of the prefix of a node's block in a ClusterConfiguration of kubeadm. */
function maskIn(configuration: unknown): number {
  return Number(
    extraArg(configuration, 'node-cidr-mask-size') ??
      extraArg(configuration, 'node-cidr-mask-size-ipv4') ??
      24,
  )
}

/** The same of a Cluster of Cluster API; not a number where its provider manages the control plane, and the addresses of pods with it. */
function maskOfMachines(cluster: KubernetesObject, graph: Graph): number {
  const { kind = '', name } = objectAt(cluster, 'spec', 'controlPlaneRef') ?? {}
  if (/managed|rosa/i.test(String(kind))) return Number.NaN
  const machines = graph.find(
    'controlplane.cluster.x-k8s.io/KubeadmControlPlane',
    typeof name === 'string' ? name : undefined,
    cluster,
  )
  return maskIn(objectAt(machines, 'spec', 'kubeadmConfigSpec', 'clusterConfiguration'))
}

/** Whether Calico lets no node take addresses from the blocks of others. */
function isStrict(graph: Graph): boolean {
  const kinds = ['projectcalico.org/IPAMConfiguration', 'crd.projectcalico.org/IPAMConfig'] as const
  return kinds.some((kind) => graph.all(kind).some((one) => valueAt(one, 'spec', 'strictAffinity') === true))
}

interface Trouble {
  readonly message: string
  readonly evidence: readonly string[]
}

/**
 * The nodes whose pods get no addresses, or that get none for their pods: of each trouble the
 * node with the most events.
 */
function troubleIn(graph: Graph): ReadonlyMap<object, Trouble> {
  const nodes = new Map(graph.all('Node').map((node) => [node.metadata?.name ?? '', node]))
  const podsAt = new Map<string, number>()
  const blockless = new Map<string, number>()
  const said = new Map<string, string>()
  const waiting = new Set(
    (graph.live?.pods ?? []).flatMap(({ metadata, status }) =>
      status?.phase === 'Pending' ? [`${metadata?.namespace}/${metadata?.name}`] : [],
    ),
  )
  for (const event of graph.live?.events ?? []) {
    const { reason, source, involvedObject } = event
    const words = saidOfAddress(event)
    // Plugins that fetch addresses may fail for a moment: only pods that still wait count.
    if (words && waiting.has(`${involvedObject?.namespace}/${involvedObject?.name}`)) {
      const host = source?.host ?? ''
      podsAt.set(host, (podsAt.get(host) ?? 0) + countOf(event))
      said.set(host, said.get(host) ?? words)
    }
    if (reason === 'CIDRNotAvailable') {
      const host = involvedObject?.name ?? ''
      blockless.set(host, (blockless.get(host) ?? 0) + countOf(event))
    }
  }
  const found = new Map<object, Trouble>()
  // A node may have got its block since.
  const [[without] = [''], ...others] = ranked(blockless, nodes).filter(
    ([name]) => !nodes.get(name)?.spec?.podCIDR,
  )
  const bare = nodes.get(without)
  if (bare)
    found.set(bare, {
      message: `No pod starts on node ${without}${others.length > 0 ? ` and ${others.length} more` : ''}: the pod range has no block left for it.`,
      evidence: [`CIDRNotAvailable ${times(blockless.get(without) ?? 0)}`],
    })
  const [[name, count] = ['', 0], ...more] = ranked(podsAt, nodes).filter(([one]) => one !== without)
  const full = nodes.get(name)
  if (full)
    found.set(full, {
      message: `New pods on node ${name}${more.length > 0 ? ` and ${more.length} more` : ''} stay in ContainerCreating: there is no address left for them.`,
      evidence: [
        `FailedCreatePodSandBox ${times(count)}: ${said.get(name)}`,
        ...(full.spec?.podCIDR ? [`its podCIDR is ${full.spec.podCIDR}`] : []),
        ...more.slice(0, 2).map(([other, number]) => `node ${other}: ${times(number)}`),
      ],
    })
  return found
}

function ranked(
  counts: ReadonlyMap<string, number>,
  nodes: ReadonlyMap<string, object>,
): readonly (readonly [string, number])[] {
  return mostFirst(counts).filter(([name]) => nodes.has(name))
}

/** How many addresses of a pool the pods have. */
function useOf(pool: object, graph: Graph, pods: readonly Pod[]) {
  const range = cidr(stringAt(pool, 'spec', 'cidr'))
  if (range?.width !== 32 || valueAt(pool, 'spec', 'disabled') === true) return undefined
  const addresses = graph.once('pod-addresses', () =>
    pods.flatMap((pod) => (pod.spec?.hostNetwork || isGone(pod) ? [] : (cidr(pod.status?.podIP) ?? []))),
  )
  const used = addresses.filter((one) => overlaps(range, one)).length
  return { used, size: Number(range.last - range.first) + 1 }
}

/** The number of blocks with the given mask in a range; unlimited when it can't be read (IPv6 included). */
function blocks(range: string | undefined, mask: number): number {
  const match = /^\d+\.\d+\.\d+\.\d+\/(\d+)$/.exec(range?.trim() ?? '')
  return match && Number.isInteger(mask)
    ? 2 ** Math.max(0, mask - Number(match[1]))
    : Number.POSITIVE_INFINITY
}

function enabledPools(graph: Graph): readonly Custom[] {
  // Calico's own API server shows each pool in both groups.
  const shown = graph.all('projectcalico.org/IPPool')
  const pools =
    shown.length > 0 && graph.live ? shown : [...shown, ...graph.all('crd.projectcalico.org/IPPool')]
  return pools.filter((pool) => givesToPods(pool) && (stringAt(pool, 'spec', 'cidr') ?? '').includes('.'))
}

/** kubeadm's v1beta4 writes extraArgs as a list of name and value, older versions as a map. */
function extraArg(configuration: unknown, name: string): string | undefined {
  const args = valueAt(configuration, 'controllerManager', 'extraArgs')
  if (isObject(args)) return stringAt(args, name)
  const found = objectsAt(configuration, 'controllerManager', 'extraArgs').find((arg) => arg.name === name)
  return stringAt(found, 'value')
}
