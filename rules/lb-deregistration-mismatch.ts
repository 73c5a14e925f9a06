import {
  at,
  type Custom,
  formatSeconds,
  formatTurnover,
  type Graph,
  type Ingress,
  isKind,
  type Node,
  numberAt,
  objectAt,
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
period promises them time that the pod does not have.`,
  remedy:
    'Make the delay at least as long as your longest request, and the grace period at least as long as the delay.',
  decides: `\`deregistration_delay.timeout_seconds\` in the target group attributes of an Ingress or Service
of the AWS Load Balancer Controller with target type ip: below \`minDelay\`, or above
\`terminationGracePeriodSeconds\` (default 30) of the pods behind it. The default of 300 is not reported when nothing is
written, unless the rule is asked for. The same for \`drainingTimeoutSec\` of a BackendConfig of GKE that Services name.

In a cluster it says how often pods were stopped lately, by rollouts, autoscalers and evictions, as far as that is still
known.`,
  falsePositives: 'Where no request takes as long as the grace period, a longer delay costs nothing.',
  sources: [
    'aws-load-balancer-controller/docs/guide/ingress/annotations.md, docs/guide/service/annotations.md (target-group-attributes)',
    'Elastic Load Balancing documentation, deregistration delay',
    'ingress-gce/pkg/apis/backendconfig/v1/types.go (ConnectionDrainingConfig)',
  ],
  stories: ['ravelin-ingress-502', 'zalando-misc-races', 'betz-gke-upgrade'],
  params: {
    minDelay: { type: 'integer', minimum: 0, default: 10, about: 'Seconds that requests in flight need.' },
  },
  for: ['Ingress', 'Service', 'cloud.google.com/BackendConfig'],
  check(subject, { graph, params, report }) {
    const draining = drainingOf(subject)
    if (!draining) return
    const { node, field, seconds: delay, isWritten } = draining
    const workloads = servicesOf(subject, graph).flatMap(graph.backendsOf)
    const stopped = (workload: Workload) =>
      formatTurnover(workload, graph, ['scaleDowns', 'rollouts', 'evictions', 'made'])
    if (delay < params.minDelay) {
      const [only, ...others] = workloads
      report(
        node,
        field,
        `Requests in flight are cut at every rollout: the balancer waits ${formatSeconds(delay)} for them.`,
        { often: only && others.length === 0 ? stopped(only) : [] },
      )
      return
    }
    for (const workload of workloads) {
      const grace = workload.pod.terminationGracePeriodSeconds ?? 30
      if (delay <= grace) continue
      report(
        node,
        field,
        `Requests of more than ${formatSeconds(grace)} are cut off when a pod stops: the balancer waits ${formatSeconds(delay)}${isWritten ? '' : ' by default'} for them, pods of ${workload.name} end before.`,
        {
          recommended: isWritten,
          often: stopped(workload),
          see: [at(workload, workload.pod, 'terminationGracePeriodSeconds')],
        },
      )
      return
    }
  },
})

/** How long a balancer keeps the connections of a pod that goes, and where that is written. */
interface Draining {
  readonly node: Node
  readonly field: string
  readonly seconds: number
  readonly isWritten: boolean
}

function drainingOf(subject: Subject): Draining | undefined {
  if (subject.kind === 'BackendConfig') {
    const node = objectAt(subject, 'spec', 'connectionDraining')
    const seconds = numberAt(node, 'drainingTimeoutSec')
    return node && seconds !== undefined
      ? { node, field: 'drainingTimeoutSec', seconds, isWritten: true }
      : undefined
  }
  const annotations = subject.metadata?.annotations
  const type = types.find((one) => annotations?.[one] === 'ip')
  if (!annotations || !type) return undefined
  const key = keys.find((one) => annotations[one] !== undefined)
  const text = /deregistration_delay\.timeout_seconds=(\d+)/.exec(annotations[key ?? ''] ?? '')?.[1]
  // 300 s: Elastic Load Balancing documentation, deregistration delay.
  return {
    node: annotations,
    field: key ?? type,
    seconds: Number(text ?? 300),
    isWritten: text !== undefined,
  }
}

type Subject = Ingress | Service | Custom

function servicesOf(subject: Subject, graph: Graph): readonly Service[] {
  if (isKind(subject, 'Service')) return [subject]
  if (isKind(subject, 'Ingress'))
    return graph.backendsNamedBy(subject).flatMap(({ service }) => service ?? [])
  const { name } = subject.metadata ?? {}
  // {"default": "web"} or {"ports": {"80": "web"}}.
  return graph
    .siblings('Service', subject)
    .filter(({ metadata }) => metadata?.annotations?.[backendConfig]?.includes(`"${name}"`))
}

const backendConfig = 'cloud.google.com/backend-config'
