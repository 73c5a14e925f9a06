/** Nodes as a cluster shows them: how they are, and the kernel they run. */
import type { KubernetesObject, Node, Pod } from '../kubernetes.js'
import { groupBy } from '../values/group.js'
import { changedAt, conditionOf } from './condition.js'
import type { Graph } from './graph.js'
import { imageNamed } from './image.js'
import { type Version, version } from './version.js'

/**
 * Whether the node is a machine of the control plane, by kubeadm's labels: the one until 1.24,
 * and the one since 1.20.
 */
export function isControlPlane({ metadata }: KubernetesObject): boolean {
  const labels = metadata?.labels ?? {}
  return 'node-role.kubernetes.io/control-plane' in labels || 'node-role.kubernetes.io/master' in labels
}

/**
 * The labels by which providers name the pool of a node; those of EKS Auto Mode are Karpenter's. Sources: karpenter/pkg/apis/v1/labels.go,
 * Amazon EKS documentation (managed node groups), GKE documentation (node labels), AgentBaker/pkg/agent/datamodel/types.go,
 * kops/pkg/apis/kops/instancegroup.go.
 */
export const poolLabels: readonly string[] = [
  'karpenter.sh/nodepool',
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'kops.k8s.io/instancegroup',
]

/** Whether cloud load balancers are to leave the node out. Source: kubernetes/cloud-provider, controllers/service. */
export function isExcludedFromBalancers({ metadata }: Node): boolean {
  return metadata?.labels?.['node.kubernetes.io/exclude-from-external-load-balancers'] !== undefined
}

/** The minor version of the node's kubelet; undefined where no kubelet runs (virtual-kubelet), or none that says. */
export function kubeletMinor({ metadata, status }: Node): number | undefined {
  const isVirtual = metadata?.labels?.type === 'virtual-kubelet'
  return isVirtual ? undefined : version(status?.nodeInfo?.kubeletVersion)?.[1]
}

/** Whether the node is known not to be ready. One without the condition is only just being made. */
export function isAway(node: Node): boolean {
  const ready = conditionOf(node, 'Ready')
  return ready !== undefined && ready.status !== 'True'
}

/** Whether the pod's node is away: what is wrong with the pod is then wrong with the node. */
export function isStranded({ spec }: Pod, graph: Graph, near: object): boolean {
  const node = graph.find('Node', spec?.nodeName, near, '')
  return node !== undefined && isAway(node)
}

/**
 * Since when a node is cordoned, in milliseconds since 1970; undefined where its taint does not say.
 * Source: SwapNodeControllerTaint, kubernetes/pkg/controller/util/node/controller_utils.go.
 */
export function cordonedSince({ spec }: Node): number | undefined {
  const taint = spec?.taints?.find(({ key }) => key === 'node.kubernetes.io/unschedulable')
  return Date.parse(taint?.timeAdded ?? '') || undefined
}

/** Whether the node is being deleted, or scaled away by Cluster Autoscaler or Karpenter. */
export function isLeaving({ metadata, spec }: Node): boolean {
  const leaving = /^(ToBeDeletedByClusterAutoscaler|karpenter\.sh\/disrupted|karpenter\.sh\/disruption)$/
  return (
    metadata?.deletionTimestamp !== undefined ||
    (spec?.taints ?? []).some(({ key }) => leaving.test(key ?? ''))
  )
}

/** Machines that nobody but their owner adds, and clouds whose node autoscaler is an object or a pod of the cluster. */
const plain = /^(aws|azure|baremetal|harvester|k0s|k3s|kind|metal3|proxmox|rke2|talos|vsphere)/

/**
 * Whether something may add nodes to the cluster: an autoscaler that is there, or one that the
 * provider keeps to itself.
 */
export function mayGrow(graph: Graph): boolean {
  return graph.once(
    'may grow',
    () =>
      graph.all('karpenter.sh/NodePool').length > 0 ||
      graph.all('ConfigMap').some(({ metadata }) => metadata?.name === 'cluster-autoscaler-status') ||
      graph.workloads.some(({ running }) =>
        running.some(({ image }) => imageNamed(image, ['cluster-autoscaler'])),
      ) ||
      graph.all('Node').some(({ spec }) => spec?.providerID && !plain.test(spec.providerID)),
  )
}

/** The Linux kernel of a node. */
export interface Kernel {
  /** As the node reports it: `4.14.65-coreos`. */
  readonly text: string
  readonly release: Version
  /**
   * Whether the number tells which fixes are in: kernels that follow the stable releases of kernel.org. Those of Red
   * Hat, Debian, Ubuntu and SUSE keep their first number for years and take fixes in.
   */
  readonly isUpstream: boolean
}

/**
 * `.el8`, `-default`, or a build number behind a patch level of zero: `5.4.0-42-generic`, `4.19.0-9-amd64`.
 */
const backporting = /\.(el|fc)\d|uek|-default$|^\d+\.\d+\.0-\d/

/** The Linux kernel of a node; undefined for Windows and for nodes that do not say. */
export function kernelOf({ status }: Node): Kernel | undefined {
  const { kernelVersion: text, operatingSystem } = status?.nodeInfo ?? {}
  // Container-Optimized OS marks its builds with a plus: 4.14.138+.
  const release = version(/^\d+\.\d+(\.\d+)?/.exec(text ?? '')?.[0])
  if (!text || !release || operatingSystem === 'windows') return undefined
  return { text, release, isUpstream: !backporting.test(text) }
}

/**
 * Nodes that have something in common, under the first of each: one finding for all of them.
 * @param trait what they have in common; nodes without it are left out
 */
export function nodesBy(
  nodes: readonly Node[],
  trait: (node: Node) => string | undefined,
): ReadonlyMap<Node, readonly Node[]> {
  const groups = [...groupBy(nodes, trait).values()]
  return new Map(groups.flatMap((group) => (group[0] ? [[group[0], group] as const] : [])))
}

/** When the node became ready, or ceased to be, in milliseconds since 1970; 0 when it does not say. */
export function turnedAt(node: Node): number {
  return changedAt(conditionOf(node, 'Ready'))
}

/**
 * Nodes in groups whose readiness changed one after the other within a minute: what happened to them is one
 * thing.
 */
export function turnedTogether(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const groups: Node[][] = []
  let last = Number.NEGATIVE_INFINITY
  for (const node of [...nodes].sort((a, b) => turnedAt(a) - turnedAt(b))) {
    const group = groups.at(-1)
    if (group && turnedAt(node) - last <= 60_000) group.push(node)
    else groups.push([node])
    last = turnedAt(node)
  }
  return groups
}
