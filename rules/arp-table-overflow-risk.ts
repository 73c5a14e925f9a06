import { atMost, countBy, grouped, inRange, isKind, kernelOf, rule, wordsOf } from '../src/rule.js'

/** The kernel's default of net.ipv4.neigh.default.gc_thresh3. Source: net/ipv4/arp.c. */
const table = 1024

/** Kinds of tools that set up machines. */
const bootstraps = new Set([
  'Cluster',
  'EC2NodeClass',
  'InstanceGroup',
  'KubeadmConfigTemplate',
  'KubeadmControlPlane',
  'MachineConfig',
  'Tuned',
])

export default rule({
  title: 'A flat network has more nodes than the neighbour table holds',
  category: 'node',
  severity: 'info',
  why: `Flannel's VXLAN is one network of all nodes. A node keeps an entry in its neighbour table for every other one
that it reaches without a router, beside those of its own pods. The table ends at \`gc_thresh3\` (1024 by default); beyond it the
kernel drops packets to whoever has no entry, and says so in its own log only. It looks like failing DNS.`,
  remedy: 'Raise `net.ipv4.neigh.default.gc_thresh1` to `gc_thresh3` on all nodes with the number of nodes.',
  decides: `Flannel's configuration (\`net-conf.json\` of a ConfigMap) with the backend vxlan, in an input with
Nodes: their number, and the pods of the fullest one, come to more than \`share\` of 1024. On kernels below 5.0 the
entries of the overlay count as well, one a node. Silent where a container, a ConfigMap, Tuned or the bootstrap of
the machines sets \`gc_thresh3\`. In manifests without Nodes it is reported where the rule is asked for.

With \`scan --node-metrics\` node-exporter tells how many entries nodes have, without those of Flannel. A tenth more
than 1024 on one of them shows that the table is larger: silent, too.`,
  falsePositives:
    'The limit may be raised by the image or the bootstrap of the nodes, which nobody sees here. From Linux 5.0 on nodes that reach each other through a router need an entry for the router only.',
  versions: 'From Linux 5.0 on, permanent entries (as Flannel makes them) do not count.',
  sources: [
    'linux/net/core/neighbour.c (neigh_alloc)',
    'flannel/pkg/backend/vxlan/device.go',
    'prometheus/node_exporter, collector/arp_linux.go',
  ],
  stories: ['tinder-dns-arp'],
  params: {
    share: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.8,
      about: 'The part of the table that may be in use.',
    },
  },
  for: 'ConfigMap',
  check(configMap, { graph, params, report }) {
    const { data } = configMap
    const config = data?.['net-conf.json']
    if (!data || !config || !/"Type"\s*:\s*"vxlan"/i.test(config)) return
    const nodes = graph.all('Node')
    const isOld = nodes.some((node) => {
      const kernel = kernelOf(node)
      return kernel !== undefined && inRange(kernel.release, '<5.0.0')
    })
    const pods = countBy(graph.live?.pods ?? [], ({ spec, status }) =>
      spec?.nodeName && !spec.hostNetwork && status?.phase === 'Running' ? spec.nodeName : undefined,
    )
    const [fullest = ['', 0]] = [...pods].sort(([, a], [, b]) => b - a)
    const entries = nodes.length * (isOld ? 2 : 1) + fullest[1]
    const raised =
      graph.workloads.some(
        ({ pod, containers }) =>
          containers.some(({ spec }) => /gc_thresh3/.test(wordsOf(spec).join(' '))) ||
          pod.securityContext?.sysctls?.some(({ name }) => /gc_thresh3/.test(name ?? '')),
      ) ||
      // A text that a script or another tool applies, such as Tuned or the bootstrap of machines.
      graph.objects.some((one) =>
        isKind(one, 'ConfigMap')
          ? Object.values(one.data ?? {}).some((text) => text.includes('gc_thresh3'))
          : bootstraps.has(one.kind ?? '') && JSON.stringify(one).includes('gc_thresh3'),
      )
    const measured = (graph.live?.samplesOf('node_arp_entries') ?? [])
      .map(({ labels, value }) => ({ node: labels.node ?? '', value }))
      .sort((a, b) => b.value - a.value || (a.node < b.node ? -1 : 1))
    // At the limit each new entry costs an old one, and for a moment there are a few more.
    if (raised || (measured[0]?.value ?? 0) > 1.1 * table) return
    if (nodes.length === 0 && !graph.live) {
      report(
        data,
        'net-conf.json',
        `Packets are dropped without a word from about ${Math.floor(table * params.share)} nodes on: each may keep an entry for every other, and nothing in ${graph.source} raises gc_thresh3 (${table} by default).`,
        { recommended: false },
      )
      return
    }
    if (entries <= table * params.share) return
    report(
      data,
      'net-conf.json',
      `Packets are dropped without a word when the neighbour table of a node is full: ${nodes.length} nodes need up to ${entries} of ${table} entries.`,
      {
        evidence: [
          `${nodes.length} nodes${isOld ? ', two entries each below Linux 5.0' : ''}`,
          ...(fullest[1] > 0 ? [`${fullest[1]} pods on ${fullest[0]}`] : []),
          ...atMost(
            2,
            measured.map(({ node, value }) => `node ${node}: ${grouped(value)} entries now`),
          ),
        ],
      },
    )
  },
})
