/**
 * No rule crashes on a damaged object: every field of every fixture is removed, emptied or given another type, one at a
 * time, and all rules run over the result together. And none takes what every object of JavaScript has for something that is
 * written: every key and every text is called so, and nothing else may be said of it than of any other word.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { ActiveRule, Settings } from '../src/config/settings.js'
import { lint } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import type { Path } from '../src/finding.js'
import { isObject, valueAt } from '../src/values/untyped.js'
import { active, allRules, everyRule, type Run, root, runOf, settings } from './harness.js'
import { withIdentity } from './live.js'
import { damaged, inputOfValues } from './mangled.js'

const rules = await allRules()

const everything = settings(everyRule(), { complete: true })
const wrong: readonly unknown[] = [
  undefined,
  null,
  '',
  'text',
  0,
  -1,
  1.5,
  true,
  [],
  {},
  [null],
  ['text'],
  [[]],
  { text: 'text' },
  [{}],
]
/** Enough for a cluster: its server gives a field no other type. */
const wrongInCluster: readonly unknown[] = [undefined, null, '', 'text', -1, [], {}]

function reportOf(values: readonly unknown[], run: Run, rulesToRun: Settings = everything) {
  return lint(inputOfValues(values, run), { settings: rulesToRun, rules, stories: () => new Map() })
}

function failuresOf(...how: Parameters<typeof reportOf>) {
  return reportOf(...how).failures.map(failure)
}

function failure({ rule, error }: Report['failures'][number]): string {
  return `${rule}: ${error instanceof Error ? error.stack : String(error)}`
}

/** All that is said, a line each. */
function saidOf(...how: Parameters<typeof reportOf>): readonly string[] {
  const { findings, failures } = reportOf(...how)
  const said = findings.map(({ rule, message, evidence, fix, place, related }) =>
    JSON.stringify([rule, message, evidence, fix, place.path, related.map(({ note }) => note)]),
  )
  return [...failures.map(failure), ...said]
}

function* paths(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value))
    yield* paths(item, [...path, Array.isArray(value) ? Number(key) : key])
}

/** The same with another key at the end of the path. */
function called(value: unknown, [step, ...rest]: Path, by: string): unknown {
  if (Array.isArray(value)) return value.map((item, i) => (i === step ? called(item, rest, by) : item))
  const entries = Object.entries(value as object).map(([key, item]) => {
    if (key !== step) return [key, item]
    return rest.length === 0 ? [by, item] : [key, called(item, rest, by)]
  })
  return Object.fromEntries(entries)
}

/** The fixture of the rule that is reported, and the first one of a cluster. */
function fixturesOf(id: string): string[] {
  const folder = join(root, 'fixtures', id)
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  const live = names.filter((name) => /^live-.*\.yaml$/.test(name))
  return [
    ...names.filter((name) => name === 'bad.yaml'),
    ...(live.includes('live-bad.yaml') ? ['live-bad.yaml'] : live.slice(0, 1)),
  ]
}

interface Case {
  readonly title: string
  readonly own: ActiveRule
  readonly run: Run
  readonly text: string
  readonly values: readonly Readonly<Record<string, unknown>>[]
}

/** The fixtures of all rules that are about objects. */
const cases = [...rules].flatMap(([id, rule]) =>
  (rule.for.length === 0 ? [] : fixturesOf(id)).map((name): Case => {
    const file = join('fixtures', id, name)
    const run = runOf(file)
    const text = readFileSync(join(root, file), 'utf8')
    const values = loadAll(text, null, { json: true })
      .filter(isObject)
      .map((value) => (run.live ? withIdentity(value) : value))
    return { title: `${id}/${name}`, own: active(id, rule, run), run, text, values }
  }),
)

type Change = (value: unknown, path: Path) => unknown

/** A place in one of the values, and all of them with that one changed there. */
interface Spot {
  readonly value: unknown
  readonly path: Path
  readonly with: (change: Change) => readonly unknown[]
}

/** The places of all values; of those with one key the first. */
function spots({ values }: Case, keyOf: (path: Path, kind: unknown, i: number) => unknown): Spot[] {
  const known = new Set<string>()
  return values.flatMap((value, i) =>
    [...paths(value)].flatMap((path) => {
      const key = JSON.stringify(keyOf(path, value.kind, i))
      if (known.has(key)) return []
      known.add(key)
      const changed = (change: Change) => values.map((other, j) => (i === j ? change(value, path) : other))
      return [{ value, path, with: changed }]
    }),
  )
}

it('every rule about objects has a fixture here', () => {
  const titles = [...rules].filter(([, rule]) => rule.for.length > 0).map(([id]) => `${id}/bad.yaml`)
  expect(cases.map(({ title }) => title)).toEqual(expect.arrayContaining(titles))
  expect(cases.filter(({ values }) => values.length === 0)).toEqual([])
})

describe('every rule survives every damage', () => {
  it.each(cases.map((one) => [one.title, one] as const))('%s', (_, one) => {
    const { run } = one
    const failures = new Set<string>()
    // Clusters hold many pods and nodes that are alike: one of each kind is damaged at a place.
    for (const spot of spots(one, (path, kind, i) => [run.live ? kind : i, path]))
      for (const by of run.live ? wrongInCluster : wrong) {
        const whole = spot.with((value, path) => damaged(value, path, by))
        for (const failure of failuresOf(whole, run)) failures.add(failure)
      }
    expect([...failures]).toEqual([])
  })
})

/** What every object has, and words that are as long, and stand at the same place in a sorted list. */
const inherited = [
  ['constructor', 'constructoq'],
  ['__proto__', '__protq__'],
] as const

describe('every rule takes what every object has for a word as any other', () => {
  it.each(cases.map((one) => [one.title, one] as const))('%s', (_, one) => {
    const { own, run, text } = one
    const alone = settings([own], { ...run, complete: true })
    // What is there twice says something else.
    const words = inherited.filter(([word]) => !text.includes(word))
    expect(words).not.toEqual([])
    const keyOf = (path: Path, kind: unknown) => [kind, path.filter((step) => typeof step === 'string')]
    for (const spot of spots(one, keyOf)) {
      const isKey = typeof spot.path.at(-1) === 'string'
      const isText = typeof valueAt(spot.value, ...spot.path) === 'string'
      for (const change of [...(isKey ? [called] : []), ...(isText ? [damaged] : [])])
        for (const [word, other] of words) {
          const said = (by: string) => {
            const whole = spot.with((value, path) => change(value, path, by))
            return saidOf(whole, run, alone).map((line) => line.replaceAll(by, word))
          }
          expect(said(word), `${word} at ${spot.path.join('.')}`).toEqual(said(other))
        }
    }
  })
})
