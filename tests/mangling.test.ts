/**
 * No rule crashes on a damaged object: every field of every fixture is removed, emptied or given another type, one at a
 * time, and all rules run over the result together. And none takes what every object of JavaScript has for something that is
 * written: every key and every text is called so, and nothing else may be said of it than of any other word.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { Settings } from '../src/config/settings.js'
import { lint } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import type { Path } from '../src/finding.js'
import { isObject } from '../src/values/untyped.js'
import { active, allRules, type Run, root, runOf, settings } from './harness.js'
import { withIdentity } from './live.js'
import { damaged, inputOfValues } from './mangled.js'

const rules = await allRules()

const everything = settings(
  [...rules].map(([id, rule]) => active(id, rule)),
  { complete: true },
)
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
  const entries = Object.entries(value as object).map(([key, item]) =>
    key !== step ? [key, item] : rest.length === 0 ? [by, item] : [key, called(item, rest, by)],
  )
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

describe('every rule survives every damage', () => {
  for (const [id, rule] of rules) {
    if (rule.for.length === 0) continue
    it.each(fixturesOf(id))(`${id}/%s`, (name) => {
      const file = join('fixtures', id, name)
      const run = runOf(file)
      const values = loadAll(readFileSync(join(root, file), 'utf8'), null, { json: true })
        .filter(isObject)
        .map((value) => (run.live ? withIdentity(value) : value))
      const failures = new Set<string>()
      const known = new Set<string>()
      values.forEach((value, i) => {
        for (const path of paths(value)) {
          // Clusters hold many pods and nodes that are alike: one of each kind is damaged at a place.
          const place = JSON.stringify([value.kind, path])
          if (run.live && known.has(place)) continue
          known.add(place)
          for (const by of run.live ? wrongInCluster : wrong) {
            const whole = values.map((other, j) => (i === j ? damaged(value, path, by) : other))
            for (const failure of failuresOf(whole, run)) failures.add(failure)
          }
        }
      })
      expect([...failures]).toEqual([])
    })
  }
})

/** What every object has, and words that are as long, and stand at the same place in a sorted list. */
const inherited = [
  ['constructor', 'constructoq'],
  ['__proto__', '__protq__'],
] as const

describe('every rule takes what every object has for a word as any other', () => {
  for (const [id, rule] of rules) {
    if (rule.for.length === 0) continue
    it.each(fixturesOf(id))(`${id}/%s`, (name) => {
      const file = join('fixtures', id, name)
      const run = runOf(file)
      const own = settings([active(id, rule, run)], { ...run, complete: true })
      const text = readFileSync(join(root, file), 'utf8')
      const values = loadAll(text, null, { json: true })
        .filter(isObject)
        .map((value) => (run.live ? withIdentity(value) : value))
      const known = new Set<string>()
      values.forEach((value, i) => {
        for (const path of paths(value)) {
          const place = JSON.stringify([value.kind, path.filter((step) => typeof step === 'string')])
          if (known.has(place)) continue
          known.add(place)
          const isKey = typeof path.at(-1) === 'string'
          const isText =
            typeof path.reduce<unknown>((at, step) => (at as Path)[step as number], value) === 'string'
          for (const change of [...(isKey ? [called] : []), ...(isText ? [damaged] : [])])
            for (const [word, other] of inherited) {
              // What is there twice says something else.
              if (text.includes(word)) continue
              const said = (by: string) => {
                const whole = values.map((one, j) => (i === j ? change(value, path, by) : one))
                return saidOf(whole, run, own).map((line) => line.replaceAll(by, word))
              }
              expect(said(word), `${word} at ${path.join('.')}`).toEqual(said(other))
            }
        }
      })
    })
  }
  it('finds fixtures', () => {
    expect(readdirSync(join(root, 'fixtures')).length).toBeGreaterThan(2)
  })
})
