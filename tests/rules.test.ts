/** Every rule × every fixture of its folder. A new rule needs no change here. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { active, allRules, foundIn, lintPaths, marksOf, root, runOf, severityOf } from './harness.js'

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

    for (const name of files) {
      it(name, () => {
        const file = `${folder}/${name}`
        const run = runOf(file)
        const report = lintPaths([file], [active(id, rule, run.params)], run)
        expect(report.failures).toEqual([])
        expect(foundIn(report, file).filter((mark) => mark.endsWith(` ${id}`))).toEqual(
          marksOf(file).filter((mark) => mark.endsWith(` ${id}`)),
        )
        const severity = severityOf(file)
        for (const finding of report.findings.filter((one) => one.rule === id)) {
          if (severity) expect(finding.severity).toBe(severity)
          expect(finding.message).toMatch(/\.$/)
          expect(finding.message).not.toMatch(/undefined|NaN|\[object|null/)
        }
      })
    }
  })
}
