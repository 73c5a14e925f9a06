import {
  advise,
  allOf,
  at,
  type Graph,
  isGone,
  isScrapedOnly,
  matchesSelector,
  mayShareNamespace,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A drain may take all pods of a Service at once',
  category: 'scheduling',
  severity: 'warning',
  why: `A drain evicts every pod of a node that no PodDisruptionBudget holds back. Node upgrades, the
autoscaler and Karpenter drain several nodes at a time, or one right after the other: replicas that share those
nodes go together, those on nodes of their own before their successors are ready, and the Service has no
endpoint, although it has "enough" replicas.`,
  remedy: 'Add a PodDisruptionBudget with `maxUnavailable: 1` for the pods.',
  decides: `A Deployment, StatefulSet or similar with at least \`minReplicas\` pods (by its autoscaler or
\`replicas\`) behind a Service, while no budget that belongs together with it matches its pod labels.
Reported unasked only when the input is complete (\`--complete\`, \`scan\`) or holds a budget of another workload
next to it (same namespace, same or next folder): budgets kept elsewhere are not visible. In a cluster the message
says whether the pods share a node now.

Exempt: DaemonSets (a drain leaves them alone), batch work, and Services that are named for metrics, or whose ports
are all for metrics, profiles or probes.`,
  falsePositives: 'Operators that create the budget themselves.',
  sources: ['kubernetes/pkg/registry/core/pod/storage/eviction.go', 'k8s.io/api/policy/v1/types.go'],
  stories: ['loveholidays-gke-upgrade', 'gke-upgrade-two-replicas', 'nunl-elastalert-oom'],
  params: {
    minReplicas: { type: 'integer', minimum: 2, default: 2, about: 'Pods from which a budget is expected.' },
  },
  for: 'Workload',
  check(workload, { graph, params, isAsked, report }) {
    const fewest = graph.fewestPods(workload)
    const service = graph.servicesOf(workload).find((one) => !isScrapedOnly(one, workload))
    if (!fewest || !service || fewest.pods < params.minReplicas || graph.budgetsOf(workload).length > 0)
      return
    // A budget may be kept elsewhere: the input must show that it is not.
    const sibling = graph
      .siblings('PodDisruptionBudget', workload.object)
      .find((budget) => graph.apart(budget, workload.object) <= 1)
    const isSure = graph.complete || sibling !== undefined
    if (!isSure && (!isAsked || isGuardedFarAway(workload, graph))) return
    const none = `no PodDisruptionBudget${isSure ? '' : ` of ${graph.source}`} matches them`
    const taken = `${allOf(fewest.pods, 'pod')} behind ${graph.describe(service)}`
    const nodes = isOneToANode(workload) ? undefined : nodesOf(workload, graph)
    report(
      workload.object,
      undefined,
      isOneToANode(workload) || (nodes && nodes.length > 1)
        ? `Drains of node after node may evict ${taken} before the first is back: ${none}.`
        : nodes
          ? `A drain of ${nodes[0]} evicts ${taken}: ${none}.`
          : `One drain may evict ${taken}: ${none}.`,
      {
        recommended: isSure,
        see: [
          at(fewest.of, fewest.node, fewest.field, fewest.note),
          graph.complete ? undefined : sibling && at(sibling, sibling, undefined, 'guards other pods'),
        ],
        fix: advise('a PodDisruptionBudget with maxUnavailable: 1 for these labels'),
      },
    )
  },
})

/** Whether a budget whose file is far away matches the pods, and may be of their namespace. */
function isGuardedFarAway({ labels, object }: Workload, graph: Graph): boolean {
  return graph
    .all('PodDisruptionBudget')
    .some((one) => matchesSelector(one.spec?.selector, labels) && mayShareNamespace(one, object, graph))
}

/** The nodes that its pods stand on now; undefined where no two of them stand anywhere. */
function nodesOf(workload: Workload, { live }: Graph): readonly string[] | undefined {
  const standing = (live?.seen.podsOf(workload) ?? []).flatMap((pod) =>
    isGone(pod) ? [] : (pod.spec?.nodeName ?? []),
  )
  return standing.length > 1 ? [...new Set(standing)] : undefined
}

/** Whether no two of its pods can stand on one node: a drain takes one of them. */
function isOneToANode({ pod, labels }: Workload): boolean {
  return (pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some(
    (term) => term.topologyKey === 'kubernetes.io/hostname' && matchesSelector(term.labelSelector, labels),
  )
}
