/** What one object may mean although manifests leave it open. */
import type { KindName, KubernetesObject, LabelSelector, ObjectOf } from '../kubernetes.js'
import { matchesSelector } from '../values/selector.js'
import { isChosen, reach } from './belonging.js'
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

/** Whether two objects may be of one namespace: theirs is the same, or one leaves it to `kubectl -n`. */
export function mayShareNamespace(one: object, other: object, graph: Graph): boolean {
  const namespaces = [graph.namespaceOf(one), graph.namespaceOf(other)]
  return namespaces.includes('') || namespaces[0] === namespaces[1]
}

/** Whether pods of any workload of the input match the selector of an object that may be of their namespace, however far its file is. */
export function matchesAnywhere(selector: LabelSelector, of: object, graph: Graph): boolean {
  return graph.workloads.some(
    (workload) => matchesSelector(selector, workload.labels) && mayShareNamespace(workload.object, of, graph),
  )
}

/** The objects of a kind that are called like one of them, itself included: of such variants any may be the one that is meant. */
export function variantsOf<K extends KindName>(
  kind: K,
  object: KubernetesObject,
  graph: Graph,
): readonly ObjectOf<K>[] {
  const { name } = object.metadata ?? {}
  const namespace = graph.namespaceOf(object)
  return graph.seen(kind).filter((one) => one.metadata?.name === name && graph.namespaceOf(one) === namespace)
}

/**
 * Whether two objects of different folders are taken to be applied together for no other reason than that their folders are near each
 * other: nobody chose a namespace for them, and no kustomizations build both. Folders of examples share their names.
 */
export function isGuess(one: object, other: object, graph: Graph): boolean {
  return (
    graph.apart(one, other) > 0 &&
    !isChosen(graph.namespaceOf(one)) &&
    !(graph.kustomized(one) && graph.kustomized(other))
  )
}
