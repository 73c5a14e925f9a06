/** Finds, reads and merges configuration files. Loaded only when there is one. */
import { dirname, relative, resolve } from 'node:path'
import type { Range } from '../document.js'
import { ownText } from '../reader/content.js'
import { refusalOf } from '../reader/own.js'
import type { Rule } from '../rule.js'
import { isDate } from '../suppress/grammar.js'
import { isObject } from '../values/untyped.js'
import { type Config, over, type Preset, type RuleChoice } from './config.js'
import type { ConfigSuppression, External, Settings, WorkloadKind } from './settings.js'
import { parseSource, type Source } from './source.js'
import { UsageError } from './usage.js'
import { configProblems, mostProblems } from './validate.js'
import { minorOf } from './version.js'

/** A file's content after the schema has found nothing wrong with it. */
interface Written {
  readonly extends?: string | readonly string[]
  readonly kubernetesVersion?: string
  readonly complete?: boolean
  readonly namespace?: string
  readonly preset?: Preset
  readonly rules?: Readonly<Record<string, string | RuleChoice>>
  readonly externals?: readonly External[]
  readonly workloadKinds?: readonly WorkloadKind[]
  readonly crds?: readonly string[]
  readonly suppressions?: readonly ConfigSuppression[]
  readonly ignore?: readonly string[]
  readonly failOn?: Settings['failOn']
  readonly minSeverity?: Settings['minSeverity']
  readonly output?: string | readonly string[]
}

/**
 * Reads a configuration file and all that it extends.
 * @param file absolute or relative to `cwd`
 * @throws UsageError that names every mistake with file, line and column
 */
export function loadConfig(file: string, cwd: string, rules: ReadonlyMap<string, Rule>): Config {
  return load(resolve(cwd, file), { cwd, rules, files: 0 }, [])
}

/** What files that extend each other have in common. */
interface Loading {
  readonly cwd: string
  readonly rules: ReadonlyMap<string, Rule>
  /** How many were read. */
  files: number
}

/** More of them are no configuration of anybody's; each may extend the next one twice. */
const mostFiles = 100

function load(file: string, loading: Loading, above: readonly string[]): Config {
  const { cwd, rules } = loading
  const name = relative(cwd, file).replaceAll('\\', '/') || '.'
  loading.files++
  if (loading.files > mostFiles)
    throw new UsageError(
      `${name}: it is one of more than ${mostFiles} configurations that extend each other: use fewer.`,
    )
  const source = parseSource(name, textOf(file, name))
  const found = source.value ?? {}
  if (!isObject(found)) throw new UsageError(`${name}:1:1: a configuration is a mapping of keys to values.`)
  const problems = configProblems(found, rules)
  if (problems.length > 0) {
    const placed = problems.map(({ path, at, message }) => ({ range: source.locate(path, at), message }))
    placed.sort(({ range: a }, { range: b }) => a.line - b.line || a.column - b.column)
    throw new UsageError(
      ...placed.map(({ range, message }) => sentence(source, range, message)),
      ...(problems.length < mostProblems ? [] : [`${name} may have more mistakes than these.`]),
    )
  }
  const value = found as Written
  const piped = (value.crds ?? []).indexOf('-')
  if (piped >= 0) {
    const range = source.locate(['crds', piped], 'value')
    throw new UsageError(sentence(source, range, 'definitions are read from files, not from standard input.'))
  }
  const here = (path: string) => {
    const name = relative(cwd, resolve(dirname(file), path)).replaceAll('\\', '/') || '.'
    // A file of that name, which alone is standard input.
    return name === '-' ? './-' : name
  }
  const own = { ...configOf(value, source), crds: (value.crds ?? []).map(here) }
  const bases: readonly string[] = value.extends === undefined ? [] : [value.extends].flat()
  return bases
    .map((base, i) => {
      const path = resolve(dirname(file), base)
      const refusal = (why: string) => {
        const range = source.locate(typeof value.extends === 'string' ? ['extends'] : ['extends', i], 'value')
        return new UsageError(sentence(source, range, `${base} ${why}.`))
      }
      if (path === file || above.includes(path)) throw refusal('extends this file again')
      try {
        return load(path, loading, [...above, file])
      } catch (error) {
        throw error instanceof Unreadable ? refusal(`cannot be read: ${error.why}`) : error
      }
    })
    .concat(own)
    .reduce(over)
}

function sentence({ name }: Source, { line, column }: Range, message: string): string {
  return `${name}:${line}:${column}: ${message}`
}

class Unreadable extends UsageError {
  readonly why: string

  constructor(name: string, why: string) {
    super(`${name} cannot be read: ${why}.`)
    this.why = why
  }
}

function textOf(file: string, name: string): string {
  try {
    return ownText(file)
  } catch (error) {
    throw new Unreadable(name, refusalOf(error))
  }
}

function configOf(value: Written, source: Source): Omit<Config, 'crds'> {
  return {
    file: source.name,
    minor:
      value.kubernetesVersion === undefined
        ? undefined
        : minorOf(
            value.kubernetesVersion,
            sentence(source, source.locate(['kubernetesVersion'], 'value'), 'kubernetesVersion'),
          ),
    complete: value.complete,
    namespace: value.namespace,
    preset: value.preset,
    rules: Object.fromEntries(
      Object.entries(value.rules ?? {}).map(([id, choice]) => [id, choiceOf(choice)]),
    ),
    externals: value.externals ?? [],
    workloadKinds: value.workloadKinds ?? [],
    suppressions: (value.suppressions ?? []).map((one, i) => {
      if (one.until !== undefined && !isDate(one.until))
        throw new UsageError(
          sentence(
            source,
            source.locate(['suppressions', i, 'until'], 'value'),
            `${one.until} is not a day of the calendar.`,
          ),
        )
      const range = source.locate(['suppressions', i], 'key')
      return { ...one, place: { file: source.name, ...range, path: `.suppressions[${i}]` } }
    }),
    ignore: value.ignore ?? [],
    failOn: value.failOn,
    minSeverity: value.minSeverity,
    output: value.output === undefined ? undefined : [value.output].flat(),
  }
}

/** The long form of what is said about a rule. A severity also turns the rule on. */
function choiceOf(choice: string | RuleChoice): RuleChoice {
  if (choice === 'off') return { enabled: false }
  return typeof choice === 'string' ? { severity: choice as Settings['minSeverity'] } : choice
}
