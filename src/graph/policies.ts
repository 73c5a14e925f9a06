/** What rules about NetworkPolicies have in common. */
import type { NetworkPolicy } from '../kubernetes.js'
import type { Graph } from './graph.js'
import { imageNamed } from './image.js'

/**
 * Whether it is about incoming traffic, as it is unless it says otherwise.
 * Source: kubernetes/pkg/apis/networking/v1/defaults.go.
 */
export function isForIngress({ spec }: NetworkPolicy): boolean {
  const types = spec?.policyTypes ?? []
  return types.length === 0 || types.includes('Ingress')
}

/** Whether pods in the object's namespace may be under policies of another kind, which allow and deny by rules of their own. */
export function hasOtherPolicies(near: object, graph: Graph): boolean {
  return (
    graph.once('policies of the cluster', () => clusterWide.some((kind) => graph.all(kind).length > 0)) ||
    namespaced.some((kind) => graph.siblings(kind, near).length > 0)
  )
}

/** Whether nothing in a cluster enforces policies: flannel alone does not. */
export function isUnenforced(graph: Graph): boolean {
  const runs = (images: readonly string[]) =>
    graph.workloads.some(
      ({ kind, running }) => kind === 'DaemonSet' && running.some(({ image }) => imageNamed(image, images)),
    )
  return (
    graph.live !== undefined &&
    graph.once('policies are not enforced', () => runs(['flannel']) && !runs(enforcers))
  )
}

const enforcers = [
  'calico',
  'canal',
  'cilium',
  'kube-router',
  'weave-npc',
  'antrea',
  'kube-network-policies',
] as const

const namespaced = [
  'cilium.io/CiliumNetworkPolicy',
  'projectcalico.org/NetworkPolicy',
  'crd.projectcalico.org/NetworkPolicy',
] as const

const clusterWide = [
  'cilium.io/CiliumClusterwideNetworkPolicy',
  'projectcalico.org/GlobalNetworkPolicy',
  'crd.projectcalico.org/GlobalNetworkPolicy',
  'policy.networking.k8s.io/AdminNetworkPolicy',
  'policy.networking.k8s.io/BaselineAdminNetworkPolicy',
  'policy.networking.k8s.io/ClusterNetworkPolicy',
] as const
