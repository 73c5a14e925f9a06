/** What a cluster tells about memory that ran out. */
import { holds } from './condition.js'
import { counted } from './enumerate.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { containerStates, lastEnd } from './pod.js'
import { atMost, spanSince } from './trouble.js'
import type { Workload } from './workload.js'

/** What a cluster shows of memory that ran out, in lines for evidence. */
export interface MemoryTrouble {
  /** Containers of the workload that the kernel killed, by their own limit or for the node. */
  readonly killed: readonly { readonly container: string; readonly line: string }[]
  /** Pods of the workload that the kubelet evicted because the node ran out of memory. */
  readonly evicted: readonly string[]
  /** Nodes of the workload's pods on which the kernel killed processes, or that are short of memory. */
  readonly nodes: readonly string[]
}

/** What was seen of a workload and of the nodes that it runs on. */
export function memoryTrouble(workload: Workload, graph: Graph, live: Live): MemoryTrouble {
  const pods = live.podsOf(workload)
  const troubled = live.troubledPodsOf(workload)
  const killed = troubled.flatMap((pod) =>
    containerStates(pod).flatMap((container) => {
      const end = lastEnd(container)
      if (end?.reason !== 'OOMKilled') return []
      const count = container.restartCount ?? 0
      const { name = '' } = container
      const line = `pod ${pod.metadata?.name ?? ''}, container ${name}: OOMKilled ${spanSince(end.endedAt, live)} ago, ${counted(count, 'restart')}`
      return [{ container: name, line }]
    }),
  )
  const evicted = troubled.flatMap(({ metadata, status }) =>
    status?.reason === 'Evicted' && /low on resource: memory/.test(status.message ?? '')
      ? [
          `pod ${metadata?.name ?? ''} evicted: ${(status.message ?? '').slice(0, 120).trim().replace(/\.$/, '')}`,
        ]
      : [],
  )
  const names = new Set(pods.map(({ spec }) => spec?.nodeName))
  const nodes = graph.seen('Node').flatMap((node) => {
    const name = node.metadata?.name
    if (!names.has(name)) return []
    const killings = live
      .eventsOf(node)
      .filter(({ reason }) => reason === 'SystemOOM' || reason === 'OOMKilling')
      .slice(0, 1)
    return [
      ...(holds(node, 'MemoryPressure') ? [`node ${name ?? ''}: MemoryPressure`] : []),
      ...killings.map(({ message }) => `node ${name ?? ''}: ${(message ?? '').slice(0, 120)}`),
    ]
  })
  return { killed, evicted: atMost(3, evicted), nodes: atMost(2, nodes) }
}
