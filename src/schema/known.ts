/**
 * Schemas of CustomResourceDefinitions that were read from their text, without the values in between. Half of the text of a folder of
 * manifests may be such schemas, and all that is asked of most of them is whether something is wrong.
 *
 * What is known here is only what is surely right: of a schema with anything else in it the values are read, and judged like those of
 * any object. Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1 (JSONSchemaProps), besides those of structural.ts.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Untyped } from '../kubernetes.js'
import { isObject } from '../values/untyped.js'
import { assembled, integerOrString, type Parts, type Schema } from './structural.js'

/** A schema in which nothing is wrong. */
export interface KnownSchema {
  readonly schema: Schema
  /** The first minor version of Kubernetes that knows all its words. */
  readonly since: number
}

const known = new WeakMap<object, KnownSchema>()

/** The schema that the field `openAPIV3Schema` of a mapping holds, if it is known. */
export function knownSchema(holder: object): KnownSchema | undefined {
  return known.get(holder)
}

/** Notes the schema of a mapping, whose field has its value read when somebody asks for it. */
export function noteSchema(holder: object, schema: KnownSchema, read: () => unknown): void {
  const keep = (value: unknown) =>
    Object.defineProperty(holder, 'openAPIV3Schema', {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  Object.defineProperty(holder, 'openAPIV3Schema', {
    enumerable: true,
    configurable: true,
    get: () => {
      const value = read()
      keep(value)
      return value
    },
    set: (value: unknown) => {
      known.delete(holder)
      keep(value)
    },
  })
  known.set(holder, schema)
}

/**
 * The schema with these words and parts, description apart.
 * @param words none of `properties`, `items` and `additionalProperties` with a schema
 * @returns undefined when something may be wrong with it, or with it at the root of a kind
 */
export function schemaOfWords(words: Untyped, parts: Parts, isRoot: boolean): Schema | undefined {
  for (const word in words) {
    const isRight = right.get(word)
    if (!isRight?.(words[word]) || (isRoot && !rootWords.has(word))) return undefined
  }
  if (isRoot && (words.type !== 'object' || parts.items || parts.additional)) return undefined
  return assembled(words, parts)
}

/** The first minor version of Kubernetes that knows these words. */
export function sinceOf(words: Untyped): number {
  return 'x-kubernetes-validations' in words ? 23 : 0
}

/** Those that may stand at the root of any kind, one with a status of its own, too. */
const rootWords: ReadonlySet<string> = new Set(['type', 'required', 'x-kubernetes-validations'])

const isText = (value: unknown) => typeof value === 'string'
const isFlag = (value: unknown) => typeof value === 'boolean'
const isNumber = (value: unknown) => typeof value === 'number'
const isSize = (value: unknown) => Number.isSafeInteger(value)
const isTextList = (value: unknown) => Array.isArray(value) && value.every(isText)
const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value)

/** The words of schemas, each with what is surely a right value. */
const right: ReadonlyMap<string, (value: unknown) => boolean> = new Map(
  Object.entries({
    type: isText,
    format: isText,
    pattern: isText,
    required: isTextList,
    enum: Array.isArray,
    default: () => true,
    nullable: isFlag,
    minimum: isNumber,
    maximum: isNumber,
    multipleOf: isNumber,
    minLength: isSize,
    maxLength: isSize,
    minItems: isSize,
    maxItems: isSize,
    example: () => true,
    anyOf: (value) => isDeepStrictEqual(value, integerOrString) || areBranches(value),
    allOf: areBranches,
    oneOf: areBranches,
    not: isBranch,
    'x-kubernetes-int-or-string': isFlag,
    'x-kubernetes-preserve-unknown-fields': isFlag,
    'x-kubernetes-list-type': oneOf('atomic', 'map', 'set'),
    'x-kubernetes-list-map-keys': isTextList,
    'x-kubernetes-map-type': oneOf('atomic', 'granular'),
    'x-kubernetes-validations': areRules,
  } satisfies Record<string, (value: unknown) => boolean>),
)

const branchWords = /^(?:required|enum|pattern|minimum|maximum|min[LI]\w+|max[LI]\w+|anyOf|allOf|oneOf|not)$/

/** Whether a value is a schema that stands beside another one and asks for more: it has no type of its own. */
function isBranch(value: unknown): boolean {
  if (!isObject(value)) return false
  return Object.entries(value).every(([word, own]) =>
    word === 'properties'
      ? isObject(own) && Object.values(own).every(isBranch)
      : branchWords.test(word) && right.get(word)?.(own),
  )
}

function areBranches(value: unknown): boolean {
  return Array.isArray(value) && value.every(isBranch)
}

/** Whether they are rules of which no two are the same, with nothing but a message. */
function areRules(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  const rules = value.map((one) =>
    isObject(one) &&
    Object.keys(one).every((word) => word === 'rule' || (word === 'message' && isText(one.message)))
      ? one.rule
      : undefined,
  )
  return rules.every((rule) => rule && isText(rule)) && new Set(rules).size === rules.length
}
