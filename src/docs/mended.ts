/** What `lint --fix` makes of the example of a rule. */
import { resolveSettings } from '../config/resolve.js'
import type { Settings } from '../config/settings.js'
import { lint } from '../engine/lint.js'
import type { Fix } from '../finding.js'
import { readPaths } from '../reader/read.js'
import type { Rule } from '../rule.js'

/** What a fixture says in its first comment. */
type Run = Partial<Pick<Settings, 'minor' | 'complete' | 'namespace' | 'externals'>> & {
  readonly live?: boolean
  readonly params?: Readonly<Record<string, unknown>>
}

/** The changes that the findings of the rule propose in its bad fixture; none where that is the state of a cluster. */
export function fixesIn(id: string, rule: Rule, bad: string): readonly Fix[] {
  const [, text = '{}'] = /^# run: (\{.*\})$/m.exec(bad) ?? []
  const { live, params, ...run } = JSON.parse(text) as Run
  if (live || rule.needs === 'cluster') return []
  const rules = new Map([[id, rule]])
  const { active, ...defaults } = resolveSettings(undefined, { only: [id] }, rules)
  const settings: Settings = {
    ...defaults,
    ...run,
    active: active.map((one) => ({ ...one, params: { ...one.params, ...params } })),
  }
  const input = readPaths(['-'], { cwd: '/', stdin: () => bad })
  const { findings } = lint(input, { settings, rules, stories: () => new Map() })
  return findings.flatMap(({ fix }) => (fix && fix.edits.length > 0 ? [fix] : []))
}

/** The flags that make them, safe ones first: `--fix`, `--unsafe-fixes`, or both. */
export function flagsOf(fixes: readonly Fix[]): readonly string[] {
  return [
    ...(fixes.some(({ safe }) => safe) ? ['--fix'] : []),
    ...(fixes.some(({ safe }) => !safe) ? ['--unsafe-fixes'] : []),
  ]
}
