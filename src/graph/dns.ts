/** Which DNS servers stand on the nodes. */
import { imageNamed } from './container.js'
import type { Graph } from './graph.js'

const caches = [
  'k8s-dns-node-cache',
  'node-local-dns',
  'node-cache',
  'coredns',
  'dnsmasq',
  'k8s-dns-dnsmasq-nanny',
  'unbound',
]

/** Whether every node has a DNS cache or server: a DaemonSet of one, or Cilium's local redirect. */
export function hasNodeDns(graph: Graph): boolean {
  return (
    graph.all('cilium.io/CiliumLocalRedirectPolicy').length > 0 ||
    graph.workloads.some(
      ({ kind, running }) => kind === 'DaemonSet' && running.some(({ image }) => imageNamed(image, caches)),
    )
  )
}
