/**
 * Looks at custom objects as the API server does with the CustomResourceDefinition of their kind: nulls go, defaults come,
 * unknown fields are dropped, and the rest is judged by its schema.
 *
 * Built-in kinds have a walk of their own (check.ts): their schemas have versions, their values have Go types, and rules rely on
 * them. Source: pkg/apiserver and pkg/registry/customresource of k8s.io/apiextensions-apiserver. CEL is not evaluated.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Path, Step } from '../finding.js'
import { headFields, type Untyped } from '../kubernetes.js'
import { enumerate } from '../values/enumerate.js'
import { isObject, valueAt } from '../values/untyped.js'
import { metadataProblems } from './check.js'
import { type Definition, type Field, newestMinor, type Type } from './definitions.js'
import { blankIn, isPlaceholder } from './format.js'
import { definitionAt } from './lookup.js'
import type { Budget } from './pattern.js'
import { type Expected, type SchemaProblem, wrongType } from './problem.js'
import { type Schema, type SchemaType, shown } from './structural.js'
import { asBlank, replaced } from './walk.js'

export interface Judging {
  /** Whether fields that the schema does not know are dropped. */
  readonly prunes: boolean
  /** Fields of the root whose values nobody looks at: a status that the server replaces. */
  readonly skipped: readonly string[]
  readonly budget: Budget
  /** The server's version: 37 for 1.37. */
  readonly minor: number
  /** The schema's fields, for whoever looks for what was meant by an unknown one. */
  readonly root: () => Definition
}

/**
 * What is wrong with an object whose kind has this schema. Of its metadata only values are judged: what fields there are, and of
 * which type, the schema does not decide.
 */
export function judge(schema: Schema, object: Untyped, judging: Judging): readonly SchemaProblem[] {
  const { skipped, budget } = judging
  const root: Schema = {
    ...schema,
    embedded: true,
    required: schema.required.filter((name) => !headFields.has(name) && !skipped.includes(name)),
  }
  const seen = skipped.some((field) => Object.hasOwn(object, field))
    ? Object.fromEntries(Object.entries(object).filter(([field]) => !skipped.includes(field)))
    : object
  const walk: Walk = { ...judging, path: [], problems: [], nested: false }
  visit(root, prepared(root, seen, budget), walk)
  for (const field of skipped)
    unknownIn(schema.properties.get(field), valueAt(object, field), { ...walk, path: [field] })
  return walk.problems
}

/**
 * What is wrong with the defaults of a schema, which have to be what it takes themselves. Those of apiVersion, kind and metadata, and of
 * whole embedded objects, have rules of their own and are left alone. Source: ValidateDefaults of pkg/apiserver/schema/defaulting.
 * @param at the place of the schema, which paths begin with
 */
export function faultyDefaults(schema: Schema, at: Path, judging: Judging): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = []
  const look = (own: Schema, path: Path, isObject: boolean): void => {
    if (!own.holdsDefaults) return
    if (own.default !== undefined && !own.embedded)
      visit(own, own.default, { ...judging, path: [...path, 'default'], problems, nested: false })
    for (const [name, property] of own.properties)
      if (!((isObject || own.embedded) && headFields.has(name)))
        look(property, [...path, 'properties', name], false)
    if (own.items) look(own.items, [...path, 'items'], false)
  }
  look(schema, at, true)
  return problems.map((one) =>
    one.kind === 'unknown-field'
      ? { kind: 'bad-value', path: one.path, message: 'is no field of the schema' }
      : one,
  )
}

/** Strict validation looks for unknown fields before the server replaces what it will not take. */
function unknownIn(schema: Schema | undefined, value: unknown, walk: Walk): void {
  if (schema === undefined || value === undefined) return
  const problems: SchemaProblem[] = []
  visit(schema, value, { ...walk, problems })
  for (const one of problems) if (one.kind === 'unknown-field') walk.problems.push(one)
}

interface Walk extends Judging {
  readonly path: Step[]
  readonly problems: SchemaProblem[]
  /** Inside of allOf, anyOf, oneOf and not: nothing is unknown there. */
  readonly nested: boolean
}

/**
 * The value without nulls that stand for nothing, and with its defaults: PruneNonNullableNulls and Default of the server. Copied only
 * where something has to change.
 */
function prepared(schema: Schema, value: unknown, budget: Budget): unknown {
  if (budget.steps-- < 0) return value
  if (Array.isArray(value)) {
    const { items } = schema
    if (items === undefined) return value
    const list = value.map((item) => prepared(items, orDefault(items, item), budget))
    return list.some((item, i) => item !== value[i]) ? list : value
  }
  if (!isObject(value)) return value
  let out: Untyped = value
  for (const name in value) {
    const child = childOf(schema, name)
    if (child === undefined) continue
    const item = value[name]
    const kept = orDefault(child, item)
    const own = kept === null && !child.nullable ? undefined : prepared(child, kept, budget)
    if (own !== item) out = replaced(value, out, name, own)
  }
  for (const [name, child] of schema.defaulted)
    if (!Object.hasOwn(out, name)) out = replaced(value, out, name, prepared(child, child.default, budget))
  return out
}

function orDefault(schema: Schema, value: unknown): unknown {
  return value === null && !schema.nullable ? (schema.default ?? null) : value
}

function childOf({ properties, additional }: Schema, name: string): Schema | undefined {
  return properties.get(name) ?? additional
}

function visit(schema: Schema, value: unknown, walk: Walk): void {
  if (walk.budget.steps-- < 0 || isPlaceholder(value)) return
  const { type, values } = schema
  if (value === null && (schema.nullable || type === undefined)) {
    // The server compares no null with an enumeration, not even with one that lists it.
    if (values !== undefined)
      walk.problems.push({
        kind: 'bad-value',
        path: [...walk.path],
        message: 'is empty, and its schema has an enum',
      })
    return
  }
  if (Array.isArray(value) && type === 'string' && schema.formatted) return
  // What controller-gen makes of json.RawMessage: a field that keeps whatever it holds is no text, and whoever applies the definition
  // patches it.
  if (type === 'string' && schema.preserves) return
  if (type !== undefined && !fits(type, value)) {
    const problem = wrongType(walk.path, expected[type], value)
    walk.problems.push(asBlank(problem) ?? problem)
    return
  }
  walk.budget.steps -= values?.all.length ?? 0
  if (values !== undefined && !values.all.some((one) => isDeepStrictEqual(one, value)))
    walk.problems.push({
      kind: 'bad-enum',
      path: [...walk.path],
      value: typeof value === 'number' || typeof value === 'boolean' ? value : shown(value),
      allowed: values.shown,
    })
  if (schema.tests.length > 0) judgeBy(schema.tests, value, walk)
  if (Array.isArray(value)) visitList(schema, value, walk)
  else if (isObject(value)) visitMapping(schema, value, walk)
  if (hasBranches(schema)) visitBranches(schema, value, walk)
}

/** Whether it holds schemas for the same value, as hardly any does. */
function hasBranches({ allOf, anyOf, oneOf, not }: Schema): boolean {
  return allOf.length + anyOf.length + oneOf.length > 0 || not !== undefined
}

function judgeBy(tests: Schema['tests'], value: unknown, walk: Walk): void {
  for (const test of tests) {
    const message = test(value, walk.budget, walk.minor)
    if (message === undefined) continue
    const path = [...walk.path]
    const blank = typeof value === 'string' ? blankIn(value) : undefined
    walk.problems.push(
      blank === undefined ? { kind: 'bad-value', path, message } : { kind: 'placeholder', path, blank },
    )
  }
}

const expected: Readonly<Record<SchemaType, Expected>> = {
  object: 'mapping',
  array: 'list',
  string: 'text',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  'integer or string': 'integer or text',
}

function fits(type: SchemaType, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return isInteger(value)
    case 'integer or string':
      return typeof value === 'string' || isInteger(value)
    default:
      return typeof value === type
  }
}

/** What JSON's numbers become in Go: beyond 64 bits they are fractions. */
function isInteger(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(Number(value)) <= 2 ** 63
}

function visitList(schema: Schema, list: readonly unknown[], walk: Walk): void {
  const { items, keys } = schema
  if (items !== undefined)
    list.forEach((item, i) => {
      walk.path.push(i)
      visit(items, item, walk)
      walk.path.pop()
    })
  if (keys === undefined || walk.nested) return
  const seen = new Map<string, number>()
  for (const [i, item] of list.entries()) {
    const own = keysIn(item, keys)
    if (own === undefined) continue
    const id = JSON.stringify(own)
    const first = seen.get(id)
    if (first === undefined) seen.set(id, i)
    else
      walk.problems.push({
        kind: 'duplicate-entry',
        path: [...walk.path, i],
        first,
        keys: own,
        refused: true,
      })
  }
}

/** What tells an entry from others; undefined when it has none of the keys, or they are filled in later. */
function keysIn(item: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  if (keys[0] === '=') return hasPlaceholder(item) ? undefined : { '=': isObject(item) ? shown(item) : item }
  if (!isObject(item)) return undefined
  const own = keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]] as const)
  return own.length === 0 || own.some(([, value]) => hasPlaceholder(value))
    ? undefined
    : Object.fromEntries(own)
}

function visitMapping(schema: Schema, value: Untyped, walk: Walk): void {
  for (const name of schema.required)
    if (!Object.hasOwn(value, name))
      walk.problems.push({ kind: 'missing-field', path: [...walk.path, name], empty: false })
  if (schema.embedded && !walk.nested) visitEmbedded(value, walk)
  for (const name in value) {
    const item = value[name]
    const child = childOf(schema, name)
    walk.path.push(name)
    if (schema.embedded && headFields.has(name)) visitMeta(child, item, walk)
    else if (child !== undefined) visit(child, item, walk)
    else if (walk.prunes && !walk.nested && !schema.preserves && !isPiece(schema))
      walk.problems.push(unknownField(item, walk))
    walk.path.pop()
  }
}

/** Whether a schema wants fields that it does not have: no object could be right. It is a piece that somebody wrote down. */
function isPiece(schema: Schema): boolean {
  return schema.required.some((name) => childOf(schema, name) === undefined && !headFields.has(name))
}

/** Of apiVersion, kind and metadata a schema can restrict the values. */
function visitMeta(schema: Schema | undefined, value: unknown, walk: Walk): void {
  if (schema === undefined) return
  const problems: SchemaProblem[] = []
  visit(schema, value, { ...walk, nested: true, problems })
  for (const one of problems) if (one.kind === 'bad-value' || one.kind === 'bad-enum') walk.problems.push(one)
}

// k8s.io/apimachinery/pkg/util/validation: IsDNS1035Label, in either case.
const kinds = /^[A-Za-z]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/

/** Every object needs an apiVersion and a kind, and one inside of another a true metadata; that of the root is judged before. */
function visitEmbedded(value: Untyped, walk: Walk): void {
  for (const name of ['apiVersion', 'kind']) {
    const own = value[name]
    walk.path.push(name)
    if (own === undefined || own === '')
      walk.problems.push({ kind: 'missing-field', path: [...walk.path], empty: own === '' })
    else if (!isPlaceholder(own) && typeof own !== 'string')
      walk.problems.push(wrongType(walk.path, expected.string, own))
    walk.path.pop()
  }
  if (walk.path.length === 0) return
  for (const one of metadataProblems(value.metadata ?? {}, walk.path)) walk.problems.push(one)
  const { kind } = value
  if (typeof kind === 'string' && kind !== '' && !isPlaceholder(kind) && !kinds.test(kind))
    walk.problems.push({
      kind: 'bad-value',
      path: [...walk.path, 'kind'],
      message: `is ${shown(kind.slice(0, 70))}, and a kind has at most 63 letters, digits and hyphens, a letter first`,
    })
}

function unknownField(value: unknown, { path, root }: Walk): SchemaProblem {
  const whole = root()
  const definition = definitionAt(whole, path.slice(0, -1), newestMinor)?.name ?? whole.name
  return {
    kind: 'unknown-field',
    path: [...path],
    definition,
    root: whole,
    ...(value === null && { isNull: true }),
  }
}

function visitBranches({ allOf, anyOf, oneOf, not }: Schema, value: unknown, walk: Walk): void {
  for (const branch of allOf) visit(branch, value, { ...walk, nested: true })
  if (anyOf.length === 0 && oneOf.length === 0 && not === undefined) return
  const judged = (branch: Schema): readonly SchemaProblem[] => {
    const problems: SchemaProblem[] = []
    visit(branch, value, { ...walk, nested: true, problems })
    return problems
  }
  const refuse = (message: string) => {
    // What is filled in later may make it right, and where the budget ends nothing was looked at.
    if (walk.budget.steps >= 0 && !hasPlaceholder(value))
      walk.problems.push({ kind: 'conflict', path: [...walk.path], message })
  }
  for (const branches of [anyOf, oneOf]) {
    const results = branches.map(judged)
    const accepted = branches.filter((_, i) => results[i]?.length === 0)
    if (accepted.length > 1 && branches === oneOf) refuse(tooMany(accepted))
    if (accepted.length > 0 || branches.length === 0) continue
    if (branches.length > 1) refuse(noneFits(results))
    else for (const one of results[0] ?? []) walk.problems.push(one)
  }
  if (not !== undefined && judged(not).length === 0) refuse(excluded(not, value))
}

function noneFits(results: readonly (readonly SchemaProblem[])[]): string {
  const missing = results.map((problems) =>
    problems.every(({ kind }) => kind === 'missing-field')
      ? problems.map(({ path }) => path.at(-1))
      : undefined,
  )
  return missing.includes(undefined)
    ? `fits none of the ${results.length} alternatives in its schema`
    : `needs ${enumerate(
        missing.map((fields) => (fields ?? []).join(' and ')),
        'or',
      )}`
}

function tooMany(accepted: readonly Schema[]): string {
  return accepted.every(wantsFieldsOnly)
    ? `can have only one of ${accepted.map(({ required }) => required.join(' and ')).join(', ')}`
    : `fits ${accepted.length} alternatives in its schema, and may fit only one`
}

function excluded(not: Schema, value: unknown): string {
  const wanting = (not.anyOf.length > 0 ? not.anyOf : [not]).filter(wantsFieldsOnly)
  const present = wanting.find(
    ({ required }) => isObject(value) && required.every((name) => Object.hasOwn(value, name)),
  )
  if (present === undefined) return 'is what its schema excludes'
  const [first, ...others] = present.required
  return others.length === 0
    ? `cannot have ${first} here`
    : `cannot have ${first} beside ${others.join(' and ')}`
}

/** A branch that wants certain fields to be there, and nothing else. */
function wantsFieldsOnly(schema: Schema): boolean {
  const { required, properties, tests, values, allOf, anyOf, oneOf, not, items } = schema
  return (
    required.length > 0 &&
    [properties.size, tests.length, allOf.length, anyOf.length, oneOf.length].every((size) => size === 0) &&
    values === undefined &&
    not === undefined &&
    items === undefined
  )
}

function hasPlaceholder(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasPlaceholder)
  return isObject(value) ? Object.values(value).some(hasPlaceholder) : isPlaceholder(value)
}

/** The fields of a schema as the questions of lookup.ts know them. Names are paths, so that each is another one. */
export function definitionFor(schema: Schema, name: string): Definition {
  const fields = [...schema.properties].map(
    ([field, child]) => [field, fieldOf(child, `${name}.${field}`, schema.required.includes(field))] as const,
  )
  return { name, fields: new Map(fields), required: schema.required, filled: [], checks: undefined }
}

function fieldOf(schema: Schema, name: string, required: boolean): Field {
  return {
    type: typeFor(schema, name),
    required,
    filled: false,
    served: true,
    since: undefined,
    until: undefined,
  }
}

function typeFor(schema: Schema, name: string): Type {
  const { type, properties, additional, items, preserves } = schema
  const isDefined = type === 'object' && !preserves && properties.size > 0
  const of = type === 'array' ? items : additional
  return {
    is: isDefined
      ? 'definition'
      : type === undefined || preserves
        ? 'any'
        : of
          ? type === 'array'
            ? 'list'
            : 'map'
          : basic[type],
    of: of && typeFor(of, name),
    name: isDefined ? name : '',
    found: isDefined ? definitionFor(schema, name) : undefined,
    keys: [],
    values: undefined,
    mayBeEmpty: true,
    minimum: undefined,
    maximum: undefined,
  }
}

const basic: Readonly<Record<SchemaType, Type['is']>> = {
  object: 'object',
  array: 'list',
  string: 'string',
  integer: 'int64',
  number: 'number',
  boolean: 'boolean',
  'integer or string': 'int-or-port',
}
