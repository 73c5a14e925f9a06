/** Pods that wait for a node. */
import type { Pod } from '../kubernetes.js'
import { counted } from '../values/enumerate.js'
import { conditionOf, heldFor } from './condition.js'
import type { Live } from './live.js'
import type { Workload } from './workload.js'

/** A pod without a node, with what the scheduler says about it. */
export interface Pending {
  readonly pod: Pod
  /** Seconds since the scheduler first said so. */
  readonly since: number
  /** `0/5 nodes are available: 3 Insufficient cpu, …`. */
  readonly message: string
}

/**
 * The pods of a workload that can't be scheduled, those that have waited longest first. Pods with scheduling
 * gates are not among them: they wait for somebody else. Source: k8s.io/api/core/v1/types.go
 * (PodReasonUnschedulable, PodReasonSchedulingGated).
 */
export function pendingPods(live: Live, of: Workload): readonly Pending[] {
  return live
    .troubledPodsOf(of)
    .flatMap((pod) => {
      const { metadata, spec, status } = pod
      if (spec?.nodeName || status?.phase !== 'Pending' || metadata?.deletionTimestamp) return []
      const told = conditionOf(pod, 'PodScheduled')
      if (told?.status !== 'False' || told.reason !== 'Unschedulable') return []
      return [{ pod, since: heldFor(told, live), message: told.message ?? '' }]
    })
    .sort((a, b) => b.since - a.since)
}

/** What the scheduler said, without what it says of preemption. */
function reasonOf({ message }: Pending): string {
  return message
    .replace(/[ ,.]*(no new claims to deallocate,? ?)?preemption:.*$/s, '')
    .replace(/(?<=\.) not found$/, '')
    .replace(/\.$/, '')
}

/** A line for each of the first pods, for `evidence`. */
export function linesOf(pending: readonly Pending[], most = 2): string[] {
  const lines = pending.slice(0, most).map((one) => `${one.pod.metadata?.name ?? 'a pod'}: ${reasonOf(one)}`)
  return pending.length > most ? [...lines, `and ${counted(pending.length - most, 'more pod')}`] : lines
}
