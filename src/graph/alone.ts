/** Workloads of one pod that stops before the next one starts, and of none. */
import type { Graph } from './graph.js'
import { recreates } from './rolling.js'
import type { Workload } from './workload.js'

/** Whether a change of its template replaces its pods; with the other kinds it reaches new pods only. */
export function hasRollouts({ kind }: Workload): boolean {
  return kind !== 'ReplicationController' && kind !== 'ReplicaSet'
}

/** Whether its Services have one pod, and the next one starts after its end: requests fail meanwhile, probe or not. */
export function isAlone(workload: Workload, graph: Graph): boolean {
  if (graph.autoscalerOf(workload) || graph.scaledObjectOf(workload)) return false
  if (graph.fewestPods(workload)?.pods !== 1) return false
  if (graph.servicesOf(workload).some((service) => graph.backendsOf(service).length > 1)) return false
  return workload.kind === 'StatefulSet' || !hasRollouts(workload) || recreates(workload)
}

/** Whether nothing runs of a workload, and nothing but a hand starts it. */
export function isParked(workload: Workload, graph: Graph): boolean {
  return (
    workload.scale?.replicas === 0 &&
    graph.fewestPods(workload)?.pods === 0 &&
    !graph.scaledObjectOf(workload)
  )
}
