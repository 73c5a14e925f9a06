/** Checks a configuration against its schema and says in plain words what is wrong with it. */
import { Ajv, type ErrorObject } from 'ajv'
import type { Path } from '../finding.js'
import type { Rule } from '../rule.js'
import { enumerate } from '../values/enumerate.js'
import { unescapedStep } from '../values/pointer.js'
import { didYouMean } from '../values/similar.js'
import { isObject, valueAt } from '../values/untyped.js'
import { configSchema, type Schema } from './schema.js'

export interface ConfigProblem {
  readonly path: Path
  readonly at: 'key' | 'value'
  /** One sentence or two. */
  readonly message: string
}

/** Mistakes that are told. */
export const mostProblems = 100

/** What is wrong with a configuration's value, up to so many mistakes; empty when it is sound. */
export function configProblems(value: unknown, rules: ReadonlyMap<string, Rule>): ConfigProblem[] {
  const used = valueAt(value, 'rules')
  const schema = configSchema(rules, (id) => isObject(used) && Object.hasOwn(used, id))
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    logger: false,
    formats: { regex: isRegex },
  })
  const validate = ajv.compile(schema)
  if (validate(value)) return []
  // A mistake among alternatives is several errors.
  const errors = (validate.errors ?? []).slice(0, 10 * mostProblems)
  return decided(errors)
    .slice(0, mostProblems)
    .map((error) => problemOf(error, value))
}

/** Of the alternatives that failed, only what is wrong with the one that was meant. */
function decided(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map((one) => one.instancePath))
  return errors.filter((error) => {
    if (error.keyword === 'anyOf') {
      const rest = errors.filter((one) => one !== error && one.instancePath === error.instancePath)
      const deeper = errors.some((one) => one.instancePath.startsWith(`${error.instancePath}/`))
      return !deeper && rest.every((one) => !says(one, choices))
    }
    return says(error, choices)
  })
}

/** False for the alternatives that were plainly not meant: another type, or a word where a mapping stands. */
function says({ instancePath, keyword, data }: ErrorObject, choices: ReadonlySet<string>): boolean {
  if (!choices.has(instancePath)) return true
  return keyword !== 'type' && !(keyword === 'enum' && typeof data !== 'string')
}

function problemOf(error: ErrorObject, value: unknown): ConfigProblem {
  const path = stepsOf(error.instancePath, value)
  const name = nameOf(path)
  const params = error.params as Record<string, unknown>
  const parent = isObject(error.parentSchema) ? error.parentSchema : {}
  const onValue = (message: string): ConfigProblem => ({ path, at: 'value', message })
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty)
      const known = isObject(parent.properties) ? Object.keys(parent.properties) : []
      return {
        path: [...path, key],
        at: 'key',
        message:
          path.length === 1 && path[0] === 'rules'
            ? noRule(key, known)
            : `${unknown(path, key)}.${nearest(key, known) || all(known, path)}`,
      }
    }
    case 'required':
      return { path, at: 'key', message: `${name} needs ${JSON.stringify(params.missingProperty)}.` }
    case 'enum': {
      const known = (params.allowedValues as readonly unknown[]).map(String)
      const given = String(error.data)
      return path[0] === 'suppressions'
        ? onValue(noRule(given, known))
        : onValue(
            `${name} cannot be ${show(error.data)}.${nearest(given, known) || ` It can be ${enumerate(known, 'or')}.`}`,
          )
    }
    case 'type':
      return onValue(
        params.type === 'string' && typeof error.data === 'number'
          ? `${name} must be text: put it in quotes.`
          : `${name} must be ${article(String(params.type))}, not ${show(error.data)}.`,
      )
    case 'pattern':
      return onValue(
        typeof error.data === 'string' && error.data.trim() === ''
          ? `${name} must not be empty.`
          : `${name} cannot be ${show(error.data)}.${example(parent)}`,
      )
    case 'format':
      return onValue(`${name} is no regular expression: ${show(error.data)}.`)
    case 'anyOf':
      return onValue(`${name} cannot be ${show(error.data)}. It can be ${alternatives(parent)}.`)
    case 'minimum':
      return onValue(`${name} must be at least ${params.limit}.`)
    case 'maximum':
      return onValue(`${name} must be at most ${params.limit}.`)
    case 'minLength':
    case 'minItems':
      return onValue(`${name} must not be empty.`)
    default:
      return onValue(`${name} ${error.message ?? 'is wrong'}.`)
  }
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}

/** What a text that has to look like something looks like. */
function example({ default: standard, examples, description }: Schema): string {
  const value = Array.isArray(examples) ? examples[0] : standard
  if (typeof value === 'string' && value !== '') return ` Write it like ${JSON.stringify(value)}.`
  return typeof description === 'string' ? ` ${description}` : ''
}

/** Where a rule has to stand. */
function noRule(given: string, known: Iterable<string>): string {
  return `There is no rule ${JSON.stringify(given)}.${nearest(given, known)}`
}

function unknown(path: Path, key: string): string {
  const quoted = JSON.stringify(key)
  if (path[0] === 'rules' && path[2] === 'params') return `The rule ${path[1]} has no parameter ${quoted}`
  return path.length === 0 ? `There is no key ${quoted}` : `${nameOf(path)} has no key ${quoted}`
}

/** What could stand there, where that is little. */
function all(known: readonly string[], path: Path): string {
  const noun = path[0] === 'rules' && path[2] === 'params' ? 'parameter' : 'key'
  if (known.length === 0 || known.length > 16) return ''
  return known.length === 1
    ? ` The only ${noun} is ${known[0]}.`
    : ` The ${noun}s are ${enumerate(known, 'and')}.`
}

function alternatives({ anyOf }: Schema): string {
  const schemas = Array.isArray(anyOf) ? anyOf.filter(isObject) : []
  return enumerate(
    schemas.flatMap(({ enum: words, type }) =>
      Array.isArray(words) ? words.map(String) : [article(String(type))],
    ),
    'or',
  )
}

function nearest(name: string, known: Iterable<string>): string {
  const meant = didYouMean(name, known)
  return meant && ` ${meant}`
}

/** `suppressions[0].reason`. */
function nameOf(path: Path): string {
  if (path.length === 0) return 'The configuration'
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i > 0 ? `.${step}` : step)).join('')
}

function article(type: string): string {
  switch (type) {
    case 'object':
      return 'a mapping'
    case 'array':
      return 'a list'
    case 'string':
      return 'text'
    case 'boolean':
      return 'true or false'
    case 'integer':
      return 'a whole number'
    default:
      return `a ${type}`
  }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (isObject(value)) return 'a mapping'
  if (value === null || value === undefined) return 'empty'
  // As YAML has them: JSON makes null of them.
  if (Number.isNaN(value)) return '.nan'
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
    return value > 0 ? '.inf' : '-.inf'
  return JSON.stringify(value)
}

/** The steps of a JSON pointer, with numbers for the items of lists. */
function stepsOf(pointer: string, value: unknown): Path {
  const path: (string | number)[] = []
  for (const part of pointer.split('/').slice(1)) {
    const step = unescapedStep(part)
    path.push(Array.isArray(valueAt(value, ...path)) ? Number(step) : step)
  }
  return path
}
