/** What the names and files of namespaces tell by convention. */
import type { KubernetesObject, ObjectOf } from '../kubernetes.js'
import type { Graph } from './graph.js'

/** Whether the name has one of the words between its hyphens: `shop-dev` has `dev`, `developers` has not. */
export function namespaceNamed(namespace: string, words: readonly string[]): boolean {
  return namespace.split('-').some((part) => words.includes(part))
}

/**
 * Whether an object is in this Namespace and not in one of the same name whose file is nearer: in a repository for several
 * clusters each of them has its own.
 */
export function isNamespaceOf(
  namespace: ObjectOf<'Namespace'>,
  object: KubernetesObject,
  graph: Graph,
): boolean {
  const name = graph.namespaceOf(object)
  if (namespace.metadata?.name !== name) return false
  const byNearness = graph.nearestFirst(object)
  return graph.namespacesCalled(name).every((one) => byNearness(one, namespace) >= 0)
}
