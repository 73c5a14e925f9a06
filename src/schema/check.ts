/**
 * Looks at objects as the API server does when it decodes them, and makes their types true.
 *
 * One walk does both: what is wrong becomes a problem, and what the typed view of the object (src/kubernetes.ts) could not
 * rely on is left out of the value. Values are copied only where something had to change.
 */
import type { Path, Step } from '../finding.js'
import { builtinGroups, groupOf, type KubernetesObject, kindNameOf, versionOf } from '../kubernetes.js'
import { nearestName } from '../values/similar.js'
import { isSopsRecord } from '../values/sops.js'
import type { CustomKinds } from './custom-kinds.js'
import {
  builtinApiGroups,
  type Definition,
  definition,
  definitionOf,
  isServed,
  kindsByName,
  type ListKey,
  newestMinor,
  oldestMinor,
  type ServedKind,
  servedKind,
  type Type,
} from './definitions.js'
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
} from './format.js'
import { fieldExists } from './lookup.js'
import { type Expected, type Format, jsonType, type SchemaProblem } from './problem.js'
import { successorOf } from './removed-apis.js'
import { checkName } from './validation/metadata.js'
import { hasForm, type Say } from './validation/say.js'

export type { SchemaProblem, SchemaProblemKind } from './problem.js'

export interface Checked {
  /** The object with true types; the same reference when nothing had to change. */
  readonly value: KubernetesObject
  readonly problems: readonly SchemaProblem[]
}

const none: readonly SchemaProblem[] = []

/**
 * Looks at one object.
 *
 * Types are judged by all versions together; fields by the target version alone. An API version that is no longer served
 * is judged by the last schema it had. Custom resources are judged when the definition of their kind is known.
 * @param minor the target minor version: 37 for 1.37
 */
export function check(
  value: object,
  apiVersion: string,
  kind: string,
  minor: number,
  customs?: CustomKinds,
): Checked {
  const walk: Walk = { minor: clamp(minor), path: [], problems: [], quiet: false, say: undefined, gaps: 0 }
  const served = servedKind(apiVersion, kind)
  const name = kindNameOf(apiVersion, kind)
  let shaped: unknown = value
  if (served && isMapping(value)) {
    shaped = visitObject(definition(served.definition, walk.minor), value, walk)
    checkName(value as KubernetesObject, sayOf(walk))
    // What cannot be decoded is refused before anybody compares its fields.
    const undecoded = walk.problems.filter(({ kind }) => kind === 'wrong-type' || kind === 'bad-quantity')
    if (undecoded.length > 0)
      removeIf(
        walk.problems,
        (one) => one.kind === 'conflict' || (one.kind === 'missing-field' && holdsOne(one.path, undecoded)),
      )
    if (walk.problems.length > 0 && !isServed(served, walk.minor)) forgiveSuccessor(served, walk)
    if (served.since !== undefined && walk.minor < served.since)
      walk.problems.push({ ...unknownKind(apiVersion, kind, walk.minor), since: served.since })
  } else if (builtinApiGroups.has(groupOf(apiVersion)) && /^v\d/.test(versionOf(apiVersion)))
    walk.problems.push(unknownKind(apiVersion, kind, walk.minor))
  const custom = served || !isMapping(value) ? undefined : customs?.problems(value, apiVersion, kind)
  shaped = shapedForViews(shaped, name, served, walk)
  if (!served) shaped = withTrueMetadata(isMapping(shaped) ? shaped : {}, walk, custom !== undefined)
  if (custom) {
    const { metadata }: KubernetesObject = value
    checkName({ metadata }, sayOf(walk), 'subdomain')
    for (const one of custom) walk.problems.push(one)
  }
  if (walk.problems.length > 0 && isMapping(value) && isSopsRecord(value.sops))
    removeIf(
      walk.problems,
      ({ kind, path }) => kind === 'unknown-field' && path[0] === 'sops' && path.length === 1,
    )
  return { value: shaped as KubernetesObject, problems: walk.problems.length > 0 ? walk.problems : none }
}

/** Whether one of the problems lies in what stands at a path: it is there, if not as the server wants it. */
function holdsOne(path: Path, problems: readonly SchemaProblem[]): boolean {
  return problems.some((one) => path.every((step, i) => step === one.path[i]))
}

/** The object with true types, for what is not judged: half the work. */
export function shape(value: object, apiVersion: string, kind: string, minor: number): KubernetesObject {
  const walk: Walk = { minor: clamp(minor), path: [], problems: [], quiet: true, say: undefined, gaps: 0 }
  const served = servedKind(apiVersion, kind)
  let shaped: unknown = value
  if (served) shaped = visitObject(definition(served.definition, walk.minor), value, walk)
  shaped = shapedForViews(shaped, kindNameOf(apiVersion, kind), served, walk)
  if (!served) shaped = withTrueMetadata(isMapping(shaped) ? shaped : {}, walk, false)
  return shaped as KubernetesObject
}

/** The same for a pod template inside a custom resource; undefined when it is no mapping at all. */
export function shapePodTemplate(value: unknown): unknown {
  const walk: Walk = { minor: newestMinor, path: [], problems: [], quiet: true, say: undefined, gaps: 0 }
  return visitObject(definition('core/v1.PodTemplateSpec', newestMinor), value, walk)
}

/**
 * The index that an entry of a shaped list has in the list as it is written: entries of the wrong type are left out of
 * the shaped one.
 */
export function originalIndex(list: readonly unknown[], index: number): number {
  return originals.get(list)?.[index] ?? index
}

const originals = new WeakMap<object, readonly number[]>()

interface Walk {
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

function clamp(minor: number): number {
  return Math.min(Math.max(minor, oldestMinor), newestMinor)
}

/** An API version that is gone has to be replaced: fields that its successor has are right. */
function forgiveSuccessor({ apiVersion, kind }: ServedKind, { problems, minor }: Walk): void {
  const successor = successorOf(apiVersion, kind, minor)
  if (successor === undefined) return
  removeIf(
    problems,
    (one) => one.kind === 'unknown-field' && fieldExists(successor, kind, one.path, minor) === true,
  )
}

function removeIf(problems: SchemaProblem[], unwanted: (one: SchemaProblem) => boolean): void {
  if (problems.some(unwanted))
    problems.splice(0, problems.length, ...problems.filter((one) => !unwanted(one)))
}

/** The value with the types of its kind's other views true as well: nobody wrote it in those, so nobody is told. */
function shapedForViews(
  value: unknown,
  kindName: string,
  served: ReturnType<typeof servedKind>,
  walk: Walk,
): unknown {
  let shaped = value
  for (const view of viewsOf(kindName))
    if (view !== served?.definition)
      shaped = visitObject(definition(view, walk.minor), shaped, { ...walk, quiet: true })
  return shaped
}

const views = new Map<string, readonly string[]>()

/**
 * The definitions that the typed view of a kind is made of: its newest API version, and autoscaling/v1 beside v2,
 * whatever version the object is written in.
 */
function viewsOf(kindName: string): readonly string[] {
  let found = views.get(kindName)
  if (!found) {
    const groups: readonly string[] = Object.hasOwn(builtinGroups, kindName)
      ? builtinGroups[kindName as keyof typeof builtinGroups].slice(0, 1)
      : []
    const candidates = (kindsByName.get(kindName) ?? []).filter(
      (kind) =>
        groups.includes(groupOf(kind.apiVersion)) &&
        /\/?v\d+$/.test(kind.apiVersion) &&
        isServed(kind, newestMinor),
    )
    found = candidates.map((kind) => kind.definition).reverse()
    views.set(kindName, found)
  }
  return found
}

function unknownKind(apiVersion: string, kind: string, minor: number) {
  const servedBy = (kindsByName.get(kind) ?? [])
    .filter((one) => isServed(one, minor) && one.apiVersion !== apiVersion)
    .map((one) => one.apiVersion)
  const kinds = [...kindsByName].flatMap(([name, versions]) =>
    versions.some((one) => one.apiVersion === apiVersion && isServed(one, minor)) ? [name] : [],
  )
  const nearest = servedBy.length > 0 ? undefined : nearestName(kind, kinds)
  return {
    kind: 'unknown-kind',
    path: [],
    apiVersion,
    objectKind: kind,
    servedBy,
    ...(nearest !== undefined && { nearest }),
  } as const
}

/**
 * Any object at all with `apiVersion` and `kind` as texts and a true `metadata`. Of a kind without a definition says
 * only which names, labels and annotations kubectl cannot decode.
 */
function withTrueMetadata(value: object, { problems, minor }: Walk, isDefined: boolean): object {
  const walk: Walk = { minor, path: [], problems: [], quiet: false, say: undefined, gaps: 0 }
  let out: Record<string, unknown> = value as Record<string, unknown>
  for (const [field, item] of Object.entries(value)) {
    const shaped =
      field === 'metadata'
        ? visitMetadata(item, walk)
        : (field === 'apiVersion' || field === 'kind') && typeof item !== 'string'
          ? undefined
          : item
    if (shaped !== item) out = replaced(value, out, field, shaped)
  }
  problems.push(
    ...walk.problems.filter(
      ({ kind, path }) => isDefined || (kind === 'wrong-type' && (path.length === 3 || path[1] === 'name')),
    ),
  )
  return out
}

/** What is wrong with the `metadata` of an object that stands inside of another one. */
export function metadataProblems(value: unknown, path: Path): readonly SchemaProblem[] {
  const walk: Walk = {
    minor: newestMinor,
    path: [...path],
    problems: [],
    quiet: false,
    say: undefined,
    gaps: 0,
  }
  visitMetadata(value, walk)
  return walk.problems
}

function visitMetadata(value: unknown, walk: Walk): unknown {
  if (value === null) return undefined
  walk.path.push('metadata')
  const shaped = visitObject(definition('meta/v1.ObjectMeta', walk.minor), value, walk)
  walk.path.pop()
  return shaped
}

/** The value with true types, or undefined when it cannot have them. */
function visit(type: Type, value: unknown, walk: Walk): unknown {
  switch (type.is) {
    case 'string':
      if (typeof value !== 'string') return wrongType('text', value, walk)
      if (type.values !== undefined && !type.values.includes(value) && (value !== '' || !type.mayBeEmpty))
        report(walk, { kind: 'bad-enum', path: [...walk.path], value, allowed: type.values })
      return value
    case 'boolean':
      return typeof value === 'boolean' ? value : wrongType('boolean', value, walk)
    case 'int32':
    case 'int64':
      return visitInteger(type, value, walk)
    case 'number':
      return typeof value === 'number' ? value : wrongType('number', value, walk)
    case 'definition':
      return visitObject(definitionOf(type, walk.minor), value, walk)
    case 'list':
      return visitList(type, value, walk)
    case 'map':
      return visitMap(type, value, walk)
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
      return isMapping(value) ? value : wrongType('mapping', value, walk)
    case 'any':
      return value
  }
}

function visitObject(shape: Definition, value: unknown, walk: Walk): unknown {
  if (!isMapping(value)) return wrongType('mapping', value, walk)
  const { path, gaps } = walk
  let out = value
  let isTemplate = false
  for (const name in value) {
    const item = value[name]
    const field = shape.fields.get(name)
    const blank = field === undefined ? blankKeyIn(name) : undefined
    if (blank !== undefined) {
      report(walk, { kind: 'placeholder', path: [...path, name], blank })
      isTemplate = true
      walk.gaps++
      continue
    }
    if (field === undefined || !field.served) unknownField(shape, name, item, walk)
    if (field === undefined) continue
    if (item === null || item === undefined) {
      // As the API server reads it: not there.
      out = replaced(value, out, name, undefined)
      continue
    }
    if (item === '' && field.required && field.served && field.type.is === 'string')
      report(walk, { kind: 'missing-field', path: [...path, name], empty: true })
    path.push(name)
    // What a controller reports is of no consequence when it is applied.
    const status = name === 'status' && path.length === 1 && !walk.quiet
    const shaped = status ? visitStatus(field.type, item, walk) : visit(field.type, item, walk)
    path.pop()
    if (shaped !== item) out = replaced(value, out, name, shaped)
  }
  // Where a field is still to be filled in, nobody knows whether it will go with the others.
  if (!walk.quiet && walk.gaps === gaps) applyChecks(shape, out, walk)
  if (!walk.quiet && !isTemplate) findMissing(shape, value, walk)
  return out
}

function findMissing({ required, filled }: Definition, value: Mapping, walk: Walk): void {
  // Most have none of either, and there are too many of them for iterators.
  if (required.length > 0)
    for (const name of required)
      if ((value[name] ?? undefined) === undefined)
        report(walk, { kind: 'missing-field', path: [...walk.path, name], empty: false })
  if (filled.length > 0)
    for (const name of filled) {
      const list = value[name]
      if (Array.isArray(list) && list.length === 0)
        report(walk, { kind: 'missing-field', path: [...walk.path, name], empty: true })
    }
}

function applyChecks(shape: Definition, value: Mapping, walk: Walk): void {
  if (shape.checks === undefined) return
  const say = sayOf(walk)
  for (const check of shape.checks) check(value as never, say)
}

function sayOf(walk: Walk): Say {
  walk.say ??= {
    minor: walk.minor,
    conflict: (path, message, value) =>
      report(walk, {
        kind: 'conflict',
        path: [...walk.path, ...path],
        message,
        ...(value !== undefined && { value }),
      }),
    lacks: (path, because) =>
      report(walk, {
        kind: 'missing-field',
        path: [...walk.path, ...path],
        empty: false,
        ...(because !== undefined && { because }),
      }),
    name: (path, form, value) => {
      if (value && !hasForm(form, value))
        report(walk, { kind: 'bad-name', path: [...walk.path, ...path], form, value })
    },
  }
  return walk.say
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
  if (!isMapping(value)) return wrongType('mapping', value, walk)
  const element = type.of
  if (element === undefined) return value
  let out = value
  for (const key in value) {
    const item = value[key]
    if (item === null || item === undefined) {
      out = replaced(value, out, key, undefined)
      continue
    }
    walk.path.push(key)
    const shaped = visit(element, item, walk)
    walk.path.pop()
    if (shaped !== item) out = replaced(value, out, key, shaped)
  }
  return out
}

function visitList(type: Type, value: unknown, walk: Walk): unknown {
  if (!Array.isArray(value)) return wrongType('list', value, walk)
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
  if (!isMapping(item)) return undefined
  // The only key with a default: core/v1 and discovery/v1 defaults.go.
  return item[key] ?? (key === 'protocol' ? 'TCP' : undefined)
}

function visitInteger(type: Type, value: unknown, walk: Walk): unknown {
  if (typeof value !== 'number') return wrongType('integer', value, walk)
  const { minimum, maximum } = type
  const format = type.is === 'int64' ? 'int64' : 'int32'
  if (!Number.isInteger(value)) wrongType('integer', value, walk)
  else if (format === 'int32' && (value > 2 ** 31 - 1 || value < -(2 ** 31)))
    report(walk, { kind: 'bad-format', path: [...walk.path], format, value })
  else if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum))
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
  if (typeof value !== 'string') return wrongType(expected, value, walk)
  if (!isRight(value)) report(walk, { kind: 'bad-format', path: [...walk.path], format, value })
  return value
}

/** Quantities come out as text, as the API server gives them back. */
function visitQuantity(value: unknown, walk: Walk): unknown {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return wrongType('quantity', value, walk)
  if (!isQuantity(value)) report(walk, { kind: 'bad-quantity', path: [...walk.path], value })
  return value
}

function wrongType(expected: Expected, value: unknown, walk: Walk): undefined {
  if (isPlaceholder(value) || (typeof value === 'string' && blankIn(value))) walk.gaps++
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  report(walk, {
    kind: 'wrong-type',
    path: [...walk.path],
    expected,
    actual: jsonType(value),
    ...(scalar && { value }),
  })
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
  if (walk.quiet || ('value' in problem && isPlaceholder(problem.value))) return
  walk.problems.push(asBlank(problem) ?? problem)
}

/** What is refused only because nobody has filled it in yet. */
function asBlank(problem: SchemaProblem): SchemaProblem | undefined {
  if (!('value' in problem) || typeof problem.value !== 'string') return undefined
  const { kind, path, value } = problem
  // TCP_PORT for TCP is a mistake, and so is TRUE for true.
  const isWord = kind === 'bad-enum' || (kind === 'wrong-type' && problem.expected === 'boolean')
  const blank = blankIn(value, isWord)
  return blank === undefined ? undefined : { kind: 'placeholder', path, blank }
}

interface Mapping {
  readonly [field: string]: unknown
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `out` with one field replaced, or without it; a copy of `original` the first time. */
function replaced(original: object, out: object, field: string, value: unknown): Record<string, unknown> {
  const copy = (out === original ? { ...original } : out) as Record<string, unknown>
  if (value === undefined) delete copy[field]
  else Object.defineProperty(copy, field, { value, writable: true, enumerable: true, configurable: true })
  return copy
}
