/** Every fix of every rule on its fixtures: it can be made, it cures, and nothing else changes. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lint } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import type { Finding } from '../src/finding.js'
import { fixesOf, isFixable } from '../src/fix/fix.js'
import { parse } from '../src/reader/parse.js'
import { readPaths } from '../src/reader/read.js'
import { loadStories } from '../src/registry.js'
import { set } from '../src/rule.js'
import { active, activeRule, allRules, lintPaths, root, runOf, settings } from './harness.js'

const rules = await allRules()

const named = ({ subject, place, message }: Finding) =>
  `${subject?.kind} ${subject?.name} ${place.path}: ${message}`

describe('what is proposed', () => {
  const values = [
    { preStop: { sleep: { seconds: 5 } } },
    { exec: { command: ['sleep', '5', 'yes', 'a: b', ''] } },
    [{ 'topology.kubernetes.io/zone': true, on: null }],
  ]
  it.each(values)('is YAML that can be copied: %j', (value) => {
    const read = parse(set({}, 'field', value).title)
    expect(read.ok && read.value).toEqual({ field: value })
  })
})

describe('a newer version of a budget', () => {
  it('is a safe fix unless it selects other pods', () => {
    const toRun = [activeRule('removed-api-version')]
    const { findings } = lintPaths(['fixtures/removed-api-version/budgets.yaml'], toRun)
    expect(findings.map(({ subject, fix }) => [subject?.name, fix?.safe])).toEqual([
      ['none', true],
      ['some', true],
      ['all', false],
    ])
  })
})

describe('a flag whose value is a word of its own', () => {
  it('goes together with it', () => {
    const toRun = [activeRule('iam-session-too-short')]
    const { findings } = lintPaths(['fixtures/iam-session-too-short/separate-value.yaml'], toRun)
    expect(findings.flatMap(({ fix }) => fix?.edits ?? [])).toMatchObject([
      { op: 'set', value: ['server', '--bind=0.0.0.0:443', '--session-duration=60m'] },
    ])
  })
})

for (const [id, rule] of rules) {
  const folder = join('fixtures', id)
  if (!existsSync(join(root, folder)) || rule.for.length === 0) continue
  const files = readdirSync(join(root, folder))
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .map((name) => `${folder}/${name}`)
    .filter((file) => !runOf(file).live)
  const cases = files.flatMap((file) => {
    const run = runOf(file)
    const toRun = [active(id, rule, run)]
    const report = lintPaths([file], toRun, run)
    const again = (text: string): Report => {
      const input = readPaths(['-'], { cwd: root, stdin: () => text, stdinFilename: file })
      return lint(input, { settings: settings(toRun, run), rules, stories: loadStories })
    }
    return report.findings.some(isFixable) ? [{ file, report, again }] : []
  })
  if (cases.length === 0) continue
  describe(id, () => {
    for (const { file, report, again } of cases)
      it(file.slice(folder.length + 1), () => {
        const { files, made, left } = fixesOf(report, true)
        expect(left.map(({ finding, reason }) => `${named(finding)}: ${reason}`)).toEqual([])
        expect(made.length).toBeGreaterThan(0)
        expect(files).toHaveLength(1)
        const [fixed] = files
        const comments = (text = '') => text.split('\n').flatMap((line) => /^\s*(#.*)$/.exec(line)?.[1] ?? [])
        expect(comments(fixed?.text)).toEqual(expect.arrayContaining(comments(fixed?.file.text)))
        const after = again(fixed?.text ?? '')
        expect(after.findings.map(named).filter((one) => made.map(named).includes(one))).toEqual([])
      })
  })
}
