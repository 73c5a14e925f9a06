/**
 * The configuration of each outage and of its remedy: `before` is reported at its marks, by rules that name the story, and
 * `after` by none of the rules that name it.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allRules, everyRule, foundIn, lintPaths, marksOf, root } from './harness.js'

const rules = await allRules()
const all = everyRule()
const folder = 'fixtures/stories'

for (const story of readdirSync(join(root, folder))) {
  describe(story, () => {
    const of = [...rules].filter(([, rule]) => rule.stories.includes(story)).map(([id]) => id)
    const ofStory = (mark: string) => of.includes(mark.split(' ')[1] ?? '')

    it('before', () => {
      const report = lintPaths([`${folder}/${story}/before`], all, { complete: true })
      const files = readdirSync(join(root, folder, story, 'before')).map(
        (name) => `${folder}/${story}/before/${name}`,
      )
      const marks = files.flatMap(marksOf)
      expect(marks).not.toEqual([])
      expect(marks.filter((mark) => !ofStory(mark))).toEqual([])
      for (const file of files)
        expect({ file, found: foundIn(report, file).filter(ofStory) }).toEqual({ file, found: marksOf(file) })
    })

    it('after', () => {
      const report = lintPaths([`${folder}/${story}/after`], all, { complete: true })
      expect(report.summary.objects).toBeGreaterThan(0)
      const found = report.findings.filter(({ rule }) => of.includes(rule))
      expect(
        found.map(({ rule, place, message }) => `${place.file}:${place.line} ${rule}: ${message}`),
      ).toEqual([])
    })
  })
}
