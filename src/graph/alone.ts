/** Workloads and Services of one pod, and of none. */
import type { Service } from '../kubernetes.js'
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
  if (graph.servicesOf(workload).some((service) => podsBeside(workload, service, graph) > 0)) return false
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

/** The fewest pods of other workloads that the Service leads to, as a canary beside its stable version; not those of another overlay. */
export function podsBeside(workload: Workload, service: Service, graph: Graph): number {
  return (
    graph
      .backendsOf(service)
      .filter((one) => one.name !== workload.name && graph.apart(one.object, workload.object) === 0)
      // A Pod has no number, and a DaemonSet has one on each node.
      .reduce((sum, one) => sum + (one.batch || one.controlled ? 0 : (graph.fewestPods(one)?.pods ?? 1)), 0)
  )
}

/** Whether a Service is for one pod of a StatefulSet: its clients mean that one, and there is no other to ask. */
export function isOfOnePod({ spec }: Service): boolean {
  return spec?.selector?.['statefulset.kubernetes.io/pod-name'] !== undefined
}
