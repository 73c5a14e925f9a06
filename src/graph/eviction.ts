/** Pods that a kubelet evicted because their node ran short of something. */
import type { KubernetesObject, Pod } from '../kubernetes.js'
import { firstOf } from '../values/enumerate.js'
import { bytes } from '../values/quantity.js'
import { changedAt } from './condition.js'
import { type Live, timeOf } from './live.js'
import type { Workload } from './workload.js'

/** A pod that its kubelet evicted. */
export interface Eviction {
  readonly pod: string
  /** Absent when only an event is left, and it does not say. */
  readonly node: string | undefined
  readonly message: string
  /** When, in milliseconds since 1970; 0 when nothing says. */
  readonly time: number
  /**
   * The container that used most beyond its request, in bytes; absent when the pod used no more than it
   * asked for.
   */
  readonly excess:
    | { readonly container: string; readonly used: number; readonly requested: number }
    | undefined
}

/** What the kubelet says of an eviction. Source: kubernetes/pkg/kubelet/eviction/helpers.go. */
const says = {
  memory: [/low on resource: memory/, /had condition: \[?MemoryPressure/],
  disk: [
    /low on resource: (ephemeral-storage|inodes)/,
    /had condition: \[?DiskPressure/,
    /exceeded its local ephemeral storage limit/,
    /ephemeral local storage usage exceeds/,
    /Usage of EmptyDir volume/,
  ],
} as const

/**
 * The evictions of a workload's pods for want of memory or disk in the last day, as far as pods or events
 * are still there.
 */
export function evictionsOf(
  of: Workload | KubernetesObject,
  live: Live | undefined,
  resource: keyof typeof says,
): readonly Eviction[] {
  if (!live) return []
  const found = new Map<string, Eviction>()
  const add = (pod: string, node: string | undefined, message: string | undefined, time: number) => {
    if (message !== undefined && says[resource].some((text) => text.test(message)) && !found.has(pod))
      found.set(pod, { pod, node, message: message.trim(), time, excess: excessIn(message) })
  }
  for (const { metadata, spec, status } of live.troubledPodsOf(of)) {
    if (status?.reason !== 'Evicted') continue
    const last = evictedAt({ status })
    // Evicted pods stay until there are thousands of them.
    const isOld = last > 0 && live.now - last > 86_400_000
    if (!isOld) add(metadata?.name ?? '', spec?.nodeName, status.message, last)
  }
  for (const event of live.eventsOf(of))
    if (event.reason === 'Evicted')
      add(event.involvedObject?.name ?? '', event.source?.host, event.message, timeOf(event))
  return [...found.values()].sort((a, b) => (a.pod < b.pod ? -1 : 1))
}

/** A line for the evidence: `evicted: web-1 on node-a, web-2 and 4 more`. */
export function formatEvictions(evicted: readonly Pick<Eviction, 'pod' | 'node'>[]): string {
  return `evicted: ${firstOf(evicted.map(({ pod, node }) => (node ? `${pod} on ${node}` : pod)))}`
}

/**
 * When an evicted pod was, in milliseconds since 1970: its last change, as no field tells. 0 when nothing says.
 */
export function evictedAt({ status }: Pick<Pod, 'status'>): number {
  return Math.max(Date.parse(status?.startTime ?? '') || 0, ...(status?.conditions ?? []).map(changedAt))
}

function excessIn(message: string): Eviction['excess'] {
  const all = [
    ...message.matchAll(
      /Container (\S+) was using ([^,]+?)(?:, which exceeds its request of|, request is) ([^,\s]+?)[,.]/g,
    ),
  ].map(([, container = '', used, requested]) => ({
    container,
    used: bytes(used) ?? 0,
    requested: bytes(requested) ?? 0,
  }))
  return all.sort((a, b) => b.used - b.requested - (a.used - a.requested))[0]
}
