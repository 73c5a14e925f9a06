import {
  blockSizeOf,
  configurationsIn,
  type Graph,
  isSecondView,
  type KubernetesObject,
  numberAt,
  objectAt,
  objectsAt,
  quantity,
  rule,
  stringAt,
  type Untyped,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'A node needs several address blocks for its pods',
  category: 'networking',
  severity: 'info',
  recommended: false,
  why: `Calico hands out pod addresses to nodes in blocks, by default of 64. A node that may run 110 pods
takes two or more, borrows from others when none is left, and its tunnel address is one of them. Releases of
Calico have had races there that gave a pod the address of the node's own tunnel: one pod of a workload dies
again and again while its siblings are fine.`,
  remedy:
    'Create pools with blocks as large as the pods per node (`blockSize: 25` for 110); existing pools cannot be changed.',
  decides: `An enabled IPPool with IPIP or VXLAN, or one that an Installation of the operator describes, whose block
(\`blockSize\`, default 26, or 122 for IPv6) holds fewer addresses than \`maxPods\` of the KubeletConfiguration in
the input (or the parameter; in a cluster the most that a Node allows) plus one for the tunnel. Silent with the
addresses of \`host-local\` (\`cni_network_config\`).`,
  sources: [
    'calico/libcalico-go/lib/clientv3/ippool.go (blockSize 26 and 122, no tunnels by default)',
    'tigera/operator/pkg/controller/ippool/defaults.go (IPIP where Calico is the CNI plugin)',
    'projectcalico/calico issue 3589',
  ],
  stories: ['oneandone-calico-ip-collision'],
  params: {
    maxPods: {
      type: 'integer',
      minimum: 1,
      default: 110,
      about: 'Pods that a node may run, where no KubeletConfiguration tells.',
    },
  },
  for: ['projectcalico.org/IPPool', 'crd.projectcalico.org/IPPool', 'operator.tigera.io/Installation'],
  check(object, { graph, params, report }) {
    if (
      (graph.live && isShownTwice(object, graph)) ||
      graph.once('host-local', () => usesBlocksOfNodes(graph))
    )
      return
    const pods = graph.once('maxPods', () => maxPodsIn(graph)) ?? params.maxPods
    for (const { node, addresses } of poolsOf(object)) {
      // Calico refuses blocks of no address, and parts of one.
      if (addresses >= pods + 1 || !Number.isInteger(addresses) || addresses === 0) continue
      report(
        node,
        valueAt(node, 'blockSize') === undefined ? 'cidr' : 'blockSize',
        `A node with ${pods} pods takes ${Math.ceil((pods + 1) / addresses)} blocks of ${addresses} addresses, where collisions with tunnel addresses have happened.`,
      )
    }
  },
})

/** A pool whose nodes have tunnel addresses, and how many addresses a block of it has. */
interface Pool {
  readonly node: Untyped
  readonly addresses: number
}

/** The pools that are or make the objects: those of an Installation the operator writes as IPPools. */
function poolsOf(object: KubernetesObject): readonly Pool[] {
  const isInstallation = object.kind === 'Installation'
  const spec = objectAt(object, 'spec')
  const pools = isInstallation ? objectsAt(spec, 'calicoNetwork', 'ipPools') : spec ? [spec] : []
  return pools.flatMap((node) => {
    const cidr = stringAt(node, 'cidr') ?? ''
    const isV6 = cidr.includes(':')
    const hasTunnels = isInstallation
      ? (stringAt(node, 'encapsulation') ?? (isV6 ? 'None' : 'IPIP')) !== 'None'
      : ['ipipMode', 'vxlanMode'].some((field) =>
          ['Always', 'CrossSubnet'].includes(stringAt(node, field) ?? 'Never'),
        )
    if (node.disabled === true || !(isV6 || cidr.includes('.')) || !hasTunnels) return []
    return [{ node, addresses: 2 ** ((isV6 ? 128 : 32) - blockSizeOf(node)) }]
  })
}

/** The operator makes pools of its Installation, and Calico's own API server shows each in a second group. */
function isShownTwice(object: KubernetesObject, graph: Graph): boolean {
  return object.kind === 'Installation'
    ? graph.all('projectcalico.org/IPPool').length > 0
    : isSecondView(object, graph)
}

/** Whether the plugin takes addresses from the podCIDRs of nodes, and not from blocks of pools. */
function usesBlocksOfNodes(graph: Graph): boolean {
  return graph
    .all('ConfigMap')
    .some(({ data }) => /"type":\s*"host-local"/.test(data?.cni_network_config ?? ''))
}

function maxPodsIn(graph: Graph): number | undefined {
  const most = Math.max(0, ...graph.all('Node').map(({ status }) => quantity(status?.allocatable?.pods) ?? 0))
  if (graph.live && most > 0) return most
  for (const object of [
    ...graph.all('kubelet.config.k8s.io/KubeletConfiguration'),
    ...graph.all('ConfigMap'),
  ]) {
    for (const { value } of configurationsIn(object, 'kubelet.config.k8s.io/KubeletConfiguration')) {
      const pods = numberAt(value, 'maxPods')
      if (pods !== undefined) return pods
    }
  }
  return undefined
}
