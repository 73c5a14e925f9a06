/** Lints fixtures the way `k8s-af lint` does, and compares what is found with the marks in them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultsOf } from '../src/config/resolve.js'
import type { ActiveRule, Settings } from '../src/config/settings.js'
import { lint } from '../src/engine/lint.js'
import type { Report } from '../src/engine/report.js'
import { readPaths } from '../src/reader/read.js'
import { loadRules, loadStories } from '../src/registry.js'
import type { Rule } from '../src/rule.js'
import { didYouMean } from '../src/values/similar.js'

export const root = join(__dirname, '..')
let rules: ReadonlyMap<string, Rule> = new Map()

/** Loads all rules; call it before anything else. */
export async function allRules(): Promise<ReadonlyMap<string, Rule>> {
  rules = await loadRules()
  return rules
}

export function rulesById(): ReadonlyMap<string, Rule> {
  return rules
}

/**
 * What a fixture may ask for in a first comment: `# run: {"complete": true, "minor": 25, "params": {"seconds": 10}}`.
 * With `"live": true` its objects are those of a cluster, which is looked at at the time `now`: all of it, or the `namespace`.
 */
export interface Run {
  readonly live?: boolean
  readonly now?: string
  readonly complete?: boolean
  /** As where somebody has asked for the rule by its name. */
  readonly asked?: boolean
  /** As where somebody asks about one object that is sick. */
  readonly diagnosed?: boolean
  /** Lines of the API server's metrics. */
  readonly metrics?: readonly string[]
  /** Those of the kubelets, by node. */
  readonly kubelets?: Readonly<Record<string, readonly string[]>>
  /** Those of node-exporter, by pod. */
  readonly exporters?: Readonly<Record<string, readonly string[]>>
  readonly minor?: number
  readonly namespace?: string | undefined
  readonly externals?: Settings['externals']
  readonly params?: Readonly<Record<string, unknown>>
  /** Files and folders beside the fixture that are read with it. */
  readonly beside?: readonly string[]
}

const runOptions = Object.keys({
  live: true,
  now: true,
  complete: true,
  asked: true,
  diagnosed: true,
  metrics: true,
  kubelets: true,
  exporters: true,
  minor: true,
  namespace: true,
  externals: true,
  params: true,
  beside: true,
} satisfies Readonly<Record<keyof Run, true>>)

/** The rule as it runs by default, whether recommended or not; or, where the run says so, as one that was asked for. */
export function active(id: string, rule: Rule, { asked = false, diagnosed, params }: Run = {}): ActiveRule {
  return {
    id,
    rule,
    severity: undefined,
    isAsked: asked,
    params: { ...defaultsOf(rule.params, asked, diagnosed), ...params },
  }
}

/** All rules, as they run by default. */
export function everyRule(): readonly ActiveRule[] {
  return [...rules].map(([id, rule]) => active(id, rule))
}

/** The rule of this name, as it runs by default or as the run says. */
export function activeRule(id: string, run: Run = {}): ActiveRule {
  const rule = rules.get(id)
  if (!rule) throw new Error(`there is no rule ${id}`)
  return active(id, rule, run)
}

export function settings(rulesToRun: readonly ActiveRule[], run: Run = {}): Settings {
  return {
    configFile: undefined,
    minor: run.minor ?? 37,
    complete: run.complete ?? false,
    namespace: run.namespace,
    externals: run.externals ?? [],
    workloadKinds: [],
    crds: [],
    suppressions: [],
    ignore: [],
    active: rulesToRun,
    isDiagnosis: run.diagnosed ?? false,
    off: rules.size - rulesToRun.length,
    minSeverity: 'info',
    failOn: 'error',
    today: '2026-11-21',
  }
}

/** Lints files or folders of the repository with the given rules. */
export function lintPaths(
  paths: readonly string[],
  rulesToRun: readonly ActiveRule[],
  run: Run = {},
): Report {
  const input = readPaths(paths, { cwd: root })
  return lint(input, { settings: settings(rulesToRun, run), rules, stories: loadStories })
}

/**
 * What the first comment of a fixture asks for.
 * @throws Error for a comment that is none, and for an option that there is not: it would ask for nothing
 */
export function runOf(file: string): Run {
  const [line] = /^ *# *run *:.*$/im.exec(readFileSync(join(root, file), 'utf8')) ?? []
  if (line === undefined) return {}
  const run = runIn(line)
  if (!run) throw new Error(`${file}: write ${line.trim()} on one line, as # run: {"complete": true}`)
  const odd = Object.keys(run).find((name) => !runOptions.includes(name))
  if (odd !== undefined)
    throw new Error(
      `${file}: # run has no ${JSON.stringify(odd)}. ${didYouMean(odd, runOptions) || `It has ${runOptions.join(', ')}.`}`,
    )
  return run
}

function runIn(line: string): Run | undefined {
  try {
    const [, text = ''] = /^# run: (\{.*\})$/.exec(line) ?? []
    return JSON.parse(text) as Run
  } catch {
    return undefined
  }
}

/**
 * The marks of a file, `line rule`, in order: `# expect: a-rule, another-rule` on the line that must be reported.
 * @throws Error for a mark that names no rule: it would expect nothing
 */
export function marksOf(file: string): string[] {
  return readFileSync(join(root, file), 'utf8')
    .split(/\r?\n/)
    .flatMap((line, i) => {
      const [, text] = /# expect: ([a-z0-9, -]+)\s*$/.exec(line) ?? []
      if (text === undefined && /#\s*expects?\s*:/i.test(line))
        throw new Error(`${file}:${i + 1}: write the mark as # expect: RULE at the end of the line`)
      const ids = (text ?? '').split(',').flatMap((id) => id.trim() || [])
      const odd = rules.size > 0 ? ids.find((id) => !rules.has(id)) : undefined
      if (odd !== undefined)
        throw new Error(`${file}:${i + 1}: there is no rule "${odd}". ${didYouMean(odd, [...rules.keys()])}`)
      return ids.map((id) => `${i + 1} ${id}`)
    })
    .sort()
}

/** What `# severity: info` says of all findings in the file. */
export function severityOf(file: string): string | undefined {
  return /^# severity: (\w+)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1]
}

/**
 * What the findings of the file must say word for word: `# evidence: pod web-1: exit code 1` is a line of evidence, `# often: …` one of how
 * often it happens, `# message: …` a message, `# note: …` what is said at another place and `# fix: …` the title of a fix.
 */
export function wordsOf(file: string, part: 'evidence' | 'often' | 'message' | 'note' | 'fix'): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(new RegExp(`^ *# ${part}: (.+)$`, 'gm'))].map(([, line = '']) => line)
}

/** Findings as marks, without those of other files. */
export function foundIn(report: Report, file: string): string[] {
  return report.findings
    .filter((finding) => finding.place.file === file && !finding.suppressed)
    .map((finding) => `${finding.place.line} ${finding.rule}`)
    .sort()
}
