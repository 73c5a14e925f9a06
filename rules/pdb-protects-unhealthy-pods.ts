import { formatSpan, hasOwnVolumes, rule, set, unreadyPods } from '../src/rule.js'

export default rule({
  title: 'Pods that crash block the drain of their nodes',
  category: 'scheduling',
  severity: 'info',
  recommended: false,
  why: `By default a budget counts pods that run but are not ready: once too few are healthy it refuses to
evict any, the broken ones included. A drain then waits for an application that crashes to become healthy.`,
  remedy: 'Set `unhealthyPodEvictionPolicy: AlwaysAllow`.',
  decides: `A PodDisruptionBudget of policy/v1 without \`unhealthyPodEvictionPolicy\`, or with
IfHealthyBudget, for targets from 1.27. StatefulSets with volume claims of their own are exempt: a member that
recovers may be needed. In a cluster a warning when it has come
to that: fewer pods are healthy than must be, and some have run for \`minutes\` without being ready; an error
when one of them stands on a cordoned node, which waits for it.`,
  versions: 'The field: alpha 1.26, on by default 1.27, GA 1.31.',
  sources: ['k8s.io/api/policy/v1/types.go (UnhealthyPodEvictionPolicyType)', 'KEP-3017'],
  stories: ['betz-gke-upgrade', 'devopshof-drain-local'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      about: 'How long pods must not have been ready to count as broken.',
    },
  },
  unless: ['pdb-blocks-drain'],
  for: 'PodDisruptionBudget',
  check(budget, { graph, minor, params, report }) {
    const { spec } = budget
    if (!spec || minor < 27 || budget.apiVersion !== 'policy/v1') return
    if ((spec.unhealthyPodEvictionPolicy ?? 'IfHealthyBudget') !== 'IfHealthyBudget') return
    const guarded = graph.guardedBy(budget).filter(({ controlled }) => !controlled)
    const [first] = guarded
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
    const { live } = graph
    const broken =
      live && currentHealthy < desiredHealthy
        ? guarded
            .flatMap((workload) => unreadyPods(live.podsOf(workload), live, params.minutes * 60))
            .filter(({ pod }) => pod.status?.phase === 'Running')
            .sort((a, b) => b.seconds - a.seconds)
        : []
    const [longest] = broken
    if (longest) {
      const cordoned = graph
        .seen('Node')
        .filter(
          ({ metadata, spec: node }) =>
            node?.unschedulable && broken.some(({ pod }) => pod.spec?.nodeName === metadata?.name),
        )
      const count = broken.length === 1 ? `pod ${longest.pod.metadata?.name} is` : `${broken.length} pods are`
      report(
        spec,
        'unhealthyPodEvictionPolicy',
        `A drain hangs: ${count} broken and protected, as only ${currentHealthy} of the ${desiredHealthy} pods that must stay ${currentHealthy === 1 ? 'is' : 'are'} healthy.`,
        {
          severity: cordoned.length > 0 ? 'error' : 'warning',
          evidence: [
            ...broken
              .slice(0, 3)
              .map(({ pod, seconds }) => `pod ${pod.metadata?.name}: not ready for ${formatSpan(seconds)}`),
            ...cordoned
              .slice(0, 1)
              .map(({ metadata }) => `node ${metadata?.name} is cordoned and waits for one`),
          ],
          fix: set(spec, 'unhealthyPodEvictionPolicy', 'AlwaysAllow'),
        },
      )
      return
    }
    if (guarded.some(hasOwnVolumes) || (!first && graph.complete)) return
    report(
      spec,
      'unhealthyPodEvictionPolicy',
      first
        ? `A drain hangs when pods of ${first.name} crash: the budget protects them although they serve nobody.`
        : 'A drain hangs when pods of this budget crash: it protects them although they serve nobody.',
      { fix: set(spec, 'unhealthyPodEvictionPolicy', 'AlwaysAllow') },
    )
  },
})
