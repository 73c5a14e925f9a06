/** What a run does, after flags, configuration files and defaults have been merged. */
import type { Place, Severity } from '../finding.js'
import type { Rule } from '../rule.js'

/** One rule that is switched on, with its final severity and parameters. */
export interface ActiveRule {
  readonly id: string
  readonly rule: Rule
  /** Set when the configuration fixes the severity of all the rule's findings. */
  readonly severity: Severity | undefined
  readonly params: Readonly<Record<string, unknown>>
  /** Asked for by name or by `--preset all`. Else it is on because recommended rules are, and leaves out what it does not recommend. */
  readonly isAsked: boolean
}

/** An object that exists although the input does not hold it. `*` matches any run of characters. */
export interface External {
  /** A kind such as `Secret` or `ServiceAccount`, or `*`. */
  readonly kind: string
  readonly name: string
  /** Any namespace when absent. */
  readonly namespace?: string | undefined
}

/** A custom kind that makes pods. */
export interface WorkloadKind {
  /** `group/Kind`, any version. */
  readonly kind: string
  /** Where the pod template (with `spec` and `metadata`) stands: `spec.template`. */
  readonly template: string
  /** Where the number of replicas stands; absent when the kind has none. */
  readonly replicas?: string | undefined
}

/** What stands for all rules in a suppression of the configuration. */
export const allRules = '*'

/** A suppression written in the configuration. */
export interface ConfigSuppression {
  /** Rules and categories, or `*` for all rules. */
  readonly rules: readonly string[]
  /** File patterns in gitignore syntax, relative to the configuration file; every file when absent. */
  readonly files?: readonly string[] | undefined
  readonly kind?: string | undefined
  readonly name?: string | undefined
  readonly namespace?: string | undefined
  readonly container?: string | undefined
  /** `YYYY-MM-DD`, the last day on which it holds. */
  readonly until?: string | undefined
  readonly reason: string
  /** Where it is written. */
  readonly place?: Place | undefined
}

export interface Settings {
  /** The configuration file in force, for messages. */
  readonly configFile: string | undefined
  /** The target minor version of Kubernetes: 37 for 1.37. */
  readonly minor: number
  /** The input is the whole of its namespaces. */
  readonly complete: boolean
  /** The namespace of objects that name none (kubectl's -n); absent when not said. */
  readonly namespace: string | undefined
  readonly externals: readonly External[]
  readonly workloadKinds: readonly WorkloadKind[]
  /** Files, folders and patterns with CustomResourceDefinitions that are only looked up, relative to the working directory. */
  readonly crds: readonly string[]
  readonly suppressions: readonly ConfigSuppression[]
  /** gitignore patterns of files to leave out, relative to the configuration file's folder. */
  readonly ignore: readonly string[]
  readonly active: readonly ActiveRule[]
  /** Whether somebody asks about one object that is sick. */
  readonly isDiagnosis: boolean
  /** The number of rules that preset, configuration or flags leave off. */
  readonly off: number
  /** Findings below it are left out. */
  readonly minSeverity: Severity
  /** The exit code is 1 at or above it. */
  readonly failOn: Severity | 'never'
  /** Today as `YYYY-MM-DD`, for expiring suppressions. */
  readonly today: string
}
