import { hasNodeDns, rule, servesClusterDns } from '../src/rule.js'

export default rule({
  title: 'Every DNS query of the cluster crosses the network to a few DNS pods',
  category: 'dns',
  severity: 'info',
  recommended: false,
  why: `Each lookup goes through Service translation and connection tracking to one of a few DNS pods. One
noisy application can use them up for everybody, and parallel UDP queries can hit races in the kernel's
connection tracking, each of which costs a timeout of five seconds. A cache on every node takes the load and
talks TCP to the servers.`,
  remedy:
    'Run a DNS cache on every node (node-local-dns), or the DNS server itself as a DaemonSet with `internalTrafficPolicy: Local`.',
  decides: `The Deployment of the cluster's DNS, CoreDNS or kube-dns, in a complete input without any DaemonSet
that runs a DNS cache or server on the nodes (node-local-dns, dnsmasq, CoreDNS, unbound), from \`minNodes\`
Nodes on when Nodes are known. Cilium's local redirect policies for DNS count too. Where the rule is asked for, in
input that is not complete, too.`,
  falsePositives: 'GKE with Cloud DNS, or as Autopilot, brings a cache that no manifest shows.',
  sources: ['Kubernetes documentation, Using NodeLocal DNSCache in Kubernetes clusters'],
  stories: [
    'zalando-coredns-oom',
    'zalando-misc-races',
    'tinder-dns-arp',
    'weave-conntrack-dns',
    'preply-dns-conntrack',
  ],
  params: {
    minNodes: {
      type: 'integer',
      minimum: 1,
      default: 20,
      about: 'Nodes from which a cache pays, where Nodes are known.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (!servesClusterDns(workload, graph)) return
    const nodes = graph.all('Node').length
    if (nodes > 0 && nodes < params.minNodes) return
    if (hasNodeDns(graph)) return
    report(
      workload.object,
      undefined,
      `All DNS queries of ${nodes > 0 ? `${nodes} nodes` : 'the cluster'} go to ${workload.scale?.replicas ?? 1} pods of ${workload.name} through connection tracking: ${graph.complete ? 'no node has' : 'the input has no DaemonSet with'} a DNS cache.`,
      { recommended: graph.complete },
    )
  },
})
