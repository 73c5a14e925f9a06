import {
  at,
  atMost,
  containerStates,
  type Graph,
  hasOwnVolumes,
  type Live,
  type PodSpec,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

/** How long a pod may be ending before it is worth a word, in milliseconds: so long the cluster autoscaler waits. */
const longEnding = 600_000

export default rule({
  title: 'Pods may take so long to stop that drains and upgrades stall',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A drain waits for every pod of the node. With grace periods of an hour an upgrade takes hours per
node, or is cut short: by default upgrades of GKE end pods after an hour, the cluster autoscaler after ten
minutes, and a spot machine is gone within 15 to 120 seconds of its notice.`,
  remedy: 'Hand the work over or save it sooner, and keep the grace period below ten minutes.',
  decides: `\`terminationGracePeriodSeconds\` above \`warnAbove\`; for StatefulSets with volume claims,
which may have data to move, above \`claimsWarnAbove\`; for pods that must run on spot nodes (by
nodeSelector or required node affinity) above \`spotMax\`, as those nodes do not wait. Jobs are exempt, and
single Pods unless the rule is asked for. For pods of DaemonSets rollouts wait, drains do not.

In a cluster the pods stand below the finding that have been ending for more than ten minutes, and still run.`,
  falsePositives:
    'Connections that cannot be handed over, such as games or calls: raise `warnAbove`, and plan upgrades with it.',
  versions: 'cluster-autoscaler: --max-graceful-termination-sec, default 600.',
  sources: [
    'autoscaler/cluster-autoscaler/FAQ.md (max-graceful-termination-sec)',
    'GKE documentation, surge upgrades and Spot VMs; Amazon EC2 documentation, Spot Instance interruption notices (2 min)',
    'kubernetes issue 94435',
  ],
  stories: ['betz-gke-upgrade', 'loveholidays-gke-upgrade'],
  params: {
    warnAbove: { type: 'integer', minimum: 1, default: 600, about: 'Seconds that are fine.' },
    claimsWarnAbove: {
      type: 'integer',
      minimum: 1,
      default: 3600,
      about: 'Seconds that are fine for StatefulSets with volume claims.',
    },
    spotMax: {
      type: 'integer',
      minimum: 1,
      default: 120,
      about: 'Seconds that a spot node gives at most: two minutes on AWS, 15 s by default on GKE.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod } = workload
    const grace = pod.terminationGracePeriodSeconds
    if (grace === undefined || workload.batch) return
    const recommended = workload.kind !== 'Pod'
    const spot = spotOf(pod)
    const evidence = graph.live ? endingIn(workload, graph, graph.live.seen) : []
    if (spot && grace > params.spotMax) {
      report(
        pod,
        'terminationGracePeriodSeconds',
        `The node is gone before ${workload.name} has stopped: spot nodes give ${params.spotMax} s at most, the pods take up to ${grace} s.`,
        { recommended, evidence, see: [at(workload, spot.node, spot.field, 'a spot node')] },
      )
    } else if (grace > (hasOwnVolumes(workload) ? params.claimsWarnAbove : params.warnAbove)) {
      report(
        pod,
        'terminationGracePeriodSeconds',
        `${consequence(workload, grace)}: its grace period is ${grace} s.`,
        { recommended, evidence },
      )
    }
  },
})

/** Who waits for the pods, and what cuts them off. A drain passes over those of DaemonSets. */
function consequence({ kind, name }: Workload, grace: number): string {
  const span = `${Math.round(grace / 60)} min for each pod of ${name}`
  return kind === 'DaemonSet'
    ? `Rollouts wait up to ${span}`
    : `Drains and upgrades wait up to ${span}, or cut it off`
}

/**
 * The pods that have been ending for long while a container of theirs still runs. Those that have used up their grace
 * period are left to pod-stuck-terminating.
 */
function endingIn(workload: Workload, graph: Graph, live: Live): string[] {
  const ending = live.podsOf(workload).flatMap((pod) => {
    const { name = '', deletionTimestamp, deletionGracePeriodSeconds: grace } = pod.metadata ?? {}
    // The time of the deletion has the grace period in it.
    const end = Date.parse(deletionTimestamp ?? '')
    const begun = end - (grace ?? Number.NaN) * 1000
    if (!(live.now - begun > longEnding && live.now < end)) return []
    if (!containerStates(pod).some(({ state }) => state?.running)) return []
    const { nodeName = '' } = pod.spec ?? {}
    const node = graph.seen('Node').find(({ metadata }) => metadata?.name === nodeName)
    const cordoned = node?.spec?.unschedulable ? ', which is cordoned' : ''
    return [
      {
        begun,
        text: `pod ${name} has been ending for ${spanSince(begun, live)} on node ${nodeName}${cordoned}`,
      },
    ]
  })
  return atMost(
    3,
    ending.sort((a, b) => a.begun - b.begun).map(({ text }) => text),
  )
}

/** Where the pod asks for a spot node. Label names of GKE, EKS, Karpenter, AKS and kops. */
function spotOf(pod: PodSpec): { node: object; field: string } | undefined {
  const isSpot = (key: string, value: string) =>
    (/(^|[./-])(spot|preemptible)$/.test(key) && value === 'true') ||
    (/(^|[./-])(capacity-?type|lifecycle|scalesetpriority)$/i.test(key) && /spot|preemptible/i.test(value))
  const selector = pod.nodeSelector ?? {}
  const found = Object.entries(selector).find(([key, value]) => isSpot(key, value))
  if (found) return { node: selector, field: found[0] }
  const terms =
    pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const expressions = terms.map((term) =>
    term.matchExpressions?.find(
      ({ key = '', operator, values = [] }) =>
        operator === 'In' && values.length > 0 && values.every((value) => isSpot(key, value)),
    ),
  )
  // Terms are alternatives: all of them must ask for it.
  const [first] = expressions
  return first && expressions.every((one) => one) ? { node: first, field: 'key' } : undefined
}
