import {
  atMost,
  connectionClashes,
  counted,
  firstOf,
  hasNodeDns,
  imageNamed,
  inRange,
  kernelOf,
  nodesBy,
  rule,
} from '../src/rule.js'

export default rule({
  title: 'The kernel of a node loses DNS queries in connection tracking',
  category: 'node',
  severity: 'warning',
  why: `A resolver sends the queries for A and AAAA from one socket at the same moment. Behind the DNS
Service both are translated, both want an entry in the connection tracking table, and the kernel drops the
one that comes second. The resolver waits for its timeout: lookups take five seconds, at random.`,
  remedy:
    'Update the kernel, or run a DNS cache on every node that asks the servers over TCP; with glibc, `single-request-reopen` in `dnsConfig.options` helps.',
  decides: `The kernel of a node (\`status.nodeInfo.kernelVersion\`) is below 4.19, where two queries for
the same destination began to be told apart. Nodes with the same kernel are one finding.

Exempt: a DNS cache or server on every node, clusters where Cilium stands in for kube-proxy, and kernels of Red Hat,
Amazon Linux, Debian, Ubuntu and SUSE, which take fixes in without a new number (Ubuntu did for 4.15 in 2019). No
finding is no proof: a second race was cured in 5.0 and its stable releases, rarer ones later. With \`scan
--node-metrics\` the insertions into the table that have failed stand below it, where a node has 100 or more.`,
  sources: [
    'Linux commits ed07d9a021df (4.19) and 4e35c1cb9460 (5.0)',
    'kubernetes issue 56903',
    'prometheus/node_exporter, collector/conntrack_linux.go',
    'Ubuntu bug 1836816',
  ],
  stories: ['weave-conntrack-dns', 'zalando-misc-races', 'zalando-coredns-oom', 'tinder-dns-arp'],
  needs: 'cluster',
  for: 'Node',
  check(node, { graph, report }) {
    const alike = graph
      .once('nodes with the conntrack race', () => {
        const affected = nodesBy(graph.all('Node'), (one) => {
          const kernel = kernelOf(one)
          const isAmazon = /amzn/.test(kernel?.text ?? '')
          return kernel?.isUpstream && !isAmazon && inRange(kernel.release, '<4.19.0')
            ? kernel.text
            : undefined
        })
        const uses = (word: string) =>
          graph.workloads.some(({ running }) => running.some(({ image }) => imageNamed(image, [word])))
        return affected.size > 0 && (hasNodeDns(graph) || (uses('cilium') && !uses('kube-proxy')))
          ? undefined
          : affected
      })
      ?.get(node)
    const info = node.status?.nodeInfo
    if (!alike || !info) return
    const names = alike.map(({ metadata }) => metadata?.name ?? '')
    const clashes = graph.live ? connectionClashes(graph.live, (name) => names.includes(name)) : []
    report(
      info,
      'kernelVersion',
      `Lookups take five seconds at random on ${counted(alike.length, 'node')}: kernel ${info.kernelVersion} drops one of two DNS queries that race in connection tracking.`,
      { onValue: true, evidence: [firstOf(names), ...atMost(2, clashes)] },
    )
  },
})
