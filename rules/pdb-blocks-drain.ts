import {
  allOf,
  at,
  conditionOf,
  counted,
  enumerate,
  type Fault,
  formatSpan,
  type Graph,
  type IntOrString,
  intOrPercent,
  type Live,
  numberAt,
  type ObjectOf,
  objectAt,
  type RuleFix,
  rule,
  set,
  unreadyPods,
  type Workload,
} from '../src/rule.js'

type Budget = ObjectOf<'PodDisruptionBudget'>

export default rule({
  title: 'The disruption budget never allows an eviction',
  category: 'scheduling',
  severity: 'error',
  countsPods: true,
  why: `A drain asks for the eviction of each pod and waits while the budget refuses. A budget that can't
allow a single one blocks node upgrades, scale-down and repairs for ever, until somebody deletes the pod by
hand or the provider's patience ends and all pods go at once.`,
  remedy: 'Allow one pod to go: `maxUnavailable: 1`, with at least two replicas.',
  decides: `The budget is matched to workloads by their pod labels, and to Prometheus, Alertmanager and ThanosRuler
by the labels that the Prometheus operator gives their pods. With N pods (the autoscaler's minimum, else
\`replicas\`, else 1), it allows maxUnavailable, or N less minAvailable; both percentages are rounded up, as the
controller does. An error when that is 0 or less. A warning when only an autoscaler's minimum makes it so, and when
\`minAvailable\` guards a single pod, which many set on purpose so that nobody drains it unseen. Pods that nothing
controls count for nothing but a \`minAvailable\` that is a number: with maxUnavailable or a percentage none of them
is ever let go. In a cluster \`status\` counts as well: a budget whose \`expectedPods\` are all needed, one that the
controller can't compute (\`SyncFailed\`, for pods without a controller that has a scale), and, as a warning, one
that pods use up which have not been ready for \`minutes\`. Cordoned nodes that wait for it stand below.

Exempt: budgets that match no workload of the input (unless the rule is asked for: no number of pods helps with
maxUnavailable 0 or minAvailable 100%), workloads scaled to 0, DaemonSets (a drain does not evict their pods), Jobs
(which have no number of replicas), and single pods when \`allowSingleReplica\` is on.`,
  falsePositives: 'A manual procedure for drains can be meant: suppress with a link to it.',
  versions: '`maxUnavailable: 0` and `minAvailable: 100%` are legal in policy/v1.',
  sources: [
    'kubernetes/pkg/controller/disruption/disruption.go (getExpectedPodCount, getExpectedScale, updatePdbStatus)',
    'prometheus-operator/pkg/alertmanager/statefulset.go, pkg/prometheus/server/statefulset.go, pkg/thanos/statefulset.go (pod labels)',
  ],
  stories: ['betz-gke-upgrade', 'devopshof-drain-local', 'loveholidays-gke-upgrade'],
  params: {
    allowSingleReplica: {
      type: 'boolean',
      default: false,
      about: 'Budgets may protect a single pod from any eviction.',
    },
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      about: 'How long pods must not have been ready to count as broken.',
    },
  },
  for: 'PodDisruptionBudget',
  check(budget, { graph, params, report }) {
    const guard = guardOf(budget, graph)
    if (!guard) return
    const { field, wanted, count, isUncounted } = guard
    const isOne = params.allowSingleReplica && guard.known === 1
    const faults =
      isUncounted || allowedBy(field, wanted, count) <= 0
        ? [isOne ? undefined : lettingNoneGo(guard, graph)]
        : [usedUp(guard, params, graph), lettingNoneGoEver(guard, graph)]
    for (const fault of faults) if (fault) report(...fault)
  },
})

type Field = 'maxUnavailable' | 'minAvailable'

/** A budget, and the pods that it is for. */
interface Guard {
  readonly budget: Budget
  readonly spec: NonNullable<Budget['spec']>
  readonly field: Field
  readonly wanted: IntOrString | undefined
  /** It lets no pod go whatever their number. */
  readonly never: boolean
  readonly selected: readonly Workload[]
  /** Those of them that a drain evicts. */
  readonly guarded: readonly Workload[]
  readonly operated: ReturnType<typeof operatedBy>
  /** The number of pods, where it is known, and what it is taken for. */
  readonly known: number | undefined
  readonly count: number
  /** Nothing that the controller could count controls the pods. */
  readonly isUncounted: boolean
}

function guardOf(budget: Budget, graph: Graph): Guard | undefined {
  const { spec } = budget
  if (!spec) return undefined
  const field = spec.maxUnavailable !== undefined ? 'maxUnavailable' : 'minAvailable'
  const wanted = spec[field]
  const selected = graph.guardedBy(budget)
  const guarded = selected.filter(isEvicted)
  const never = isNever(field, wanted)
  const operated = guarded.length === 0 ? operatedBy(budget, graph) : undefined
  const known = operated?.pods ?? podsOf(guarded, graph)
  const count = known ?? (never ? 1 : 0)
  const isUncounted = areUncounted(selected) && (field === 'maxUnavailable' || typeof wanted === 'string')
  return { budget, spec, field, wanted, never, selected, guarded, operated, known, count, isUncounted }
}

/** That the pods have used up in a cluster what the budget lets go. */
function usedUp(
  { budget, spec, field, guarded }: Guard,
  { minutes, allowSingleReplica }: { readonly minutes: number; readonly allowSingleReplica: boolean },
  graph: Graph,
): Fault | undefined {
  const seen = graph.live && seenInStatus(budget, guarded, graph.live, minutes * 60)
  if (!seen || (allowSingleReplica && budget.status?.expectedPods === 1)) return undefined
  const evidence = [...seen.evidence, ...waitingNodes(guarded, graph)]
  return [spec, field, seen.message, { severity: seen.severity, evidence }]
}

/** That it will let none go of pods that the input does not have. */
function lettingNoneGoEver({ spec, field, wanted, never, selected }: Guard, graph: Graph): Fault | undefined {
  if (!never || selected.length > 0 || graph.complete) return undefined
  return [
    spec,
    field,
    `Node drains hang: ${field} ${wanted} lets no pod of this budget go, whatever their number.`,
    { recommended: false, fix: allowOne(spec, field) },
  ]
}

/** That it lets none of its pods go. */
function lettingNoneGo(guard: Guard, graph: Graph): Fault {
  const { spec, field, wanted, never, guarded, operated, count, isUncounted } = guard
  const sizes = operated ? [operated] : guarded.flatMap((workload) => graph.fewestPods(workload) ?? [])
  const isScaled = !operated && sizes.some((size) => graph.workload(size.of) === undefined)
  const names = operated ? [operated.of.metadata?.name ?? ''] : guarded.map(({ name }) => name)
  const refusal = refusalOf({ bound: `${field} ${wanted}`, names, count, never, isUncounted, isScaled })
  return [
    spec,
    field,
    `Node drains hang: ${refusal}.`,
    {
      severity: !never && (count === 1 || isScaled) ? 'warning' : 'error',
      evidence: waitingNodes(guarded, graph),
      see: never ? [] : sizes.map((size) => at(size.of, size.node, size.field)),
      fix: isUncounted ? undefined : fixOf(spec, field, count),
    },
  ]
}

/** A budget that lets no pod go. */
interface Refusal {
  /** `maxUnavailable 0` */
  readonly bound: string
  /** Whose pods those are. */
  readonly names: readonly string[]
  readonly count: number
  /** Whatever the number of pods. */
  readonly never: boolean
  /** The controller does not count them. */
  readonly isUncounted: boolean
  /** While an autoscaler is at its minimum. */
  readonly isScaled: boolean
}

/** Why no pod may go. */
function refusalOf({ bound, names, count, never, isUncounted, isScaled }: Refusal): string {
  const whose = enumerate(names, 'and')
  if (never) return `${bound} lets no pod of ${whose} go, whatever their number`
  if (isUncounted) return `nothing controls ${whose}, and ${bound} lets no such pod go`
  const none = count === 1 ? 'never lets the only pod' : `lets none of the ${count} pods`
  return `${bound} ${none} of ${whose} go${isScaled ? ' while the autoscaler is at its minimum' : ''}`
}

/** Whether the budget lets no pod go whatever their number. */
function isNever(field: Field, wanted: IntOrString | undefined): boolean {
  return field === 'maxUnavailable' ? wanted === 0 || wanted === '0%' : wanted === '100%'
}

/** How many of so many pods the budget lets go; one where that can't be told. */
function allowedBy(field: Field, wanted: IntOrString | undefined, count: number): number {
  const share = intOrPercent(wanted, count, 'up')
  if (share === undefined || count === 0) return 1
  return field === 'maxUnavailable' ? share : count - share
}

/**
 * Whether all are pods that nothing controls. The controller adds up the scales of what controls pods: disruption.go (getExpectedScale).
 */
function areUncounted(selected: readonly Workload[]): boolean {
  return selected.length > 0 && selected.every(({ kind, controlled }) => kind === 'Pod' && !controlled)
}

/** None for a `minAvailable` that is meant to keep a single pod. */
function fixOf(spec: object, field: Field, count: number): RuleFix | undefined {
  return field === 'maxUnavailable' || count > 1 ? allowOne(spec, field) : undefined
}

function allowOne(spec: object, field: Field): RuleFix {
  return field === 'maxUnavailable' ? set(spec, field, 1) : useMaxUnavailable(spec)
}

/** The label by which the Prometheus operator names the resource that pods are of. */
const operators = [
  ['monitoring.coreos.com/Alertmanager', 'alertmanager'],
  ['monitoring.coreos.com/Prometheus', 'operator.prometheus.io/name'],
  ['monitoring.coreos.com/Prometheus', 'prometheus'],
  ['monitoring.coreos.com/ThanosRuler', 'thanos-ruler'],
] as const

/** The custom resource whose pods the budget means, with their number. No manifest has these pods. */
function operatedBy(budget: Budget, graph: Graph) {
  const labels = budget.spec?.selector?.matchLabels ?? {}
  for (const [kind, key] of operators) {
    const of = graph.find(kind, labels[key], budget)
    const node = objectAt(of, 'spec')
    if (!of || !node) continue
    const pods = (numberAt(node, 'replicas') ?? 1) * (numberAt(node, 'shards') ?? 1)
    return { pods, of, node, field: 'replicas' }
  }
  return undefined
}

/** What the controller has counted, where that stops evictions. Source: disruption.go (updatePdbStatus, failSafe). */
function seenInStatus(budget: Budget, guarded: readonly Workload[], live: Live, least: number) {
  const { disruptionsAllowed, expectedPods = 0, desiredHealthy = 0, currentHealthy = 0 } = budget.status ?? {}
  const allowed = conditionOf(budget, 'DisruptionAllowed')
  if (allowed?.reason === 'SyncFailed')
    return {
      severity: 'error' as const,
      message:
        'Node drains hang: the controller cannot compute this budget, and until it can it allows no eviction.',
      evidence: allowed.message ? [allowed.message] : [],
    }
  if (disruptionsAllowed !== 0 || expectedPods === 0) return undefined
  const counts = `${currentHealthy} of ${counted(expectedPods, 'pod')} ${currentHealthy === 1 || expectedPods === 1 ? 'is' : 'are'} healthy, ${desiredHealthy} must stay`
  if (expectedPods <= desiredHealthy)
    return {
      severity: expectedPods === 1 ? ('warning' as const) : ('error' as const),
      message: `Node drains hang: ${expectedPods === 1 ? 'the only pod' : allOf(expectedPods, 'pod')} of the budget must stay.`,
      evidence: [counts],
    }
  // Too few healthy ones are for pdb-protects-unhealthy-pods to tell.
  if (currentHealthy < desiredHealthy) return undefined
  // Broken pods may go, and there are no others. Source: kubernetes/pkg/registry/core/pod/storage/eviction.go.
  if (currentHealthy === 0 && budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return undefined
  const broken = guarded
    .flatMap((workload) => unreadyPods(live.podsOf(workload), live, least))
    .filter(({ pod }) => pod.status?.phase === 'Running')
    .sort((a, b) => b.seconds - a.seconds)
  const [first] = broken
  if (!first) return undefined
  return {
    severity: 'warning' as const,
    message: `Node drains hang: ${broken.length === 1 ? `${first.pod.metadata?.name} has` : `${broken.length} pods have`} not been ready for ${formatSpan(first.seconds)} and ${broken.length === 1 ? 'uses' : 'use'} up the budget.`,
    evidence: [counts],
  }
}

/** The cordoned nodes that have such pods: their drain may be waiting. */
function waitingNodes(guarded: readonly Workload[], { live, seen }: Graph): string[] {
  if (!live) return []
  const cordoned = new Set(
    seen('Node').flatMap(({ metadata, spec }) => (spec?.unschedulable ? (metadata?.name ?? []) : [])),
  )
  if (cordoned.size === 0) return []
  return guarded
    .flatMap((workload) => live.podsOf(workload))
    .flatMap(({ metadata, spec, status }) =>
      cordoned.has(spec?.nodeName ?? '') && status?.phase === 'Running'
        ? [`node ${spec?.nodeName} is cordoned and still has ${metadata?.name}`]
        : [],
    )
    .sort()
    .slice(0, 2)
}

/**
 * Pods that a drain evicts. Jobs have no number of pods to count with; budgets for custom kinds work by their scale.
 */
function isEvicted({ kind, batch, controlled }: Workload): boolean {
  return !batch && !controlled && kind !== 'DaemonSet'
}

function useMaxUnavailable(spec: object) {
  return {
    title: 'maxUnavailable: 1 instead of minAvailable',
    safe: false,
    edits: [
      { op: 'remove' as const, node: spec, field: 'minAvailable' },
      { op: 'set' as const, node: spec, field: 'maxUnavailable', value: 1 },
    ],
  }
}

/**
 * The fewest pods of all workloads together; undefined when one has no number that the graph knows of. A Pod is one.
 */
function podsOf(workloads: readonly Workload[], graph: Graph): number | undefined {
  const sizes = workloads.map((workload) => (workload.kind === 'Pod' ? 1 : graph.fewestPods(workload)?.pods))
  return sizes.reduce<number | undefined>(
    (sum, size) => (sum === undefined || size === undefined ? undefined : sum + size),
    0,
  )
}
