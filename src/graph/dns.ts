/** The DNS servers of a cluster. */
import type { ConfigMap, KubernetesObject } from '../kubernetes.js'
import type { Container } from './container.js'
import type { Graph } from './graph.js'
import { imageNamed, imageParts } from './image.js'
import type { Workload } from './workload.js'

const caches = [
  'k8s-dns-node-cache',
  'node-local-dns',
  'node-cache',
  'coredns',
  'dnsmasq',
  'k8s-dns-dnsmasq-nanny',
  'unbound',
]

/** A CoreDNS that reads its Corefile from the ConfigMap. */
export function corednsOf(
  map: ConfigMap,
  graph: Graph,
): { readonly workload: Workload; readonly container: Container } | undefined {
  for (const workload of graph.nearby(map)) {
    const container = workload.running.find(({ image }) => image && imageParts(image).name === 'coredns')
    const reads = graph
      .referencesOf(workload)
      .some(({ kind, name }) => kind === 'ConfigMap' && name === map.metadata?.name)
    if (container && reads && graph.together(workload, map)) return { workload, container }
  }
  return undefined
}

/**
 * Whether a Deployment answers the cluster's own names, if it is a DNS server at all: by the label or the Service of
 * kubeadm and the providers, or marked as a part of the cluster, as the chart of CoreDNS does.
 */
export function isOfClusterDns(workload: Workload, graph: Graph): boolean {
  const { kind, labels, object } = workload
  if (kind !== 'Deployment') return false
  const isMarked = ({ metadata }: KubernetesObject) =>
    metadata?.labels?.['kubernetes.io/cluster-service'] === 'true'
  return (
    labels['k8s-app'] === 'kube-dns' ||
    isMarked(object) ||
    graph.servicesOf(workload).some((one) => one.metadata?.name === 'kube-dns' || isMarked(one))
  )
}

const servers = ['coredns', 'kube-dns', 'k8s-dns-kube-dns']

/** Whether the workload answers the cluster's own names. */
export function servesClusterDns(workload: Workload, graph: Graph): boolean {
  return workload.running.some(({ image }) => imageNamed(image, servers)) && isOfClusterDns(workload, graph)
}

/** Whether every node has a DNS cache or server: a DaemonSet of one, or Cilium's local redirect. */
export function hasNodeDns(graph: Graph): boolean {
  return (
    graph.all('cilium.io/CiliumLocalRedirectPolicy').length > 0 ||
    graph.workloads.some(
      ({ kind, running }) => kind === 'DaemonSet' && running.some(({ image }) => imageNamed(image, caches)),
    )
  )
}
