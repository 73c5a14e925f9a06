import { matchesSelector, rule, set } from '../src/rule.js'

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
Recreate, StatefulSets and DaemonSets are exempt. One finding per Deployment.`,
  versions: '`matchLabelKeys` of spread constraints: beta and on by default from 1.27.',
  sources: ['kubernetes/pkg/features/kube_features.go (MatchLabelKeysInPodTopologySpread)'],
  stories: ['oneandone-open-issues', 'oneandone-ecmp-resets'],
  unless: ['affinity-selector-mismatch'],
  for: 'Deployment',
  check(deployment, { minor, report }) {
    const { template, strategy } = deployment.spec ?? {}
    if (minor < 27 || strategy?.type === 'Recreate') return
    const constraint = template?.spec?.topologySpreadConstraints?.find(
      ({ whenUnsatisfiable, labelSelector, matchLabelKeys }) =>
        whenUnsatisfiable === 'DoNotSchedule' &&
        matchesSelector(labelSelector, template.metadata?.labels) &&
        !matchLabelKeys?.includes('pod-template-hash'),
    )
    if (!constraint) return
    report(
      constraint,
      'whenUnsatisfiable',
      `After a rollout the pods of ${deployment.metadata?.name ?? 'this Deployment'} may be lopsided over ${constraint.topologyKey}: old pods are counted with the new ones.`,
      { fix: set(constraint, 'matchLabelKeys', [...(constraint.matchLabelKeys ?? []), 'pod-template-hash']) },
    )
  },
})
