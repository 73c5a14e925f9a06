import {
  formatSpan,
  type Graph,
  imageNamed,
  imageOf,
  isOfClusterDns,
  linesOf,
  type Pending,
  type PodSpec,
  type PriorityClass,
  pendingPods,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A part of the cluster itself has no priority over ordinary pods',
  category: 'scheduling',
  severity: 'warning',
  why: `Pods are placed by priority, and without a class it is 0. When nodes are lost or come back, ordinary
pods fill them first, and the node's network, volumes, credentials or DNS find no room: what was placed
then fails on them. Under memory pressure the kubelet evicts by priority, too.`,
  remedy:
    'Use `priorityClassName: system-node-critical` for agents of nodes, `system-cluster-critical` for the others.',
  decides: `A workload whose image is one of \`nodeImages\` or \`clusterImages\` without a
\`priorityClassName\`, or with a class of the input whose value is 0 or less. A warning for agents of nodes
and DNS, an info for the others; an error in a cluster in which pods of it are Pending because they can't be
scheduled. Any class above 0 is taken for a choice. Asked for, the rule looks at every DaemonSet that chooses no nodes and
at all of kube-system, too, and names classes of the input below the highest that a user may give.

Exempt: a CoreDNS behind a Service that is not the cluster's, or in a StatefulSet or a Service of Knative, static
pods, pods with \`priority\`, and clusters whose classes have a \`globalDefault\` above 0.`,
  falsePositives:
    'A chart that sets the class by a value may be rendered without it; GKE allows system classes outside kube-system only with a ResourceQuota for them.',
  versions: 'System classes are allowed in all namespaces since 1.17.',
  sources: [
    'kubernetes/pkg/apis/scheduling/types.go',
    'kubernetes/plugin/pkg/admission/priority/admission.go',
    'kubernetes CHANGELOG-1.17 (PR 76310)',
  ],
  stories: ['dfds-node-deletion', 'datadog-10-ways', 'zalando-credentials-queue'],
  unless: ['iam-agent-unprotected'],
  params: {
    nodeImages: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'coredns',
        'node-local-dns',
        'k8s-dns-node-cache',
        'kube2iam',
        'kiam',
        'aws-node',
        'amazon-k8s-cni',
        'calico/node',
        'calico/typha',
        'calico-node',
        'cilium/cilium',
        'cilium/operator',
        'kube-proxy',
        'flannel',
        'eks-pod-identity-agent',
        'aws-ebs-csi-driver',
      ],
      about: 'What every node or every pod needs: the ends of image names, or with a / parts of them.',
    },
    clusterImages: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'metrics-server',
        'cluster-autoscaler',
        'ingress-nginx/controller',
        'library/traefik',
        'traefik/traefik',
      ],
      about: 'Other parts of a cluster, likewise.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod, kind, batch, controlled } = workload
    if (batch || controlled || kind === 'Pod' || (pod.priority ?? 0) > 0) return
    const named = (images: readonly string[]) => workload.running.some(({ image }) => imageOf(image, images))
    const grave = named(params.nodeImages)
    const isKnown = grave || named(params.clusterImages)
    // Others may well wait, and what chooses its nodes has them for itself.
    const isOther =
      !isKnown && (kind === 'DaemonSet' || workload.namespace === 'kube-system') && !isSpecial(pod)
    const low = isKnown ? lowClass(workload, graph) : undefined
    if ((!isKnown && !isOther) || (hasPriority(workload, graph) && !low) || isOtherDns(workload, graph))
      return
    const pending = graph.live ? pendingPods(graph.live, workload) : []
    const isWaiting = pending.length > 0
    const wanted = kind === 'DaemonSet' ? 'system-node-critical' : 'system-cluster-critical'
    report(pod, 'priorityClassName', low ? harmOfLow(low, workload) : harmOfNone(workload, pending), {
      severity: isWaiting && isKnown && !low ? 'error' : grave && !low ? 'warning' : 'info',
      recommended: isKnown && !low,
      evidence: linesOf(pending, 2),
      fix: isKnown ? set(pod, 'priorityClassName', wanted) : undefined,
    })
  },
})

/** What becomes of a workload whose class others may be above. */
function harmOfLow({ metadata, value }: PriorityClass, { name, kind }: Workload): string {
  return `When ${fullOf(kind)} is full, pods of any class above ${value} run and ${name} does not: class ${metadata?.name} gives it no more.`
}

/** What becomes of a workload without priority, or has become of its pods. */
function harmOfNone({ name, kind, pod }: Workload, pending: readonly Pending[]): string {
  const [longest] = pending
  if (longest)
    return `${pending.length === 1 ? 'A pod' : `${pending.length} pods`} of ${name} found no room for ${formatSpan(longest.since)}: without a priority class ordinary pods come first.`
  const why = pod.priorityClassName
    ? `class ${pod.priorityClassName} gives it no priority`
    : 'it has no priority class'
  return `When ${fullOf(kind)} is full, ordinary pods run and ${name} does not: ${why}.`
}

/** What has to be full before pods of the kind find no room. */
function fullOf(kind: string): string {
  return kind === 'DaemonSet' ? 'a node' : 'the cluster'
}

/** Whether the pods choose nodes by more than their system. */
function isSpecial({ nodeSelector, affinity }: PodSpec): boolean {
  return (
    Object.keys(nodeSelector ?? {}).some((key) => !key.endsWith('kubernetes.io/os')) ||
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined
  )
}

/**
 * Whether it is a CoreDNS that serves names of its own: behind a Service, and neither is that of the cluster, or of a kind that no
 * cluster runs its DNS as.
 */
function isOtherDns(workload: Workload, graph: Graph): boolean {
  if (!workload.running.some(({ image }) => imageNamed(image, ['coredns']))) return false
  return workload.kind === 'Deployment'
    ? graph.servicesOf(workload).length > 0 && !isOfClusterDns(workload, graph)
    : workload.kind !== 'DaemonSet'
}

/** The highest value of a class that is not the system's. Source: kubernetes/pkg/apis/scheduling/types.go. */
const highestOfUsers = 1_000_000_000

/** The class of the workload, where the input has it, and others may have a higher one. */
function lowClass({ pod, object }: Workload, graph: Graph): PriorityClass | undefined {
  const found = pod.priorityClassName
    ? graph.find('PriorityClass', pod.priorityClassName, object, '')
    : undefined
  const value = found?.value ?? 0
  return found && value > 0 && value < highestOfUsers ? found : undefined
}

/** Folder changes up to which a class of the input is taken for one of the same cluster. */
const near = 3

/** Whether the workload's class, or the cluster's default, is above 0; a class that is not in the input may be. */
function hasPriority({ pod, object }: Workload, graph: Graph): boolean {
  const { priorityClassName: name } = pod
  if (!name)
    return graph
      .all('PriorityClass')
      .some(
        (one) =>
          one.globalDefault && (one.value ?? 0) > 0 && (graph.live || graph.apart(one, object) <= near),
      )
  const found = graph.find('PriorityClass', name, object, '')
  return found === undefined || (found.value ?? 0) > 0
}
