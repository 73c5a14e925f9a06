/**
 * The schema of a CustomResourceDefinition, read from its OpenAPI text into what src/schema/custom.ts walks along.
 *
 * Sources: pkg/apiserver/schema (structural schemas) and pkg/apis/apiextensions/validation of k8s.io/apiextensions-apiserver,
 * pkg/validation/validate of k8s.io/kube-openapi.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Path } from '../finding.js'
import type { Untyped } from '../kubernetes.js'
import { quoted } from '../values/quoted.js'
import { isObject, ownValue } from '../values/untyped.js'
import { textFormats } from './format.js'
import { type Budget, matcher } from './pattern.js'

export type SchemaType =
  | 'object'
  | 'array'
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'integer or string'

/** Says what is wrong with a value, to be read after its path: `has to be at least 1`. `minor` is the server's version. */
type Test = (value: unknown, budget: Budget, minor: number) => string | undefined

export interface Schema {
  /** Undefined where anything goes. */
  readonly type: SchemaType | undefined
  readonly nullable: boolean
  /** Undefined when there is none: `null` is no default. */
  readonly default: unknown
  readonly properties: ReadonlyMap<string, Schema>
  /** Those of them that have a default: hardly any. */
  readonly defaulted: readonly (readonly [name: string, schema: Schema])[]
  /** Whether it or any part of it has a default. */
  readonly holdsDefaults: boolean
  /** Of values whose keys are nobody's property. */
  readonly additional: Schema | undefined
  readonly items: Schema | undefined
  readonly required: readonly string[]
  /** Whether unknown fields stay. */
  readonly preserves: boolean
  /** Whether it is an object of its own, with apiVersion, kind and metadata. */
  readonly embedded: boolean
  /** Whether it has a format: the server then lets lists pass for texts. */
  readonly formatted: boolean
  /** Of lists: what tells entries apart, `=` being the entry itself; undefined when they may be alike. */
  readonly keys: readonly string[] | undefined
  /** The only values there are. */
  readonly values: { readonly all: readonly unknown[]; readonly shown: readonly string[] } | undefined
  readonly tests: readonly Test[]
  readonly allOf: readonly Schema[]
  readonly anyOf: readonly Schema[]
  readonly oneOf: readonly Schema[]
  readonly not: Schema | undefined
}

/** Why a schema cannot be used. */
export class Unusable extends Error {
  readonly path: Path
  /** Whether the API server refuses it, too. */
  readonly refused: boolean

  /** @param message to be read after the path: `is no type` */
  constructor(path: Path, message: string, refused = true) {
    super(message)
    this.path = path
    this.refused = refused
  }
}

/** More than any schema of a CustomResourceDefinition has: etcd takes objects of 1.5 MB. */
const mostNodes = 100_000
const deepest = 100

/** Where the reading is, and what is wanted of the schema there. The path is put together when somebody asks. */
interface Place {
  readonly steps: Path
  readonly above: Place | undefined
  readonly depth: number
  /** Whether a type is wanted; in v1beta1 it need not be. */
  readonly structural: boolean
  /** Inside of allOf, anyOf, oneOf and not, which only judge values. */
  readonly nested: boolean
  readonly count: { nodes: number }
}

/**
 * @param path of the schema in its CustomResourceDefinition
 * @param structural whether it has to be a structural schema, as v1 wants it and v1beta1 where unknown fields are dropped
 * @throws Unusable
 */
export function readSchema(value: unknown, path: Path, structural: boolean, hasStatus: boolean): Schema {
  const place: Place = {
    steps: path,
    above: undefined,
    depth: 0,
    structural,
    nested: false,
    count: { nodes: 0 },
  }
  const schema = read(value, place)
  if (structural && schema.type !== 'object') throw new Unusable([...path, 'type'], 'has to be object')
  if (structural && isObject(value)) checkRoot(value, place, hasStatus)
  return schema
}

/** A root with a status of its own has these words only: isAllowedAtRootSchema. */
const rootWords = new Set(
  (
    'description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems ' +
    'minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields ' +
    'x-kubernetes-validations'
  ).split(' '),
)

function checkRoot(value: Untyped, place: Place, hasStatus: boolean): void {
  for (const [word, own] of Object.entries(value)) {
    if (isZero(own) || (own === false && word !== 'additionalProperties')) continue
    if (word === 'nullable' || word === 'additionalProperties')
      throw unusable(place, word, 'cannot stand at the root')
    if (hasStatus && !rootWords.has(word))
      throw unusable(place, word, 'cannot stand at the root beside the subresource status')
  }
}

const isZero = (value: unknown): boolean =>
  (value ?? '') === '' || (Array.isArray(value) && value.length === 0)

/** What the keywords of Kubernetes want of the others. */
function checkExtensions(value: Untyped, type: SchemaType | undefined, place: Place): void {
  const { items } = value
  const keys = texts(value, 'x-kubernetes-list-map-keys', place)
  const listType = keyword(value, 'x-kubernetes-list-type', place, isText, 'text')
  if (listType !== undefined && type !== 'array')
    throw unusable(place, 'x-kubernetes-list-type', 'goes with type array only')
  if (keys.length > 0 && listType !== 'map')
    throw unusable(place, 'x-kubernetes-list-map-keys', 'goes with x-kubernetes-list-type map only')
  if (listType === 'map' && keys.length === 0)
    throw unusable(place, 'x-kubernetes-list-map-keys', 'is missing, and x-kubernetes-list-type is map')
  if (listType === 'map' && isObject(items)) {
    if (items.type !== 'object')
      throw unusable(place, 'items', 'has to be of type object, and x-kubernetes-list-type is map')
    const properties = isObject(items.properties) ? items.properties : {}
    const strange = keys.find((key, i) => !Object.hasOwn(properties, key) || keys.indexOf(key) < i)
    if (strange !== undefined)
      throw unusable(
        place,
        'x-kubernetes-list-map-keys',
        `names no property, or one twice: ${quoted(strange)}`,
      )
    const required = texts(items, 'required', place)
    const absent = keys.find((key) => !isRequired(key, required, properties))
    if (absent !== undefined)
      throw unusable(
        place,
        'x-kubernetes-list-map-keys',
        `names a property that may be left out: ${quoted(absent)} has to be required or have a default`,
      )
  }
  if ((listType === 'map' || listType === 'set') && isObject(items) && items.nullable === true)
    throw unusable(place, 'items', `takes nothing for an entry, and x-kubernetes-list-type is ${listType}`)
  if (listType === 'set' && isObject(items)) checkSetItems(items, place)
  if (value['x-kubernetes-map-type'] !== undefined && type !== 'object')
    throw unusable(place, 'x-kubernetes-map-type', 'goes with type object only')
  if (value['x-kubernetes-embedded-resource'] !== true) return
  if (type !== 'object') throw unusable(place, 'x-kubernetes-embedded-resource', 'goes with type object only')
  if (!isObject(value.properties) && value['x-kubernetes-preserve-unknown-fields'] !== true)
    throw unusable(
      place,
      'properties',
      'is missing, and x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
    )
}

/** Whether entries always have a property. */
function isRequired(key: string, required: readonly string[], properties: Untyped): boolean {
  const property = properties[key]
  return required.includes(key) || (isObject(property) && (property.default ?? undefined) !== undefined)
}

/** What is told apart as a whole changes as a whole. */
function checkSetItems(items: Untyped, place: Place): void {
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    throw unusable(place, 'items', 'needs x-kubernetes-map-type atomic, and x-kubernetes-list-type is set')
  const listType = items['x-kubernetes-list-type'] ?? 'atomic'
  if (items.type === 'array' && listType !== 'atomic')
    throw unusable(place, 'items', 'needs x-kubernetes-list-type atomic in a list of type set')
}

function pathOf({ above, steps }: Place): Path {
  return above === undefined ? steps : [...pathOf(above), ...steps]
}

function unusable(place: Place, key: string, message: string): Unusable {
  return new Unusable([...pathOf(place), key], message)
}

export const noProperties: ReadonlyMap<string, Schema> = new Map()
/** How generated schemas say once more what x-kubernetes-int-or-string says: the only types that may stand in anyOf. */
export const integerOrString = [{ type: 'integer' }, { type: 'string' }]
/** Words of OpenAPI that a CustomResourceDefinition cannot have. */
const forbidden: ReadonlySet<string> = new Set([
  '$ref',
  '$schema',
  'id',
  'definitions',
  'dependencies',
  'patternProperties',
  'additionalItems',
])
const none: readonly never[] = []

/** Words that say what a value consists of. */
const simpleWords: ReadonlySet<string> = new Set([
  'type',
  'description',
  'properties',
  'items',
  'required',
  'additionalProperties',
])

/** Words that `testsOf` reads. */
const testWords: ReadonlySet<string> = new Set([
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength'],
  ...['minItems', 'maxItems', 'minProperties', 'maxProperties', 'pattern', 'format'],
])
/** Words that hold schemas for the same value. */
const branchWords: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'not'])

/** Which kinds of words a schema has. */
interface Words {
  /** Type and description only. */
  readonly isPlain: boolean
  /** What the value consists of only. */
  readonly isSimple: boolean
  readonly hasTests: boolean
  readonly hasBranches: boolean
}

/** The schemas of what a value consists of. */
export interface Parts {
  readonly properties: ReadonlyMap<string, Schema>
  /** Of values whose keys are nobody's property. */
  readonly additional: Schema | undefined
  readonly items: Schema | undefined
}

function read(value: unknown, place: Place): Schema {
  const { count, depth } = place
  if (!isObject(value)) throw new Unusable(pathOf(place), 'is no schema')
  if (depth > deepest) throw new Unusable(pathOf(place), `stands more than ${deepest} levels deep`, false)
  if (++count.nodes > mostNodes)
    throw new Unusable(pathOf(place), `is part number ${mostNodes} of its schema, and there are more`, false)
  const words = wordsOf(value)
  const type = checkedType(value, words, place)
  return words.isPlain ? plain(type) : schemaOf(value, type, words, partsOf(value, place), place)
}

/** The type that a schema asks for, when it may ask for it. */
function checkedType(value: Untyped, { isSimple }: Words, place: Place): SchemaType | undefined {
  const { nested, structural } = place
  if (!isSimple) checkWords(value, place)
  const isIntOrString = !isSimple && flag(value, 'x-kubernetes-int-or-string', place)
  const type = isIntOrString ? 'integer or string' : typeOf(value, place)
  const preserves = !isSimple && flag(value, 'x-kubernetes-preserve-unknown-fields', place)
  if (structural) checkType(value, type, preserves, place)
  if (structural && !nested && !isSimple) checkExtensions(value, type, place)
  return type
}

function partsOf(value: Untyped, place: Place): Parts {
  const written = mapping(value, 'properties', place)
  const { additionalProperties, items } = value
  let properties: Map<string, Schema> | undefined
  for (const name in written) {
    const own = leaf(written[name], place) ?? part(written[name], place, ['properties', name])
    properties ??= new Map()
    properties.set(name, own)
  }
  if (properties && (isObject(additionalProperties) || additionalProperties === false))
    throw unusable(place, 'additionalProperties', 'cannot stand beside properties')
  return {
    properties: properties ?? noProperties,
    additional: isObject(additionalProperties)
      ? part(additionalProperties, place, ['additionalProperties'])
      : typeof additionalProperties === 'boolean'
        ? // The server keeps what stands there, and drops all fields of mappings in it.
          plain(undefined)
        : undefined,
    items: items === undefined || items === null ? undefined : part(items, place, ['items']),
  }
}

function schemaOf(
  value: Untyped,
  type: SchemaType | undefined,
  { isSimple, hasTests, hasBranches }: Words,
  { properties, additional, items }: Parts,
  place: Place,
): Schema {
  const simple: Schema = {
    ...plain(type),
    properties,
    defaulted: defaultedIn(properties),
    holdsDefaults: (value.default ?? undefined) !== undefined || hold(properties, items),
    additional,
    items,
    required: texts(value, 'required', place),
  }
  if (isSimple) return simple
  const preserves = flag(value, 'x-kubernetes-preserve-unknown-fields', place)
  return {
    ...simple,
    items: preserves && simple.items ? preserving(simple.items) : simple.items,
    nullable: flag(value, 'nullable', place),
    default: value.default ?? undefined,
    preserves,
    embedded: flag(value, 'x-kubernetes-embedded-resource', place),
    formatted: (value.format ?? '') !== '',
    keys: keysOf(value, place),
    values: valuesOf(value, place),
    tests: hasTests ? testsOf(value, type, place) : none,
    ...(hasBranches && {
      allOf: branches(value, 'allOf', place),
      anyOf: branches(value, 'anyOf', place),
      oneOf: branches(value, 'oneOf', place),
      not: value.not === undefined || value.not === null ? undefined : part(value.not, place, ['not'], true),
    }),
  }
}

/**
 * The schema with these words and parts, as it is written outside of allOf, anyOf, oneOf and not.
 * @param words all but `properties`, `items` and `additionalProperties`
 * @returns undefined when it cannot be used
 */
export function assembled(words: Untyped, parts: Parts): Schema | undefined {
  const { items } = parts
  try {
    const kinds = wordsOf(words)
    const value = items === undefined ? words : { ...words, items: writtenAgain(items, words) }
    return schemaOf(value, checkedType(value, kinds, anywhere), kinds, parts, anywhere)
  } catch (error) {
    if (error instanceof Unusable) return undefined
    throw error
  }
}

const anywhere: Place = {
  steps: none,
  above: undefined,
  depth: 0,
  structural: true,
  nested: false,
  count: { nodes: 0 },
}

/** As much of the schema of a list's items as the list's own looks at. */
function writtenAgain({ type, nullable, properties, required }: Schema, list: Untyped): Untyped {
  return list['x-kubernetes-list-type'] === 'map'
    ? { type, nullable, properties: Object.fromEntries(properties), required }
    : { type, nullable }
}

function defaultedIn(properties: ReadonlyMap<string, Schema>): Schema['defaulted'] {
  let found: (readonly [string, Schema])[] | undefined
  for (const property of properties) {
    if (property[1].default === undefined) continue
    found ??= []
    found.push(property)
  }
  return found ?? none
}

function hold(properties: ReadonlyMap<string, Schema>, items: Schema | undefined): boolean {
  if (items?.holdsDefaults) return true
  for (const property of properties.values()) if (property.holdsDefaults) return true
  return false
}

/** The schema of a part of the one at `above`. */
function part(value: unknown, above: Place, steps: Path, nested = above.nested): Schema {
  const { depth, structural, count } = above
  return read(value, { steps, above, depth: depth + 1, structural, nested, count })
}

function branches(value: Untyped, key: 'allOf' | 'anyOf' | 'oneOf', place: Place): readonly Schema[] {
  const all = list(value, key, place)
  if (all.length === 0 || isDeepStrictEqual(all, integerOrString)) return none
  return all
    .filter((one) => !isDeepStrictEqual(one, { anyOf: integerOrString }))
    .map((one, i) => part(one ?? {}, place, [key, i], true))
}

/**
 * The items of a list that keeps what its schema does not know: so do they, while their own fields drop it.
 * Source: apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go (skipPrune).
 */
function preserving(items: Schema): Schema {
  return { ...items, preserves: true, items: items.items && preserving(items.items) }
}

/** Words that say what a value is, and not which values are right. Source: validateNestedValueValidation. */
const outside: ReadonlySet<string> = new Set([
  ...['additionalProperties', 'default', 'description', 'nullable', 'title'],
  ...['embedded-resource', 'int-or-string', 'list-map-keys', 'list-type', 'map-type'].map(ofKubernetes),
  ...['preserve-unknown-fields', 'validations'].map(ofKubernetes),
])

function ofKubernetes(word: string): string {
  return `x-kubernetes-${word}`
}

function checkType(value: Untyped, type: string | undefined, preserves: boolean, place: Place): void {
  if (place.nested && type !== undefined)
    throw unusable(place, 'type', 'cannot stand here: only the schema around it has a type')
  if (place.nested) {
    for (const word in value)
      if (outside.has(word) && !isZero(value[word]) && value[word] !== false)
        throw unusable(place, word, 'cannot stand here: it belongs to the schema around')
    if (Object.hasOwn(mapping(value, 'properties', place), 'metadata'))
      throw unusable(place, 'properties', 'names metadata, which cannot be judged here')
    return
  }
  if (type === undefined && !preserves) throw unusable(place, 'type', 'is missing')
  if (type === 'array' && !isObject(value.items)) throw unusable(place, 'items', 'is missing')
}

/** The schema of a part that says its type and no more, as most do: it needs no place of its own. */
function leaf(value: unknown, { nested, count }: Place): Schema | undefined {
  if (nested || count.nodes >= mostNodes || !isObject(value)) return undefined
  const schema = isLeaf(value) ? plainOf(value.type) : undefined
  if (schema) count.nodes++
  return schema
}

/** The schema that says a type and no more, where that is enough: a list needs items. */
export function plainOf(type: unknown): Schema | undefined {
  return type !== 'array' && types.has(type) ? plain(type as SchemaType) : undefined
}

/** Whether a schema says its type and no more. */
function isLeaf(value: Untyped): boolean {
  for (const word in value) if (word !== 'type' && word !== 'description') return false
  return true
}

/** Most parts of a schema say their type and no more, and most of the others what they consist of. */
function wordsOf(value: Untyped): Words {
  let isPlain = true
  let isSimple = true
  let hasTests = false
  let hasBranches = false
  for (const word in value) {
    if (word === 'type' || word === 'description') continue
    isPlain = false
    if (simpleWords.has(word)) continue
    isSimple = false
    if (testWords.has(word)) hasTests = true
    else if (branchWords.has(word)) hasBranches = true
  }
  return { isPlain, isSimple, hasTests, hasBranches }
}

function checkWords(value: Untyped, place: Place): void {
  for (const word in value)
    if (forbidden.has(word) && (value[word] ?? '') !== '') throw unusable(place, word, 'is not allowed')
  if (value.uniqueItems === true) throw unusable(place, 'uniqueItems', 'cannot be true')
}

const plains = new Map<SchemaType | undefined, Schema>()

/** The schema that asks for a type only. */
function plain(type: SchemaType | undefined): Schema {
  let found = plains.get(type)
  if (found === undefined) {
    found = {
      type,
      nullable: false,
      default: undefined,
      properties: noProperties,
      defaulted: none,
      holdsDefaults: false,
      additional: undefined,
      items: undefined,
      required: none,
      preserves: false,
      embedded: false,
      formatted: false,
      keys: undefined,
      values: undefined,
      tests: none,
      allOf: none,
      anyOf: none,
      oneOf: none,
      not: undefined,
    }
    plains.set(type, found)
  }
  return found
}

const types: ReadonlySet<unknown> = new Set<SchemaType>([
  'object',
  'array',
  'string',
  'integer',
  'number',
  'boolean',
])

function typeOf({ type }: Untyped, place: Place): SchemaType | undefined {
  if (type === undefined || type === null || type === '') return undefined
  if (!types.has(type)) throw unusable(place, 'type', `cannot be ${JSON.stringify(type).slice(0, 40)}`)
  return type as SchemaType
}

/** The value of a keyword; undefined when it is not there. */
function keyword<T>(
  schema: Untyped,
  key: string,
  place: Place,
  is: (value: unknown) => value is T,
  what: string,
) {
  const value = schema[key] ?? undefined
  if (value === undefined || is(value)) return value
  throw unusable(place, key, `has to be ${what}`)
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): value is number => typeof value === 'number'
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)
const isTexts = (value: unknown): value is readonly (string | null)[] =>
  isList(value) && value.every((one) => one === null || isText(one))

function flag(schema: Untyped, key: string, place: Place): boolean {
  return keyword(schema, key, place, isFlag, 'true or false') ?? false
}

function list(schema: Untyped, key: string, place: Place): readonly unknown[] {
  return keyword(schema, key, place, isList, 'a list') ?? none
}

function texts(schema: Untyped, key: string, place: Place): readonly string[] {
  // An entry that is null is the empty text.
  return keyword(schema, key, place, isTexts, 'a list of texts')?.map((one) => one ?? '') ?? none
}

function mapping(schema: Untyped, key: string, place: Place): Untyped {
  return keyword(schema, key, place, isObject, 'a mapping') ?? {}
}

function valuesOf(schema: Untyped, place: Place): Schema['values'] {
  const all = keyword(schema, 'enum', place, isList, 'a list')
  return all && { all, shown: all.map(shown) }
}

/** A value as messages show it: text as it is, all else as JSON. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function keysOf(schema: Untyped, place: Place): readonly string[] | undefined {
  const type = keyword(schema, 'x-kubernetes-list-type', place, isText, 'text')
  const keys = texts(schema, 'x-kubernetes-list-map-keys', place)
  return type === 'set' ? ['='] : type === 'map' && keys.length > 0 ? keys : undefined
}

interface Size {
  readonly least: string
  readonly most: string
  readonly thing: string
  readonly sizeOf: (value: unknown) => number | undefined
}

/** The keywords about sizes. */
const sizes: readonly Size[] = [
  {
    least: 'minLength',
    most: 'maxLength',
    thing: 'character',
    sizeOf: (value) => (isText(value) ? [...value].length : undefined),
  },
  {
    least: 'minItems',
    most: 'maxItems',
    thing: 'entry',
    sizeOf: (value) => (isList(value) ? value.length : undefined),
  },
  {
    least: 'minProperties',
    most: 'maxProperties',
    thing: 'field',
    sizeOf: (value) => (isObject(value) ? Object.keys(value).length : undefined),
  },
]

/** What the keywords about single values ask for. */
function testsOf(schema: Untyped, type: SchemaType | undefined, place: Place): readonly Test[] {
  const tests: Test[] = []
  const number = (key: string) => keyword(schema, key, place, isNumber, 'a number')
  const minimum = number('minimum')
  const maximum = number('maximum')
  const isAbove = flag(schema, 'exclusiveMinimum', place)
  const isBelow = flag(schema, 'exclusiveMaximum', place)
  if (minimum !== undefined || maximum !== undefined)
    tests.push(rangeTest({ minimum, isAbove, maximum, isBelow }))
  const factor = number('multipleOf')
  if (factor !== undefined && factor > 0)
    tests.push((value) =>
      typeof value === 'number' && !isMultiple(value, factor)
        ? `is ${value}, and has to be a multiple of ${factor}`
        : undefined,
    )
  for (const { least: atLeast, most: atMost, thing, sizeOf } of sizes) {
    const least = number(atLeast) ?? 0
    const most = number(atMost) ?? Number.POSITIVE_INFINITY
    if (least > 0 || most < Number.POSITIVE_INFINITY)
      tests.push((value) => {
        const size = sizeOf(value)
        if (size === undefined || (size >= least && size <= most)) return undefined
        return `has ${counted(size, thing)}, and needs ${size < least ? `at least ${least}` : `at most ${most}`}`
      })
  }
  const pattern = keyword(schema, 'pattern', place, isText, 'text')
  if (pattern) tests.push(patternTest(pattern))
  const format = keyword(schema, 'format', place, isText, 'text')
  if (format) tests.push(...formatTest(format, type))
  if (type === 'integer')
    tests.push(...sizeTest(format === 'int32' ? 'int32' : 'int64', { minimum, maximum, multipleOf: factor }))
  return tests.length > 0 ? tests : none
}

/** What numbers may be, and whether a bound itself is none of them. */
interface Range {
  readonly minimum: number | undefined
  readonly isAbove: boolean
  readonly maximum: number | undefined
  readonly isBelow: boolean
}

function rangeTest({ minimum, isAbove, maximum, isBelow }: Range): Test {
  return (value) => {
    if (typeof value !== 'number') return undefined
    if (minimum !== undefined && (isAbove ? value <= minimum : value < minimum))
      return `is ${value}, and has to be ${isAbove ? `above ${minimum}` : `at least ${minimum}`}`
    if (maximum !== undefined && (isBelow ? value >= maximum : value > maximum))
      return `is ${value}, and has to be ${isBelow ? `below ${maximum}` : `at most ${maximum}`}`
    return undefined
  }
}

/** As the server reckons it: fractions in floating point, with some tolerance. */
function isMultiple(value: number, factor: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0
  const times = value / factor
  return Math.abs(times - Math.round(times)) <= 1e-9 * Math.max(1, Math.abs(times))
}

function counted(size: number, thing: string): string {
  const many = thing === 'entry' ? 'entries' : `${thing}s`
  return `${size === 0 ? 'no' : size} ${size === 1 ? thing : many}`
}

/** A pattern is compiled when the first text asks for it. */
function patternTest(pattern: string): Test {
  let found: ReturnType<typeof matcher> | 'unread' = 'unread'
  return (value, budget) => {
    if (!isText(value)) return undefined
    if (found === 'unread') found = matcher(pattern)
    if (found === undefined || found(value, budget)) return undefined
    return `is ${quoted(value)}, and has to match ${pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern}`
  }
}

/** The first minor version whose servers compare whole numbers with what their format holds; those before take any. */
const comparesSizes = 36

/**
 * Whether a format of whole numbers does not hold a number. That it has a fraction counts, too; the largest of 64 bits has none as the
 * server reads it.
 */
const beyond: Readonly<Record<'int32' | 'int64', (value: number) => boolean>> = {
  int32: (value) => !Number.isInteger(value) || Math.abs(value + 0.5) > 2 ** 31,
  int64: (value) => !Number.isInteger(value) || Math.abs(value) >= 2 ** 63,
}

/**
 * A bound that the format does not hold makes the server refuse each value: `maximum: 4294967295` of an int32, as BGPPeer of MetalLB
 * 0.15 has it. Source: k8s.io/kube-openapi/pkg/validation/validate (numberValidator, IsValueValidAgainstRange), which has
 * got type and format since the version that apiextensions-apiserver 0.36 takes.
 */
function sizeTest(
  format: 'int32' | 'int64',
  bounds: Readonly<Record<string, number | undefined>>,
): readonly Test[] {
  const [bad] = Object.entries(bounds).filter(([, bound]) => bound !== undefined && beyond[format](bound))
  if (bad === undefined && format !== 'int32') return none
  return [
    (value, _, minor) => {
      if (!isNumber(value) || minor < comparesSizes) return undefined
      if (bad !== undefined)
        return `can have no value since Kubernetes 1.${comparesSizes}: in its CustomResourceDefinition, ${bad[0]} ${bad[1]} is no ${format}`
      return beyond[format](value) ? `is ${value}, which is no ${format}` : undefined
    },
  ]
}

function formatTest(format: string, type: SchemaType | undefined): readonly Test[] {
  const name = format.replaceAll('-', '')
  const known = ownValue(textFormats, name)
  if (known === undefined || (type !== undefined && type !== 'string' && type !== 'integer or string'))
    return none
  return [
    (value) =>
      isText(value) && !known.is(value) ? `is ${quoted(value)}, and has to be ${known.like}` : undefined,
  ]
}
