import {
  arrayAt,
  at,
  type Cidr,
  type Container,
  cidrs,
  configurationsIn,
  flagOf,
  type Graph,
  groupOf,
  isKind,
  isWorkload,
  type KubernetesObject,
  type Node,
  objectAt,
  overlaps,
  rule,
  type Sight,
  stringAt,
  valueAt,
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
  decides: `\`podSubnet\` and \`serviceSubnet\` of a kubeadm ClusterConfiguration, and \`--cluster-cidr\` and
\`--service-cluster-ip-range\` of a kube-controller-manager, with each other and with \`nodeCidrs\`. Enabled Calico
IPPools with each other and with the ranges of ServiceCIDRs. In a cluster also: the podCIDR of a Node with those of
others, and the InternalIPs of Nodes with IPPools, ServiceCIDRs and podCIDRs.

Exempt: IPPools that are disabled or hand out balancer addresses only. In manifests IPPools are compared when their files
are in one folder.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (ServiceCIDR, GA 1.33)',
    'kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go',
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
    'ConfigMap',
    'Workload',
    'Node',
    'projectcalico.org/IPPool',
    'crd.projectcalico.org/IPPool',
    'networking.k8s.io/ServiceCIDR',
  ],
  check(subject, { graph, params, report }) {
    const known = params.nodeCidrs.flatMap((text) => rangesOf(cidrs(text), 'the nodes'))
    /** Reports the first overlap of ranges with others. */
    const compare = (
      ranges: readonly Range[],
      others: readonly Range[],
      node: Node,
      field?: string | number,
    ) => {
      const [own, other] = firstOverlap(ranges, others) ?? []
      if (!own || !other) return false
      report(
        node,
        field,
        `Some addresses cannot be reached: ${own.text} of ${own.use} overlaps ${other.text} of ${other.use}.`,
        {
          see: [other.see],
        },
      )
      return true
    }
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        const { pods, services } = rangesIn(container)
        const field = container.spec.args ? 'args' : 'command'
        if (compare(pods, [...services, ...known], container.spec, field)) return
      }
      return
    }
    for (const { value, place } of configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration')) {
      const networking = objectAt(value, 'networking')
      if (!networking) continue
      const pods = rangesOf(cidrs(stringAt(networking, 'podSubnet')), 'the pods')
      const services = rangesOf(cidrs(stringAt(networking, 'serviceSubnet')), 'the Services')
      if (compare(pods, [...services, ...known], ...place(networking, 'podSubnet'))) return
      if (compare(services, known, ...place(networking, 'serviceSubnet'))) return
    }
    if (isKind(subject, 'Node')) {
      const [own, other] = graph.once('blocks-of-nodes', () => blocksHit(graph)).get(subject) ?? []
      const field = subject.spec?.podCIDRs ? 'podCIDRs' : 'podCIDR'
      if (own && other) compare([own], [other], subject.spec ?? subject, field)
      return
    }
    const spec = objectAt(subject, 'spec')
    const ranges = rangesOfObject(subject)
    const [first] = ranges
    // Calico's own API server shows each pool in a second group.
    const isShownTwice =
      groupOf(subject.apiVersion ?? '') === 'crd.projectcalico.org' &&
      graph.all('projectcalico.org/IPPool').length > 0
    if (!spec || !first || isShownTwice) return
    const field = subject.kind === 'IPPool' ? 'cidr' : 'cidrs'
    const others = graph
      .once('cidr-overlap', () => allocators(graph))
      .filter(({ of }) => isBefore(of, subject, graph))
      .flatMap((one) => one.ranges)
    if (compare(ranges, [...others, ...known], spec, field)) return
    const nodes = graph.once('node-addresses', () => addressesOf(graph))
    const inside = nodes.filter(
      (one) => first.width === one.width && ranges.some((range) => overlaps(range, one)),
    )
    const [node] = inside
    if (!node || !graph.live) return
    report(
      spec,
      field,
      `Pods cannot reach ${inside.length === 1 ? node.use : `${inside.length} nodes`}: ${inside.length === 1 ? `its address is` : 'their addresses are'} inside ${first.text} of ${first.use}.`,
      { evidence: inside.slice(0, 3).map((one) => `${one.use}: ${one.text}`), see: [node.see] },
    )
  },
})

function rangesOf(all: readonly Cidr[], use: string, see?: Sight): readonly Range[] {
  return all.map((one) => ({ ...one, use, see }))
}

function firstOverlap(
  ranges: readonly Range[],
  others: readonly Range[],
): readonly [Range, Range] | undefined {
  for (const own of ranges) {
    const other = others.find((one) => overlaps(own, one))
    if (other) return [own, other]
  }
  return undefined
}

/** The ranges that kube-controller-manager is told. */
function rangesIn(container: Container) {
  return {
    pods: rangesOf(cidrs(flagOf(container, 'cluster-cidr')), 'the pods'),
    services: rangesOf(cidrs(flagOf(container, 'service-cluster-ip-range')), 'the Services'),
  }
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
  ].map((of) => ({ of, ranges: rangesOfObject(of) }))
}

/** The ranges of an IPPool or a ServiceCIDR; none of pools that give nothing to pods. */
function rangesOfObject(of: KubernetesObject): readonly Range[] {
  const use = `${of.kind} ${of.metadata?.name}`
  if (of.kind === 'ServiceCIDR')
    return arrayAt(of, 'spec', 'cidrs').flatMap((text) => rangesOf(cidrs(String(text)), use, at(of, of)))
  const uses = arrayAt(of, 'spec', 'allowedUses')
  if (of.kind !== 'IPPool' || valueAt(of, 'spec', 'disabled') === true) return []
  if (uses.length > 0 && !uses.includes('Workload')) return []
  return rangesOf(cidrs(stringAt(of, 'spec', 'cidr')), use, at(of, objectAt(of, 'spec') ?? of, 'cidr'))
}

/**
 * Of two objects that are in force together one is reported, by kind and name. One pool may be served in two groups.
 */
function isBefore(a: KubernetesObject, b: KubernetesObject, graph: Graph): boolean {
  const identity = ({ kind, metadata }: KubernetesObject) =>
    `${kind === 'ServiceCIDR' ? 0 : 1} ${metadata?.name}`
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
