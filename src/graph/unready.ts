/** Pods that should be ready and are not. */
import type { Pod } from '../kubernetes.js'
import type { Graph } from './graph.js'
import { isAway } from './node.js'
import type { Workload } from './workload.js'

export interface Unready {
  readonly pod: Pod
  readonly node: string
  /** `kiam-x7f2 on n1: CrashLoopBackOff, 12 restarts`: for evidence. */
  readonly text: string
}

/** How long a pod may take to become ready, in milliseconds. */
const patience = 120_000

/**
 * The pods of a workload that have not been ready for two minutes, by their nodes. Those of nodes that are away themselves,
 * and those that end, are left out.
 */
export function unreadyPods(workload: Workload, graph: Graph): readonly Unready[] {
  const { live } = graph
  if (!live) return []
  return live
    .podsOf(workload)
    .flatMap((pod): Unready[] => {
      const { metadata, spec, status } = pod
      const ready = status?.conditions?.find(({ type }) => type === 'Ready')
      const since = live.now - Date.parse(ready?.lastTransitionTime ?? '')
      const node = graph.find('Node', spec?.nodeName, workload.object, '')
      if (ready?.status !== 'False' || !(since >= patience) || metadata?.deletionTimestamp) return []
      if (!spec?.nodeName || status?.phase === 'Succeeded' || (node && isAway(node))) return []
      const bad = status?.containerStatuses?.find((one) => one.ready === false)
      const why =
        bad?.state?.waiting?.reason ?? bad?.state?.terminated?.reason ?? status?.reason ?? 'not ready'
      const restarts = bad?.restartCount ?? 0
      const count = restarts > 0 ? `, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}` : ''
      const name = metadata?.name ?? ''
      return [{ pod, node: spec.nodeName, text: `${name} on ${spec.nodeName}: ${why}${count}` }]
    })
    .sort((a, b) => (a.node < b.node ? -1 : 1))
}
