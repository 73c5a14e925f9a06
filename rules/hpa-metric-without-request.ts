import {
  at,
  type Condition,
  type Container,
  conditionOf,
  enumerate,
  formatCondition,
  type Graph,
  hasDefault,
  numberAt,
  type ObjectOf,
  requested,
  requestOf,
  rule,
  stringAt,
  targetNamed,
  type Workload,
} from '../src/rule.js'

type Autoscaler = ObjectOf<'HorizontalPodAutoscaler'>

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
ContainerResource needs it in its container only. With requests for the whole pod (1.34 and later) those
count.

Exempt: a LimitRange of the namespace with a default, a VerticalPodAutoscaler that sets requests, targets
that a patch of a kustomization changes, and, in a cluster, autoscalers whose condition \`ScalingActive\`
does not say so: somebody filled the request in, or another cause comes first.`,
  versions: 'ContainerResource: beta 1.27, GA 1.30. Requests of pods: on by default from 1.34.',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/replica_calculator.go (calculateRequests)',
    'kubernetes/pkg/apis/autoscaling/v2/defaults.go',
  ],
  stories: ['betz-resource-limits', 'airbnb-weird-ways'],
  for: 'HorizontalPodAutoscaler',
  check(hpa, { graph, minor, report }) {
    const target = graph.targetOf(hpa)
    const active = conditionOf(hpa, 'ScalingActive')
    if (!target || graph.patched(target.object) || (graph.live && !lacksRequest(active))) return
    for (const { resource, container, node, field } of measuredBy(hpa)) {
      const lacking = target.running.filter(
        (one) => (container === undefined || one.name === container) && requested(one, resource) === 0,
      )
      if (container === undefined && isSetForPod(target, minor) && requestOf(target, resource) > 0) continue
      const [first] = lacking
      if (!first || isFilledIn(target, resource, graph)) continue
      const what = resource === 'cpu' ? 'CPU' : resource
      report(
        node,
        field,
        `${target.name} is never scaled: ${namesOf(lacking)} no ${what} request, and without it there is no utilization.`,
        {
          see: [at(target.object, first.spec, 'resources')],
          evidence: active?.message ? [formatCondition(active)] : undefined,
        },
      )
      return
    }
  },
})

/** Whether the controller says that a request is missing. */
function lacksRequest(active: Condition | undefined): boolean {
  return active?.status === 'False' && /missing (pod-level )?request for /.test(active.message ?? '')
}

/** What an autoscaler measures in percent of requests, and where it says so. */
function measuredBy(hpa: Autoscaler) {
  const { spec } = hpa
  if (!spec) return []
  if (spec.targetCPUUtilizationPercentage !== undefined)
    return [{ resource: 'cpu', container: undefined, node: spec, field: 'targetCPUUtilizationPercentage' }]
  if (!spec.metrics?.length) return [{ resource: 'cpu', container: undefined, node: spec, field: 'metrics' }]
  return spec.metrics.flatMap((metric) => {
    const source = metric.resource ?? metric.containerResource
    // autoscaling/v2beta1 has the percentage beside the name.
    const percent = source?.target?.averageUtilization ?? numberAt(source, 'targetAverageUtilization')
    if (!source?.name || percent === undefined) return []
    return [
      { resource: source.name, container: metric.containerResource?.container, node: source, field: 'name' },
    ]
  })
}

function isSetForPod({ pod }: Workload, minor: number): boolean {
  return minor >= 34 && Object.keys(pod.resources?.requests ?? pod.resources?.limits ?? {}).length > 0
}

/** Whether something else gives the containers their requests. */
function isFilledIn(target: Workload, resource: string, graph: Graph): boolean {
  return (
    hasDefault(graph.siblings('LimitRange', target.object), 'request', resource) ||
    graph
      .siblings('autoscaling.k8s.io/VerticalPodAutoscaler', target.object)
      .some(
        (one) => targetNamed(one, target) && stringAt(one, 'spec', 'updatePolicy', 'updateMode') !== 'Off',
      )
  )
}

function namesOf(containers: readonly Container[]): string {
  const names = enumerate(
    containers.map(({ name }) => name),
    'and',
  )
  return containers.length === 1 ? `container ${names} has` : `containers ${names} have`
}
