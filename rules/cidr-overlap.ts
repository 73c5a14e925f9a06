import {
  arrayAt,
  at,
  type Cidr,
  cidrs,
  configurationsIn,
  type Fault,
  flagOf,
  type Graph,
  givesToPods,
  groupOf,
  isKind,
  isSecondView,
  isWorkload,
  type KubernetesObject,
  type Node,
  type ObjectOf,
  objectAt,
  overlaps,
  rule,
  type Sight,
  stringAt,
  type Workload,
} from '../src/rule.js'

/** A range of addresses and what it is for. */
interface Range extends Cidr {
  /** `the pods`, `the Services`, `node n1`: for messages. */
  readonly use: string
  readonly see: Sight | undefined
}

export default rule({
  title: 'Address ranges of pods, Services and nodes overlap',
  category: 'networking',
  severity: 'error',
  why: `An address that is in two ranges is two things. What a node has a rule or a route for wins: a pod whose
address is that of a Service cannot be reached, and a node inside the pod range is out of reach for the pods.
Only some addresses are hit, so it shows up late, and ranges can hardly be changed on a running cluster.`,
  remedy:
    'Rebuild with ranges that are apart; for Calico make a new IPPool, and disable and drain the old one.',
  decides: `\`podSubnet\` and \`serviceSubnet\` (10.96.0.0/12 where none is written) of a kubeadm
ClusterConfiguration, the ranges of a Cluster of Cluster API, and \`--cluster-cidr\` and
\`--service-cluster-ip-range\` of a kube-controller-manager, with each other and with \`nodeCidrs\`. Enabled Calico
IPPools with each other and with the ranges of Services. InternalIPs of Nodes with the ranges of kubeadm. Where the
rule is asked for, a warning when Cilium's own pool (\`cluster-pool-ipv4-cidr\`) has addresses of Services. In a
cluster also: the podCIDR of a Node with those of others, and the InternalIPs of Nodes with IPPools, ServiceCIDRs
and podCIDRs.

Exempt: IPPools that are disabled or hand out balancer addresses only. In manifests IPPools are compared when their files
are in one folder.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (ServiceCIDR, GA 1.33)',
    'kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go',
    'kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go (DefaultServicesSubnet)',
    'Calico documentation, IPPool',
  ],
  stories: ['veracode-pod-cidr', 'oath-101-ways'],
  params: {
    nodeCidrs: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      about: 'Ranges of the nodes, of networks behind a VPN and of others that pods must reach.',
    },
  },
  for: [
    'kubeadm.k8s.io/ClusterConfiguration',
    'cluster.x-k8s.io/Cluster',
    'ConfigMap',
    'Workload',
    'Node',
    'projectcalico.org/IPPool',
    'crd.projectcalico.org/IPPool',
    'networking.k8s.io/ServiceCIDR',
  ],
  check(subject, { graph, params, report }) {
    const known = params.nodeCidrs.flatMap((text) => rangesOf(cidrs(text), 'the nodes'))
    const fault = isWorkload(subject)
      ? faultOfManager(subject, known)
      : (faultOfCluster(subject, known, graph) ??
        faultOfCilium(subject, known, graph) ??
        (isKind(subject, 'Node') ? faultOfNode(subject, graph) : faultOfPool(subject, known, graph)))
    if (fault) report(...fault)
  },
})

/** The first overlap of ranges with others. */
function overlapOf(
  ranges: readonly Range[],
  others: readonly Range[],
  node: Node,
  field?: string | number,
): Fault | undefined {
  for (const own of ranges) {
    const other = others.find((one) => overlaps(own, one))
    if (!other) continue
    const message = `Some addresses cannot be reached: ${own.text} of ${own.use} overlaps ${other.text} of ${other.use}.`
    return [node, field, message, { see: [other.see] }]
  }
  return undefined
}

/** What is wrong with the ranges that a kube-controller-manager is told. */
function faultOfManager({ running }: Workload, known: readonly Range[]): Fault | undefined {
  for (const container of running) {
    const podCidrs = flagOf(container, 'cluster-cidr')
    if (podCidrs === undefined) continue
    const pods = rangesOf(cidrs(podCidrs), 'the pods')
    const services = rangesOf(cidrs(flagOf(container, 'service-cluster-ip-range')), 'the Services')
    const field = container.spec.args ? 'args' : 'command'
    const fault = overlapOf(pods, [...services, ...known], container.spec, field)
    if (fault) return fault
  }
  return undefined
}

/** The ranges that kubeadm or Cluster API is told, and where to report on them. */
interface Network {
  readonly pods: readonly Range[]
  readonly podsAt: readonly [node: Node, field: string | undefined]
  readonly services: readonly Range[]
  readonly servicesAt: readonly [node: Node, field: string | undefined]
}

/** The range of Services where none is written. Source: kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go. */
const kubeadmServices = '10.96.0.0/12'

function networksOf(subject: KubernetesObject): readonly Network[] {
  if (groupOf(subject.apiVersion ?? '') === 'cluster.x-k8s.io') {
    const network = objectAt(subject, 'spec', 'clusterNetwork')
    const [pods, services] = [objectAt(network, 'pods'), objectAt(network, 'services')]
    const ranges = (of: Node | undefined, use: string) =>
      arrayAt(of, 'cidrBlocks').flatMap((text) =>
        rangesOf(cidrs(String(text)), use, of && at(subject, of, 'cidrBlocks')),
      )
    return [
      {
        pods: ranges(pods, 'the pods'),
        podsAt: [pods ?? subject, 'cidrBlocks'],
        services: ranges(services, 'the Services'),
        servicesAt: [services ?? subject, 'cidrBlocks'],
      },
    ]
  }
  return configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration').flatMap(({ value, place }) => {
    const networking = objectAt(value, 'networking')
    if (!networking) return []
    const ranges = (field: string, use: string) => {
      const [node, at_] = place(networking, field)
      return rangesOf(cidrs(stringAt(networking, field)), use, at(subject, node, at_))
    }
    const pods = ranges('podSubnet', 'the pods')
    const isDefault = pods.length > 0 && networking.serviceSubnet === undefined
    return [
      {
        pods,
        podsAt: place(networking, 'podSubnet'),
        services: isDefault
          ? rangesOf(cidrs(kubeadmServices), 'the Services, the default of kubeadm')
          : ranges('serviceSubnet', 'the Services'),
        servicesAt: place(networking, 'serviceSubnet'),
      },
    ]
  })
}

/** What is wrong with the ranges of kubeadm's configuration, or of a cluster of Cluster API. */
function faultOfCluster(subject: KubernetesObject, known: readonly Range[], graph: Graph): Fault | undefined {
  const nodes = isOfOther(subject)
    ? []
    : graph
        .once('node-addresses', () => addressesOf(graph))
        .filter(({ see }) => see && (graph.complete || graph.apart(see.of, subject) <= 2))
  for (const { pods, podsAt, services, servicesAt } of networksOf(subject)) {
    const fault =
      overlapOf(pods, [...services, ...known, ...nodes], ...podsAt) ??
      overlapOf(services, [...known, ...nodes], ...servicesAt)
    if (fault) return fault
  }
  return undefined
}

/** Whether it describes another cluster than the one that holds it. */
function isOfOther({ apiVersion = '' }: KubernetesObject): boolean {
  return groupOf(apiVersion) === 'cluster.x-k8s.io'
}

/** What is wrong with the pool from which Cilium gives blocks to the nodes. */
function faultOfCilium(map: KubernetesObject, known: readonly Range[], graph: Graph): Fault | undefined {
  const data = isKind(map, 'ConfigMap') && map.metadata?.name === 'cilium-config' ? map.data : undefined
  if (data?.ipam !== 'cluster-pool') return undefined
  const pools = ciliumPools.flatMap((field) =>
    rangesOf(cidrs((data[field] ?? '').trim().replaceAll(/\s+/g, ',')), 'the pods').map((range) => ({
      range,
      field,
    })),
  )
  const services = graph
    .once('cidr-overlap', () => allocators(graph))
    .filter(({ of }) => of.kind !== 'IPPool' && (graph.complete || graph.apart(of, map) === 0))
    .flatMap((one) => one.ranges)
  for (const { range, field } of pools) {
    const certain = overlapOf([range], known, data, field)
    if (certain) return certain
    const fault = overlapOf([range], services, data, field)
    // The default of Cilium, 10.0.0.0/8, overlaps most ranges of Services: it works, until a pod gets such an address.
    if (fault) return [fault[0], fault[1], fault[2], { ...fault[3], severity: 'warning', recommended: false }]
  }
  return undefined
}

const ciliumPools = ['cluster-pool-ipv4-cidr', 'cluster-pool-ipv6-cidr'] as const

/** Nodes that are written down may be of many clusters, or one node at many times: a controller's tests start from such states. */
function faultOfNode(node: ObjectOf<'Node'>, graph: Graph): Fault | undefined {
  if (!graph.live) return undefined
  const [own, other] = graph.once('blocks-of-nodes', () => blocksHit(graph)).get(node) ?? []
  const field = node.spec?.podCIDRs ? 'podCIDRs' : 'podCIDR'
  return own && other && overlapOf([own], [other], node.spec ?? node, field)
}

/** What is wrong with an IPPool or a ServiceCIDR. */
function faultOfPool(pool: KubernetesObject, known: readonly Range[], graph: Graph): Fault | undefined {
  const spec = objectAt(pool, 'spec')
  const ranges = rangesOfObject(pool)
  const [first] = ranges
  if (!spec || !first || isSecondView(pool, graph)) return undefined
  const field = pool.kind === 'IPPool' ? 'cidr' : 'cidrs'
  const others = graph
    .once('cidr-overlap', () => allocators(graph))
    .filter(({ of }) => isBefore(of, pool, graph))
    .flatMap((one) => one.ranges)
  const fault = overlapOf(ranges, [...others, ...known], spec, field)
  if (fault) return fault
  const nodes = graph.once('node-addresses', () => addressesOf(graph))
  const inside = nodes.filter(
    (one) => first.width === one.width && ranges.some((range) => overlaps(range, one)),
  )
  const [node] = inside
  if (!node || !graph.live) return undefined
  return [
    spec,
    field,
    `Pods cannot reach ${inside.length === 1 ? node.use : `${inside.length} nodes`}: ${inside.length === 1 ? 'its address is' : 'their addresses are'} inside ${first.text} of ${first.use}.`,
    { evidence: inside.slice(0, 3).map((one) => `${one.use}: ${one.text}`), see: [node.see] },
  ]
}

function rangesOf(all: readonly Cidr[], use: string, see?: Sight): readonly Range[] {
  return all.map((one) => ({ ...one, use, see }))
}

/** An object that hands out addresses. */
interface Allocator {
  readonly of: KubernetesObject
  readonly ranges: readonly Range[]
}

function allocators(graph: Graph): readonly Allocator[] {
  return [
    ...graph.all('networking.k8s.io/ServiceCIDR'),
    ...graph.all('projectcalico.org/IPPool'),
    ...graph.all('crd.projectcalico.org/IPPool'),
    ...graph.all('kubeadm.k8s.io/ClusterConfiguration'),
    ...graph.all('ConfigMap'),
  ].map((of) => ({ of, ranges: rangesOfObject(of) }))
}

/** The ranges of an IPPool or a ServiceCIDR; none of pools that give nothing to pods. */
function rangesOfObject(of: KubernetesObject): readonly Range[] {
  const use = `${of.kind} ${of.metadata?.name}`
  if (of.kind === 'ServiceCIDR')
    return arrayAt(of, 'spec', 'cidrs').flatMap((text) => rangesOf(cidrs(String(text)), use, at(of, of)))
  if (isKind(of, 'ConfigMap') || of.kind === 'ClusterConfiguration')
    return networksOf(of).flatMap(({ services }) => services)
  if (of.kind !== 'IPPool' || !givesToPods(of)) return []
  return rangesOf(cidrs(stringAt(of, 'spec', 'cidr')), use, at(of, objectAt(of, 'spec') ?? of, 'cidr'))
}

/**
 * Of two objects that are in force together one is reported, by kind and name. One pool may be served in two groups.
 */
function isBefore(a: KubernetesObject, b: KubernetesObject, graph: Graph): boolean {
  const identity = ({ kind, metadata }: KubernetesObject) => `${kind === 'IPPool' ? 1 : 0} ${metadata?.name}`
  return identity(a) < identity(b) && (graph.complete || graph.apart(a, b) === 0)
}

/** The InternalIPs of all nodes. */
function addressesOf(graph: Graph): readonly Range[] {
  return graph
    .all('Node')
    .flatMap((node) =>
      (node.status?.addresses ?? []).flatMap(({ type, address }) =>
        type === 'InternalIP' ? rangesOf(cidrs(address), `node ${node.metadata?.name}`, at(node, node)) : [],
      ),
    )
}

/**
 * The nodes whose podCIDR overlaps the podCIDR or holds the address of a node. In one pass over all of them in order.
 */
function blocksHit(graph: Graph): ReadonlyMap<object, readonly [own: Range, other: Range]> {
  const blocks = graph
    .all('Node')
    .flatMap((node) =>
      (node.spec?.podCIDRs ?? [node.spec?.podCIDR ?? '']).flatMap((text) =>
        rangesOf(cidrs(text), `the pods of node ${node.metadata?.name}`, at(node, node.spec ?? node)),
      ),
    )
  const isBlock = new Set(blocks)
  const sorted = [...blocks, ...addressesOf(graph)].sort((a, b) =>
    a.width !== b.width ? a.width - b.width : a.first < b.first ? -1 : a.first > b.first ? 1 : 0,
  )
  const hit = new Map<object, readonly [Range, Range]>()
  let last: Range | undefined
  for (const range of sorted) {
    const [own, other] = isBlock.has(range) ? [range, last] : [last, range]
    if (own?.see && other && overlaps(own, other) && !hit.has(own.see.of)) hit.set(own.see.of, [own, other])
    if (isBlock.has(range) && (!last || last.width !== range.width || range.last > last.last)) last = range
  }
  return hit
}
