/** The way from the root of an object to what a rule has in hand. */
import type { Path, Step } from '../finding.js'
import type { Resource } from '../graph/resource.js'
import { isWorkload } from '../graph/workload.js'
import type { Node } from '../rule.js'
import { originalIndex } from '../schema/walk.js'

/** The path of a field of `node` from the root of its object. */
export function pathOf(resource: Resource, node: Node, field: Step | undefined): Path {
  const steps: Step[] = []
  // A Workload stands for its object's root.
  if (!isWorkload(node)) findNode(resource.value, node, steps)
  const path = steps.reverse()
  if (field !== undefined)
    path.push(typeof field === 'number' && Array.isArray(node) ? originalIndex(node, field) : field)
  return path
}

/** Looks for `node` in the tree `value`; `steps` are then those to it, the last one first. */
function findNode(value: object, node: Node, steps: Step[]): boolean {
  if (value === node) return true
  const fields = value as Readonly<Record<string, unknown>>
  for (const key in fields) {
    const item = fields[key]
    if (typeof item !== 'object' || item === null || !findNode(item, node, steps)) continue
    steps.push(Array.isArray(value) ? originalIndex(value, Number(key)) : key)
    return true
  }
  return false
}
