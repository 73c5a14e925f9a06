/** Pods that wait until another one gives up its lead, and are not ready by design. */
import type { Lease, Pod } from '../kubernetes.js'
import type { Graph } from './graph.js'
import { holderOf, silenceAllowed, silentFor } from './lease.js'
import type { Live } from './live.js'
import { patience } from './patience.js'
import { containerStates, isReady, unreadySince } from './pod.js'
import type { Workload } from './workload.js'

/**
 * The standbys among the pods of a workload, those that have not ended: they run, and have never been ready while the only
 * ready pod has led. That one holds a Lease that it renews, and a Service leads to it.
 */
export function standbysOf(
  pods: readonly Pod[],
  workload: Workload,
  graph: Graph,
  live: Live,
): readonly Pod[] {
  const [leader, ...others] = pods.filter(isReady)
  if (!leader || others.length > 0) return []
  const leases = graph.once('leases that are renewed', () => leasesByHolder(graph, live))
  const lease = leases.get(`${leader.metadata?.namespace}/${leader.metadata?.name}`)
  if (!lease || graph.servicesOf(workload).length === 0) return []
  const acquired = Date.parse(lease.spec?.acquireTime ?? '') || 0
  return pods.filter((pod) => isStandby(pod, acquired))
}

/** The Leases that their holders renew, by namespace and holder. */
function leasesByHolder(graph: Graph, live: Live): ReadonlyMap<string, Lease> {
  const renewed = graph.seen('Lease').filter((lease) => {
    const silent = silentFor(lease, live)
    return silent !== undefined && silent <= silenceAllowed(lease, patience.leaseDurations)
  })
  return new Map(renewed.map((lease) => [`${lease.metadata?.namespace}/${holderOf(lease)}`, lease]))
}

function isStandby(pod: Pod, acquired: number): boolean {
  const since = unreadySince(pod) ?? Number.POSITIVE_INFINITY
  const started = Date.parse(pod.status?.startTime ?? '') || 0
  return (
    since <= Math.max(acquired, started) + 60_000 &&
    pod.status?.phase === 'Running' &&
    containerStates(pod).every(({ state }) => state?.running || state?.terminated?.exitCode === 0)
  )
}
