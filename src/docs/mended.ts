/** What `lint --fix` makes of the example of a rule. */
import type { ActiveRule, Settings } from '../config/settings.js'
import { defaultMinor } from '../config/version.js'
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
  const defaults = Object.entries(rule.params).map(([name, param]) => [name, param.default])
  const active: ActiveRule = {
    id,
    rule,
    severity: undefined,
    params: { ...Object.fromEntries(defaults), ...params },
  }
  const settings: Settings = {
    configFile: undefined,
    minor: defaultMinor,
    complete: false,
    namespace: undefined,
    externals: [],
    workloadKinds: [],
    crds: [],
    suppressions: [],
    ignore: [],
    off: 0,
    minSeverity: 'info',
    failOn: 'error',
    today: '2026-01-01',
    ...run,
    active: [active],
  }
  const input = readPaths(['-'], { cwd: '/', stdin: () => bad })
  const { findings } = lint(input, { settings, rules: new Map([[id, rule]]), stories: () => new Map() })
  return findings.flatMap(({ fix }) => (fix && fix.edits.length > 0 ? [fix] : []))
}

/** The flags that make them, safe ones first: `--fix`, `--unsafe-fixes`, or both. */
export function flagsOf(fixes: readonly Fix[]): readonly string[] {
  return [
    ...(fixes.some(({ safe }) => safe) ? ['--fix'] : []),
    ...(fixes.some(({ safe }) => !safe) ? ['--unsafe-fixes'] : []),
  ]
}
