import {
  ageOf,
  asksForOwner,
  at,
  controllerOf,
  type Graph,
  isPlaceholder,
  type LabelSelector,
  mayMean,
  nearlyMatching,
  type ObjectOf,
  pairsOf,
  rule,
  selectsAll,
  slipIn,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A NetworkPolicy selects no pod',
  category: 'networking',
  severity: 'warning',
  why: `A policy finds its pods by labels. With a typo it applies to nothing: a rule that should allow
traffic leaves it blocked, one that should block it leaves it open. Nothing reports that.`,
  remedy: 'Make the selector equal to labels of the pod template.',
  decides: `\`podSelector\` is not empty and matches no workload in the namespace. Lint reports it when a workload
beside it nearly matches (one pair differs by a letter or two, or the workload has the labels itself and its pods
have not) or the input is complete and no account in it may
make or label pods. Also a port name in a rule that none of the selected pods declares, while they do declare ports;
a rule that has another port, too, allows that one, and the name may be of a port that is off. Policies for pods
that an operator labels, or labels with the name of a custom resource beside the policy, are left alone, as are
those of a namespace with a Subscription of OLM, and those that match pods of manifests without a namespace. Where
the rule is asked for, an info for policies of partial input that apply to no pod in it.

In a cluster all pods are known. Policies that something else controls, those younger than ten minutes, those of a
namespace without pods or with pods that an operator makes, and those for the solvers of cert-manager are left
alone.`,
  falsePositives: 'Pods that run for a while only.',
  sources: ['k8s.io/api/networking/v1/types.go (NetworkPolicySpec)'],
  stories: ['machu-kube-proxy-ipvs'],
  for: 'NetworkPolicy',
  check(policy, { graph, report, isAsked }) {
    const { spec } = policy
    const selector = spec?.podSelector
    if (!spec || !selector || selectsAll(selector)) return
    const selected = graph.matching(selector, policy)
    if (selected.length > 0) {
      const dead = deadPort(spec.ingress ?? [], selected)
      if (dead)
        report(
          dead,
          'port',
          `This rule allows nothing: no pod of ${selected.map((one) => one.name).join(', ')} has a port named ${dead.port}.`,
        )
      return
    }
    const near = nearlyMatching(graph.nearby(policy), pairsOf(selector)).find(
      (workload) =>
        (slipIn(selector, workload.labels) || isOwned(selector, workload)) &&
        graph.together(workload, policy),
    )
    const isCertain = near !== undefined || graph.hasAllPods(selector.matchLabels, policy)
    if (!isCertain && !isAsked) return
    if (!near && isExpected(policy, selector, graph)) return
    if (!isCertain && (graph.complete || graph.mayBeOperated(selector.matchLabels, policy))) return
    report(
      spec,
      'podSelector',
      `${graph.describe(policy)} applies to no pod${near ? whyMissed(near, selector, graph) : ` of ${graph.source}`}.`,
      {
        severity: isCertain ? 'warning' : 'info',
        recommended: isCertain,
        see: [near ? at(near, near.template.metadata ?? near.template, 'labels') : undefined],
      },
    )
  },
})

/** Whether the labels were given to the workload and not to its pods. */
function isOwned(selector: LabelSelector, { labels, object }: Workload): boolean {
  return asksForOwner(selector, labels, object.metadata?.labels)
}

function whyMissed(near: Workload, selector: LabelSelector, graph: Graph): string {
  return isOwned(selector, near)
    ? `: ${graph.describe(near.object)} has the labels that it asks for, and its pods have not`
    : `: its selector differs from the labels of ${near.name} by a letter or two`
}

/** A named port that no pod has, in a rule whose other ports are of no use either. */
function deadPort(rules: readonly IngressRule[], selected: readonly Workload[]) {
  const declared = selected.flatMap(({ running }) => running.flatMap(({ spec }) => spec.ports ?? []))
  if (declared.length === 0) return undefined
  const names = new Set(declared.map(({ name }) => name))
  const isDead = ({ port }: RulePort) => typeof port === 'string' && !isPlaceholder(port) && !names.has(port)
  // One of the names that are still to come may be it.
  if ([...names].some(isPlaceholder)) return undefined
  for (const { ports = [] } of rules) if (ports.length > 0 && ports.every(isDead)) return ports[0]
  return undefined
}

type IngressRule = NonNullable<NonNullable<ObjectOf<'NetworkPolicy'>['spec']>['ingress']>[number]
type RulePort = NonNullable<IngressRule['ports']>[number]

/**
 * Whether the input does not tell that something is wrong: pods that other objects made stand for more than are there, and pods
 * whose namespace is left open may be meant; in a
 * cluster, where all pods are known with their labels, a policy of an operator or beside the pods of one (Longhorn has
 * policies for pods that it starts on demand), one that its pods are still to follow, in a namespace without pods, or for
 * pods that live for minutes.
 */
function isExpected(policy: ObjectOf<'NetworkPolicy'>, selector: LabelSelector, graph: Graph): boolean {
  const beside = graph.nearby(policy)
  if (!graph.live) return beside.some(({ controlled }) => controlled) || mayMean(selector, policy, graph)
  return (
    ageOf(policy, graph.live) < graph.live.waitFor(600) ||
    beside.length === 0 ||
    controllerOf(policy) !== undefined ||
    beside.some(({ object }) => isCustom(controllerOf(object))) ||
    selector.matchLabels?.['acme.cert-manager.io/http01-solver'] !== undefined
  )
}

/** Whether the owner is a custom resource: the groups of Kubernetes that make pods have no dot. */
const isCustom = (owner: ReturnType<typeof controllerOf>) => /\..*\//.test(owner?.apiVersion ?? '')
