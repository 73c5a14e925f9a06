/** How a pod of a cluster is, in the words of its status. */
import type * as k8s from '@kubernetes/client-node'
import type { KubernetesObject, Loose, Pod } from '../kubernetes.js'
import { countBy, mostFirst } from '../values/group.js'
import { conditionOf, heldFor, holds } from './condition.js'
import type { Live } from './live.js'
import type { Workload } from './workload.js'

/** How the kubelet says that a container is: an item of `containerStatuses`. */
export type ContainerState = Loose<k8s.V1ContainerStatus>

/** Whether Services send to the pod, as far as its condition tells. */
export function isReady(pod: Pod): boolean {
  return holds(pod, 'Ready')
}

/** Whether the pod has run to its end. */
export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

/** Whether the pod has run to its end or is being deleted: it serves nobody and counts for nothing. */
export function isGone(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined || hasEnded(pod)
}

/** The pods of a workload, or of what it made, that count: those that have neither ended nor are being deleted. */
export function presentPods(of: Workload | KubernetesObject, live: Live): readonly Pod[] {
  return live.podsOf(of).filter((pod) => !isGone(pod))
}

/**
 * Whether nothing at all is told of the pod but that it runs and is ready: it is not being deleted, none of its containers waits,
 * has failed or was ever started again, and no condition speaks of anything else.
 */
export function isWell({ metadata, status }: Pod): boolean {
  if (status?.phase !== 'Running' || metadata?.deletionTimestamp !== undefined || status.reason) return false
  let isReady = false
  for (const { type, status: is } of status.conditions ?? []) {
    if (is !== 'True' || !usual.has(type ?? '')) return false
    if (type === 'Ready') isReady = true
  }
  return (
    isReady &&
    (status.containerStatuses ?? []).every(isUndisturbed) &&
    (status.initContainerStatuses ?? []).every(isUndisturbed)
  )
}

/** Conditions of a pod that are true when all is well. Source: k8s.io/api/core/v1/types.go (PodConditionType). */
const usual: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
])

/** Whether a container runs, or has done its work, as it was first started. */
function isUndisturbed({ state, lastState, restartCount = 0 }: ContainerState): boolean {
  if (restartCount > 0 || (lastState && Object.keys(lastState).length > 0)) return false
  return state?.running !== undefined || state?.terminated?.exitCode === 0
}

/** Since when the pod has not been ready, in milliseconds since 1970; undefined when it is ready or says nothing. */
export function unreadySince(pod: Pod): number | undefined {
  if (isReady(pod)) return undefined
  const { status, metadata } = pod
  const ready = conditionOf(pod, 'Ready')
  // A pod without a node has neither the condition nor a start.
  const since = ready?.lastTransitionTime ?? status?.startTime ?? metadata?.creationTimestamp
  return Date.parse(since ?? '') || undefined
}

/** The seconds that the pod has not been ready; 0 when it is, or does not say. */
export function unreadyFor(pod: Pod, { now }: Live): number {
  return (now - (unreadySince(pod) ?? now)) / 1000
}

/** The seconds that the pod has been ready; 0 when it is not, or does not say. */
export function readyFor(pod: Pod, live: Live): number {
  const ready = conditionOf(pod, 'Ready')
  return ready?.status === 'True' ? heldFor(ready, live) : 0
}

/**
 * The pods that have a node and have not been ready for at least so many seconds, the longest
 * first, each with its seconds.
 */
export function unreadyPods(
  pods: readonly Pod[],
  live: Live,
  least: number,
): readonly { readonly pod: Pod; readonly seconds: number }[] {
  return pods
    .filter((pod) => !isGone(pod) && pod.spec?.nodeName)
    .map((pod) => ({ pod, seconds: unreadyFor(pod, live) }))
    .filter(({ pod, seconds }) => !isReady(pod) && seconds >= least)
    .sort((a, b) => b.seconds - a.seconds)
}

/** How the containers of a pod are, init containers first. */
export function containerStates({ status }: Pod): readonly ContainerState[] {
  const { initContainerStatuses = [], containerStatuses = [] } = status ?? {}
  return initContainerStatuses.length > 0
    ? [...initContainerStatuses, ...containerStatuses]
    : containerStatuses
}

/** The end of a run of a container. */
export interface Crash {
  /** 137 for SIGKILL, 143 for SIGTERM, 1 and up for what the process says. */
  readonly exitCode: number
  /** `OOMKilled`, `Error`, `Completed`… */
  readonly reason: string
  /** Milliseconds since 1970; 0 when it is not said. */
  readonly startedAt: number
  /** The same. */
  readonly endedAt: number
}

/** How the last run of a container ended; undefined when it has never ended. */
export function lastEnd({ state, lastState }: ContainerState): Crash | undefined {
  const ended = state?.terminated ?? lastState?.terminated
  if (ended?.exitCode === undefined) return undefined
  const { exitCode, reason = '', startedAt, finishedAt } = ended
  const [start, end] = [startedAt, finishedAt].map((time) => Date.parse(time ?? '') || 0)
  return { exitCode, reason, startedAt: start ?? 0, endedAt: end ?? 0 }
}

/** Whether a container waits for a reason of its own, and not for what every start takes. */
export function isHeldUp(reason: string): boolean {
  return reason !== '' && reason !== 'ContainerCreating' && reason !== 'PodInitializing'
}

/** `exit code 137 (OOMKilled)`. */
export function formatEnd({ exitCode, reason }: Pick<Crash, 'exitCode' | 'reason'>): string {
  const plain = reason === '' || reason === 'Error' || reason === 'Completed'
  return plain ? `exit code ${exitCode}` : `exit code ${exitCode} (${reason})`
}

/** How many of the pods are ready on each node, those with the most first. */
export function readyByNode(pods: readonly Pod[]): readonly (readonly [node: string, ready: number])[] {
  const nodes = pods.flatMap((pod) => (isReady(pod) && !isGone(pod) && pod.spec?.nodeName) || [])
  return mostFirst(countBy(nodes, (node) => node))
}

/**
 * Whether a container is in a crash loop: the kubelet waits before it starts it again, or it has been started so
 * often for each day of its pod and has ended within the last hour.
 * @param restarts a day
 */
export function isCrashing(container: ContainerState, pod: Pod, live: Live, restarts: number): boolean {
  if (container.state?.waiting?.reason === 'CrashLoopBackOff') return true
  const end = lastEnd(container)
  if (end === undefined || live.now - end.endedAt >= 3_600_000) return false
  const days = (live.now - (Date.parse(pod.status?.startTime ?? '') || live.now)) / 86_400_000
  return (container.restartCount ?? 0) >= restarts * Math.max(1, days)
}
