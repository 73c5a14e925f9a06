import {
  asksForOwner,
  at,
  editDistance,
  type Graph,
  type LabelSelector,
  matchesAnywhere,
  matchesSelector,
  type Node,
  ownValue,
  type PodAffinityTerm,
  pairsOf,
  rule,
  type Severity,
  set,
  severities,
  type TopologySpreadConstraint,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A spread or anti-affinity rule selects other pods than its own',
  category: 'scheduling',
  severity: 'error',
  why: `A spread constraint and an anti-affinity term count the pods that their selector matches. When it
does not match the workload's own labels, the scheduler counts nothing, or somebody else's pods: all
replicas may stand on one node, while the manifest looks as if that could not happen.`,
  remedy: 'Use the labels of the pod template in the selector.',
  decides: `For each \`topologySpreadConstraints\` entry and each podAntiAffinity term the selector (none matches
nothing, an empty one everything) is held against the labels of the pod template. The finding is

- an error when the selector matches no workload of the input at all;
- a warning when it is a preference only, when a spread constraint matches another workload but not its own, or an
  anti-affinity term looks into other namespaces for its own labels;
- an info when another constraint or term over the same topology keeps the pods apart as well.

One finding per workload.

Anti-affinity against another workload of the input, or against pods that an operator seems to make, is what it is
for, and silent; so is one that matches nothing in partial input, unless a value is nearly the workload's own (a
typo), the workload has the labels itself and its pods have not, or the rule is asked for. Labels that controllers
add to pods, such as \`job-name\`, are taken to match, and labels that the template lacks where kustomizations may
add them.`,
  versions: 'A missing labelSelector matches no pods: k8s.io/apimachinery LabelSelectorAsSelector.',
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/podtopologyspread',
    'kubernetes/pkg/scheduler/framework/plugins/interpodaffinity',
  ],
  stories: ['oneandone-open-issues'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const all = mismatches(workload, graph)
    const known = all.filter(({ isDoubtful }) => !isDoubtful)
    const [worst, ...more] = known.length > 0 ? known : all
    if (!worst) return
    const { node, selector, message, severity, isDoubtful } = worst
    report(node, 'labelSelector', message, {
      severity,
      recommended: !isDoubtful,
      see: more.map((one) => at(workload, one.node, 'labelSelector', 'selects other pods, too')),
      fix: isDoubtful ? undefined : fixOf(selector, node, workload),
    })
  },
})

interface Mismatch {
  readonly node: Node
  readonly selector: LabelSelector | undefined
  readonly severity: Severity
  readonly message: string
  /** It may be meant for pods that the input does not show. */
  readonly isDoubtful?: boolean
}

/** All constraints and terms that miss their own pods, those without any effect first. */
function mismatches(workload: Workload, graph: Graph): readonly Mismatch[] {
  const { topologySpreadConstraints = [], affinity } = workload.pod
  if (topologySpreadConstraints.length === 0 && !affinity?.podAntiAffinity) return []
  const {
    requiredDuringSchedulingIgnoredDuringExecution: required = [],
    preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
  } = affinity?.podAntiAffinity ?? {}
  const wishes = preferred.flatMap((one) => one.podAffinityTerm ?? [])
  const terms: readonly PodAffinityTerm[] = [...required, ...wishes]
  const keepers = [
    ...topologySpreadConstraints,
    ...terms.filter((one) => !one.namespaces?.length && !one.namespaceSelector),
  ].filter(({ labelSelector }) => matchesOwn(labelSelector, workload))
  const weightOf = (term: PodAffinityTerm): Severity => {
    if (!wishes.includes(term)) return 'error'
    const isKept = keepers.some(({ topologyKey }) => topologyKey === term.topologyKey)
    return isKept ? 'info' : 'warning'
  }
  return [
    ...topologySpreadConstraints.flatMap((one) => mismatchOfSpread(one, workload, graph) ?? []),
    ...terms.flatMap((one) => mismatchOfTerm(one, weightOf(one), workload, graph) ?? []),
  ].sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity))
}

function mismatchOfSpread(
  constraint: TopologySpreadConstraint,
  workload: Workload,
  graph: Graph,
): Mismatch | undefined {
  const { labelSelector: selector, topologyKey = 'nodes', matchLabelKeys = [] } = constraint
  if (matchesOwn(selector, workload) || (!selector && matchLabelKeys.length > 0)) return undefined
  if (mayBeAdded(selector, workload, graph)) return undefined
  const [other] = selector ? graph.matching(selector, workload.object) : []
  const effect = other ? 'counts other pods' : 'has no effect'
  const why = other
    ? `${workload.name} is placed by those of ${other.kind} ${other.name}`
    : reason(selector, workload)
  return {
    node: constraint,
    selector,
    severity: other || constraint.whenUnsatisfiable === 'ScheduleAnyway' ? 'warning' : 'error',
    message: `The spread over ${topologyKey} ${effect}: ${why}.`,
  }
}

/** @param severity info where another term keeps the pods apart all the same */
function mismatchOfTerm(
  term: PodAffinityTerm,
  severity: Severity,
  workload: Workload,
  graph: Graph,
): Mismatch | undefined {
  const { labelSelector: selector, topologyKey = 'nodes', matchLabelKeys = [], namespaces = [] } = term
  const effect = `${severity === 'info' ? 'One term of the' : 'The'} anti-affinity over ${topologyKey} has no effect`
  if (matchesOwn(selector, workload)) {
    const { name, namespace } = workload
    const looksThere = namespaces.length === 0 || namespaces.includes(namespace)
    if (term.namespaceSelector || namespace === '' || looksThere) return undefined
    const why = `it looks into namespace ${namespaces.join(', ')}, the pods of ${name} are in ${namespace}`
    return { node: term, selector, severity: 'warning', message: `${effect}: ${why}.` }
  }
  const sure = selector ? isWrong(term, selector, workload, graph) : matchLabelKeys.length === 0
  if (sure === undefined) return undefined
  const why = reason(selector, workload)
  if (!sure && selector && matchesAnywhere(selector, workload.object, graph)) return undefined
  return sure
    ? { node: term, selector, severity, message: `${effect}: ${why}.` }
    : selector && {
        node: term,
        selector,
        severity: severity === 'error' ? 'warning' : 'info',
        isDoubtful: true,
        message: `The anti-affinity over ${topologyKey} keeps the pods away from nothing in the input: ${why}.`,
      }
}

/**
 * Whether the selector of a term is meant for its own pods, as far as anybody can tell: it matches no other. Undefined where it
 * does, or looks into other namespaces; false where others may be elsewhere.
 */
function isWrong(
  { namespaces = [], namespaceSelector }: PodAffinityTerm,
  selector: LabelSelector,
  workload: Workload,
  graph: Graph,
): boolean | undefined {
  if (namespaceSelector || namespaces.length > 0) return undefined
  if (graph.matching(selector, workload.object).length > 0) return undefined
  if (mayBeAdded(selector, workload, graph)) return undefined
  return (
    graph.hasAllPods(selector.matchLabels, workload.object) ||
    isNear(selector, workload) ||
    asksForOwner(selector, workload.labels, workload.object.metadata?.labels)
  )
}

/** Labels that controllers give to pods, so that no template has them. */
const givenLabel =
  /^(job-name|controller-uid|(rollouts-)?pod-template-hash|controller-revision-hash|(apps|batch|statefulset)\.kubernetes\.io\/.+|(jobset|leaderworkerset)\.sigs\.k8s\.io\/.+)$/

function matchesOwn(selector: LabelSelector | undefined, { labels }: Workload): boolean {
  const given = Object.entries(selector?.matchLabels ?? {}).filter(([key]) => givenLabel.test(key))
  const expressions = (selector?.matchExpressions ?? []).filter(({ key = '' }) => !givenLabel.test(key))
  return matchesSelector(selector && { ...selector, matchExpressions: expressions }, {
    ...labels,
    ...Object.fromEntries(given),
  })
}

/** The pairs of the selector that the template does not have; expressions with one value are such pairs. */
function wrongPairs(
  selector: LabelSelector | undefined,
  { labels }: Workload,
): readonly (readonly [string, string])[] {
  return pairsOf(selector ?? {}).filter(
    ([key, value]) => ownValue(labels, key) !== value && !givenLabel.test(key),
  )
}

/** Whether all that the template lacks are labels that a kustomization may add. */
function mayBeAdded(selector: LabelSelector | undefined, workload: Workload, graph: Graph): boolean {
  const wrong = wrongPairs(selector, workload)
  return (
    graph.kustomizations.length > 0 &&
    wrong.length > 0 &&
    wrong.every(([key]) => ownValue(workload.labels, key) === undefined)
  )
}

/** Whether a value is a misspelling of the own one. Names that differ by a number are names of different things. */
function isNear(selector: LabelSelector, workload: Workload): boolean {
  const plain = (value: string) => value.replace(/\d+/g, '0')
  return wrongPairs(selector, workload).some(([key, value]) => {
    const own = ownValue(workload.labels, key)
    if (own === undefined || plain(own) === plain(value)) return false
    const most = Math.min(2, Math.floor(own.length / 3))
    return editDistance(own, value, most) <= most
  })
}

function reason(selector: LabelSelector | undefined, workload: Workload): string {
  if (!selector) return 'it has no labelSelector, which matches no pod'
  const [pair] = wrongPairs(selector, workload)
  if (!pair) return `its selector matches no pod of ${workload.name}`
  const [key, value] = pair
  const own = ownValue(workload.labels, key)
  return `it selects ${key}=${value}, the pods of ${workload.name} have ${own === undefined ? 'no such label' : `${key}=${own}`}`
}

/** When exactly one value differs there is one right answer to propose. */
function fixOf(selector: LabelSelector | undefined, node: Node, workload: Workload) {
  const wrong = wrongPairs(selector, workload)
  const [[key = '', value = ''] = []] = wrong
  const own = ownValue(workload.labels, key)
  if (wrong.length !== 1 || own === undefined || (selector?.matchExpressions?.length ?? 0) > 0)
    return undefined
  return set(
    node,
    'labelSelector',
    { matchLabels: { ...selector?.matchLabels, [key]: own } },
    `${key}: ${own} (not ${value})`,
  )
}
