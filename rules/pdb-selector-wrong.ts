import {
  ageOf,
  at,
  formatSpan,
  type Graph,
  mayMean,
  nearestName,
  type ObjectOf,
  rule,
  selectsAll,
} from '../src/rule.js'

type Budget = ObjectOf<'PodDisruptionBudget'>

export default rule({
  title: 'A disruption budget selects no pods, or pods that have another budget',
  category: 'scheduling',
  severity: 'error',
  why: `A budget without pods protects nothing, and nobody is told. With two budgets for one pod the API
server refuses every eviction of it with status 500, however many pods may go: drains, node upgrades and
scale-down hang until one of them is deleted.`,
  remedy: 'Select the pods of one workload, and select each workload with one budget.',
  decides: `Two budgets of a namespace whose selectors match the same pod template: an error, reported on
one of the two. A budget that matches nothing: an error when a workload nearby has nearly the label that it asks for; a
warning without one, where all of the namespace is known (\`--complete\`), no account in it may make or label pods and no operator seems
to make them, and in a cluster when
\`status.expectedPods\` has been 0 since the budget was made, \`minutes\` ago or more.

Workloads that are scaled to 0 count as selected.`,
  sources: [
    'kubernetes/pkg/registry/core/pod/storage/eviction.go',
    'kubernetes/pkg/controller/disruption/disruption.go',
  ],
  stories: ['devopshof-drain-local', 'betz-gke-upgrade'],
  params: {
    minutes: { type: 'integer', minimum: 0, default: 10, about: 'How old a budget without pods must be.' },
  },
  for: 'PodDisruptionBudget',
  check(budget, { graph, params, report }) {
    const { spec, metadata, status } = budget
    if (!spec?.selector) return
    const guarded = graph.guardedBy(budget)
    for (const workload of guarded) {
      const [first] = graph.budgetsOf(workload)
      // A second object of the same name is another version of the first.
      if (!first || first === budget || isSame(first, budget, graph)) continue
      report(
        spec,
        'selector',
        `Drains hang: pods of ${workload.name} have two budgets, and the API server refuses every eviction of such pods.`,
        { see: [at(first, first.spec ?? first, 'selector', 'the other budget')] },
      )
      return
    }
    if (guarded.length > 0 || selectsAll(spec.selector)) return
    const { live } = graph
    const age = live ? ageOf(budget, live) : 0
    if (live && ((status?.expectedPods ?? 0) > 0 || age < params.minutes * 60)) return
    const near = nearMatch(budget, graph)
    const { selector } = spec
    const isMeant = () => !live && mayMean(selector, budget, graph)
    if (!near && (!graph.hasAllPods(selector.matchLabels, budget) || isMeant())) return
    const name = metadata?.name ?? 'the budget'
    report(
      spec,
      'selector',
      near
        ? `Nothing protects the pods of ${near.workload.name}: the budget asks for ${near.key}=${near.value}, and they have ${near.key}=${near.is}.`
        : `${name} protects nothing: no pods have the labels that it asks for.`,
      {
        severity: near ? 'error' : 'warning',
        see: near
          ? [at(near.workload.object, near.workload.template.metadata ?? near.workload.pod, 'labels')]
          : [],
        evidence:
          live && Number.isFinite(age) ? [`expected pods: 0, made ${formatSpan(age)} ago`] : undefined,
      },
    )
  },
})

function isSame(one: Budget, other: Budget, graph: Graph): boolean {
  return one.metadata?.name === other.metadata?.name && graph.namespaceOf(one) === graph.namespaceOf(other)
}

/** A workload without budget that would be selected were it not for the spelling of one value. */
function nearMatch(budget: Budget, graph: Graph) {
  const wanted = Object.entries(budget.spec?.selector?.matchLabels ?? {})
  for (const workload of graph.nearby(budget)) {
    if (workload.controlled || workload.batch || !graph.together(budget, workload)) continue
    if (graph.budgetsOf(workload).length > 0) continue
    const off = wanted.filter(([key, value]) => workload.labels[key] !== value)
    const [key = '', value = ''] = off[0] ?? []
    const is = workload.labels[key]
    if (off.length === 1 && is !== undefined && nearestName(value, [is]) !== undefined)
      return { workload, key, value, is }
  }
  return undefined
}
