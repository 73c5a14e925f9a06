/** Objects with one field changed: left out, added, misspelt, of another type, out of bounds, twice. */
import type { Path } from '../../src/finding.js'
import { definition, type Field, servedKind, type Type } from '../../src/schema/definitions.js'
import { isMapping, type Mapping } from './mapping.js'

export interface Mutant {
  readonly object: Mapping
  readonly what: string
}

export interface Change {
  readonly path: Path
  /** Undefined: to be removed. */
  readonly value: unknown
  /** `core/v1.Container image left out`: the type, its field, and what is done to it. */
  readonly what: string
}

/** How often the same is done to the same field of the same type, in different objects. */
const repeats = 2

/** All objects with one change, in their order, and the same ones in every run. */
export function* mutants(
  objects: Iterable<Mapping>,
  changesOf: (object: Mapping) => Iterable<Change>,
): Generator<Mutant> {
  const tried = new Map<string, number>()
  for (const object of objects)
    for (const { path, value, what } of changesOf(object)) {
      const times = tried.get(what) ?? 0
      tried.set(what, times + 1)
      if (times < repeats) yield { object: changed(object, path, value), what }
    }
}

/** The changes to an object of a built-in kind; fields and their values come from our own schema of the minor version. */
export function builtinChanges(minor: number): (object: Mapping) => Iterable<Change> {
  return (object) => {
    const kind = servedKind(String(object.apiVersion), String(object.kind))
    return kind ? changes(definitionType(kind.definition), object, [], minor) : []
  }
}

type Shape = Pick<Type, 'is' | 'name' | 'of'>

const definitionType = (name: string): Shape => ({ is: 'definition', name, of: undefined })

/** What may be done to a value and everything below it. */
function* changes(type: Shape, value: unknown, path: Path, minor: number): Generator<Change> {
  if (type.is === 'list' && Array.isArray(value) && type.of) {
    for (const [i, item] of value.entries()) yield* changes(type.of, item, [...path, i], minor)
  } else if (type.is === 'map' && isMapping(value) && type.of) {
    for (const key of Object.keys(value)) yield* changes(type.of, value[key], [...path, key], minor)
  } else if (type.is === 'definition' && isMapping(value)) {
    for (const [name, field] of definition(type.name, minor).fields) {
      if (!field.served || (path.length === 0 && name in untouched)) continue
      yield* changesOf(`${type.name} ${name}`, field, value[name], [...path, name], minor)
    }
  }
}

/** Without them nothing is left to compare; and the server replaces the status of what is created. */
export const untouched: Mapping = { apiVersion: true, kind: true, metadata: true, status: true }

function* changesOf(
  what: string,
  { type }: Field,
  own: unknown,
  path: Path,
  minor: number,
): Generator<Change> {
  if (own === undefined || own === null) {
    yield { path, value: example(type, minor), what: `${what} added` }
    return
  }
  yield { path, value: undefined, what: `${what} left out` }
  for (const [i, value] of others(type, own).entries()) {
    const shown = typeof value === 'object' ? `${type.is} ${i}` : JSON.stringify(value)
    yield { path, value, what: `${what} = ${shown}` }
  }
  yield* changes(type, own, path, minor)
}

/** A small value of a type, with the fields that have to be there. */
function example(type: Type, minor: number, depth = 0): unknown {
  switch (type.is) {
    case 'string':
      return type.values?.[0] || 'a'
    case 'boolean':
      return true
    case 'int32':
    case 'int64':
    case 'number':
      return Math.max(type.minimum ?? 1, 1)
    case 'int-or-percent':
    case 'int-or-port':
    case 'quantity':
      return 1
    case 'bytes':
      return 'YQ=='
    case 'time':
      return '2026-01-31T00:00:00Z'
    case 'micro-time':
      return '2026-01-31T00:00:00.000000Z'
    case 'list':
      return type.of && depth < deepest ? [example(type.of, minor, depth + 1)] : []
    case 'map':
      return type.of && depth < deepest ? { a: example(type.of, minor, depth + 1) } : {}
    case 'definition': {
      const { fields, required } = definition(type.name, minor)
      return Object.fromEntries(
        required.flatMap((name) => {
          const field = fields.get(name)
          return field && depth < deepest ? [[name, example(field.type, minor, depth + 1)]] : []
        }),
      )
    }
    case 'object':
    case 'any':
      return {}
  }
}

/** Schemas may contain themselves. */
const deepest = 6

/** Wrong and right values for a field of this type that has a value. */
function others(type: Type, value: unknown): readonly unknown[] {
  switch (type.is) {
    case 'string': {
      const values = type.values ?? []
      return [5, true, '', 'Bogus', ...values, ...values.map((one) => `${one}x`)]
    }
    case 'boolean':
      return ['true', 1]
    case 'int32':
    case 'int64':
      return [-1, 0, 1, 2, 100, 65535, 65536, 86401, 2 ** 31, 1.5, '5']
    case 'int-or-percent':
    case 'int-or-port':
      return [-1, 0, 1, 65536, '25%', 'http', '80', true]
    case 'quantity':
      return ['1GB', '', true, 1, '1Gi']
    case 'bytes':
      return ['***', 'Cg==']
    case 'time':
    case 'micro-time':
      return ['2026-01-31']
    case 'list':
      return Array.isArray(value) && value.length > 0
        ? [[], value[0], [...value, value.at(-1)], [...value, null], ...wrongEntries(type.of, value)]
        : [[]]
    case 'map':
      return isMapping(value)
        ? Object.keys(value)
            .slice(0, 1)
            .flatMap((key) => wrongValues(type.of).map((one) => ({ ...value, [key]: one })))
        : []
    case 'definition':
      return isMapping(value) ? [[value], 'x', { ...value, bogusField: 1 }] : []
    default:
      return []
  }
}

function wrongEntries(type: Type | undefined, list: readonly unknown[]): readonly unknown[] {
  return type?.is === 'string' ? [5, true, 'Bogus'].map((wrong) => [wrong, ...list.slice(1)]) : []
}

function wrongValues(type: Type | undefined): readonly unknown[] {
  return type?.is === 'string' ? [5, true, null] : type?.is === 'quantity' ? ['1GB', '-1', '100m'] : []
}

/** A copy with the value at a path replaced, or removed when the new one is undefined. */
function changed(object: Mapping, path: Path, value: unknown): Mapping {
  const [step, ...rest] = path
  const copy: Record<string, unknown> = { ...object }
  if (typeof step !== 'string') return copy
  const changedItem = (item: unknown, steps: Path): unknown => {
    const [next, ...more] = steps
    if (next === undefined) return value
    if (Array.isArray(item)) return item.map((one, i) => (i === next ? changedItem(one, more) : one))
    return isMapping(item) ? changed(item, steps, value) : item
  }
  const item = changedItem(object[step], rest)
  if (item === undefined) delete copy[step]
  else copy[step] = item
  return copy
}
