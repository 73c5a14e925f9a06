/** Every rule × every fixture of its folder. A new rule needs no change here. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { textOf } from './findings-text.js'
import { lintFixture } from './fixture.js'
import { allRules, foundIn, marksOf, root, runOf, severityOf, wordsOf } from './harness.js'
import { marksIn } from './live.js'

const rules = await allRules()

/** `RULES=a,b npx vitest run tests/rules.test.ts` runs some rules only. */
const chosen = process.env.RULES?.split(',')

for (const [id, rule] of rules) {
  if (chosen && !chosen.includes(id)) continue
  if (rule.for.length === 0) continue
  describe(id, () => {
    const folder = join('fixtures', id)
    const files = existsSync(join(root, folder))
      ? readdirSync(join(root, folder)).filter((name) => /\.(ya?ml|json)$/.test(name))
      : []

    it('has fixtures that must be reported and fixtures that must not', () => {
      expect(files).toContain('bad.yaml')
      expect(files).toContain('good.yaml')
      expect(marksOf(join(folder, 'bad.yaml'))).not.toEqual([])
    })

    const told = new Map<string, string>()
    for (const name of files) {
      it(name, async () => {
        const file = `${folder}/${name}`
        const report = await lintFixture(file, id, rule)
        const own = report.findings.filter((one) => one.rule === id)
        told.set(name, textOf(own, file))
        expect(report.failures).toEqual([])
        const found = runOf(file).live ? marksIn(report, file) : foundIn(report, file)
        expect(found.filter((mark) => mark.endsWith(` ${id}`))).toEqual(
          marksOf(file).filter((mark) => mark.endsWith(` ${id}`)),
        )
        expect(report.findings.flatMap(({ evidence = [] }) => evidence)).toEqual(
          expect.arrayContaining(wordsOf(file, 'evidence')),
        )
        expect(report.findings.flatMap(({ often = [] }) => often)).toEqual(
          expect.arrayContaining(wordsOf(file, 'often')),
        )
        expect(own.map(({ message }) => message)).toEqual(expect.arrayContaining(wordsOf(file, 'message')))
        expect(own.flatMap(({ related }) => related.map(({ note }) => note))).toEqual(
          expect.arrayContaining(wordsOf(file, 'note')),
        )
        expect(own.map(({ fix }) => fix?.title)).toEqual(expect.arrayContaining(wordsOf(file, 'fix')))
        const severity = severityOf(file)
        for (const finding of own) {
          if (severity) expect(finding.severity).toBe(severity)
          expect(finding.message).toMatch(/\.$/)
          for (const text of [finding.message, ...(finding.evidence ?? []), ...(finding.often ?? [])])
            expect(text).not.toMatch(/undefined|NaN|\[object|null/)
        }
      })
    }

    // After a change that is meant: `npx vitest run tests/rules.test.ts -u`, and read the difference.
    it('says of them word for word what findings.txt holds', async () => {
      const text = [...told].flatMap(([name, found]) => (found ? [`${name}\n${found}\n`] : [])).join('\n')
      expect([...told.keys()]).toEqual(files)
      await expect(text).toMatchFileSnapshot(join(root, folder, 'findings.txt'))
    })
  })
}
