import {
  configurationsIn,
  type Graph,
  groupOf,
  numberAt,
  objectAt,
  quantity,
  rule,
  stringAt,
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
    'Create pools with blocks as large as the pods per node (`blockSize: 25` for 110); existing pools can not be changed.',
  decides: `An enabled IPPool for IPv4 with IPIP or VXLAN whose block (\`blockSize\`, default 26) holds
fewer addresses than \`maxPods\` of the KubeletConfiguration in the input (or the parameter; in a cluster the most that a Node allows) plus
one for the tunnel.`,
  sources: ['Calico documentation, IPPool', 'projectcalico/calico issue 3589'],
  stories: ['oneandone-calico-ip-collision'],
  params: {
    maxPods: {
      type: 'integer',
      minimum: 1,
      default: 110,
      about: 'Pods that a node may run, where no KubeletConfiguration tells.',
    },
  },
  for: ['projectcalico.org/IPPool', 'crd.projectcalico.org/IPPool'],
  check(pool, { graph, params, report }) {
    const spec = objectAt(pool, 'spec')
    if (!spec || spec.disabled === true || !(stringAt(spec, 'cidr') ?? '').includes('.')) return
    const tunnels = ['ipipMode', 'vxlanMode'].some((field) =>
      ['Always', 'CrossSubnet'].includes(stringAt(spec, field) ?? 'Never'),
    )
    const size = numberAt(spec, 'blockSize') ?? 26
    const addresses = 2 ** (32 - size)
    // Calico's own API server shows each pool in a second group.
    const isShownTwice =
      groupOf(pool.apiVersion ?? '') === 'crd.projectcalico.org' &&
      graph.all('projectcalico.org/IPPool').length > 0
    if (graph.live && isShownTwice) return
    const pods = graph.once('maxPods', () => maxPodsIn(graph)) ?? params.maxPods
    if (!tunnels || addresses >= pods + 1) return
    report(
      spec,
      valueAt(spec, 'blockSize') === undefined ? 'cidr' : 'blockSize',
      `A node with ${pods} pods takes ${Math.ceil((pods + 1) / addresses)} blocks of ${addresses} addresses, where collisions with tunnel addresses have happened.`,
    )
  },
})

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
