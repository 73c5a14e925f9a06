import {
  type Deployment,
  type Graph,
  isFor,
  isReady,
  matchesSelector,
  mostFirst,
  ownValue,
  type PodSpec,
  presentPods,
  rule,
  set,
  type TopologySpreadConstraint,
} from '../src/rule.js'

export default rule({
  title: 'The spread constraint counts the pods of the old revision, too',
  category: 'scheduling',
  severity: 'info',
  recommended: false,
  why: `During a rollout the scheduler balances new pods against old ones that are about to go. When they
are gone the rest is lopsided, although the constraint was never broken; with DoNotSchedule it may also hold
the new pods back.`,
  remedy: 'Add `matchLabelKeys: [pod-template-hash]` to the constraint.',
  decides: `A Deployment whose \`topologySpreadConstraints\` with \`DoNotSchedule\` select its own pods and
whose \`matchLabelKeys\` lack \`pod-template-hash\`, for targets from 1.27. ScheduleAnyway, the strategy
Recreate, StatefulSets and DaemonSets are exempt. One finding per Deployment. In a cluster a warning when the ready pods
of one revision are further apart than \`maxSkew\` while no other revision has any.`,
  versions: '`matchLabelKeys` of spread constraints: beta and on by default from 1.27.',
  sources: ['kubernetes/pkg/features/kube_features.go (MatchLabelKeysInPodTopologySpread)'],
  stories: ['oneandone-open-issues', 'oneandone-ecmp-resets'],
  unless: ['affinity-selector-mismatch'],
  for: 'Deployment',
  check(deployment, { graph, minor, report }) {
    const { template, strategy } = deployment.spec ?? {}
    if (minor < 27 || strategy?.type === 'Recreate') return
    const constraint = template?.spec?.topologySpreadConstraints?.find(
      ({ whenUnsatisfiable, labelSelector, matchLabelKeys, topologyKey }) =>
        whenUnsatisfiable === 'DoNotSchedule' &&
        topologyKey !== undefined &&
        matchesSelector(labelSelector, template.metadata?.labels) &&
        !matchLabelKeys?.includes('pod-template-hash'),
    )
    if (!constraint) return
    const counts = lopsided(deployment, constraint, template?.spec ?? {}, graph)
    report(
      constraint,
      'whenUnsatisfiable',
      counts
        ? `The pods of ${deployment.metadata?.name ?? 'this Deployment'} are lopsided over ${constraint.topologyKey}, up to ${counts[0]?.[1] ?? 0} in one: each rollout counts its old pods with the new ones.`
        : `After a rollout the pods of ${deployment.metadata?.name ?? 'this Deployment'} may be lopsided over ${constraint.topologyKey}: old pods are counted with the new ones.`,
      {
        severity: counts ? 'warning' : 'info',
        evidence: counts && [counts.map(([domain, count]) => `${domain}: ${count}`).join(', ')],
        fix: set(constraint, 'matchLabelKeys', [...(constraint.matchLabelKeys ?? []), 'pod-template-hash']),
      },
    )
  },
})

/**
 * The ready pods in each domain, the fullest first, when the constraint would not allow that; undefined during
 * a rollout and where it would.
 */
function lopsided(
  deployment: Deployment,
  { topologyKey = '', maxSkew = 1 }: TopologySpreadConstraint,
  spec: PodSpec,
  graph: Graph,
): readonly (readonly [domain: string, pods: number])[] | undefined {
  const live = graph.live?.seen
  const sets = live?.replicaSetsOf(deployment).filter(({ status }) => (status?.replicas ?? 0) > 0) ?? []
  const [only] = sets
  if (!live || !only || sets.length > 1) return undefined
  const domains = new Map<string, string>()
  const counts = new Map<string, number>()
  for (const node of graph.seen('Node')) {
    const domain = ownValue(node.metadata?.labels, topologyKey)
    if (domain === undefined || !isFor(node, spec) || node.spec?.unschedulable) continue
    domains.set(node.metadata?.name ?? '', domain)
    counts.set(domain, 0)
  }
  const pods = presentPods(only, live)
  for (const pod of pods) {
    const domain = domains.get(pod.spec?.nodeName ?? '')
    // A pod that waits or stands elsewhere would make the count a guess.
    if (domain === undefined || !isReady(pod)) return undefined
    counts.set(domain, (counts.get(domain) ?? 0) + 1)
  }
  const sorted = mostFirst(counts)
  const skew = (sorted[0]?.[1] ?? 0) - (sorted.at(-1)?.[1] ?? 0)
  return skew > maxSkew ? sorted : undefined
}
