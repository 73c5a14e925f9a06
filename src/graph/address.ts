/** Pods that get no address. */
import type { Event } from '../kubernetes.js'

const noAddress =
  /no IP addresses available in range set[^"]*|failed to assign an IP address to container|no more free IPs?|Unable to auto assign[^"]*|Assigned \d+ out of \d+ requested IPv[46] addresses[^"]*|range is full|No more IPs available/i

/**
 * What a network plugin says in an event about a pod when it has no address left; undefined
 * when it says something else.
 */
export function saidOfAddress({ reason, message = '' }: Event): string | undefined {
  return reason === 'FailedCreatePodSandBox' ? noAddress.exec(message)?.[0] : undefined
}
