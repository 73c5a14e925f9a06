import {
  arrayAt,
  type Custom,
  configurationsIn,
  type Graph,
  isObject,
  numberAt,
  objectAt,
  objectsAt,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'The pod address range is too small for the nodes planned',
  category: 'networking',
  severity: 'warning',
  why: `Every node takes a block of the pod range when it joins (a /24 by default), used or not. When the
blocks are gone the next node gets no addresses: it stays NotReady, pods stay Pending, and the autoscaler
adds machines that do not help. A pod range can hardly be changed on a running cluster.`,
  remedy: 'Choose a pod range with room for several times the nodes of today, or a smaller block per node.',
  decides: `For a kubeadm ClusterConfiguration: the blocks of the IPv4 \`podSubnet\` at
\`node-cidr-mask-size\` (default 24) are compared with \`plannedNodes\`. The same for
kube-controller-manager's \`--cluster-cidr\`. For Calico: the blocks of all enabled IPv4 IPPools together,
as each node holds at least one block.`,
  falsePositives:
    'A small range is right for a cluster that will stay small (edge sites, tests): set `plannedNodes`.',
  sources: [
    'kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go',
    'kubernetes/cmd/kube-controller-manager/app/core.go (default masks)',
  ],
  stories: ['loveholidays-gke-ips', 'dfds-ip-starvation', 'dfds-node-deletion', 'betz-vpc-native'],
  params: {
    plannedNodes: {
      type: 'integer',
      minimum: 1,
      default: 64,
      about: 'Nodes that the cluster must be able to have.',
    },
  },
  for: [
    'kubeadm.k8s.io/ClusterConfiguration',
    'ConfigMap',
    'projectcalico.org/IPPool',
    'crd.projectcalico.org/IPPool',
  ],
  check(subject, { graph, params, report }) {
    const say = (range: string, mask: number, nodes: number) =>
      `Node ${nodes + 1} gets no pod addresses: there is room for ${nodes} blocks of size /${mask} in ${range}.`
    if (subject.kind === 'IPPool') {
      const spec = objectAt(subject, 'spec')
      const pools = graph.once('pod-ip-exhaustion', () => enabledPools(graph))
      if (!spec || pools[0] !== subject) return
      const nodes = pools.reduce(
        (sum, pool) =>
          sum + blocks(stringAt(pool, 'spec', 'cidr'), numberAt(pool, 'spec', 'blockSize') ?? 26),
        0,
      )
      if (nodes >= params.plannedNodes) return
      const range = pools.map((pool) => stringAt(pool, 'spec', 'cidr')).join(' and ')
      report(spec, 'cidr', say(range, numberAt(spec, 'blockSize') ?? 26, nodes), {
        label: `${params.plannedNodes} nodes planned`,
      })
      return
    }
    for (const { value, place } of configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration')) {
      const networking = objectAt(value, 'networking')
      const range = (stringAt(networking, 'podSubnet') ?? '').split(',').find((one) => one.includes('.'))
      if (!networking || !range) continue
      const mask = Number(
        extraArg(value, 'node-cidr-mask-size') ?? extraArg(value, 'node-cidr-mask-size-ipv4') ?? 24,
      )
      const nodes = blocks(range, mask)
      if (nodes >= params.plannedNodes) continue
      const [node, field] = place(networking, 'podSubnet')
      report(node, field, say(range, mask, nodes), { label: `${params.plannedNodes} nodes planned` })
    }
  },
})

/** The number of blocks with the given mask in a range; unlimited when it can't be read (IPv6 included). */
function blocks(range: string | undefined, mask: number): number {
  const match = /^\d+\.\d+\.\d+\.\d+\/(\d+)$/.exec(range?.trim() ?? '')
  return match && Number.isInteger(mask)
    ? 2 ** Math.max(0, mask - Number(match[1]))
    : Number.POSITIVE_INFINITY
}

function enabledPools(graph: Graph): readonly Custom[] {
  const pools = [...graph.all('projectcalico.org/IPPool'), ...graph.all('crd.projectcalico.org/IPPool')]
  return pools.filter(
    (pool) =>
      valueAt(pool, 'spec', 'disabled') !== true && (stringAt(pool, 'spec', 'cidr') ?? '').includes('.'),
  )
}

/** kubeadm's v1beta4 writes extraArgs as a list of name and value, older versions as a map. */
function extraArg(configuration: unknown, name: string): string | undefined {
  const args = valueAt(configuration, 'controllerManager', 'extraArgs')
  if (isObject(args)) return stringAt(args, name)
  const found = objectsAt(configuration, 'controllerManager', 'extraArgs').find((arg) => arg.name === name)
  return arrayAt(args).length > 0 ? stringAt(found, 'value') : undefined
}
