/** Combines flags, configuration and defaults into what a run does: flags win over the configuration. */
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Severity } from '../finding.js'
import { categories, type Param, type Params, type Rule } from '../rule.js'
import { didYouMean } from '../values/similar.js'
import { isThere } from '../values/stats.js'
import type { Config, Preset } from './config.js'
import type { ActiveRule, Settings } from './settings.js'
import { UsageError } from './usage.js'
import { defaultMinor, minorOf } from './version.js'

/** Flags that change settings; absent ones leave them to the configuration. */
export interface Flags {
  readonly only?: readonly string[] | undefined
  readonly enable?: readonly string[] | undefined
  readonly disable?: readonly string[] | undefined
  readonly preset?: Preset | undefined
  readonly minSeverity?: Severity | undefined
  readonly failOn?: Settings['failOn'] | undefined
  readonly k8sVersion?: string | undefined
  readonly complete?: boolean | undefined
  readonly namespace?: string | undefined
  /** Somebody asks about one object that is sick: rules need not wait for what they see to last. */
  readonly isDiagnosis?: boolean
}

/** The file beside a configuration that tells editors what may stand in it. */
export const schemaName = '.k8s-af.schema.json'
/** What configuration files are called. */
export const configNames = ['.k8s-af.yaml', '.k8s-af.yml', '.k8s-af.json']

/**
 * The configuration file that applies to a folder: the nearest one on the way up, not above the root of the repository.
 * @throws UsageError when a folder has more than one
 */
export function findConfig(cwd: string): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    // A link that leads nowhere counts: who has set it wants to be told.
    const found = configNames.map((name) => join(folder, name)).filter(isThere)
    if (found.length > 1)
      throw new UsageError(
        `there are ${found.length} configurations here: ${found.map((file) => relative(cwd, file)).join(', ')}. Keep one.`,
      )
    if (found[0] !== undefined || dirname(folder) === folder || existsSync(join(folder, '.git')))
      return found[0]
  }
}

/** What cannot be read is said whatever rules were asked for with --only: they have not seen it. */
const alwaysAsked: ReadonlySet<string> = new Set(['invalid-yaml', 'unreadable-file'])

/**
 * The values of a rule's parameters where nobody sets them.
 * @param isAsked whether somebody asked for the rule by name or by `--preset all`
 * @param isDiagnosis whether somebody asks about one object that is sick
 */
export function defaultsOf(params: Params, isAsked: boolean, isDiagnosis = false): Record<string, unknown> {
  const defaultOf = (param: Param) => {
    if (isAsked && param.type === 'boolean') return param.asked
    return isDiagnosis && (param.type === 'integer' || param.type === 'number') ? param.diagnosed : undefined
  }
  return Object.fromEntries(
    Object.entries(params).map(([name, param]) => [name, defaultOf(param) ?? param.default]),
  )
}

/**
 * What a run does.
 * @throws UsageError for rules and versions that do not exist
 */
export function resolveSettings(
  config: Config | undefined,
  flags: Flags,
  rules: ReadonlyMap<string, Rule>,
): Settings {
  const preset = flags.preset ?? config?.preset ?? 'recommended'
  const only = flags.only && select(flags.only, rules, '--only')
  const enabled = select(flags.enable ?? [], rules, '--enable')
  const disabled = select(flags.disable ?? [], rules, '--disable')
  /** What the configuration says of a rule, and else of its category. */
  const enabledBy = (id: string): boolean | undefined => {
    const own = config?.rules[id]
    return own?.enabled ?? (own?.severity ? undefined : config?.rules[rules.get(id)?.category ?? '']?.enabled)
  }
  /** Undefined where neither flags, `enabled` nor the preset ask for it or want it off. */
  const isWanted = (id: string): boolean | undefined => {
    if (disabled.has(id)) return false
    if (only && !alwaysAsked.has(id)) return only.has(id)
    return enabled.has(id) || (enabledBy(id) ?? (preset === 'all' || undefined))
  }
  const active = [...rules]
    .filter(
      ([id, rule]) =>
        isWanted(id) ?? (config?.rules[id]?.severity !== undefined || rule.recommended !== false),
    )
    .map(([id, rule]): ActiveRule => {
      const choice = config?.rules[id]
      const asked = isWanted(id) === true
      return {
        id,
        rule,
        severity: choice?.severity,
        isAsked: asked,
        params: { ...defaultsOf(rule.params, asked, flags.isDiagnosis), ...choice?.params },
      }
    })
  return {
    configFile: config?.file,
    minor:
      flags.k8sVersion !== undefined
        ? minorOf(flags.k8sVersion, '--k8s-version')
        : (config?.minor ?? defaultMinor),
    complete: flags.complete ?? config?.complete ?? false,
    namespace: flags.namespace ?? config?.namespace,
    externals: config?.externals ?? [],
    workloadKinds: config?.workloadKinds ?? [],
    crds: config?.crds ?? [],
    suppressions: config?.suppressions ?? [],
    ignore: config?.ignore ?? [],
    active,
    isDiagnosis: flags.isDiagnosis ?? false,
    off: rules.size - active.length,
    minSeverity: flags.minSeverity ?? config?.minSeverity ?? 'info',
    failOn: flags.failOn ?? config?.failOn ?? 'error',
    today: today(),
  }
}

/** What --only, --enable and --disable take: rules, categories, and stories that rules name. */
export function selectors(rules: ReadonlyMap<string, Rule>): readonly string[] {
  return [
    ...new Set([...rules.keys(), ...categories, ...[...rules.values()].flatMap((rule) => rule.stories)]),
  ]
}

/** The rules that names stand for: a rule, a category, or a story (its rules). */
function select(
  given: readonly string[],
  rules: ReadonlyMap<string, Rule>,
  flag: string,
): ReadonlySet<string> {
  const found = new Set<string>()
  for (const name of given) {
    if (rules.has(name)) {
      found.add(name)
      continue
    }
    const members = [...rules].filter(([, rule]) => rule.category === name || rule.stories.includes(name))
    if (members.length === 0) {
      const meant = didYouMean(name, selectors(rules))
      throw new UsageError(
        `${flag}: there is no rule, category or story ${JSON.stringify(name)}.` +
          ` ${meant || 'k8s-af rules and k8s-af stories list them.'}`,
      )
    }
    for (const [id] of members) found.add(id)
  }
  return found
}

/** Today in the local time zone as `YYYY-MM-DD`. */
function today(): string {
  const now = new Date()
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-')
}
