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

type Parent = Record<string, unknown> | unknown[]

function applyTo(parent: object, key: string, depth: number, operation: unknown): Outcome {
  const holder = parent as Parent
  // The next operation may change it.
  const value = structuredClone(valueAt(operation, 'value') ?? null)
  const index = Array.isArray(holder) ? indexOf(holder, key) : undefined
  const missing = { depth }
  switch (stringAt(operation, 'op')) {
    case 'add':
      if (!Array.isArray(holder)) setOwn(holder, key, value)
      else if (key === '-') holder.push(value)
      else if (index === undefined || index > holder.length) return missing
      else holder.splice(index, 0, value)
      return 'applied'
    case 'replace':
      if (!Array.isArray(holder)) setOwn(holder, key, value)
      else if (index === undefined || index >= holder.length) return missing
      else holder[index] = value
      return 'applied'
    case 'remove':
      if (!Array.isArray(holder)) {
        if (!Object.hasOwn(holder, key)) return missing
        delete holder[key]
      } else if (index === undefined || index >= holder.length) return missing
      else holder.splice(index, 1)
      return 'applied'
    case 'test': {
      const there = childOf(holder, key)
      if (there === undefined) return value === null ? 'applied' : missing
      if (!isScalar(there) || !isScalar(value)) return 'unknown'
      return there === value ? 'applied' : { depth, differs: true }
    }
    default:
      return 'unknown'
  }
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
