import {
  at,
  type Graph,
  type LabelSelector,
  matchesSelector,
  type Namespace,
  type NetworkPolicy,
  type Node,
  nearlyMatching,
  ownValue,
  pairsOf,
  type RuleFix,
  rule,
  selectsAll,
  set,
  slipIn,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A NetworkPolicy allows traffic with pods or namespaces that do not exist',
  category: 'networking',
  severity: 'warning',
  why: `The peers of a policy are found by labels. With a typo, or with a label that the namespace never got, the
rule allows nothing: the policy still selects its pods, so that all other traffic is dropped, with what it should
have let through. A namespace has no label \`name\` of its own; the one that every namespace has is
\`kubernetes.io/metadata.name\`.`,
  remedy: 'Make the selector equal to labels of the pods or of the namespace that are meant.',
  decides: `The peers in \`ingress.from\` and \`egress.to\`. A \`podSelector\` that matches no workload while one differs from it
in a single pair by a letter or two: in the policy's namespace, or in those that the \`namespaceSelector\` beside it
matches. A \`namespaceSelector\` that matches no Namespace while one differs as little, or while it asks for the name of a
Namespace under a key that this one does not have.

Nothing follows from peers that match nothing at all, not even in a cluster: they may come later. Exempt: in manifests, values that
policies of several namespaces ask for, which are names of something else; policies and
namespaces that a kustomization patches, and names of namespaces that the API server makes or that workloads are in.`,
  sources: [
    'k8s.io/api/networking/v1/types.go (NetworkPolicyPeer)',
    'kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Namespace: kubernetes.io/metadata.name)',
  ],
  stories: ['machu-kube-proxy-ipvs'],
  for: 'NetworkPolicy',
  check(policy, { graph, report }) {
    if (graph.patched(policy)) return
    const seen = new Set<string>()
    for (const { peer, verb } of peersOf(policy)) {
      const slip = slipOf(peer, policy, graph)
      if (!slip || seen.has(slip.what) || isAnother(slip, policy, graph)) continue
      seen.add(slip.what)
      report(
        peer,
        slip.field,
        `Nothing ${verb} ${graph.describe(slip.of)} by this rule of ${graph.describe(policy)}: ${slip.what}.`,
        { see: [at(slip.of, slip.labelled, 'labels')], fix: slip.fix },
      )
    }
  },
})

function peersOf({ spec }: NetworkPolicy): readonly { peer: Peer; verb: string }[] {
  const { ingress = [], egress = [] } = spec ?? {}
  return [
    ...ingress.flatMap(({ from = [] }) => from.map((peer) => ({ peer, verb: 'comes in from' }))),
    ...egress.flatMap(({ to = [] }) => to.map((peer) => ({ peer, verb: 'goes out to' }))),
  ]
}

/**
 * Whether the value is the name of something else that is not here, or no longer, as `wizarr` beside `bazarr`: policies of several
 * namespaces ask for it.
 */
function isAnother({ pair: { key, value, own } }: Slip, policy: NetworkPolicy, graph: Graph): boolean {
  const namespace = graph.namespaceOf(policy)
  return (
    own !== undefined &&
    !graph.live &&
    graph.all('NetworkPolicy').some((one) => graph.namespaceOf(one) !== namespace && asksFor(one, key, value))
  )
}

function asksFor(policy: NetworkPolicy, key: string, value: string): boolean {
  return peersOf(policy).some(({ peer: { podSelector, namespaceSelector } }) =>
    [podSelector, namespaceSelector].some(
      (selector) => selector && pairsOf(selector).some(([name, wanted]) => name === key && wanted === value),
    ),
  )
}

type Peer = NonNullable<
  NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]['from']>
>[number]

interface Slip {
  /** What is asked for, and what is there instead; undefined where the label is missing. */
  readonly pair: { readonly key: string; readonly value: string; readonly own: string | undefined }
  readonly field: 'podSelector' | 'namespaceSelector'
  readonly what: string
  /** What was probably meant, and its mapping with the labels. */
  readonly of: object
  readonly labelled: Node
  readonly fix?: RuleFix | undefined
}

function slipOf(peer: Peer, policy: NetworkPolicy, graph: Graph): Slip | undefined {
  const { podSelector, namespaceSelector } = peer
  if (namespaceSelector && !selectsAll(namespaceSelector)) {
    const slip = namespaceSlip(namespaceSelector, graph)
    if (slip) return slip
  }
  return podSelector && !selectsAll(podSelector)
    ? podSlip(podSelector, namespaceSelector, policy, graph)
    : undefined
}

function podSlip(
  selector: LabelSelector,
  inNamespaces: LabelSelector | undefined,
  policy: NetworkPolicy,
  graph: Graph,
): Slip | undefined {
  // Many policies name the same peers of other namespaces.
  const near = inNamespaces
    ? graph.once(`network-policy-peer-missing: ${JSON.stringify([selector, inNamespaces])}`, () =>
        nearPod(selector, podsIn(inNamespaces, graph), graph),
      )
    : graph.matching(selector, policy).length > 0
      ? undefined
      : nearPod(
          selector,
          nearlyMatching(graph.nearby(policy), pairsOf(selector)).filter((one) =>
            graph.together(one, policy),
          ),
          graph,
        )
  if (!near) return undefined
  const { pod, key, value, own } = near
  return {
    pair: { key, value, own },
    field: 'podSelector',
    what: `no pod has ${key}: ${value}, but ${pod.kind === 'Pod' ? 'it has' : 'its pods have'} ${key}: ${own}`,
    of: pod.object,
    labelled: pod.template.metadata ?? pod.template,
    fix: selector.matchLabels && set(selector.matchLabels, key, own),
  }
}

function podsIn(selector: LabelSelector, graph: Graph): readonly Workload[] {
  const namespaces = graph.seen('Namespace').filter((one) => isIn(selector, one))
  // The workloads of all namespaces are not asked for in vain: a scan of a single one does not know them.
  if (namespaces.length === 0) return []
  const names = new Set(namespaces.map(({ metadata }) => metadata?.name))
  return graph.workloads.filter((one) => names.has(one.namespace))
}

/** The pods that a selector misses by a letter, if it hits none. */
function nearPod(selector: LabelSelector, pods: readonly Workload[], graph: Graph) {
  const slips = pods.flatMap((pod) => {
    const slip = slipIn(selector, pod.labels)
    return slip && !graph.patched(pod.object) ? [{ pod, ...slip }] : []
  })
  const [first] = slips
  // Of files a part may tell another namespace than they get, or none: what matches anywhere is what was meant.
  return first && !(graph.live ? pods : graph.workloads).some((one) => matchesSelector(selector, one.labels))
    ? first
    : undefined
}

function namespaceSlip(selector: LabelSelector, graph: Graph): Slip | undefined {
  const namespaces = graph.seen('Namespace')
  const key = `network-policy-peer-missing: ${JSON.stringify(selector)}`
  if (graph.once(key, () => namespaces.some((one) => isIn(selector, one)) || isElsewhere(selector, graph)))
    return undefined
  for (const namespace of namespaces) {
    const slip = slipIn(selector, labelsOf(namespace)) ?? unlabelled(selector, namespace)
    if (!slip || graph.patched(namespace)) continue
    const { key, value, own } = slip
    const { [key]: _, ...others } = selector.matchLabels ?? {}
    return {
      pair: { key, value, own },
      field: 'namespaceSelector',
      what: own
        ? `no namespace has ${key}: ${value}, but this one has ${key}: ${own}`
        : `no namespace has the label ${key}: ${value}, this one neither`,
      of: namespace,
      labelled: namespace.metadata ?? namespace,
      fix: own
        ? selector.matchLabels && set(selector.matchLabels, key, own)
        : set(
            selector,
            'matchLabels',
            { ...others, [nameLabel]: value },
            `select ${nameLabel}: ${value}, which the namespace has`,
          ),
    }
  }
  return undefined
}

/** Namespaces that the API server makes. Source: kubernetes/cmd/kube-apiserver/app/options. */
const everywhere: readonly string[] = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** Whether the selector asks by its name for a namespace that every cluster has, or that objects of the input are in. */
function isElsewhere(selector: LabelSelector, graph: Graph): boolean {
  const name = pairsOf(selector).find(([key]) => key === nameLabel)?.[1]
  return (
    name !== undefined &&
    (everywhere.includes(name) || graph.workloads.some(({ namespace }) => namespace === name))
  )
}

/** Every namespace has it. */
const nameLabel = 'kubernetes.io/metadata.name'

function labelsOf({ metadata }: Namespace): Readonly<Record<string, string>> {
  return { ...metadata?.labels, [nameLabel]: metadata?.name ?? '' }
}

function isIn(selector: LabelSelector, namespace: Namespace): boolean {
  return matchesSelector(selector, labelsOf(namespace))
}

/** The pair that asks for the namespace's name under a key that it does not have. */
function unlabelled({ matchLabels = {}, matchExpressions = [] }: LabelSelector, namespace: Namespace) {
  const labels = labelsOf(namespace)
  const [pair, ...more] = Object.entries(matchLabels).filter(
    ([key, value]) => ownValue(labels, key) !== value,
  )
  if (!pair || more.length > 0 || matchExpressions.length > 0) return undefined
  const [key, value] = pair
  return value === namespace.metadata?.name &&
    ownValue(labels, key) === undefined &&
    /(^|[/.-])(name|namespace|ns)$/i.test(key)
    ? { key, value, own: undefined }
    : undefined
}
