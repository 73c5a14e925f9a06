/** What a cluster tells about memory that ran out. */
import type { Pod } from '../kubernetes.js'
import { counted } from '../values/enumerate.js'
import { holds } from './condition.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { containerStates, lastEnd } from './pod.js'
import { atMost, spanSince } from './trouble.js'
import type { Workload } from './workload.js'

/** A container that the kernel killed for lack of memory when it ended last. */
export interface MemoryKill {
  readonly pod: Pod
  readonly container: string
  /** Milliseconds since 1970; 0 when it is not said. */
  readonly at: number
  readonly restarts: number
}

/** The containers of a pod that were killed for lack of memory when they ended last. */
export function memoryKillsOf(pod: Pod): readonly MemoryKill[] {
  return containerStates(pod).flatMap((state) => {
    const end = lastEnd(state)
    const { name = '', restartCount = 0 } = state
    return end?.reason === 'OOMKilled'
      ? [{ pod, container: name, at: end.endedAt, restarts: restartCount }]
      : []
  })
}

/** `pod web-1, container web: OOMKilled 3 h ago, 12 restarts`. */
export function formatMemoryKill({ pod, container, at, restarts }: MemoryKill, live: Live): string {
  const when = at > 0 ? ` ${spanSince(at, live)} ago` : ''
  return `pod ${pod.metadata?.name ?? ''}, container ${container}: OOMKilled${when}, ${counted(restarts, 'restart')}`
}

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
  const killed = troubled
    .flatMap(memoryKillsOf)
    .map((kill) => ({ container: kill.container, line: formatMemoryKill(kill, live) }))
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
