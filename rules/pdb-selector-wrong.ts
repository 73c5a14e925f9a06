import {
  ageOf,
  allOf,
  asksForOwner,
  at,
  type Fault,
  firstOf,
  formatSpan,
  type Graph,
  groupOf,
  intOrPercent,
  matchesAnywhere,
  mayMean,
  nearestName,
  nearlyMatching,
  type ObjectOf,
  ownValue,
  pairsOf,
  rule,
  selectsAll,
  type Workload,
} from '../src/rule.js'

type Budget = ObjectOf<'PodDisruptionBudget'>

export default rule({
  title: 'A disruption budget selects no pods, or pods that have another budget',
  category: 'scheduling',
  severity: 'error',
  why: `A budget without pods protects nothing, and nobody is told. With two budgets for one pod the API
server refuses every eviction of it with status 500 while it runs, however many pods may go: drains, node upgrades and
scale-down hang until one of them is deleted.`,
  remedy: 'Select the pods of one workload, and select each workload with one budget.',
  decides: `Two budgets of a namespace whose selectors match the same pod template: an error, reported on one of the
two. A budget that matches nothing is an error when a workload nearby has nearly the label that it asks for, or has
the labels itself and its pods have not. Without one it is a warning where all of the namespace is known (\`--complete\`), no account in it may make or label pods
and no operator seems to make them; in a cluster when \`status.expectedPods\` has been 0 since the budget was made,
\`minutes\` ago or more.

Workloads that are scaled to 0 count as selected. Asked for, the rule also names budgets that match nothing of
partial input, and, as an info, those for several workloads that let all pods of one of them go at once.`,
  sources: [
    'kubernetes/pkg/registry/core/pod/storage/eviction.go',
    'kubernetes/pkg/controller/disruption/disruption.go',
  ],
  stories: ['devopshof-drain-local', 'betz-gke-upgrade'],
  params: {
    minutes: { type: 'integer', minimum: 0, default: 10, about: 'How old a budget without pods must be.' },
  },
  for: 'PodDisruptionBudget',
  check(budget, { graph, params, isAsked, report }) {
    const { spec } = budget
    if (!spec?.selector) return
    const guarded = graph.guardedBy(budget)
    const clash = clashOf(budget, guarded, graph)
    const isOfAll = selectsAll(spec.selector)
    const fault = clash
      ? twoBudgets(clash, spec)
      : guarded.length === 0 && !isOfAll
        ? protectsNothing(budget, spec, { minutes: params.minutes, isAsked }, graph)
        : isAsked && !graph.live && !isOfAll
          ? drainedAtOnce(spec, guarded, graph)
          : undefined
    if (fault) report(...fault)
  },
})

type Spec = NonNullable<Budget['spec']>

/** A workload of a budget, and another budget that guards it, too. */
interface Clash {
  readonly workload: Workload
  readonly first: Budget
}

function twoBudgets({ workload, first }: Clash, spec: Spec): Fault {
  return [
    spec,
    'selector',
    `Drains hang: pods of ${workload.name} have two budgets, and the API server refuses every eviction of such pods.`,
    { see: [at(first, first.spec ?? first, 'selector', 'the other budget')] },
  ]
}

/** That a budget has no pods. */
function protectsNothing(
  budget: Budget,
  spec: Spec,
  { minutes, isAsked }: { readonly minutes: number; readonly isAsked: boolean },
  graph: Graph,
): Fault | undefined {
  const { live } = graph
  const age = live ? ageOf(budget, live) : 0
  if (live && ((budget.status?.expectedPods ?? 0) > 0 || age < minutes * 60)) return undefined
  const near = nearMatch(budget, graph)
  const isSure = near !== undefined || isOfNoPods(budget, spec, graph)
  if (!isSure && (!isAsked || live || graph.complete || arePodsElsewhere(budget, graph))) return undefined
  const pods =
    near && at(near.workload.object, near.workload.template.metadata ?? near.workload.pod, 'labels')
  return [
    spec,
    'selector',
    near ? missedBy(near, graph) : selectsNothing(budget, isSure, graph),
    {
      severity: near ? 'error' : 'warning',
      recommended: isSure,
      see: [pods],
      evidence: live && Number.isFinite(age) ? [`expected pods: 0, made ${formatSpan(age)} ago`] : undefined,
    },
  ]
}

/** Whether no pod that may be meant is missing from the input. */
function isOfNoPods(budget: Budget, { selector }: Spec, graph: Graph): boolean {
  return (
    graph.hasAllPods(selector?.matchLabels, budget) &&
    (graph.live !== undefined || !mayMean(selector ?? {}, budget, graph))
  )
}

/** A workload that an earlier budget guards, too. */
function clashOf(budget: Budget, guarded: readonly Workload[], graph: Graph): Clash | undefined {
  for (const workload of guarded) {
    const [first] = graph.budgetsOf(workload)
    // It is the first, or another version of it: of the same name.
    if (first && !isSame(first, budget, graph)) return { workload, first }
  }
  return undefined
}

function missedBy({ workload, key, value, is }: NearMatch, graph: Graph): string {
  const instead =
    is === undefined
      ? `which ${graph.describe(workload.object)} has and they have not`
      : `and they have ${key}=${is}`
  return `Nothing protects the pods of ${workload.name}: the budget asks for ${key}=${value}, ${instead}.`
}

function selectsNothing({ metadata }: Budget, isSure: boolean, graph: Graph): string {
  const name = metadata?.name ?? 'the budget'
  return isSure
    ? `${name} protects nothing: no pods have the labels that it asks for.`
    : `${name} protects nothing of ${graph.source}: no pods there have the labels that it asks for.`
}

/** That a budget for several workloads lets all pods of one of them go. */
function drainedAtOnce(spec: Spec, guarded: readonly Workload[], graph: Graph): Fault | undefined {
  const { maxUnavailable, minAvailable } = spec
  const sizes = guarded
    .filter(({ controlled }) => !controlled)
    .flatMap((workload) => {
      const pods = graph.fewestPods(workload)?.pods
      return pods ? [{ workload, pods }] : []
    })
  if (sizes.length < 2) return undefined
  const all = sizes.reduce((sum, { pods }) => sum + pods, 0)
  // Both percentages are rounded up: kubernetes/pkg/controller/disruption/disruption.go.
  const allowed =
    maxUnavailable !== undefined
      ? intOrPercent(maxUnavailable, all, 'up')
      : all - (intOrPercent(minAvailable, all, 'up') ?? all)
  const least = sizes.find(({ pods }) => pods > 1 && allowed !== undefined && pods <= allowed)
  if (!least) return undefined
  const { workload, pods } = least
  const others = sizes.filter((one) => one !== least).map((one) => one.workload.name)
  return [
    spec,
    'selector',
    `One drain may take ${allOf(pods, 'pod')} of ${workload.name}: the budget lets ${allowed} go, whichever they are, and counts those of ${firstOf(others)} with them.`,
    { severity: 'info', recommended: false, see: [at(workload.object, workload.object)] },
  ]
}

/**
 * Whether the pods may well be elsewhere: an operator seems to make them, partial input has no workload beside the budget, or one far away
 * that fits, a kustomization brings both together, or a custom resource that the selector names makes them.
 */
function arePodsElsewhere(budget: Budget, graph: Graph): boolean {
  const values = Object.values(budget.spec?.selector?.matchLabels ?? {})
  return (
    graph.kustomized(budget) ||
    graph.mayBeOperated(budget.spec?.selector?.matchLabels, budget) ||
    graph.nearby(budget).length === 0 ||
    matchesAnywhere(budget.spec?.selector ?? {}, budget, graph) ||
    graph.objects.some(
      (one) =>
        values.includes(one.metadata?.name ?? '') &&
        groupOf(one.apiVersion ?? '').includes('.') &&
        !groupOf(one.apiVersion ?? '').endsWith('.k8s.io') &&
        graph.namespaceOf(one) === graph.namespaceOf(budget),
    )
  )
}

function isSame(one: Budget, other: Budget, graph: Graph): boolean {
  return one.metadata?.name === other.metadata?.name && graph.namespaceOf(one) === graph.namespaceOf(other)
}

interface NearMatch {
  readonly workload: Workload
  /** The label that the budget asks for, and in `is` what the pods have of it. */
  readonly key: string
  readonly value: string
  readonly is: string | undefined
}

/**
 * A workload without budget that would be selected were it not for the spelling of one value, or were the labels that it has itself
 * those of its pods.
 */
function nearMatch(budget: Budget, graph: Graph): NearMatch | undefined {
  const wanted = Object.entries(budget.spec?.selector?.matchLabels ?? {})
  for (const workload of nearlyMatching(graph.nearby(budget), pairsOf(budget.spec?.selector ?? {}))) {
    if (workload.controlled || workload.batch || !graph.together(budget, workload)) continue
    if (graph.budgetsOf(workload).length > 0) continue
    const off = wanted.filter(([key, value]) => ownValue(workload.labels, key) !== value)
    const [key = '', value = ''] = off[0] ?? []
    const is = ownValue(workload.labels, key)
    if (off.length === 1 && is !== undefined && nearestName(value, [is]) !== undefined)
      return { workload, key, value, is }
    const { labels } = workload.object.metadata ?? {}
    if (asksForOwner(budget.spec?.selector ?? {}, workload.labels, labels)) {
      const [[lacking = '', text = ''] = []] = pairsOf(budget.spec?.selector ?? {}).filter(
        ([one, wants]) => ownValue(workload.labels, one) !== wants,
      )
      return { workload, key: lacking, value: text, is: ownValue(workload.labels, lacking) }
    }
  }
  return undefined
}
