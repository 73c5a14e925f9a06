/** Containers that did not end at SIGTERM: what a cluster still shows of them. */
import type { Pod } from '../kubernetes.js'
import type { Live } from './live.js'
import { containerStates, lastEnd } from './pod.js'
import { spanSince } from './trouble.js'
import type { Workload } from './workload.js'

/** How far the end of a container may be from the end of the grace period, in milliseconds: seconds are rounded. */
const tolerance = 5000
/** How long events last by default, in milliseconds. */
const eventsLast = 3_600_000

/** A container that got SIGKILL because it had not ended before. */
export interface Kill {
  readonly container: string
  /** `pod web-1: container web got SIGKILL at the end of its grace period of 30 s, 5 min ago`. */
  readonly text: string
}

/**
 * The containers of a workload that got SIGKILL because they had not ended before: with their pod, which is being
 * deleted, or for a liveness probe that failed. SIGKILL for memory says so itself (OOMKilled).
 */
export function killsOf(workload: Workload, live: Live): readonly Kill[] {
  return live.troubledPodsOf(workload).flatMap((pod) =>
    containerStates(pod).flatMap((state): Kill[] => {
      const end = lastEnd(state)
      if (end?.exitCode !== 137 || end.reason !== 'Error') return []
      const container = state.name ?? ''
      const { name = '', deletionTimestamp, deletionGracePeriodSeconds: grace = 0 } = pod.metadata ?? {}
      const said = (how: string) => [
        {
          container,
          text: `pod ${name}: container ${container} got SIGKILL ${how}, ${spanSince(end.endedAt, live)} ago`,
        },
      ]
      if (deletionTimestamp !== undefined)
        // A grace period of 0 is a deletion by force.
        return grace > 1 && Math.abs(end.endedAt - Date.parse(deletionTimestamp)) <= tolerance
          ? said(`at the end of its grace period of ${grace} s`)
          : []
      return live.now - end.endedAt < eventsLast && isUnhealthy(pod, container, live)
        ? said('after its liveness probe had failed, and SIGTERM had not ended it')
        : []
    }),
  )
}

/** Whether a liveness probe of the container has failed of late. */
export function isUnhealthy(pod: Pod, container: string, live: Live): boolean {
  return live
    .eventsOf(pod)
    .some(
      ({ reason, message = '', involvedObject }) =>
        reason === 'Unhealthy' &&
        message.startsWith('Liveness probe failed') &&
        (involvedObject?.fieldPath ?? `{${container}}`).endsWith(`{${container}}`),
    )
}
