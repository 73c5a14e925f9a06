/** What is kept of the many objects that workloads make, and of events: their state, not their specification. */
import { quantity } from '../graph/quantity.js'
import { sliceState } from '../graph/slice.js'
import { isObject, objectsAt, stringAt, valueAt } from '../graph/untyped.js'
import type { KindName, Untyped } from '../kubernetes.js'

/** Characters of an event's message that are kept. */
const longestMessage = 500

/**
 * The state of a Pod, Job or ReplicaSet that a workload made: who made it, where it runs and how it is. A tenth of the
 * object, so that ten thousand pods can be held.
 */
export function stateOf(item: Untyped, kindName: KindName): Untyped {
  const { apiVersion, kind } = item
  const base = { apiVersion, kind, metadata: metadataOf(item) }
  switch (kindName) {
    case 'Pod':
      return {
        ...base,
        spec: {
          ...only(item.spec, [
            'nodeName',
            'hostNetwork',
            'readinessGates',
            'priority',
            'priorityClassName',
            'preemptionPolicy',
            'resources',
            'overhead',
          ]),
          ...requestsIn(item, 'containers'),
          ...requestsIn(item, 'initContainers'),
        },
        status: {
          ...only(item.status, [
            'phase',
            'reason',
            'message',
            'podIP',
            'podIPs',
            'hostIP',
            'startTime',
            'qosClass',
          ]),
          conditions: conditionsOf(item),
          containerStatuses: containersOf(item, 'containerStatuses'),
          initContainerStatuses: containersOf(item, 'initContainerStatuses'),
        },
      }
    case 'EndpointSlice':
      return sliceState(item)
    case 'Job':
      return {
        ...base,
        spec: only(item.spec, [
          'suspend',
          'completions',
          'parallelism',
          'backoffLimit',
          'activeDeadlineSeconds',
        ]),
        status: {
          ...only(item.status, [
            'active',
            'succeeded',
            'failed',
            'ready',
            'terminating',
            'startTime',
            'completionTime',
          ]),
          conditions: conditionsOf(item),
        },
      }
    default:
      return {
        ...base,
        spec: only(item.spec, ['replicas']),
        status: {
          ...only(item.status, ['replicas', 'readyReplicas', 'availableReplicas', 'fullyLabeledReplicas']),
          conditions: conditionsOf(item),
        },
      }
  }
}

/**
 * What the containers of a pod use, in cores and bytes: of a PodMetrics no more than that.
 * Source: k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go.
 */
export function usageState(item: Untyped): Untyped {
  return {
    apiVersion: item.apiVersion,
    kind: item.kind,
    metadata: only(item.metadata, ['name', 'namespace']),
    containers: objectsAt(item, 'containers').map((one) => ({
      name: one.name,
      usage: {
        cpu: quantity(valueAt(one, 'usage', 'cpu')),
        memory: quantity(valueAt(one, 'usage', 'memory')),
      },
    })),
  }
}

/** An event without what nobody reads. */
export function eventState(item: Untyped): Untyped {
  const message = stringAt(item, 'message')
  return {
    apiVersion: item.apiVersion,
    kind: item.kind,
    metadata: only(item.metadata, ['namespace', 'name', 'creationTimestamp']),
    ...only(item, ['type', 'reason', 'count', 'firstTimestamp', 'lastTimestamp', 'eventTime', 'series']),
    ...(message !== undefined && { message: message.slice(0, longestMessage) }),
    involvedObject: only(item.involvedObject, ['kind', 'namespace', 'name', 'fieldPath']),
    source: only(item.source, ['component', 'host']),
  }
}

/** Which revision a ReplicaSet is, and what a LimitRange wrote into a pod. */
const keptAnnotations = ['deployment.kubernetes.io/revision', 'kubernetes.io/limit-ranger']

function metadataOf(item: Untyped): Untyped {
  const { metadata } = item
  const annotations = only(valueAt(metadata, 'annotations'), keptAnnotations)
  return {
    ...only(metadata, [
      'name',
      'namespace',
      'uid',
      'creationTimestamp',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'finalizers',
    ]),
    ownerReferences: objectsAt(metadata, 'ownerReferences').map((owner) =>
      only(owner, ['kind', 'name', 'uid', 'controller']),
    ),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  }
}

/** Those of a pod's containers that have requests: admission may have given it others than its template has. */
function requestsIn(item: Untyped, field: 'containers' | 'initContainers'): Untyped {
  const asking = objectsAt(item, 'spec', field).flatMap((one) => {
    const requests = only(valueAt(one, 'resources', 'requests'), ['cpu', 'memory'])
    if (Object.keys(requests).length === 0) return []
    return [{ ...only(one, ['name', 'restartPolicy']), resources: { requests } }]
  })
  return asking.length > 0 ? { [field]: asking } : {}
}

function conditionsOf(item: Untyped): readonly Untyped[] {
  return objectsAt(item, 'status', 'conditions').map((one) =>
    only(one, ['type', 'status', 'reason', 'message', 'lastTransitionTime']),
  )
}

function containersOf(item: Untyped, field: string): readonly Untyped[] {
  return objectsAt(item, 'status', field).map((one) =>
    only(one, ['name', 'image', 'imageID', 'ready', 'started', 'restartCount', 'state', 'lastState']),
  )
}

/** The mapping with these fields alone, where it has them. */
function only(value: unknown, fields: readonly string[]): Untyped {
  if (!isObject(value)) return {}
  const kept: Record<string, unknown> = {}
  for (const field of fields) if (value[field] !== undefined) kept[field] = value[field]
  return kept
}
