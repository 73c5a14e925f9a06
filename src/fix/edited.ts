/** Changes to values: what a text has to mean when it has been changed. */
import { isDeepStrictEqual } from 'node:util'
import type { Edit, Path, Step } from '../finding.js'
import { isObject } from '../values/untyped.js'

/**
 * The value with one change made; the value itself stays as it is.
 * @throws RangeError when there is nothing to remove or to move, or something where it would go
 */
export function edited(root: unknown, edit: Edit): unknown {
  switch (edit.op) {
    case 'set':
      return withValue(root, edit.path, edit.value)
    case 'remove':
      return without(root, edit.path)
    case 'move': {
      if (at(root, edit.to) !== undefined) throw new RangeError('something stands there')
      return withValue(without(root, edit.path), edit.to, at(root, edit.path))
    }
  }
}

/**
 * A change as several that change less: where a mapping takes the place of another one, their fields one by one, and the items of lists
 * that have as many or more.
 */
export function smaller(root: unknown, edit: Edit): readonly Edit[] {
  if (edit.op !== 'set') return [edit]
  const { path, value } = edit
  const old = at(root, path)
  const set = (step: Step, inner: unknown) =>
    smaller(root, { op: 'set', path: [...path, step], value: inner })
  if (isObject(old) && isObject(value) && Object.keys(old).some((name) => Object.hasOwn(value, name)))
    return [
      ...Object.keys(old).flatMap((name): Edit[] =>
        Object.hasOwn(value, name) ? [] : [{ op: 'remove', path: [...path, name] }],
      ),
      ...Object.entries(value).flatMap(([name, inner]) => set(name, inner)),
    ]
  if (Array.isArray(old) && Array.isArray(value) && old.length > 0 && old.length <= value.length)
    return value.flatMap((inner, i) => set(i, inner))
  return isDeepStrictEqual(old, value) ? [] : [edit]
}

/** The value at the end of a path of which nothing is there yet. */
export function nested(path: Path, value: unknown): unknown {
  return path.reduceRight<unknown>(
    (inner, step) => (typeof step === 'number' ? [inner] : { [step]: inner }),
    value,
  )
}

function withValue(root: unknown, [step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value
  const inner = withValue(at(root, [step]), rest, value)
  if (typeof step === 'string') return { ...(isObject(root) ? root : nothing(root)), [step]: inner }
  const items = Array.isArray(root) ? [...root] : Object.values(nothing(root))
  if (step > items.length) throw new RangeError('the list is shorter')
  items[step] = inner
  return items
}

/** @throws RangeError for a value that is there and is of another type */
function nothing(value: unknown): object {
  if (value !== undefined && value !== null) throw new RangeError('a plain value stands there')
  return {}
}

function without(root: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined || at(root, [step]) === undefined) throw new RangeError('nothing is there')
  if (rest.length > 0) return withValue(root, [step], without(at(root, [step]), rest))
  if (Array.isArray(root)) return root.filter((_, i) => i !== step)
  return Object.fromEntries(Object.entries(isObject(root) ? root : {}).filter(([name]) => name !== step))
}

/** What stands at a path, null included; undefined where nothing does. */
export function at(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<Step, unknown>>)[step]
  }
  return value
}
