/** What one object may mean although manifests leave it open. */
import type { LabelSelector } from '../kubernetes.js'
import { matchesSelector } from '../values/selector.js'
import { reach } from './belonging.js'
import type { Graph } from './graph.js'

/**
 * Whether pods that leave their namespace to `kubectl -n`, in files near `near`, match the selector of that object, which names
 * one: it may be theirs.
 */
export function mayMean(selector: LabelSelector, near: object, graph: Graph): boolean {
  return graph.workloads.some(
    (workload) =>
      graph.namespaceOf(workload) === '' &&
      matchesSelector(selector, workload.labels) &&
      graph.apart(workload, near) <= reach,
  )
}
