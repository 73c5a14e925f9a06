import {
  atMost,
  bytes,
  type Container,
  counted,
  formatSpan,
  type Graph,
  imageNamed,
  isStranded,
  type Live,
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
    const { limits } = container.spec.resources ?? {}
    const grave = graveCauses(container, workload, graph)
    const causes = [...grave, ...lesserCauses(container, workload)]
    const { live } = graph
    const down = live ? downIn(workload, graph, live) : undefined
    if (down) {
      const { nodes, span, lines } = down
      report(
        daemonSet,
        undefined,
        agent
          ? `Pods on ${counted(nodes, 'node')} get no cloud credentials: the agent ${workload.name} has not been ready there for ${span}.`
          : `New pods on ${counted(nodes, 'node')} get no volumes of secrets: the provider ${workload.name} has not been ready there for ${span}.`,
        { severity: 'error', evidence: [...lines, ...(causes.length > 0 ? [causes.join(', ')] : [])] },
      )
      return
    }
    if (causes.length === 0) return
    report(
      limits?.cpu !== undefined ? limits : workload.pod,
      limits?.cpu !== undefined ? 'cpu' : 'priorityClassName',
      agent
        ? `Every pod of a node loses its cloud access when ${workload.name} is throttled or evicted: ${causes.join(', ')}.`
        : `New pods of a node get no volumes of secrets when ${workload.name} is throttled or evicted: ${causes.join(', ')}.`,
      { severity: agent && grave.length > 0 ? 'error' : 'warning', recommended: agent !== undefined },
    )
  },
})

/** What makes it slow in the ordinary course of things, or lets other pods take its place. */
function graveCauses({ spec }: Container, workload: Workload, graph: Graph): readonly string[] {
  const { pod, object } = workload
  const cpu = spec.resources?.limits?.cpu
  const named = graph.find('PriorityClass', pod.priorityClassName, object, '')
  const isLow = (priorityOf(workload, named?.value) ?? nodeCritical) < nodeCritical
  const own = pod.priorityClassName ? `priority class ${pod.priorityClassName}` : 'no priority class'
  return [...(cpu === undefined ? [] : [`CPU limit ${cpu}`]), ...(isLow ? [own] : [])]
}

/** What makes that worse, and is well on many nodes. */
function lesserCauses({ spec }: Container, { pod }: Workload): readonly string[] {
  const { limits, requests } = spec.resources ?? {}
  const isTight = (bytes(limits?.memory) ?? Number.POSITIVE_INFINITY) < 64 * 2 ** 20
  const isBare = !requests && !limits && !pod.resources
  return [
    ...(isTight ? [`memory limit ${limits?.memory}`] : []),
    ...(isBare ? ['no requests'] : []),
    ...(toleratesAll(pod) ? [] : ['no toleration for all taints']),
  ]
}

/** On how many nodes it has not been ready for two minutes, for how long at least, and why. */
function downIn(workload: Workload, graph: Graph, live: Live) {
  const down = unreadyPods(live.podsOf(workload), live, 120).filter(
    ({ pod }) => !isStranded(pod, graph, workload.object),
  )
  if (down.length === 0) return undefined
  const lines = down.map(
    ({ pod }) => `pod ${pod.metadata?.name} on ${pod.spec?.nodeName}: ${troubleOf(pod, live) ?? 'not ready'}`,
  )
  const span = formatSpan(Math.min(...down.map(({ seconds }) => seconds)))
  return { nodes: down.length, span, lines: atMost(3, lines) }
}

/** The priority as far as the input tells; undefined when it names a class that is not in the input. */
function priorityOf(workload: Workload, value: number | undefined): number | undefined {
  const { pod } = workload
  if (pod.priority !== undefined) return pod.priority
  if (pod.priorityClassName === 'system-node-critical') return nodeCritical
  if (pod.priorityClassName === 'system-cluster-critical') return 2_000_000_000
  return pod.priorityClassName ? value : 0
}
