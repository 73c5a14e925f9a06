/**
 * What is kept of the many objects that workloads make, and of events: their state, not their specification. Items of lists do not
 * say what they are: the resource does.
 */
import { memberAnnotation, memberText, writesOfPatroni } from '../graph/patroni.js'
import { sliceState } from '../graph/slice.js'
import type { Untyped } from '../kubernetes.js'
import { quantity } from '../values/quantity.js'
import { isObject, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Resource } from './discover.js'

/** Characters of an event's message that are kept. */
const longestMessage = 500

/** The fields that are kept of a kind, as they are. */
interface Fields {
  readonly spec: readonly string[]
  readonly status: readonly string[]
}

const ofPods: Fields = {
  spec: [
    'nodeName',
    'hostNetwork',
    'readinessGates',
    'priority',
    'priorityClassName',
    'preemptionPolicy',
    'resources',
    'overhead',
  ],
  status: ['phase', 'reason', 'message', 'podIP', 'podIPs', 'startTime', 'qosClass'],
}

const ofJobs: Fields = {
  spec: ['suspend', 'completions', 'parallelism', 'backoffLimit', 'activeDeadlineSeconds'],
  status: ['active', 'succeeded', 'failed', 'ready', 'terminating', 'startTime', 'completionTime'],
}

const ofReplicaSets: Fields = {
  spec: ['replicas'],
  status: ['replicas', 'readyReplicas', 'availableReplicas'],
}

/**
 * The state of a Pod, Job or ReplicaSet that a workload made: who made it, where it runs and how it is. A tenth of the
 * object, so that ten thousand pods can be held.
 */
export function stateOf(item: Untyped, { apiVersion, kind, kindName }: Resource): Untyped {
  if (kindName === 'EndpointSlice') return sliceState(item, apiVersion, kind)
  const isPod = kindName === 'Pod'
  const fields = isPod ? ofPods : kindName === 'Job' ? ofJobs : ofReplicaSets
  const spec = only(item.spec, fields.spec)
  const status = only(item.status, fields.status)
  status.conditions = conditionsOf(item)
  if (isPod) {
    for (const field of ['containers', 'initContainers']) {
      const asking = requestsIn(item, field)
      if (asking.length > 0) spec[field] = asking
    }
    for (const field of ['containerStatuses', 'initContainerStatuses'])
      status[field] = containersOf(item, field)
  }
  return { apiVersion, kind, metadata: metadataOf(item), spec, status }
}

/**
 * What the containers of a pod use, in cores and bytes: of a PodMetrics no more than that.
 * Source: k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go.
 */
export function usageState(item: Untyped, { apiVersion, kind }: Resource): Untyped {
  return {
    apiVersion,
    kind,
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
export function eventState(item: Untyped, { apiVersion, kind }: Resource): Untyped {
  const message = stringAt(item, 'message')
  return {
    apiVersion,
    kind,
    metadata: only(item.metadata, ['namespace', 'name', 'creationTimestamp']),
    ...only(item, ['type', 'reason', 'count', 'firstTimestamp', 'lastTimestamp', 'eventTime', 'series']),
    ...(message !== undefined && { message: message.slice(0, longestMessage) }),
    involvedObject: only(item.involvedObject, ['kind', 'namespace', 'name', 'fieldPath']),
    source: only(item.source, ['component', 'host']),
  }
}

/** Which revision a ReplicaSet is, and what a LimitRange wrote into a pod. */
const keptAnnotations = ['deployment.kubernetes.io/revision', 'kubernetes.io/limit-ranger']

function metadataOf({ metadata }: Untyped): Kept {
  const kept = only(metadata, [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'finalizers',
  ])
  kept.ownerReferences = objectsAt(metadata, 'ownerReferences').map((owner) =>
    only(owner, ['kind', 'name', 'uid', 'controller']),
  )
  const annotations = only(valueAt(metadata, 'annotations'), keptAnnotations)
  const member = memberIn(metadata)
  if (member !== undefined) annotations[memberAnnotation] = member
  if (Object.keys(annotations).length > 0) kept.annotations = annotations
  if (member !== undefined) kept.managedFields = writesOfPatroni(metadata)
  return kept
}

/** What is kept of the annotation that Patroni writes. */
function memberIn(metadata: unknown): string | undefined {
  const text = stringAt(metadata, 'annotations', memberAnnotation)
  return text === undefined ? undefined : memberText(text)
}

/** Those of a pod's containers that have requests: admission may have given it others than its template has. */
function requestsIn(item: Untyped, field: string): readonly Kept[] {
  return objectsAt(item, 'spec', field).flatMap((one) => {
    const requests = only(valueAt(one, 'resources', 'requests'), ['cpu', 'memory'])
    if (Object.keys(requests).length === 0) return []
    const kept = only(one, ['name', 'restartPolicy'])
    kept.resources = { requests }
    return [kept]
  })
}

function conditionsOf(item: Untyped): readonly Untyped[] {
  return objectsAt(item, 'status', 'conditions').map((one) =>
    only(one, ['type', 'status', 'reason', 'message', 'lastTransitionTime']),
  )
}

function containersOf(item: Untyped, field: string): readonly Untyped[] {
  return objectsAt(item, 'status', field).map((one) =>
    only(one, ['name', 'image', 'imageID', 'ready', 'restartCount', 'state', 'lastState']),
  )
}

type Kept = Record<string, unknown>

/**
 * The mapping with these fields alone, where it has them. Others are added to it one by one: where objects are put together by
 * `...`, V8 gives each of them a hidden class of its own, and every access to one of ten thousand pods is a slow one.
 */
function only(value: unknown, fields: readonly string[]): Kept {
  const kept: Kept = {}
  if (!isObject(value)) return kept
  for (const field of fields) if (value[field] !== undefined) kept[field] = value[field]
  return kept
}
