/** Every rule × every fixture of its folder. A new rule needs no change here. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultMinor } from '../src/config/version.js'
import { fieldExists } from '../src/schema/lookup.js'
import { didYouMean } from '../src/values/similar.js'
import { textOf } from './findings-text.js'
import { lintFixture } from './fixture.js'
import { allRules, foundIn, marksOf, root, runOf, severityOf, wordsOf } from './harness.js'
import { marksIn, pathOf } from './live.js'

const rules = await allRules()

/** `RULES=a,b npx vitest run tests/rules.test.ts` runs some rules only. */
const chosen = process.env.RULES?.split(',')
const unknown = chosen?.find((id) => !rules.has(id))
if (unknown !== undefined)
  throw new Error(`RULES: there is no rule "${unknown}". ${didYouMean(unknown, [...rules.keys()])}`)

for (const [id, rule] of rules) {
  if (chosen && !chosen.includes(id)) continue
  if (rule.for.length === 0) continue
  describe(id, () => {
    const folder = join('fixtures', id)
    const files = existsSync(join(root, folder))
      ? readdirSync(join(root, folder)).filter((name) => /\.(ya?ml|json)$/.test(name))
      : []

    it('has fixtures that must be reported and fixtures that must not', () => {
      expect(files, `${folder} has no bad.yaml`).toContain('bad.yaml')
      expect(files, `${folder} has no good.yaml`).toContain('good.yaml')
      const marks = marksOf(join(folder, 'bad.yaml'))
      expect(marks, `${folder}/bad.yaml has no "# expect: ${id}" on the line to report`).not.toEqual([])
    })

    const told = new Map<string, string>()
    for (const name of files) {
      it(name, async () => {
        const file = `${folder}/${name}`
        const report = await lintFixture(file, id, rule)
        const own = report.findings.filter((one) => one.rule === id)
        expect(report.failures).toEqual([])
        const found = runOf(file).live ? marksIn(report, file) : foundIn(report, file)
        expect(
          found.filter((mark) => mark.endsWith(` ${id}`)),
          `${file}: the lines with a finding (received) are not those with a mark (expected)`,
        ).toEqual(marksOf(file).filter((mark) => mark.endsWith(` ${id}`)))
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
          // Those about how manifests are written tell of fields that there are not.
          const { apiVersion = '', kind = '' } = finding.subject ?? {}
          if (rule.category !== 'api-schema')
            expect(
              fieldExists(apiVersion, kind, pathOf(finding.place.path), defaultMinor),
              finding.place.path,
            ).not.toBe(false)
        }
        told.set(name, textOf(own, file))
      })
    }

    // After a change that is meant: `npx vitest run tests/rules.test.ts -u`, and read the difference.
    it('says of them word for word what findings.txt holds', async () => {
      const text = [...told].flatMap(([name, found]) => (found ? [`${name}\n${found}\n`] : [])).join('\n')
      // Else it would be written of what is wrong, or of nothing.
      expect(files, `${folder} has no fixtures`).not.toEqual([])
      expect([...told.keys()], 'not all fixtures above are as they have to be').toEqual(files)
      await expect(text).toMatchFileSnapshot(join(root, folder, 'findings.txt'))
    })
  })
}
