/** What all findings about a kustomization that kustomize refuses have in common. */
import type { Kustomization } from '../reader/input.js'
import type { Graph } from './graph.js'

/** What comes of it, for the beginning of a message: the reason follows. */
export function unbuilt(kustomization: Kustomization, graph: Graph): string {
  return `${graph.describe(kustomization)} cannot be built, so nothing of it is applied`
}
