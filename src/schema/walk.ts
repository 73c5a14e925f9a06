/**
 * Walks through values along their definitions and makes their types true.
 *
 * One walk does both: what is wrong becomes a problem, and what the typed view of the object (src/kubernetes.ts) could not
 * rely on is left out of the value. Values are copied only where something had to change.
 */
import type { Path, Step } from '../finding.js'
import type { Untyped } from '../kubernetes.js'
import { isObject } from '../values/untyped.js'
import { type Definition, definitionOf, type Field, type ListKey, type Type } from './definitions.js'
import {
  blankIn,
  blankKeyIn,
  isBase64,
  isMicroTime,
  isPercentage,
  isPlaceholder,
  isPortName,
  isQuantity,
  isTime,
  isVariableName,
  type NameForm,
} from './format.js'
import { knownSchema } from './known.js'
import { type Expected, type Format, type SchemaProblem, wrongType } from './problem.js'
import { hasForm, type Say } from './validation/say.js'

/** A walk through an object: where it is, and what it has found. */
export interface Walk {
  readonly minor: number
  /** Where the walk is. */
  readonly path: Step[]
  readonly problems: SchemaProblem[]
  /** Shape only: say nothing. */
  readonly quiet: boolean
  /** For the checks of single types; made when the first one speaks. */
  say: Say | undefined
  /** How many values could not be decoded because they are still to be filled in. */
  gaps: number
}

/**
 * @param quiet shape only
 * @param path where the value stands in its object
 */
export function walkAt(minor: number, quiet: boolean, path: Path = []): Walk {
  return { minor, path: [...path], problems: [], quiet, say: undefined, gaps: 0 }
}

/**
 * The index that an entry of a shaped list has in the list as it is written: entries of the wrong type are left out of
 * the shaped one.
 */
export function originalIndex(list: readonly unknown[], index: number): number {
  return originals.get(list)?.[index] ?? index
}

const originals = new WeakMap<object, readonly number[]>()

/** The value with true types, or undefined when it cannot have them. The types are compared one by one: the most common first. */
function visit(type: Type, value: unknown, walk: Walk): unknown {
  switch (type.is) {
    case 'string':
      if (typeof value !== 'string') return refuse('text', value, walk)
      if (type.values !== undefined && !type.values.includes(value) && (value !== '' || !type.mayBeEmpty))
        report(walk, { kind: 'bad-enum', path: [...walk.path], value, allowed: type.values })
      return value
    case 'definition':
      return visitObject(definitionOf(type, walk.minor), value, walk)
    case 'list':
      return visitList(type, value, walk)
    case 'map':
      return visitMap(type, value, walk)
    case 'int32':
    case 'int64':
      return visitInteger(type, value, walk)
    case 'boolean':
      return typeof value === 'boolean' ? value : refuse('boolean', value, walk)
    case 'number':
      return typeof value === 'number' ? value : refuse('number', value, walk)
    case 'quantity':
      return visitQuantity(value, walk)
    case 'int-or-percent':
      if (typeof value === 'number') return visitInteger(type, value, walk)
      return visitFormat('integer or text', 'percentage', value, isPercentage, walk)
    case 'int-or-port':
      if (typeof value === 'number') return visitInteger(type, value, walk)
      return visitFormat('integer or text', 'port name', value, isPortName, walk)
    case 'time':
      return visitFormat('time', 'time', value, isTime, walk)
    case 'micro-time':
      return visitFormat('time', 'time in microseconds', value, isMicroTime, walk)
    case 'bytes':
      return visitFormat('base64 text', 'base64', value, isBase64, walk)
    case 'object':
      return isObject(value) ? value : refuse('mapping', value, walk)
    case 'any':
      return value
  }
}

/** Whether a value is text where any will do, as half of all are: nothing is asked of it. */
function isAnyText(type: Type, value: unknown): boolean {
  return typeof value === 'string' && type.is === 'string' && type.values === undefined
}

/** A mapping with true types; what is wrong with its fields is noted on the way. */
export function visitObject(shape: Definition, value: unknown, walk: Walk): unknown {
  if (!isObject(value)) return refuse('mapping', value, walk)
  if (shape.name === schemaHolder && isRight(value, walk.minor)) return value
  const { gaps, problems } = walk
  const before = problems.length
  let out = value
  for (const name in value) {
    const item = value[name]
    const field = shape.fields.get(name)
    if (field?.served && item !== '' && isAnyText(field.type, item)) continue
    const shaped = visitField(shape, field, name, item, walk)
    if (shaped !== item) out = replaced(value, out, name, shaped)
  }
  if (walk.quiet) return out
  if (problems.length > before) noteIndents(shape, value, before, walk)
  // Where a field is still to be filled in, nobody knows whether it will go with the others.
  if (walk.gaps === gaps) applyChecks(shape, out, walk)
  findMissing(shape, value, walk)
  return out
}

/** What holds the schema of a version in a CustomResourceDefinition. */
const schemaHolder = 'apiextensions/v1.CustomResourceValidation'

/** Whether it holds nothing but a schema in which nothing is wrong: that was found when its text was read. */
function isRight(holder: Untyped, minor: number): boolean {
  const known = knownSchema(holder)
  return known !== undefined && known.since <= minor && Object.keys(holder).length === 1
}

/** The value of a field with true types; undefined where it is not there. */
function visitField(
  shape: Definition,
  field: Field | undefined,
  name: string,
  value: unknown,
  walk: Walk,
): unknown {
  const { path } = walk
  const blank = field === undefined ? blankKeyIn(name) : undefined
  if (blank !== undefined) {
    report(walk, { kind: 'placeholder', path: [...path, name], blank })
    walk.gaps++
    return value
  }
  if (field === undefined || !field.served) unknownField(shape, name, value, walk)
  if (field === undefined) return value
  // As the API server reads it: not there.
  if (value === null || value === undefined) return undefined
  if (value === '' && field.required && field.served && field.type.is === 'string')
    report(walk, { kind: 'missing-field', path: [...path, name], empty: true })
  path.push(name)
  // What a controller reports is of no consequence when it is applied.
  const status = name === 'status' && path.length === 1 && !walk.quiet
  const shaped = status ? visitStatus(field.type, value, walk) : visit(field.type, value, walk)
  path.pop()
  return shaped
}

/**
 * Says of unknown fields where they belong when they only lack their indentation: they follow an empty field that may have them, or
 * one that such a field may have.
 * @param from the first problem of this mapping
 */
function noteIndents(shape: Definition, value: Untyped, from: number, { path, problems, minor }: Walk): void {
  /** The empty fields above, outermost first. */
  let empty: readonly { readonly name: string; readonly type: Type }[] = []
  for (const [name, item] of Object.entries(value)) {
    const known = shape.fields.get(name)
    const last = known
      ? -1
      : empty.findLastIndex(({ type }) => fieldOf(type, name, item, minor) !== undefined)
    const holders = empty.slice(0, last + 1)
    const holder = holders.at(-1)
    const at = problems.findIndex(
      (one, i) => i >= from && one.path.length === path.length + 1 && one.path.at(-1) === name,
    )
    const problem = problems[at]
    if (holder && problem?.kind === 'unknown-field')
      problems[at] = { ...problem, below: [...path, ...holders.map((one) => one.name), name] }
    const type = holder ? fieldOf(holder.type, name, item, minor) : known?.type
    empty = item === null && type ? [...holders, { name, type }] : holders
  }
}

/** The type of a field that such a value may have; of a map text alone may be one. */
function fieldOf(type: Type, name: string, value: unknown, minor: number): Type | undefined {
  if (type.is === 'map') return typeof value === 'string' && type.of?.is === 'string' ? type.of : undefined
  if (type.is !== 'definition') return undefined
  const field = definitionOf(type, minor).fields.get(name)
  return field?.served ? field.type : undefined
}

function findMissing(shape: Definition, value: Untyped, walk: Walk): void {
  const { required, filled } = shape
  // There are too many of them for iterators.
  for (let i = 0; i < required.length; i++) {
    const name = required[i] as string
    if ((value[name] ?? undefined) === undefined && !isTemplate(shape, value))
      report(walk, { kind: 'missing-field', path: [...walk.path, name], empty: value[name] === null })
  }
  for (let i = 0; i < filled.length; i++) {
    const name = filled[i] as string
    const list = value[name]
    if (Array.isArray(list) && list.length === 0 && !isTemplate(shape, value))
      report(walk, { kind: 'missing-field', path: [...walk.path, name], empty: true })
  }
}

/** Whether the name of a field is still to be filled in: it may be any. */
function isTemplate({ fields }: Definition, value: Untyped): boolean {
  return Object.keys(value).some((name) => !fields.has(name) && blankKeyIn(name) !== undefined)
}

function applyChecks(shape: Definition, value: Untyped, walk: Walk): void {
  const { checks } = shape
  if (checks === undefined) return
  const say = sayOf(walk)
  for (let i = 0; i < checks.length; i++) checks[i]?.(value as never, say)
}

/** What the checks of single types report with, at the place where the walk is. */
export function sayOf(walk: Walk): Say {
  walk.say ??= new Speaker(walk)
  return walk.say
}

class Speaker implements Say {
  private readonly walk: Walk

  constructor(walk: Walk) {
    this.walk = walk
  }

  get minor(): number {
    return this.walk.minor
  }

  conflict(path: Path, message: string, value?: string): void {
    report(this.walk, {
      kind: 'conflict',
      path: [...this.walk.path, ...path],
      message,
      ...(value !== undefined && { value }),
    })
  }

  lacks(path: Path, because?: string): void {
    report(this.walk, {
      kind: 'missing-field',
      path: [...this.walk.path, ...path],
      empty: false,
      ...(because !== undefined && { because }),
    })
  }

  name(path: Path, form: NameForm, value: string | undefined): void {
    if (value && !hasForm(form, value))
      report(this.walk, { kind: 'bad-name', path: [...this.walk.path, ...path], form, value })
  }

  bounds(path: Path, value: number | undefined, minimum: number, maximum: number): void {
    // Whatever is no number of 32 bits has been refused as that.
    if (value === undefined || (value | 0) !== value || (value >= minimum && value <= maximum)) return
    report(this.walk, {
      kind: 'out-of-bounds',
      path: [...this.walk.path, ...path],
      value,
      minimum,
      maximum,
    })
  }
}

/** The status of an object: it must decode, but nobody looks at its values. */
function visitStatus(type: Type, value: unknown, walk: Walk): unknown {
  const from = walk.problems.length
  const shaped = visit(type, value, walk)
  const kept = walk.problems
    .splice(from)
    .filter(({ kind }) => kind === 'unknown-field' || kind === 'wrong-type' || kind === 'bad-quantity')
  walk.problems.push(...kept)
  return shaped
}

function visitMap(type: Type, value: unknown, walk: Walk): unknown {
  if (!isObject(value)) return refuse('mapping', value, walk)
  const element = type.of
  if (element === undefined) return value
  let out = value
  for (const key in value) {
    const item = value[key]
    if (isAnyText(element, item)) continue
    walk.path.push(key)
    // A text that is null is the empty text, as in a list. What else is null goes: nobody asks for it.
    const shaped = visit(element, item === null && element.is === 'string' ? '' : item, walk)
    walk.path.pop()
    if (shaped !== item) out = replaced(value, out, key, shaped)
  }
  return out
}

function visitList(type: Type, value: unknown, walk: Walk): unknown {
  if (!Array.isArray(value)) return refuse('list', value, walk)
  const element = type.of
  if (element === undefined) return value
  let kept: unknown[] | undefined
  let indices: number[] | undefined
  for (let i = 0; i < value.length; i++) {
    const item: unknown = value[i]
    walk.path.push(i)
    // An item that is null is the zero value of its type.
    const shaped = item !== null && item !== undefined ? visit(element, item, walk) : zeroOf(element, walk)
    walk.path.pop()
    if (shaped !== item && kept === undefined) {
      kept = value.slice(0, i)
      indices = kept.map((_, at) => at)
    }
    if (kept !== undefined && shaped !== undefined) {
      kept.push(shaped)
      indices?.push(i)
    }
  }
  if (type.keys.length > 0 && value.length > 1 && !walk.quiet) findDuplicates(type.keys, value, walk)
  if (kept === undefined || indices === undefined) return value
  if (kept.length < value.length) originals.set(kept, indices)
  return kept
}

/** The zero value of a type, where it is one of those that lists have. */
function zeroOf(element: Type, walk: Walk): unknown {
  if (element.is === 'definition') return visit(element, {}, walk)
  return element.is === 'string' ? visit(element, '', walk) : undefined
}

function findDuplicates(listKeys: readonly ListKey[], list: readonly unknown[], walk: Walk): void {
  for (const { fields, unique } of listKeys) {
    const seen = new Map<string, number>()
    for (let i = 0; i < list.length; i++) {
      const item = list[i]
      const id = identityOf(item, fields)
      if (id === undefined) continue
      const first = seen.get(id)
      if (first === undefined) seen.set(id, i)
      else
        report(walk, {
          kind: 'duplicate-entry',
          path: [...walk.path, i],
          first,
          keys: Object.fromEntries(fields.map((field) => [field, keyOf(item, field)])),
          refused: unique,
        })
    }
  }
}

/** What tells an entry from others; undefined when it lacks one of the keys, which is another problem. */
function identityOf(item: unknown, keys: readonly string[]): string | undefined {
  let id = ''
  for (const key of keys) {
    const value = keyOf(item, key)
    if (value === undefined || value === null || typeof value === 'object') return undefined
    id += `${value}\0`
  }
  return id
}

function keyOf(item: unknown, key: string): unknown {
  if (key === '=') return item
  if (!isObject(item)) return undefined
  // The only key with a default: core/v1 and discovery/v1 defaults.go.
  return item[key] ?? (key === 'protocol' ? 'TCP' : undefined)
}

function visitInteger(type: Type, value: unknown, walk: Walk): unknown {
  if (typeof value !== 'number') return refuse('integer', value, walk)
  const { minimum, maximum } = type
  const format = type.is === 'int64' ? 'int64' : 'int32'
  if (!Number.isInteger(value)) return refuse('integer', value, walk)
  const size = 2 ** (format === 'int32' ? 31 : 63)
  // The largest number of 64 bits cannot be told from the one that is too large by one.
  if (value < -size || (format === 'int32' ? value >= size : value > size)) {
    report(walk, { kind: 'bad-format', path: [...walk.path], format, value })
    return undefined
  }
  if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum))
    report(walk, {
      kind: 'out-of-bounds',
      path: [...walk.path],
      value,
      ...(minimum !== undefined && { minimum }),
      ...(maximum !== undefined && { maximum }),
    })
  return value
}

function visitFormat(
  expected: Expected,
  format: Format,
  value: unknown,
  isRight: (text: string) => boolean,
  walk: Walk,
): unknown {
  if (typeof value !== 'string') return refuse(expected, value, walk)
  if (!isRight(value)) report(walk, { kind: 'bad-format', path: [...walk.path], format, value })
  return value
}

/** Quantities come out as text, as the API server gives them back. */
function visitQuantity(value: unknown, walk: Walk): unknown {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return refuse('quantity', value, walk)
  if (!isQuantity(value)) report(walk, { kind: 'bad-quantity', path: [...walk.path], value })
  return value
}

function refuse(expected: Expected, value: unknown, walk: Walk): undefined {
  const problem = wrongType(walk.path, expected, value)
  if (
    isPlaceholder(value) ||
    problem.kind === 'placeholder' ||
    isVariableName(value) ||
    (typeof value === 'string' && blankIn(value))
  )
    walk.gaps++
  report(walk, problem)
}

function unknownField({ name, fields }: Definition, field: string, value: unknown, walk: Walk): void {
  const { since, until } = fields.get(field) ?? {}
  report(walk, {
    kind: 'unknown-field',
    path: [...walk.path, field],
    definition: name,
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(value === null && { isNull: true }),
  })
}

function report(walk: Walk, problem: SchemaProblem): void {
  const fits = mayFit(problem)
  if (walk.quiet || ('value' in problem && isPlaceholder(problem.value) && fits)) return
  walk.problems.push((fits ? asBlank(problem) : undefined) ?? problem)
}

/** Whether the text may be what is wanted when it is filled in: no list or mapping begins with words or a flag. */
function mayFit(problem: SchemaProblem): boolean {
  if (problem.kind !== 'wrong-type' || (problem.expected !== 'list' && problem.expected !== 'mapping'))
    return true
  return !/^(?:[\w./-]+\s|--?\w)/.test(String(problem.value))
}

/** What is refused only because nobody has filled it in yet. */
export function asBlank(problem: SchemaProblem): SchemaProblem | undefined {
  if (!('value' in problem) || typeof problem.value !== 'string') return undefined
  const { kind, path, value } = problem
  // TCP_PORT for TCP is a mistake, and so is TRUE for true.
  const isWord = kind === 'bad-enum' || (kind === 'wrong-type' && problem.expected === 'boolean')
  // Nobody writes so for a number, an amount or a list, but TRUE_VALUE for true.
  const isVariable =
    (kind === 'bad-quantity' || kind === 'wrong-type') &&
    isVariableName(value) &&
    !/^(?:TRUE|FALSE|YES|NO|ON|OFF)_/.test(value)
  const blank = isVariable ? value : blankIn(value, isWord)
  return blank === undefined ? undefined : { kind: 'placeholder', path, blank }
}

/** `out` with one field replaced, or without it; a copy of `original` the first time. */
export function replaced(
  original: object,
  out: object,
  field: string,
  value: unknown,
): Record<string, unknown> {
  const copy = (out === original ? { ...original } : out) as Record<string, unknown>
  if (value === undefined) delete copy[field]
  else Object.defineProperty(copy, field, { value, writable: true, enumerable: true, configurable: true })
  return copy
}
