import {
  atMost,
  bytes,
  counted,
  formatSpan,
  imageNamed,
  isStranded,
  rule,
  toleratesAll,
  troubleOf,
  unreadyPods,
  type Workload,
} from '../src/rule.js'

/** Source: kubernetes/pkg/apis/scheduling/types.go. */
const nodeCritical = 2_000_001_000

/** Providers of the Secrets Store CSI Driver, whose own manifests have no priority. */
const providers = /secrets-store-csi-driver-provider|secrets-store.*\/provider-|vault-csi-provider/

export default rule({
  title: 'The credentials agent of every node can be throttled or evicted',
  category: 'identity',
  severity: 'error',
  why: `All pods of a node get their cloud credentials from one agent. When its CPU limit throttles it,
requests time out; when it has no priority it is evicted or not placed on a full node. New pods there get no
credentials then, and running ones lose access to storage, queues and databases as theirs expire.`,
  remedy:
    'Give the agent `priorityClassName: system-node-critical`, requests, a toleration for all taints, and no CPU limit.',
  decides: `DaemonSets whose image is one of \`images\`. An error for a CPU limit or a priority below
system-node-critical; a warning for a memory limit below 64Mi, missing requests (those of the pod count), or no toleration for all
taints (so that tainted nodes have no agent). All causes are in one finding. Providers of the Secrets Store
CSI Driver are a warning where the rule is asked for.

In a cluster: an error where a pod of the agent has not been ready for two minutes on a node that is,
whatever its manifest says.`,
  sources: ['kubernetes/pkg/apis/scheduling/types.go (system-node-critical)'],
  stories: [
    'dfds-node-deletion',
    'dfds-agent-system-oom',
    'zalando-kubelet-qps',
    'datadog-10-ways',
    'zalando-credentials-queue',
  ],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['kube2iam', 'kiam', 'eks-pod-identity-agent', 'nmi', 'gke-metadata-server'],
      about: 'Parts of image names of such agents.',
    },
  },
  for: 'DaemonSet',
  check(daemonSet, { graph, params, report }) {
    const workload = graph.workload(daemonSet)
    const agent = workload?.running.find((one) => imageNamed(one.image, params.images))
    const container = agent ?? workload?.running.find(({ image }) => image && providers.test(image))
    if (!workload || !container) return
    const { limits, requests } = container.spec.resources ?? {}
    const { pod } = workload
    const cpu = limits?.cpu
    const grave: string[] = []
    const minor: string[] = []
    if (cpu !== undefined) grave.push(`CPU limit ${cpu}`)
    if (
      (priorityOf(workload, graph.find('PriorityClass', pod.priorityClassName, daemonSet, '')?.value) ??
        nodeCritical) < nodeCritical
    ) {
      grave.push(pod.priorityClassName ? `priority class ${pod.priorityClassName}` : 'no priority class')
    }
    const memory = bytes(limits?.memory)
    if (memory !== undefined && memory < 64 * 2 ** 20) minor.push(`memory limit ${limits?.memory}`)
    if (!requests && !limits && !pod.resources) minor.push('no requests')
    if (!toleratesAll(pod)) minor.push('no toleration for all taints')
    const causes = [...grave, ...minor]
    const { live } = graph
    const down = (live ? unreadyPods(live.podsOf(workload), live, 120) : []).filter(
      ({ pod }) => !isStranded(pod, graph, daemonSet),
    )
    if (live && down.length > 0) {
      const span = formatSpan(Math.min(...down.map(({ seconds }) => seconds)))
      report(
        daemonSet,
        undefined,
        agent
          ? `Pods on ${counted(down.length, 'node')} get no cloud credentials: the agent ${workload.name} has not been ready there for ${span}.`
          : `New pods on ${counted(down.length, 'node')} get no volumes of secrets: the provider ${workload.name} has not been ready there for ${span}.`,
        {
          severity: 'error',
          evidence: [
            ...atMost(
              3,
              down.map(
                ({ pod }) =>
                  `pod ${pod.metadata?.name} on ${pod.spec?.nodeName}: ${troubleOf(pod, live) ?? 'not ready'}`,
              ),
            ),
            ...(causes.length > 0 ? [causes.join(', ')] : []),
          ],
        },
      )
      return
    }
    if (causes.length === 0) return
    report(
      cpu !== undefined && limits ? limits : pod,
      cpu !== undefined ? 'cpu' : 'priorityClassName',
      agent
        ? `Every pod of a node loses its cloud access when ${workload.name} is throttled or evicted: ${causes.join(', ')}.`
        : `New pods of a node get no volumes of secrets when ${workload.name} is throttled or evicted: ${causes.join(', ')}.`,
      { severity: agent && grave.length > 0 ? 'error' : 'warning', recommended: agent !== undefined },
    )
  },
})

/** The priority as far as the input tells; undefined when it names a class that is not in the input. */
function priorityOf(workload: Workload, value: number | undefined): number | undefined {
  const { pod } = workload
  if (pod.priority !== undefined) return pod.priority
  if (pod.priorityClassName === 'system-node-critical') return nodeCritical
  if (pod.priorityClassName === 'system-cluster-critical') return 2_000_000_000
  return pod.priorityClassName ? value : 0
}
