/** Where custom kinds are defined. */
import { groupOf, type ObjectOf } from '../kubernetes.js'
import type { Graph } from './graph.js'

/** The CustomResourceDefinition of the input that defines a kind; undefined where there is none. */
export function customDefinition(
  graph: Graph,
  apiVersion: string,
  kind: string,
): ObjectOf<'CustomResourceDefinition'> | undefined {
  const group = groupOf(apiVersion)
  return graph
    .all('CustomResourceDefinition')
    .find(({ spec }) => spec?.names?.kind === kind && spec.group === group)
}
