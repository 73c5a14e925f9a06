/**
 * No message holds what only a program says: each number, quantity, percentage, duration, date and schedule of the fixtures is replaced
 * by one beyond reason, one at a time, and the rule runs over the result.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { lint } from '../src/engine/lint.js'
import type { Finding, Path } from '../src/finding.js'
import { isObject } from '../src/values/untyped.js'
import { active, allRules, root, runOf, settings } from './harness.js'
import { withIdentity } from './live.js'
import { damaged, inputOfValues } from './mangled.js'

const rules = await allRules()

const digits = '9'.repeat(400)
const numbers: readonly unknown[] = [
  0,
  -1,
  1.5,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  1e21,
  1e308,
  -1e308,
  '1e400',
]
const texts: readonly unknown[] = [
  '0',
  '-1',
  '0x10',
  '.5e-400',
  '1e308',
  '1e400',
  '-1e400',
  '9223372036854775807',
  '2147483647%',
  '99999999999999999999Ei',
  '100000000000000000000%',
  '-5%',
  '999999999999999999999999999999h',
  '-1h',
  digits,
  '9999-12-31T23:59:59Z',
  '999999999999-01-01T00:00:00Z',
  '0 0 30 2 *',
  '@every 999999999999h',
  '10.0.0.0/999999',
  '::/-1',
  1e308,
]

/** What is written as numbers are: `80`, `1.5`, `500m`, `25%`, `1h`, `2026-01-01T00:00:00Z`, `* * * * *`, `10.0.0.0/8`. */
const isNumeric = (text: string) => /^[-+]?[.\d]|^[@*]/.test(text)

function* leavesOf(value: unknown, path: Path = []): Generator<readonly [Path, string | number]> {
  if (typeof value === 'number' || typeof value === 'string') yield [path, value]
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value))
    yield* leavesOf(item, [...path, Array.isArray(value) ? Number(key) : key])
}

/** The text with each number in it replaced: `--v=4`, `sleep 30`. */
const inText = (text: string) => [text.replace(/\d+/g, digits), text.replace(/\d+(?!.*\d)/s, digits)]

function valuesFor(leaf: string | number): readonly unknown[] {
  if (typeof leaf === 'number') return numbers
  if (isNumeric(leaf)) return texts
  return /\d/.test(leaf) && leaf.length < 3000 ? inText(leaf) : []
}

/** What JavaScript says of a number that is none, and times that nobody has waited. */
const strange =
  /\b(?:Infinity|NaN|undefined|null)\b|\[object |\d(?:\.\d+)?e[+-]?\d{2,}|(?:^|[\s(])-\d[\d.]*\s?(?:s|min|h|d|days)\b/

function saidIn({ message, evidence = [], fix, related }: Finding): readonly string[] {
  return [
    message,
    ...evidence,
    ...(fix ? [JSON.stringify(fix)] : []),
    ...related.map(({ note }) => note ?? ''),
  ]
}

describe('every rule says something sensible of numbers beyond reason', () => {
  for (const [id, rule] of rules) {
    const folder = join(root, 'fixtures', id)
    if (rule.for.length === 0 || !existsSync(folder)) continue
    it.each(readdirSync(folder).filter((name) => /^(?:live-)?bad\.yaml$/.test(name)))(`${id}/%s`, (name) => {
      const file = join('fixtures', id, name)
      const run = runOf(file)
      const own = settings([active(id, rule, run)], { ...run, complete: true })
      const values = loadAll(readFileSync(join(root, file), 'utf8'), null, { json: true })
        .filter(isObject)
        .map((value) => (run.live ? withIdentity(value) : value))
      const known = new Set<string>()
      const wrong = new Set<string>()
      values.forEach((value, i) => {
        for (const [path, leaf] of leavesOf(value)) {
          const place = JSON.stringify([value.kind, path.filter((step) => typeof step === 'string')])
          if (known.has(place)) continue
          known.add(place)
          for (const by of valuesFor(leaf)) {
            const whole = values.map((one, j) => (i === j ? damaged(value, path, by) : one))
            const input = inputOfValues(whole, run)
            const { findings, failures } = lint(input, { settings: own, rules, stories: () => new Map() })
            for (const { error } of failures) wrong.add(String(error))
            // What is written may be named.
            for (const line of findings.flatMap(saidIn))
              if (strange.test(line.replaceAll(String(by), '')))
                wrong.add(`${path.join('.')}: ${by}: ${line}`)
          }
        }
      })
      expect([...wrong]).toEqual([])
    })
  }
})
