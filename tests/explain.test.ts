/** The page of every rule and story, as Markdown and in a terminal. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changedLines } from '../src/docs/difference.js'
import { rulePage, storyPage } from '../src/docs/explain.js'
import { forTerminal } from '../src/docs/terminal.js'
import { loadExamples, loadStories } from '../src/registry.js'
import { columns } from '../src/reporters/text.js'
import { allRules } from './harness.js'
import { look } from './report.js'

const rules = await allRules()
const stories = loadStories()

/** Lines wider than the terminal, but for code and links, which are not broken. */
function tooWide(page: string): string[] {
  return page
    .split('\n')
    .filter((line) => columns(line) > 80 && !line.startsWith('    ') && !line.includes('https://'))
}

describe('pages of rules', () => {
  for (const [id, rule] of rules) {
    it(id, () => {
      const told = rule.stories.flatMap((name) => stories.get(name) ?? [])
      const page = rulePage(id, rule, told, loadExamples(id))
      expect(page).toContain(`# ${rule.title}`)
      expect(page).toContain('## How it is decided')
      // What is seen in a cluster alone stands in no manifest.
      const inManifest = rule.needs !== 'cluster'
      expect(page.includes(`# k8s-af-ignore ${id}`)).toBe(inManifest)
      expect(page).toContain(`k8s-af.dev/ignore: "${id} -- `)
      if (!inManifest) expect(page).not.toContain('```diff')
      for (const name of Object.keys(rule.params)) expect(page).toContain(`\`${name}\``)
      expect(page).not.toMatch(
        /undefined|\[object Object|# (?:expect|run|severity|message|note|evidence|often|fix):/,
      )
      expect((page.match(/^```/gm)?.length ?? 0) % 2).toBe(0)
      expect(tooWide(forTerminal(page, look))).toEqual([])
    })
  }
})

describe('the example of a page', () => {
  const pageOf = (id: string) => {
    const rule = rules.get(id)
    return rule ? rulePage(id, rule, [], loadExamples(id)) : ''
  }

  it('shows the change that the page says a flag makes, not another cure', () => {
    const page = pageOf('internal-traffic-local-without-daemonset')
    expect(page).toContain('`lint --fix --unsafe-fixes` makes the change below')
    expect(page).toContain('-   internalTrafficPolicy: Local\n+   internalTrafficPolicy: Cluster\n')
    expect(page).not.toContain('DaemonSet\n')
  })
  it('shows a cure by hand where flags make some of the changes, and the page says so', () => {
    const page = pageOf('invalid-value')
    expect(page).toContain('`lint --fix` makes a part of the change')
    expect(page).not.toContain('below')
  })
  it('is the smallest change that cures: further cases have files of their own', () => {
    const long = [...rules.keys()].filter(
      (id) => (/^```diff\n(.*?)^```/ms.exec(pageOf(id))?.[1]?.match(/^[-+]/gm)?.length ?? 0) > 40,
    )
    expect(long).toEqual([])
  })
  it('has all changes where there are several, and the page names the first', () => {
    const page = pageOf('misplaced-spec-field')
    expect(page).toContain(
      '`lint --fix` makes the changes below: `move concurrencyPolicy to .spec`, `move successfulJobsHistoryLimit to .spec` and more.',
    )
    expect(page.match(/^\+ .*(?:Limit|Policy)/gm)).toHaveLength(3)
  })
})

describe('pages of stories', () => {
  for (const [id, story] of stories) {
    it(id, () => {
      const page = storyPage(story, rules)
      expect(page).toContain(`# ${story.title}`)
      expect(page).not.toMatch(/undefined|\[object Object/)
      expect(tooWide(forTerminal(page, look))).toEqual([])
    })
  }
})

describe('the difference of an example', () => {
  it('marks what changed', () => {
    expect(changedLines('a: 1\nb: 2\n', 'a: 1\nc: 3\nb: 2\n')).toBe('  a: 1\n+ c: 3\n  b: 2\n')
    expect(changedLines('a: 1\n', 'a: 2\n')).toBe('- a: 1\n+ a: 2\n')
  })
  it('holds both texts, in order', () => {
    const lines = fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 12 })
      .map((list) => `${list.join('\n')}\n`)
    fc.assert(
      fc.property(lines, lines, (bad, good) => {
        const marked = changedLines(bad, good).trimEnd().split('\n')
        const side = (mark: string) =>
          `${marked
            .filter((line) => line[0] === mark || line[0] === ' ')
            .map((line) => line.slice(2))
            .join('\n')}\n`
        expect(side('-')).toBe(bad)
        expect(side('+')).toBe(good)
      }),
    )
  })
})
