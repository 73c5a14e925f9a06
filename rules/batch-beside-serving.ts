import {
  at,
  atMost,
  type CronJob,
  counted,
  type Graph,
  holds,
  type Job,
  jobSpecOf,
  type Live,
  podsAtOnce,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A wide Job may crowd out the Services on its nodes',
  category: 'scheduling',
  severity: 'warning',
  why: `The pods of a Job are placed like any others, and all of its \`parallelism\` at once: they fill the nodes
that Services run on, up to the last request. Pods of a Service that must move, or scale up, then find no place,
as pods of the same priority are never displaced; and what the batch takes beyond its requests, memory, disk
and network, it takes from its neighbours.`,
  remedy: 'Give the Job a PriorityClass below 0, nodes of its own, or a queue with a quota.',
  decides: `A Job or CronJob that runs more than \`maxParallelism\` pods at a time (\`parallelism\`, or fewer
\`completions\`) where the input has a workload behind a Service, and whose pods have neither a \`nodeSelector\`, a
required node affinity, a toleration of a taint, nor a PriorityClass of their own (one of the input with a value of
0 or more does not count). Asked for, the rule also names such Jobs where the input has none, and, as an info,
CronJobs and Jobs of a few pods at a time beside a workload behind a Service.

An error in a cluster while pods of it run on nodes that are short of memory, disk or process ids, beside pods of
Services. Jobs that a queue or another scheduler admits (\`kueue.x-k8s.io/queue-name\`, Volcano, \`schedulerName\`)
are exempt, and so are suspended ones and those with \`managedBy\`.`,
  falsePositives: 'Clusters in which only batch runs, apart from what watches it.',
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/defaultpreemption',
    'k8s.io/api/batch/v1/types.go (JobSpec.parallelism, completions)',
  ],
  stories: ['algolia-jobs', 'universe-job-restart', 'dfds-agent-system-oom', 'civis-large-cluster'],
  params: {
    maxParallelism: {
      type: 'integer',
      minimum: 1,
      default: 20,
      about: 'Pods that a Job may run at the same time without a place of its own.',
    },
  },
  for: ['Job', 'CronJob'],
  check(subject, { graph, params, isAsked, report }) {
    const workload = graph.workload(subject)
    const job = jobSpecOf(subject)
    const parallelism = job ? podsAtOnce(job) : 1
    if (!workload || !job || workload.controlled) return
    if (
      job.suspend ||
      job.managedBy !== undefined ||
      isQueued(subject, workload) ||
      hasPlace(workload, graph)
    )
      return
    const serving = graph.once('batch-beside-serving', () =>
      graph.seenWorkloads.filter((one) => !one.batch && !one.controlled && graph.servicesOf(one).length > 0),
    )
    const [first] = serving
    const isWide = parallelism > params.maxParallelism
    if (!isWide || !first) {
      if (!isAsked) return
      if (isWide)
        report(
          job,
          'parallelism',
          `${parallelism} pods of ${workload.name} may fill the nodes of Services: nothing keeps them apart, and they rank no lower.`,
          { recommended: false },
        )
      // A single pod that runs once is soon gone.
      const near =
        parallelism > 1 || subject.kind === 'CronJob'
          ? graph.nearby(subject).find((one) => serving.includes(one) && graph.together(one.object, subject))
          : undefined
      if (near)
        report(
          job,
          undefined,
          `${workload.name} may take the room that ${graph.describe(near.object)} needs to scale or move: its pods may run on the same nodes, and rank no lower.`,
          { severity: 'info', recommended: false, see: [at(near, near.object)] },
        )
      return
    }
    const pressed = graph.live ? pressedNodes(workload, serving, graph, graph.live) : []
    report(
      job,
      'parallelism',
      pressed.length > 0
        ? `${workload.name} runs on ${pressed.length === 1 ? 'a node that is' : `${pressed.length} nodes that are`} short of resources, beside pods of Services, and nothing ranks it below them.`
        : `${parallelism} pods of ${workload.name} may fill the nodes of ${serving.length === 1 ? graph.describe(first.object) : `${serving.length} workloads behind Services`}, and rank no lower.`,
      {
        severity: pressed.length > 0 ? 'error' : 'warning',
        evidence: atMost(3, pressed),
        see: [serving.length === 1 ? at(first, first.object) : undefined],
      },
    )
  },
})

function isQueued({ metadata }: CronJob | Job, { labels, pod, annotations }: Workload): boolean {
  return (
    [metadata?.labels ?? {}, labels, metadata?.annotations ?? {}, annotations].some((map) =>
      Object.keys(map).some((key) => /^kueue\.x-k8s\.io\/queue-name$|volcano\.sh\/queue-name$/.test(key)),
    ) || (pod.schedulerName ?? 'default-scheduler') !== 'default-scheduler'
  )
}

/** Whether the pods have nodes of their own, or a lower rank. */
function hasPlace({ pod, object }: Workload, graph: Graph): boolean {
  const name = pod.priorityClassName
  const priority = name === undefined ? undefined : graph.find('PriorityClass', name, object, '')
  const ranksLower = name !== undefined && (priority === undefined || (priority.value ?? 0) < 0)
  return (
    ranksLower ||
    Object.keys(pod.nodeSelector ?? {}).some((key) => !key.endsWith('kubernetes.io/os')) ||
    pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined ||
    (pod.tolerations ?? []).some(({ key }) => !(key ?? '').startsWith('node.kubernetes.io/'))
  )
}

const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure']

/** The nodes under pressure on which pods of the Job run beside pods of Services. */
function pressedNodes(workload: Workload, serving: readonly Workload[], graph: Graph, live: Live): string[] {
  const nodesOf = (one: Workload) =>
    live
      .podsOf(one)
      .flatMap(({ spec, status }) => (status?.phase === 'Running' ? (spec?.nodeName ?? []) : []))
  const mine = nodesOf(workload)
  const theirs = new Set(serving.flatMap(nodesOf))
  return graph.seen('Node').flatMap((node) => {
    const name = node.metadata?.name ?? ''
    const count = mine.filter((one) => one === name).length
    const pressure = pressures.filter((type) => holds(node, type))
    if (count === 0 || pressure.length === 0 || !theirs.has(name)) return []
    return [`node ${name}: ${pressure.join(', ')}, ${counted(count, 'pod')} of the Job`]
  })
}
