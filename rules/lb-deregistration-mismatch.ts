import {
  at,
  formatSeconds,
  formatTurnover,
  type Graph,
  type Ingress,
  isKind,
  rule,
  type Service,
  type Workload,
} from '../src/rule.js'

const keys = [
  'alb.ingress.kubernetes.io/target-group-attributes',
  'service.beta.kubernetes.io/aws-load-balancer-target-group-attributes',
]
const types = [
  'alb.ingress.kubernetes.io/target-type',
  'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type',
]

export default rule({
  title: 'The balancer lets go of a pod sooner or later than the pod stops',
  category: 'networking',
  severity: 'info',
  why: `After a pod is taken out of the target group the balancer keeps its open connections for the
deregistration delay. A delay of a few seconds cuts requests in flight; one longer than the pod's grace
period keeps connections to a pod that is dead.`,
  remedy:
    'Make the delay at least as long as your longest request, and the grace period at least as long as the delay.',
  decides: `\`deregistration_delay.timeout_seconds\` in the target group attributes of an Ingress or Service
of the AWS Load Balancer Controller with target type ip: below \`minDelay\`, or above
\`terminationGracePeriodSeconds\` (default 30) of the pods behind it. The controller's default (300) is not
reported when nothing is written.

In a cluster it says how often pods were stopped lately, by rollouts, autoscalers and evictions, as far as that is still
known.`,
  sources: [
    'AWS Load Balancer Controller documentation, annotations',
    'Elastic Load Balancing documentation, deregistration delay',
  ],
  stories: ['ravelin-ingress-502', 'zalando-misc-races', 'betz-gke-upgrade'],
  params: {
    minDelay: { type: 'integer', minimum: 0, default: 10, about: 'Seconds that requests in flight need.' },
  },
  for: ['Ingress', 'Service'],
  check(subject, { graph, params, report }) {
    const annotations = subject.metadata?.annotations
    const key = keys.find((one) => annotations?.[one] !== undefined)
    if (!annotations || !key || !types.some((one) => annotations[one] === 'ip')) return
    const delay = Number(
      /deregistration_delay\.timeout_seconds=(\d+)/.exec(annotations[key] ?? '')?.[1] ?? Number.NaN,
    )
    const workloads = workloadsOf(subject, graph)
    const stopped = (workload: Workload) =>
      formatTurnover(workload, graph, ['scaleDowns', 'rollouts', 'evictions', 'made'])
    if (delay < params.minDelay) {
      const [only, ...others] = workloads
      report(
        annotations,
        key,
        `Requests in flight are cut at every rollout: the balancer waits ${formatSeconds(delay)} for them.`,
        { often: only && others.length === 0 ? stopped(only) : [] },
      )
      return
    }
    for (const workload of workloads) {
      const grace = workload.pod.terminationGracePeriodSeconds ?? 30
      if (!(delay > grace)) continue
      report(
        annotations,
        key,
        `Clients keep connections to pods that are dead: the balancer waits ${formatSeconds(delay)}, pods of ${workload.name} end after ${formatSeconds(grace)}.`,
        { often: stopped(workload), see: [at(workload, workload.pod, 'terminationGracePeriodSeconds')] },
      )
      return
    }
  },
})

function workloadsOf(subject: Ingress | Service, graph: Graph): readonly Workload[] {
  if (isKind(subject, 'Service')) return graph.backendsOf(subject)
  return graph.backendsNamedBy(subject).flatMap(({ service }) => (service ? graph.backendsOf(service) : []))
}
