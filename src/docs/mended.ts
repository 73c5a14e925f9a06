/** What `lint --fix` makes of the example of a rule. */
import { resolveSettings } from '../config/resolve.js'
import type { Settings } from '../config/settings.js'
import { lint } from '../engine/lint.js'
import type { Fix } from '../finding.js'
import { fixesOf } from '../fix/fix.js'
import { readPaths } from '../reader/read.js'
import type { Rule } from '../rule.js'

/** More than the findings of one field that any fixture has. */
const mostRounds = 10

/** What a fixture says in its first comment. */
type Run = Partial<Pick<Settings, 'minor' | 'complete' | 'namespace' | 'externals'>> & {
  readonly live?: boolean
  readonly params?: Readonly<Record<string, unknown>>
}

/** What the findings of a rule propose for its bad fixture. */
export interface Mended {
  readonly fixes: readonly Fix[]
  /** The fixture with all of them made, where nothing is left to find then. */
  readonly text: string | undefined
}

/** What `lint --fix --unsafe-fixes` makes of the bad fixture of a rule; nothing where that is the state of a cluster. */
export function mendedBy(id: string, rule: Rule, bad: string): Mended {
  const [, options = '{}'] = /^# run: (\{.*\})$/m.exec(bad) ?? []
  const { live, params, ...run } = JSON.parse(options) as Run
  if (live || rule.needs === 'cluster') return { fixes: [], text: undefined }
  const rules = new Map([[id, rule]])
  const { active, ...defaults } = resolveSettings(undefined, { only: [id] }, rules)
  const settings: Settings = {
    ...defaults,
    ...run,
    active: active.map((one) => ({ ...one, params: { ...one.params, ...params } })),
  }
  const reportOf = (text: string) =>
    lint(readPaths(['-'], { cwd: '/', stdin: () => text }), { settings, rules, stories: () => new Map() })
  const first = reportOf(bad)
  const fixes = first.findings.flatMap(({ fix }) => (fix && fix.edits.length > 0 ? [fix] : []))
  let text = bad
  // Changes of one field wait for each other.
  for (let report = first, round = 0; round < mostRounds && fixes.length > 0; round++) {
    const [fixed] = fixesOf(report, true).files
    if (!fixed) return { fixes, text: report.findings.length === 0 ? text : undefined }
    text = fixed.text
    report = reportOf(text)
  }
  return { fixes, text: undefined }
}

/** The flags that make them, safe ones first: `--fix`, `--unsafe-fixes`, or both. */
export function flagsOf(fixes: readonly Fix[]): readonly string[] {
  return [
    ...(fixes.some(({ safe }) => safe) ? ['--fix'] : []),
    ...(fixes.some(({ safe }) => !safe) ? ['--unsafe-fixes'] : []),
  ]
}
