import { rule, set } from '../src/rule.js'

export default rule({
  title: 'Pods that crash block the drain of their nodes',
  category: 'scheduling',
  severity: 'info',
  recommended: false,
  why: `By default a budget counts pods that run but are not ready: once too few are healthy it refuses to
evict any, the broken ones included. A drain then waits for an application that crashes to become healthy.`,
  remedy: 'Set `unhealthyPodEvictionPolicy: AlwaysAllow`.',
  decides: `A PodDisruptionBudget of policy/v1 without \`unhealthyPodEvictionPolicy\`, or with
IfHealthyBudget, for targets from 1.27, that guards a workload of the input without volume claims of its
own. StatefulSets are exempt: a member that recovers may be needed.`,
  versions: 'The field: alpha 1.26, on by default 1.27, GA 1.31.',
  sources: ['k8s.io/api/policy/v1/types.go (UnhealthyPodEvictionPolicyType)', 'KEP-3017'],
  stories: ['betz-gke-upgrade', 'devopshof-drain-local'],
  unless: ['pdb-blocks-drain'],
  for: 'PodDisruptionBudget',
  check(budget, { graph, minor, report }) {
    const { spec } = budget
    if (!spec || minor < 27 || budget.apiVersion !== 'policy/v1') return
    if ((spec.unhealthyPodEvictionPolicy ?? 'IfHealthyBudget') !== 'IfHealthyBudget') return
    const guarded = graph.guardedBy(budget).filter(({ controlled }) => !controlled)
    const [first] = guarded
    if (!first || guarded.some(({ kind }) => kind === 'StatefulSet')) return
    report(
      spec,
      'unhealthyPodEvictionPolicy',
      `A drain hangs when pods of ${first.name} crash: the budget protects them although they serve nobody.`,
      { fix: set(spec, 'unhealthyPodEvictionPolicy', 'AlwaysAllow') },
    )
  },
})
