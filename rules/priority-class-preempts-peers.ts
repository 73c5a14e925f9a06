import {
  at,
  atMost,
  counted,
  enumerate,
  type Graph,
  groupBy,
  isWorkload,
  type Live,
  type ObjectOf,
  presentPods,
  rule,
  set,
  spanSince,
  timeOf,
  type Workload,
} from '../src/rule.js'

type Class = ObjectOf<'PriorityClass'>

export default rule({
  title: 'A priority class lets new pods evict running ones',
  category: 'scheduling',
  severity: 'warning',
  why: `A pod keeps the priority that it was created with. Once a class is the default, or is given to a
workload, each pod that is made anew outranks those that still run without it, and where it finds no room
the scheduler evicts one of them. That one comes back with the class and evicts the next: a rollout becomes
a chain that takes all replicas, as budgets are respected only if that is easy.`,
  remedy:
    'Use `preemptionPolicy: Never` (in a new class, as the field cannot be changed), or give the class to all pods before nodes are full.',
  decides: `A PriorityClass with \`globalDefault: true\`, a value above 0 and \`preemptionPolicy\` not Never; and
each but one of several global defaults: the API server refuses a second one, and of two that came at the same time
the lowest counts. Pods that had to go for pods of that class within the life of events (an hour) make it an error. In a cluster a
workload, too, whose pods have different priorities, of which the higher may
preempt, while a pod of it is Pending. Asked for, the rule names in manifests also workloads of several pods whose
class of the input is \`highValue\` or more and may preempt, as an info.`,
  falsePositives: 'A default class in a new cluster, in which no pod is older than it.',
  versions: '`preemptionPolicy`: GA 1.24. It cannot be changed in a class that exists.',
  sources: [
    'kubernetes/plugin/pkg/admission/priority/admission.go (validatePriorityClass, getDefaultPriorityClass)',
    'kubernetes/pkg/scheduler/framework/preemption (events Preempted: 1.29 names the new pod, 1.26 does not)',
    'kubernetes/pkg/apis/scheduling/validation/validation.go',
  ],
  stories: ['grafana-pod-priorities', 'datadog-10-ways'],
  params: {
    highValue: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      about: 'The priority from which on a class outranks most others.',
    },
  },
  for: ['PriorityClass', 'Workload'],
  check(subject, { graph, params, report }) {
    if (isWorkload(subject)) {
      const found = graph.live ? mixed(subject, graph.live) : undefined
      if (found)
        report(
          subject.pod,
          'priorityClassName',
          `New pods of ${subject.name} outrank its running ones: where nodes are full, each new pod evicts an old one.`,
          { evidence: found },
        )
      else if (!graph.live) {
        const high = outranking(subject, params.highValue, graph)
        if (high)
          report(
            subject.pod,
            'priorityClassName',
            `Where nodes are full, each rollout or scale-up of ${subject.name} evicts pods of others: its class ${high.metadata?.name} outranks all below ${high.value}.`,
            { severity: 'info', recommended: false, see: [at(high, high, 'value')] },
          )
      }
      return
    }
    const { value = 0, globalDefault, preemptionPolicy, metadata } = subject
    if (!globalDefault) return
    const name = metadata?.name ?? 'this class'
    const lower = otherDefaults(subject, graph).find((one) => (one.value ?? 0) < value)
    if (lower) {
      report(
        subject,
        'globalDefault',
        graph.live
          ? `${name} is not the default: of several defaults the lowest counts, and that is ${lower.metadata?.name ?? 'another one'}.`
          : `One of two default classes is refused: the API server takes no second one beside ${lower.metadata?.name}.`,
        { see: [at(lower, lower, 'globalDefault')] },
      )
      return
    }
    if (value <= 0 || preemptionPolicy === 'Never') return
    const gone = graph.live ? preemptedBy(name, graph.live.seen) : []
    report(
      subject,
      'globalDefault',
      gone.length > 0
        ? `New pods evict running ones: ${counted(gone.length, 'pod')} had to go lately for pods with priority ${value}, which all new ones get.`
        : `Each pod that is made anew gets priority ${value} and may evict those that run without: a rollout on full nodes becomes a chain of evictions.`,
      {
        ...(gone.length > 0 && { severity: 'error' }),
        evidence: atMost(3, gone),
        fix: set(subject, 'preemptionPolicy', 'Never'),
      },
    )
  },
})

/** The pods that the scheduler says it has evicted for pods of a class, those that it evicted last first, in lines for evidence. */
function preemptedBy(name: string, live: Live): readonly string[] {
  const preempted = live.events.filter(({ reason }) => reason === 'Preempted')
  if (preempted.length === 0) return []
  const members = new Map(
    live.pods
      .filter(({ spec }) => spec?.priorityClassName === name)
      .map(({ metadata }) => [metadata?.uid ?? '', `${metadata?.namespace}/${metadata?.name}`]),
  )
  return preempted.flatMap((event) => {
    const [, uid = '', node = ''] = /^Preempted by pod (\S+) on node (\S+)/.exec(event.message ?? '') ?? []
    const winner = members.get(uid)
    const pod = event.involvedObject
    return winner === undefined
      ? []
      : [
          `pod ${pod?.namespace}/${pod?.name}, ${spanSince(timeOf(event), live)} ago on node ${node}, for ${winner}`,
        ]
  })
}

/** The class of the input by which several pods of a workload evict others. */
function outranking(workload: Workload, least: number, graph: Graph): Class | undefined {
  const { priorityClassName: name } = workload.pod
  const found = name ? graph.find('PriorityClass', name, workload.object, '') : undefined
  if (!found || (graph.fewestPods(workload)?.pods ?? 0) < 2) return undefined
  return (found.value ?? 0) >= least && found.preemptionPolicy !== 'Never' ? found : undefined
}

/** Other global defaults of the same cluster; in manifests, those nearby. */
function otherDefaults(of: Class, graph: Graph): readonly Class[] {
  return graph
    .all('PriorityClass')
    .filter(
      (one) => one !== of && one.globalDefault && (graph.live !== undefined || graph.apart(one, of) <= 3),
    )
}

/** The priorities of a workload's pods, when they differ, the higher may preempt, and a pod waits for room. */
function mixed(workload: Workload, live: Live): string[] | undefined {
  if (live.troubledPodsOf(workload).length === 0) return undefined
  const pods = presentPods(workload, live)
  const groups = groupBy(pods, ({ spec }) => spec?.priority ?? 0)
  const sorted = [...groups].sort(([a], [b]) => b - a)
  const [highest] = sorted
  const preempts = highest?.[1].some(
    ({ spec, status }) =>
      spec?.preemptionPolicy !== 'Never' && status?.phase === 'Pending' && !spec?.nodeName,
  )
  if (sorted.length < 2 || !preempts) return undefined
  return [
    enumerate(
      sorted.map(([priority, members]) => `${members.length} with priority ${priority}`),
      'and',
    ),
  ]
}
