import {
  editDistance,
  type Graph,
  type LabelSelector,
  matchesSelector,
  type Node,
  type PodAffinityTerm,
  rule,
  selectsAll,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A spread or anti-affinity rule selects other pods than its own',
  category: 'scheduling',
  severity: 'error',
  why: `A spread constraint and an anti-affinity term count the pods that their selector matches. When it does not match the workload's own labels, the scheduler counts nothing, or somebody else's pods: all replicas may stand on one node,
while the manifest looks as if that could not happen.`,
  remedy: 'Use the labels of the pod template in the selector.',
  decides: `For each \`topologySpreadConstraints\` entry and each podAntiAffinity term: the selector (none matches nothing, an empty one everything) is held against the labels of the pod template. An error when it matches no workload of the
input at all, a warning when a spread constraint matches another workload but not its own. Anti-affinity against another workload of the input is what it is for, and silent; so is one that matches nothing in partial input unless its values are
nearly the workload's own (a typo, a copied name).

Exempt: constraints that only list \`matchLabelKeys\`.`,
  versions: 'A missing labelSelector matches no pods: k8s.io/apimachinery LabelSelectorAsSelector.',
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/podtopologyspread',
    'kubernetes/pkg/scheduler/framework/plugins/interpodaffinity',
  ],
  stories: ['oneandone-open-issues'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const { pod, labels } = workload
    for (const constraint of pod.topologySpreadConstraints ?? []) {
      const { labelSelector } = constraint
      if (matchesSelector(labelSelector, labels)) continue
      if (!labelSelector && (constraint.matchLabelKeys?.length ?? 0) > 0) continue
      const others = labelSelector ? graph.matching(labelSelector, workload.object) : []
      say(
        labelSelector,
        constraint,
        `The spread over ${constraint.topologyKey ?? 'nodes'} has no effect`,
        others,
      )
    }
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required = [],
      preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
    } = pod.affinity?.podAntiAffinity ?? {}
    const terms: readonly PodAffinityTerm[] = [
      ...required,
      ...preferred.flatMap((one) => one.podAffinityTerm ?? []),
    ]
    for (const term of terms) {
      const { labelSelector } = term
      if (matchesSelector(labelSelector, labels)) continue
      if (labelSelector && (graph.matching(labelSelector, workload.object).length > 0 || elsewhere(term)))
        continue
      if (labelSelector && !graph.complete && !nearly(labelSelector, workload)) continue
      if (!labelSelector && (term.matchLabelKeys?.length ?? 0) > 0) continue
      say(labelSelector, term, `The anti-affinity over ${term.topologyKey ?? 'nodes'} has no effect`, [])
    }

    function say(
      selector: LabelSelector | undefined,
      node: Node,
      consequence: string,
      others: ReturnType<Graph['matching']>,
    ) {
      const [other] = others
      const own = `{${Object.entries(labels)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', ')}}`
      const why = selector
        ? other
          ? `it counts the pods of ${other.kind} ${other.name}`
          : `its selector matches no pod of ${workload.name}, whose labels are ${own}`
        : 'it has no labelSelector'
      report(node, 'labelSelector', `${consequence}: ${why}.`, {
        severity: other ? 'warning' : 'error',
        fix: near(selector, node, workload),
      })
    }
  },
})

/** Whether the term looks into other namespaces, whose pods the input need not show. */
function elsewhere(term: PodAffinityTerm): boolean {
  return term.namespaceSelector !== undefined || (term.namespaces?.length ?? 0) > 0
}

/** A selector of which part fits the own labels, or whose value is a misspelling of an own value. */
function nearly(selector: LabelSelector, { labels }: Workload): boolean {
  if (selectsAll(selector)) return false
  return Object.entries(selector.matchLabels ?? {}).some(([key, value]) => {
    const own = labels[key]
    return own !== undefined && own !== value && editDistance(own, value, 2) <= 2
  })
}

/** When exactly one value differs there is one right answer to propose. */
function near(selector: LabelSelector | undefined, node: Node, { labels }: Workload) {
  const pairs = Object.entries(selector?.matchLabels ?? {})
  const wrong = pairs.filter(([key, value]) => labels[key] !== value)
  const [[key = '', value = ''] = []] = wrong
  if (wrong.length !== 1 || !(key in labels) || (selector?.matchExpressions?.length ?? 0) > 0)
    return undefined
  return set(
    node,
    'labelSelector',
    { matchLabels: { ...selector?.matchLabels, [key]: labels[key] } },
    `${key}: ${labels[key]} (not ${value})`,
  )
}
