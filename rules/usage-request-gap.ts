import {
  allocatableMemory,
  atMost,
  bytes,
  formatBytes,
  type Graph,
  groupBy,
  isGone,
  type Live,
  objectsAt,
  presentPods,
  requestOfPod,
  rule,
  stringAt,
  targetNamed,
  verticalAutoscalerOf,
  type Workload,
} from '../src/rule.js'

/** Bytes that count on a node whose size is not known. */
const large = 2 ** 30
/** Less than this is of no account on any node. */
const small = 64 * 2 ** 20

export default rule({
  title: 'Pods use far more memory than the scheduler was told',
  category: 'resources',
  severity: 'warning',
  why: `The scheduler fills a node by requests, not by use. Memory that a pod takes beyond its request was
promised to others. When all of them want theirs the node runs out, and the kubelet evicts those first that use
more than they asked for, however healthy they are: the least important of them, and of these the furthest above.
When it is too late for that the kernel kills them.`,
  remedy: 'Raise the memory request to what the pods use at their peak, from days of measurement.',
  decides: `The memory of the pods (\`pods\` of \`metrics.k8s.io\`, as \`kubectl top pods\` shows it) against
their request. Reported when pods older than \`minAge\` use more than \`over\` times what they asked for, and on
one node together that many percent of its allocatable memory beyond it (\`share\`; 1Gi where the node could not
be read). It is one sample: weak evidence of a habit, and enough of a fact about now. A warning when the pods on
that node use more than \`full\` percent of its memory, otherwise an info. What a VerticalPodAutoscaler recommends
from days of samples stands below.

With \`under\` pods are reported, too, whose memory and CPU are all below that part of their requests: an info, and no
reason to cut a service that has a peak. Where the rule is asked for a tenth is that part if none is given, and \`share\`
does not count: an info for each that uses \`over\` times what it asked for.

Exempt: Jobs, pods without requests (\`resource-requests-missing\`), workloads whose requests a
VerticalPodAutoscaler writes. Use of CPU above the request is no fault by itself: it is idle time of others.`,
  falsePositives: `The measure is the working set, in which file pages in active use count: a database or a log
shipper may look larger than what it needs. The kubelet counts in the same way when it evicts.`,
  sources: [
    'k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go',
    'kubernetes/pkg/kubelet/eviction/helpers.go (rankMemoryPressure)',
    'Kubernetes documentation, node-pressure eviction',
  ],
  stories: ['dfds-agent-system-oom', 'betz-resource-limits', 'zalando-credentials-queue'],
  params: {
    over: { type: 'number', minimum: 1, default: 1.5, about: 'Memory in use, as a multiple of the request.' },
    share: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 5,
      about: "Percent of a node's allocatable memory that the pods there must use beyond their requests.",
    },
    full: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 80,
      about: "Percent of a node's allocatable memory in use from which the finding is a warning.",
    },
    minAge: { type: 'integer', minimum: 0, default: 3600, about: 'Seconds that a pod must have run.' },
    under: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      about: 'Report pods that use less than this part of their requests, after a day; 0 is never.',
    },
  },
  unless: ['resource-requests-missing'],
  needs: 'cluster',
  reads: ['metrics.k8s.io/PodMetrics'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    const [container] = workload.running
    if (!live || !container || workload.batch || verticalAutoscalerOf(workload, graph)) return
    const pods = measured(workload, live, params.minAge)
    const grave = worstNode(pods, graph, live, params)
    // Who asks for it wants to hear of each that asked for too little.
    const worst = grave ?? worstNode(pods, graph, live, { over: params.over, share: 0 })
    const field = container.spec.resources ? 'resources' : 'name'
    if (worst) {
      const { name, excess, size, total } = worst
      const isFull = size !== undefined && total !== undefined && total > (params.full / 100) * size
      const line =
        size === undefined || total === undefined
          ? []
          : [`node ${name}: pods use ${formatBytes(total)} of ${formatBytes(size)} allocatable`]
      report(
        container.spec,
        field,
        `Pods of ${workload.name} take ${formatBytes(excess)} more of node ${name} than they asked for, and are evicted first when it runs out; measured once.`,
        {
          severity: grave && isFull ? 'warning' : 'info',
          recommended: grave !== undefined,
          evidence: [...line, ...linesOfPods(worst.pods), ...recommendations(workload, graph)],
        },
      )
      return
    }
    const under = params.under || 0.1
    if (isIdle(workload, live, under))
      report(
        container.spec,
        field,
        `Each pod of ${workload.name} uses less than ${Number((under * 100).toFixed(1))} % of the CPU and memory that it keeps from others; measured once.`,
        {
          severity: 'info',
          recommended: params.under > 0,
          evidence: [...linesOfPods(pods), ...recommendations(workload, graph)],
        },
      )
  },
})

/** A pod with what it uses and what it asked for, in bytes and cores. */
interface Measured {
  readonly name: string
  readonly node: string
  readonly memory: number
  readonly cpu: number
  readonly request: number
  readonly cpuRequest: number
}

/** The pods of the workload that have requests, have run for so many seconds, and whose use is known. */
function measured(workload: Workload, live: Live, minAge: number): Measured[] {
  return live.podsOf(workload).flatMap((pod) => {
    const usage = live.usageOf(pod)
    if (!usage?.length || isGone(pod)) return []
    const age = (live.now - Date.parse(pod.status?.startTime ?? '')) / 1000
    const request = requestOfPod(pod, 'memory')
    if (request === 0 || !(age >= minAge)) return []
    const sum = (resource: 'cpu' | 'memory') => usage.reduce((all, one) => all + one[resource], 0)
    const { metadata, spec } = pod
    return [
      {
        name: metadata?.name ?? '',
        node: spec?.nodeName ?? '',
        memory: sum('memory'),
        cpu: sum('cpu'),
        request,
        cpuRequest: requestOfPod(pod, 'cpu'),
      },
    ]
  })
}

/** Of the nodes on which the pods use far more than they asked for, the one for which it is most. */
function worstNode(
  pods: readonly Measured[],
  graph: Graph,
  live: Live,
  { over, share }: { readonly over: number; readonly share: number },
) {
  const sizes = allocatableMemory(graph)
  return [...groupBy(pods, ({ node }) => node)]
    .flatMap(([name, pods]) => {
      const used = pods.reduce((sum, { memory }) => sum + memory, 0)
      const excess = used - pods.reduce((sum, { request }) => sum + request, 0)
      const size = sizes.get(name)
      if (excess < (share === 0 ? small : size === undefined ? large : (share / 100) * size)) return []
      if (used <= over * (used - excess)) return []
      return [{ name, pods, excess, size }]
    })
    .sort((a, b) => b.excess / (b.size ?? large) - a.excess / (a.size ?? large))
    .slice(0, 1)
    .map((worst) => ({
      ...worst,
      // Without its size a node's sum says nothing, and in the scan of one namespace it would be wrong.
      total:
        worst.size === undefined
          ? undefined
          : graph.once('usage-request-gap totals', () => totalsOf(live)).get(worst.name),
    }))[0]
}

/** The bytes that all pods of each node use. */
function totalsOf(live: Live): ReadonlyMap<string, number> {
  const totals = new Map<string, number>()
  for (const pod of live.pods) {
    const { nodeName = '' } = pod.spec ?? {}
    const used = live.usageOf(pod)?.reduce((sum, { memory }) => sum + memory, 0) ?? 0
    totals.set(nodeName, (totals.get(nodeName) ?? 0) + used)
  }
  return totals
}

function linesOfPods(pods: readonly Measured[]): string[] {
  const sorted = [...pods].sort((a, b) => b.memory - a.memory || (a.name < b.name ? -1 : 1))
  return atMost(
    2,
    sorted.map(
      ({ name, memory, request }) =>
        `pod ${name}: ${formatBytes(memory)} used, ${formatBytes(request)} requested`,
    ),
  )
}

/** Whether every pod has run for a day and uses next to nothing of all that it asked for. */
function isIdle(workload: Workload, live: Live, under: number): boolean {
  const pods = measured(workload, live, 86_400)
  return (
    pods.length > 0 &&
    pods.length === presentPods(workload, live).length &&
    pods.every((one) => one.memory < under * one.request && one.cpu < under * one.cpuRequest)
  )
}

const autoscalers = 'autoscaling.k8s.io/VerticalPodAutoscaler'

/** Source: autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go. */
function recommendations(workload: Workload, graph: Graph): string[] {
  const vpa = graph.siblings(autoscalers, workload.object).find((one) => targetNamed(one, workload))
  return objectsAt(vpa, 'status', 'recommendation', 'containerRecommendations').flatMap((one) => {
    const target = bytes(stringAt(one, 'target', 'memory'))
    return target === undefined
      ? []
      : [
          `VerticalPodAutoscaler: ${formatBytes(target)} for container ${stringAt(one, 'containerName') ?? ''}`,
        ]
  })
}
