import {
  at,
  type Condition,
  type Container,
  conditionOf,
  enumerate,
  formatCondition,
  type Graph,
  hasDefault,
  isKind,
  isObject,
  type Measured,
  measuredBy,
  objectsAt,
  requested,
  requestOf,
  rule,
  verticalAutoscalerOf,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The autoscaler measures use in percent of a request that is not there',
  category: 'autoscaling',
  severity: 'error',
  why: `Utilization is use divided by request, over all containers of the pod. When one container has no
request there is nothing to divide by: the autoscaler reports \`FailedGetResourceMetric\` and leaves the
number of pods as it is, at any load. The container is often a sidecar that was added later.`,
  remedy: 'Give each container a request for the resource, or measure one container (`ContainerResource`).',
  decides: `Metrics of type Resource with a Utilization target (\`targetCPUUtilizationPercentage\` of
autoscaling/v1, too; an autoscaler without any metric has 80 % of CPU) whose target has an ordinary
container or native sidecar without request or limit for it. A limit alone becomes the request.
ContainerResource needs it in its container only. Triggers of a KEDA ScaledObject for CPU or memory with
\`metricType: Utilization\` count in the same way. A warning where another metric works: then pods are added and never
taken away. With requests for the whole pod (1.34 and later) those count.

Exempt: a LimitRange of the namespace with a default, a VerticalPodAutoscaler that sets requests, targets to whose
containers, or to the pod of which, a patch of a kustomization may add a request for it, targets of which another variant, equally near,
has the request (files of a course, one of which is applied), and, in a cluster, autoscalers whose condition
\`ScalingActive\` does not say so: somebody filled the request in, or another cause comes first.`,
  versions: 'ContainerResource: beta 1.27, GA 1.30. Requests of pods: on by default from 1.34.',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/replica_calculator.go (calculateRequests)',
    'kubernetes/pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetrics)',
    'kubernetes/pkg/apis/autoscaling/v2/defaults.go',
    'keda/pkg/scalers/cpu_memory_scaler.go (metricType, metadata.type, containerName)',
  ],
  stories: ['betz-resource-limits', 'airbnb-weird-ways'],
  for: ['HorizontalPodAutoscaler', 'keda.sh/ScaledObject'],
  check(autoscaler, { graph, minor, report }) {
    const hpa = isKind(autoscaler, 'HorizontalPodAutoscaler') ? autoscaler : undefined
    const [target, ...variants] = graph.targetsOf(autoscaler)
    // In a cluster KEDA has made an autoscaler of its ScaledObject, with a condition.
    const active = hpa && conditionOf(hpa, 'ScalingActive')
    if (!target || (graph.live && !lacksRequest(active))) return
    const triggers = hpa ? [] : objectsAt(autoscaler, 'spec', 'triggers')
    const [first, ...others] = measuredBy(autoscaler)
      .filter((one) => variants.every((variant) => gapOf(one, variant, graph, minor).length > 0))
      .flatMap((one) => gapOf(one, target, graph, minor))
    if (!first) return
    // With one metric that works the others only keep the number from going down.
    const isStuck = others.length + 1 >= (hpa ? (hpa.spec?.metrics?.length ?? 1) : triggers.length)
    const alike = others.filter(({ lacking }) => namesOf(lacking) === namesOf(first.lacking))
    const what = enumerate([...new Set([first, ...alike].map(({ what }) => what))], 'or')
    report(
      first.node,
      first.field,
      `${target.name} is never scaled${isStuck ? '' : ' down'}: ${namesOf(first.lacking)} no ${what} request, and without it there is no utilization.`,
      {
        severity: isStuck ? 'error' : 'warning',
        see: [at(target.object, first.lacking[0]?.spec ?? target.pod, 'resources')],
        evidence: active?.message ? [formatCondition(active)] : undefined,
      },
    )
  },
})

/** The containers that lack what an autoscaler measures of them; none when there are no such. */
function gapOf(measured: Measured, target: Workload, graph: Graph, minor: number) {
  const { resource, container } = measured
  const lacking = target.running.filter(
    (one) => (container === undefined || one.name === container) && requested(one, resource) === 0,
  )
  if (lacking.length === 0 || isFilledIn(target, resource, graph)) return []
  if (graph.patchedContainers(target.object, 'resources', (own) => mayHave(own, resource))) return []
  if (container === undefined && isSetForPod(target, minor) && requestOf(target, resource) > 0) return []
  return [{ ...measured, lacking, what: resource === 'cpu' ? 'CPU' : resource }]
}

/** Whether resources that a patch writes may have a request, or a limit that becomes one. */
function mayHave(resources: unknown, resource: string): boolean {
  if (!isObject(resources) || '$patch' in resources) return true
  return [resources.requests, resources.limits].some((own) =>
    isObject(own) ? Object.hasOwn(own, resource) || '$patch' in own : Boolean(own),
  )
}

/** Whether the controller says that a request is missing. */
function lacksRequest(active: Condition | undefined): boolean {
  return active?.status === 'False' && /missing (pod-level )?request for /.test(active.message ?? '')
}

function isSetForPod({ pod }: Workload, minor: number): boolean {
  return minor >= 34 && Object.keys(pod.resources?.requests ?? pod.resources?.limits ?? {}).length > 0
}

/** Whether something else gives the containers their requests. */
function isFilledIn(target: Workload, resource: string, graph: Graph): boolean {
  return (
    hasDefault(graph.siblings('LimitRange', target.object), 'request', resource) ||
    verticalAutoscalerOf(target, graph) !== undefined
  )
}

function namesOf(containers: readonly Container[]): string {
  const names = enumerate(
    containers.map(({ name }) => name),
    'and',
  )
  return containers.length === 1 ? `container ${names} has` : `containers ${names} have`
}
