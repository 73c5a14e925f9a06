/**
 * JSON patches as kustomize applies them. Source: evanphx/json-patch v4 (patch.go: findObject, add, remove, replace, test), which takes
 * negative indices, and lets `replace` add a key that a mapping does not have.
 */
import { unescapedStep } from '../values/pointer.js'
import { isObject, isScalar, setOwn, stringAt, valueAt } from '../values/untyped.js'

/** What comes of an operation: `unknown` where more would have to be known to tell. */
export type Outcome =
  | 'applied'
  | 'unknown'
  /** Refused: how many steps of its path lead to something; and whether that something has another value than it should. */
  | { readonly depth: number; readonly differs?: true }

/** The steps of a pointer; undefined where it does not begin as one. */
export function stepsOf(pointer: string | undefined): readonly string[] | undefined {
  return pointer?.startsWith('/') ? pointer.slice(1).split('/').map(unescapedStep) : undefined
}

/** Applies an operation to a document, which it changes. */
export function applyOperation(document: unknown, operation: unknown): Outcome {
  const steps = stepsOf(stringAt(operation, 'path'))
  if (!steps) return 'unknown'
  let parent = document
  for (const [depth, step] of steps.slice(0, -1).entries()) {
    parent = childOf(parent, step)
    if (!isObject(parent) && !Array.isArray(parent))
      return { depth: parent === undefined ? depth : depth + 1 }
  }
  return isObject(parent) || Array.isArray(parent)
    ? applyTo(parent, String(steps.at(-1)), steps.length - 1, operation)
    : 'unknown'
}

function applyTo(parent: object, key: string, depth: number, operation: unknown): Outcome {
  // The next operation may change it.
  const value = structuredClone(valueAt(operation, 'value') ?? null)
  const op = stringAt(operation, 'op')
  switch (op) {
    case 'add':
    case 'replace':
    case 'remove': {
      const isApplied = Array.isArray(parent)
        ? changesList(parent, op, key, value)
        : changesMapping(parent as Record<string, unknown>, op, key, value)
      return isApplied ? 'applied' : { depth }
    }
    case 'test': {
      const there = childOf(parent, key)
      if (there === undefined) return value === null ? 'applied' : { depth }
      if (!isScalar(there) || !isScalar(value)) return 'unknown'
      return there === value ? 'applied' : { depth, differs: true }
    }
    default:
      return 'unknown'
  }
}

type Change = 'add' | 'replace' | 'remove'

/** Whether the change can be made, which it then is. */
function changesMapping(mapping: Record<string, unknown>, op: Change, key: string, value: unknown): boolean {
  if (op !== 'remove') setOwn(mapping, key, value)
  else if (!Object.hasOwn(mapping, key)) return false
  else delete mapping[key]
  return true
}

/** The same of a list: one more may be added behind its last entry. */
function changesList(list: unknown[], op: Change, key: string, value: unknown): boolean {
  const index = op === 'add' && key === '-' ? list.length : indexOf(list, key)
  if (index === undefined || index > list.length || (op !== 'add' && index === list.length)) return false
  if (op === 'remove') list.splice(index, 1)
  else list.splice(index, op === 'add' ? 0 : 1, value)
  return true
}

/** The place in a list, which a negative index counts from its end; undefined of what is none. */
function indexOf(list: readonly unknown[], key: string): number | undefined {
  if (!/^-?\d+$/.test(key)) return undefined
  const index = Number(key)
  return index >= 0 ? index : index + list.length >= 0 ? index + list.length : undefined
}

function childOf(value: unknown, step: string): unknown {
  if (!Array.isArray(value)) return isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
  const index = indexOf(value, step)
  return index === undefined ? undefined : value[index]
}
