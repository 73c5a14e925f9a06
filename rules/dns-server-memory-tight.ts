import {
  at,
  atMost,
  bytes,
  type Container,
  type Fault,
  formatBytes,
  formatMemoryKill,
  type Graph,
  imageNamed,
  liftCpuLimit,
  type MemoryKill,
  memoryKillsOf,
  type Node,
  type Pod,
  podsNearLimit,
  quantityPattern,
  type RuleFix,
  rule,
  servesClusterDns,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The memory limit of cluster DNS leaves no room',
  category: 'dns',
  severity: 'warning',
  why: `The memory of a DNS server grows with the Services and pods of the cluster and with the queries that
wait for an answer. A burst of queries, or a slow server upstream, takes all its pods over the limit together;
those that start again meet the same burst, and nothing in the cluster finds anything.`,
  remedy:
    'Raise the limit to several times the usual use; DNS servers are few, and memory for them is cheap.',
  decides: `A Deployment that serves the cluster's DNS (CoreDNS or kube-dns behind the Service \`kube-dns\`, with
the label \`k8s-app: kube-dns\`, or marked with \`kubernetes.io/cluster-service\`), or a node-local-dns DaemonSet: a
container with a memory limit below 128Mi, or, as an info, below \`minMemory\` (kubeadm's own 170Mi among them). In
a cluster: an error when one of its containers was last killed for lack of memory, a warning when one uses more than
70 % of its limit now (where the metrics API tells), both whatever the limit; and the info only from 20 nodes on. Where the rule is asked for, an info for a CPU limit, too.`,
  sources: [
    'kubernetes/cmd/kubeadm/app/phases/addons/dns/manifests.go (170Mi)',
    'coredns/deployment, kubernetes/Scaling_CoreDNS.md',
  ],
  stories: ['zalando-coredns-oom', 'civis-large-cluster', 'toyota-dns-storm'],
  params: {
    minMemory: {
      type: 'string',
      pattern: quantityPattern,
      default: '256Mi',
      about: 'Memory that a DNS server of a large cluster should be allowed.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (!servesDns(workload, graph)) return
    const servers = workload.running.filter(({ image }) => imageNamed(image, programs))
    for (const container of servers) {
      const fault = faultOfMemory(container, workload, params.minMemory, graph)
      if (fault) return report(...fault)
    }
    for (const { name, spec } of servers) {
      const { limits } = spec.resources ?? {}
      if (limits?.cpu === undefined) continue
      report(
        limits,
        'cpu',
        `Every lookup waits when ${name} has used its share of a 100 ms slice: its CPU is limited to ${limits.cpu}.`,
        { severity: 'info', recommended: false, fix: liftCpuLimit(spec, workload, graph) },
      )
      return
    }
  },
})

/** What has happened at the memory limit of a container, is about to, or may. */
function faultOfMemory(
  container: Container,
  workload: Workload,
  minMemory: string,
  graph: Graph,
): Fault | undefined {
  const { name, spec } = container
  const limit = bytes(spec.resources?.limits?.memory)
  if (limit === undefined) return undefined
  const { live } = graph
  const limits = spec.resources?.limits ?? spec
  const pods = live?.podsOf(workload) ?? []
  const killed = killedIn(pods, name)
  if (live && killed.length > 0)
    return [
      limits,
      'memory',
      `Cluster DNS is killed for lack of memory: ${killed.length} of ${pods.length} pods of ${workload.name} ${killed.length === 1 ? 'has' : 'have'} gone over ${formatBytes(limit)}.`,
      { severity: 'error', evidence: killed.slice(0, 3).map((kill) => formatMemoryKill(kill, live)) },
    ]
  const near = live ? podsNearLimit(container, { limit, share: usualShare }, workload, live.seen) : []
  if (near.length > 0)
    return [
      limits,
      'memory',
      `The next burst of queries gets cluster DNS killed: ${near.length} of ${pods.length} pods of ${workload.name} ${near.length === 1 ? 'uses' : 'use'} most of ${formatBytes(limit)} already.`,
      { evidence: atMost(3, near), fix: roomier(limits, limit, minMemory) },
    ]
  const nodes = live ? graph.all('Node').length : undefined
  const isSmall = limit < 128 * 2 ** 20
  if (limit >= (bytes(minMemory) ?? 0) || (!isSmall && nodes !== undefined && nodes < 20)) return undefined
  return [
    limits,
    'memory',
    `A burst of DNS queries can kill all pods of ${workload.name} together: each may use ${formatBytes(limit)}${nodes ? `, in a cluster of ${nodes} nodes` : ''}.`,
    {
      severity: isSmall && (nodes === undefined || nodes >= 5) ? 'warning' : 'info',
      fix: set(limits, 'memory', minMemory),
      see: [graph.servicesOf(workload)[0]].map((one) => one && at(one, one)),
    },
  ]
}

/** The part of its limit that a DNS server may use with nothing going on. */
const usualShare = 0.7

const nodeCache = 'k8s-dns-node-cache'
const programs = ['coredns', 'kube-dns', 'k8s-dns-kube-dns', 'k8s-dns-dnsmasq-nanny', nodeCache]

/** Whether the workload answers the cluster's own names, or caches them on the nodes. */
function servesDns(workload: Workload, graph: Graph): boolean {
  const { kind, labels, running } = workload
  const isCache =
    labels['k8s-app'] === 'node-local-dns' || running.some(({ image }) => imageNamed(image, [nodeCache]))
  return (kind === 'DaemonSet' && isCache) || servesClusterDns(workload, graph)
}

/** What the kernel killed for lack of memory in the pods, the container with most restarts first. */
function killedIn(pods: readonly Pod[], container: string): readonly MemoryKill[] {
  return pods
    .flatMap(memoryKillsOf)
    .filter((kill) => kill.container === container)
    .sort((a, b) => b.restarts - a.restarts || (nameOf(a.pod) < nameOf(b.pod) ? -1 : 1))
}

/** `minMemory` as the limit, where that is more. */
function roomier(limits: Node, limit: number, minMemory: string): RuleFix | undefined {
  return limit < (bytes(minMemory) ?? 0) ? set(limits, 'memory', minMemory) : undefined
}

function nameOf({ metadata }: Pod): string {
  return metadata?.name ?? ''
}
