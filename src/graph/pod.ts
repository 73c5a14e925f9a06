/** How a pod of a cluster is, in the words of its status. */
import type { Pod } from '../kubernetes.js'

/** Whether Services send to the pod, as far as its condition tells. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false
}

/** Whether the pod has run to its end or is being deleted: it serves nobody and counts for nothing. */
export function isGone({ metadata, status }: Pod): boolean {
  return (
    metadata?.deletionTimestamp !== undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed'
  )
}

/** Since when the pod is not ready, in milliseconds since 1970: of a pod that never was, since it exists. */
export function unreadySince({ metadata, status }: Pod): number {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return Date.parse(ready?.lastTransitionTime ?? metadata?.creationTimestamp ?? '') || 0
}

/** Why the pod is not ready, in a few words: `CrashLoopBackOff, 12 restarts`, `Pending: 0/3 nodes are available`. */
export function troubleOf({ status }: Pod): string {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  const waiting = containers.find(
    ({ state }) =>
      state?.waiting?.reason && !/^(PodInitializing|ContainerCreating)$/.test(state.waiting.reason),
  )
  const restarts = containers.reduce((sum, one) => sum + (one.restartCount ?? 0), 0)
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  const reason =
    waiting?.state?.waiting?.reason ??
    (scheduled?.status === 'False'
      ? `Pending: ${firstSentence(scheduled.message) || 'no node'}`
      : undefined) ??
    containers.find(({ state }) => state?.waiting)?.state?.waiting?.reason ??
    (status?.phase === 'Running' ? 'running, not ready' : (status?.phase ?? 'no status'))
  return restarts > 0 ? `${reason}, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}` : reason
}

function firstSentence(text = ''): string {
  return text.split(/\.\s/)[0]?.replace(/\.$/, '') ?? ''
}

/** How many of the pods are ready on each node, those with the most first. */
export function readyByNode(pods: readonly Pod[]): readonly (readonly [node: string, ready: number])[] {
  const counts = new Map<string, number>()
  for (const pod of pods) {
    const node = pod.spec?.nodeName
    if (node && isReady(pod) && !isGone(pod)) counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b))
}
