/** What autoscalers measure in percent of requests, and what gives pods other requests. */
import { type Custom, type HorizontalPodAutoscaler, isKind, type ObjectOf } from '../kubernetes.js'
import { numberAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'
import type { Workload } from './workload.js'

/** What an autoscaler measures in percent of a request, and where it says so. */
export interface Measured {
  readonly resource: string
  /** The one container that it measures; absent for whole pods. */
  readonly container: string | undefined
  readonly node: object
  readonly field: string
}

/** What a HorizontalPodAutoscaler, or a ScaledObject of KEDA by its triggers for CPU and memory, measures in percent of requests. */
export function measuredBy(autoscaler: HorizontalPodAutoscaler | Custom): readonly Measured[] {
  return isKind(autoscaler, 'HorizontalPodAutoscaler')
    ? measuredByMetrics(autoscaler)
    : objectsAt(autoscaler, 'spec', 'triggers').flatMap(measuredByTrigger)
}

function measuredByMetrics(hpa: HorizontalPodAutoscaler): readonly Measured[] {
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

/** What a trigger of KEDA for CPU or memory measures. */
function measuredByTrigger(trigger: object): readonly Measured[] {
  const resource = stringAt(trigger, 'type') ?? ''
  const type = stringAt(trigger, 'metricType') ?? stringAt(trigger, 'metadata', 'type')
  return (resource === 'cpu' || resource === 'memory') && type === 'Utilization'
    ? [{ resource, container: stringAt(trigger, 'metadata', 'containerName'), node: trigger, field: 'type' }]
    : []
}

type VerticalPodAutoscaler = ObjectOf<'autoscaling.k8s.io/VerticalPodAutoscaler'>

/** Whether an autoscaler's `targetRef` (as VerticalPodAutoscalers have it) names the workload. */
export function targetNamed(autoscaler: object, { kind, name }: Workload): boolean {
  const ref = valueAt(autoscaler, 'spec', 'targetRef')
  return stringAt(ref, 'name') === name && (stringAt(ref, 'kind') ?? kind) === kind
}

/** The VerticalPodAutoscaler that gives a workload's pods other requests than their template has. */
export function verticalAutoscalerOf(workload: Workload, graph: Graph): VerticalPodAutoscaler | undefined {
  return graph
    .siblings('autoscaling.k8s.io/VerticalPodAutoscaler', workload.object)
    .find((one) => targetNamed(one, workload) && updateModeOf(one) !== 'Off')
}

/** Source: autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go (PodUpdatePolicy). */
export function updateModeOf(autoscaler: VerticalPodAutoscaler): string {
  return stringAt(autoscaler, 'spec', 'updatePolicy', 'updateMode') ?? 'Recreate'
}

/**
 * The containers whose request for a resource a VerticalPodAutoscaler sets: the policy of a container's own name counts, else that of `*`.
 * Source: autoscaler/vertical-pod-autoscaler/pkg/utils/vpa/api.go (GetContainerResourcePolicy).
 */
export function controlledBy(
  autoscaler: VerticalPodAutoscaler,
  { running }: Workload,
  resource: string,
): readonly string[] {
  const policies = objectsAt(autoscaler, 'spec', 'resourcePolicy', 'containerPolicies')
  const policyOf = (name: string) => policies.find((one) => stringAt(one, 'containerName') === name)
  return running.flatMap(({ name }) => {
    const policy = policyOf(name) ?? policyOf('*')
    const resources = valueAt(policy, 'controlledResources') ?? ['cpu', 'memory']
    const isControlled = Array.isArray(resources) && resources.includes(resource)
    return isControlled && stringAt(policy, 'mode') !== 'Off' ? [name] : []
  })
}
