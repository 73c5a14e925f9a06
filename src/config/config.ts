/** What configuration files say, merged but not yet combined with flags and defaults. */
import type { Severity } from '../finding.js'
import type { ConfigSuppression, External, WorkloadKind } from './settings.js'

/** The name of a namespace. Source: k8s.io/apimachinery/pkg/util/validation, IsDNS1123Label. */
export const namespacePattern = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'

export const presets = ['recommended', 'all'] as const
export type Preset = (typeof presets)[number]

/** What a configuration says about one rule. */
export interface RuleChoice {
  /** True asks for all that the rule finds; undefined leaves it to the severity and the preset. */
  readonly enabled?: boolean | undefined
  /** Turns the rule on, if only for what it reports by default. */
  readonly severity?: Severity | undefined
  readonly params?: Readonly<Record<string, unknown>> | undefined
}

export interface Config {
  /** The file in force, relative to the working directory with `/`. */
  readonly file: string
  readonly minor?: number | undefined
  readonly complete?: boolean | undefined
  readonly namespace?: string | undefined
  readonly preset?: Preset | undefined
  readonly rules: Readonly<Record<string, RuleChoice>>
  readonly externals: readonly External[]
  readonly workloadKinds: readonly WorkloadKind[]
  /** Relative to the working directory with `/`. */
  readonly crds: readonly string[]
  readonly suppressions: readonly ConfigSuppression[]
  readonly ignore: readonly string[]
  readonly failOn?: Severity | 'never' | undefined
  readonly minSeverity?: Severity | undefined
  /** Reports as `FORMAT` or `FORMAT=FILE`. */
  readonly output?: readonly string[] | undefined
}

/** A configuration over the one that it extends: single values replace, rules merge one by one, lists grow. */
export function over(base: Config, own: Config): Config {
  const rules = { ...base.rules }
  for (const [id, choice] of Object.entries(own.rules)) {
    const known = rules[id]
    rules[id] = {
      // A severity turns on what the configuration below turned off.
      enabled: choice.enabled ?? (choice.severity && known?.enabled === false ? undefined : known?.enabled),
      severity: choice.severity ?? known?.severity,
      params: { ...known?.params, ...choice.params },
    }
  }
  return {
    file: own.file,
    minor: own.minor ?? base.minor,
    complete: own.complete ?? base.complete,
    namespace: own.namespace ?? base.namespace,
    preset: own.preset ?? base.preset,
    rules,
    externals: [...base.externals, ...own.externals],
    workloadKinds: [...base.workloadKinds, ...own.workloadKinds],
    crds: [...base.crds, ...own.crds],
    suppressions: [...base.suppressions, ...own.suppressions],
    ignore: [...base.ignore, ...own.ignore],
    failOn: own.failOn ?? base.failOn,
    minSeverity: own.minSeverity ?? base.minSeverity,
    output: own.output ?? base.output,
  }
}
