/** What pods use of their nodes, as far as the metrics API tells. */
import type { Pod } from '../kubernetes.js'
import { bytes, formatBytes } from '../values/quantity.js'
import type { Container } from './container.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { requestOfPod } from './placement.js'
import { isGone } from './pod.js'
import { atMost } from './trouble.js'
import type { Workload } from './workload.js'

/** The memory that pods may have on each node, in bytes. Nodes of which it is not known are left out. */
export function allocatableMemory(graph: Graph): ReadonlyMap<string, number> {
  return graph.once('allocatable memory', () => {
    const sizes = new Map<string, number>()
    for (const { metadata, status } of graph.seen('Node')) {
      const size = bytes(status?.allocatable?.memory)
      if (size !== undefined && size > 0) sizes.set(metadata?.name ?? '', size)
    }
    return sizes
  })
}

/**
 * The pods of a workload that use much of their node's memory, in lines for the evidence of a finding.
 * @param share what is much, as a part of 1
 * @param containers only what those of these names use; without it, only pods that have no request
 */
export function heavyPods(
  workload: Workload,
  graph: Graph,
  share: number,
  containers?: readonly string[],
): readonly string[] {
  const { live } = graph
  if (!live) return []
  const sizes = allocatableMemory(graph)
  const used = (pod: Pod) =>
    (live.usageOf(pod) ?? [])
      .filter(({ container }) => containers?.includes(container) ?? true)
      .reduce((sum, { memory }) => sum + memory, 0)
  const heavy = live
    .podsOf(workload)
    .filter((pod) => !isGone(pod) && (containers !== undefined || requestOfPod(pod, 'memory') === 0))
    .map((pod) => {
      const { nodeName = '' } = pod.spec ?? {}
      return { name: pod.metadata?.name ?? '', nodeName, memory: used(pod), size: sizes.get(nodeName) ?? 0 }
    })
    .filter(({ memory, size }) => size > 0 && memory > share * size)
    .sort((a, b) => b.memory / b.size - a.memory / a.size || (a.name < b.name ? -1 : 1))
  return atMost(
    3,
    heavy.map(
      ({ name, nodeName, memory, size }) =>
        `pod ${name} uses ${formatBytes(memory)} of the ${formatBytes(size)} of node ${nodeName} now`,
    ),
  )
}

/**
 * What each of a workload's pods uses of CPU, the most first, where that differs by far: the standard deviation is
 * more than half of the mean, and the mean is no idling. Undefined otherwise, and for less than three pods.
 */
export function unevenCpu(
  workload: Workload,
  { live }: Graph,
): readonly { readonly pod: string; readonly cpu: number }[] | undefined {
  const pods = (live?.podsOf(workload) ?? []).filter((pod) => !isGone(pod))
  const all = pods.flatMap((pod) => {
    const usage = live?.usageOf(pod)
    if (!usage?.length) return []
    return [{ pod: pod.metadata?.name ?? '', cpu: usage.reduce((sum, { cpu }) => sum + cpu, 0) }]
  })
  const mean = all.reduce((sum, { cpu }) => sum + cpu, 0) / all.length
  const variance = all.reduce((sum, { cpu }) => sum + (cpu - mean) ** 2, 0) / all.length
  return all.length < 3 || all.length < pods.length || mean < 0.05 || Math.sqrt(variance) <= mean / 2
    ? undefined
    : all.sort((a, b) => b.cpu - a.cpu || (a.pod < b.pod ? -1 : 1))
}

/**
 * The pods of a workload in which a container uses most of a memory limit, in lines for the evidence of a finding, the
 * fullest first.
 * @param limit in bytes
 * @param share what is most, as a part of 1
 */
export function podsNearLimit(
  { name: container }: Container,
  { limit, share }: { readonly limit: number; readonly share: number },
  workload: Workload,
  live: Live,
): readonly string[] {
  return live
    .podsOf(workload)
    .filter((pod) => !isGone(pod))
    .map((pod) => ({
      name: pod.metadata?.name ?? '',
      used: live.usageOf(pod)?.find((one) => one.container === container)?.memory ?? 0,
    }))
    .filter(({ used }) => used > share * limit)
    .sort((a, b) => b.used - a.used || (a.name < b.name ? -1 : 1))
    .map(({ name, used }) => `pod ${name} uses ${formatBytes(used)} of ${formatBytes(limit)} now`)
}
