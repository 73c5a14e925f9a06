/** Well-run applications: all rules together report no error and no warning. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { allRules, everyRule, lintPaths, root } from './harness.js'

await allRules()

const all = everyRule()

for (const name of readdirSync(join(root, 'fixtures', 'healthy'))) {
  it(name, () => {
    const report = lintPaths([`fixtures/healthy/${name}`], all)
    expect(report.summary.objects).toBeGreaterThan(0)
    const loud = report.findings.filter((finding) => finding.severity !== 'info')
    expect(loud.map(({ rule, place, message }) => `${place.file}:${place.line} ${rule}: ${message}`)).toEqual(
      [],
    )
  })
}
