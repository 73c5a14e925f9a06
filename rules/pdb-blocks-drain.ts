import {
  at,
  type Graph,
  intOrPercent,
  type PodDisruptionBudget,
  rule,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The disruption budget never allows an eviction',
  category: 'scheduling',
  severity: 'error',
  why: `A drain asks for the eviction of each pod and waits while the budget refuses. A budget that can't allow a single one blocks node upgrades, scale-down and repairs for ever, until somebody deletes the pod by hand or the provider's patience ends and
all pods go at once.`,
  remedy: 'Allow one pod to go: `maxUnavailable: 1`, with at least two replicas.',
  decides: `The budget is matched to workloads by their pod labels. With N pods (the autoscaler's minimum, else \`replicas\`, else 1), it allows maxUnavailable, or N less minAvailable; both percentages are rounded up, as the controller does. An error when
that is 0 or less; a warning when N is 1 and \`minAvailable\` is 1, which many set on purpose so that nobody drains the only pod unseen.

Exempt: budgets that match no workload of the input, workloads scaled to 0, and single pods when \`allowSingleReplica\` is on.`,
  falsePositives: 'A manual procedure for drains can be meant: suppress with a link to it.',
  versions: '`maxUnavailable: 0` and `minAvailable: 100%` are legal in policy/v1.',
  sources: ['kubernetes/pkg/controller/disruption/disruption.go (getExpectedPodCount)'],
  stories: ['betz-gke-upgrade', 'devopshof-drain-local', 'loveholidays-gke-upgrade'],
  params: {
    allowSingleReplica: {
      type: 'boolean',
      default: false,
      about: 'Budgets may protect a single pod from any eviction.',
    },
  },
  for: 'PodDisruptionBudget',
  check(budget, { graph, params, report }) {
    const { spec } = budget
    if (!spec) return
    const field = spec.maxUnavailable !== undefined ? 'maxUnavailable' : 'minAvailable'
    const wanted = spec[field]
    if (wanted === undefined) return
    const guarded = graph.guardedBy(budget).filter((workload) => !workload.batch)
    if (guarded.length === 0) return
    const pods = podsOf(guarded, graph)
    // Whatever their number, these never allow one.
    const never = field === 'maxUnavailable' ? wanted === 0 || wanted === '0%' : wanted === '100%'
    if (pods === undefined ? !never : pods === 0) return
    const count = pods ?? 1
    const share = intOrPercent(wanted, count, 'up')
    if (share === undefined) return
    const allowed = field === 'maxUnavailable' ? share : count - share
    if (allowed > 0 && !never) return
    const single = count === 1 && !never
    if (single && params.allowSingleReplica) return
    const [first] = guarded
    const fewest = first && graph.fewestPods(first)
    report(
      spec,
      field,
      `Node drains hang: ${field} ${wanted} ${pods === undefined ? 'never lets a pod' : `of ${count} ${count === 1 ? 'pod' : 'pods'} lets none`} of ${guarded.map((one) => one.name).join(' and ')} go.`,
      {
        severity: single ? 'warning' : 'error',
        see: [
          fewest
            ? at(
                fewest.of,
                fewest.node,
                fewest.field,
                `${fewest.pods} ${fewest.pods === 1 ? 'pod' : 'pods'} at least`,
              )
            : undefined,
        ],
        fix: count > 1 ? fixOf(budget, spec, field) : undefined,
      },
    )
  },
})

function fixOf(_budget: PodDisruptionBudget, spec: object, field: 'maxUnavailable' | 'minAvailable') {
  if (field === 'maxUnavailable') return set(spec, field, 1)
  return {
    title: 'maxUnavailable: 1 instead of minAvailable',
    safe: false,
    edits: [
      { op: 'remove' as const, node: spec, field },
      { op: 'set' as const, node: spec, field: 'maxUnavailable', value: 1 },
    ],
  }
}

/** The fewest pods of all guarded workloads together; undefined when a kind has no number (DaemonSet). */
function podsOf(workloads: readonly Workload[], graph: Graph): number | undefined {
  let sum = 0
  for (const workload of workloads) {
    const fewest = workload.kind === 'Pod' ? { pods: 1 } : graph.fewestPods(workload)
    if (!fewest) return undefined
    sum += fewest.pods
  }
  return sum
}
