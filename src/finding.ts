/** What a run reports: plain data, ready for JSON. Everything in it that came from the input is raw text. */

/** The worst first. */
export const severities = ['error', 'warning', 'info'] as const
export type Severity = (typeof severities)[number]

/** Less for the worse. */
export function rankOf(severity: Severity): number {
  return severities.indexOf(severity)
}

/** Whether a severity is another one, or worse. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return rankOf(severity) <= rankOf(least)
}

/** One step of a path inside an object: a field's name or a list index. */
export type Step = string | number
export type Path = readonly Step[]

/** Where something stands in the input. Lines and columns count from 1, columns in UTF-16 code units. */
export interface Place {
  /** The file as the user named it, `<stdin>` for standard input; of a live object its name, `deployment/shop/web`. */
  readonly file: string
  /** Set in objects of a running cluster: lines and columns are those of its YAML as kubectl prints it. */
  readonly live?: true
  readonly line: number
  readonly column: number
  /** The position just after the last character. */
  readonly endLine: number
  readonly endColumn: number
  /** The field inside its object as kubectl writes it, `.spec.containers[0].image`; empty for the object itself. */
  readonly path: string
  /**
   * Set where kustomize or Helm has made the text and no file is known to hold it: where it stands in their output. The place
   * itself is then that of the kustomization or the template, or the line of the template that has made it.
   */
  readonly built?: BuiltPlace
}

/** A place in what a tool has made. */
export interface BuiltPlace {
  /** The name of the output: `overlays/prod/<kustomize build>`. */
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
  /** Where the nearest thing around it is written: a part of the object, or the object. */
  readonly near?: { readonly file: string; readonly line: number }
  /** The template in the archive of a chart that it comes from: `charts/redis-1.2.3.tgz/templates/web.yaml`. */
  readonly archived?: string
}

/** Another place that belongs to the finding: the other half of a contradiction. */
export interface Related extends Place {
  /** The object there, as `Kind name`; absent when it is the finding's own. */
  readonly object?: string
  /** What to see there, a few words. */
  readonly note?: string
}

/** The object that a finding is about. */
export interface Subject {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  /** Empty when the manifest names none and for objects without a namespace. */
  readonly namespace: string
  /** Of an object in a cluster: the release or application that undoes changes by hand, `Helm release shop/web`. */
  readonly keeper?: string
}

/** One change to an object, addressed by path. */
export type Edit =
  | { readonly op: 'set'; readonly path: Path; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: Path }
  | { readonly op: 'move'; readonly path: Path; readonly to: Path }

export interface Fix {
  /** One line that says what changes: `minReplicas: 4`. */
  readonly title: string
  /** Safe: same meaning, or a defect with one right answer. Otherwise a good default that a person accepts. */
  readonly safe: boolean
  /** Empty when the fix is advice only. */
  readonly edits: readonly Edit[]
  /** For an object in a cluster: the kubectl command that makes the change. */
  readonly command?: string
}

export interface Finding {
  /** The context of the cluster, when several were looked at. */
  readonly cluster?: string
  readonly rule: string
  readonly severity: Severity
  /** Consequence first, with this object's own names and numbers; ends with a full stop. */
  readonly message: string
  /** What was seen in the cluster, a line each; at most a few. */
  readonly evidence?: readonly string[]
  /** How often it happens in the cluster, a line each: how pressing it is, and no sign that it has gone wrong. */
  readonly often?: readonly string[]
  /** A few words under the caret; absent when the message says it all. */
  readonly label?: string
  /** Absent for findings about a file as a whole. */
  readonly subject?: Subject
  readonly place: Place
  /** The file or folder that it is about and that is not there, as files are named. */
  readonly absent?: string
  readonly related: readonly Related[]
  /** Story ids, the closest one first. */
  readonly stories: readonly string[]
  readonly fix?: Fix
  /** Set on findings that a suppression hides; they are counted, and shown on request. */
  readonly suppressed?: {
    readonly reason: string
    readonly place?: Place
    /** True when a baseline knows it: nobody has accepted it. */
    readonly baseline?: true
  }
}

/** A cluster that was looked at. */
export interface ClusterSummary {
  readonly context: string
  /** As its server says it, `v1.36.3`. */
  readonly version?: string
  /** The only namespace that was read. */
  readonly namespace?: string
  /** What could not be read: nothing was concluded from its absence. */
  readonly unread: readonly {
    readonly resource: string
    readonly reason: 'forbidden' | 'failed'
    readonly message: string
  }[]
  /** Of several clusters: how many objects it has, and the minor version that was assumed. */
  readonly objects?: number
  readonly kubernetesVersion?: string
  /** Of several clusters: why nothing of this one could be read. */
  readonly error?: string
}

/** What the run did, for the summary line and the reports. */
export interface Summary {
  readonly files: number
  /** Kustomizations and charts that were built; absent when none was. Their files are not counted. */
  readonly builds?: number
  readonly objects: number
  /** Files that hold no Kubernetes object, by the reason they were skipped. */
  readonly skipped: Readonly<Record<string, number>>
  /** Files of which at least a part could not be read. */
  readonly unreadable: number
  readonly rulesRun: number
  /** Rules that need something this run does not have, with what they need. */
  readonly notEvaluated: readonly {
    readonly rule: string
    readonly needs: string
    /** Contexts, when several clusters were read. */
    readonly clusters?: readonly string[]
  }[]
  /** Rules that the configuration or the preset leaves off. */
  readonly rulesOff: number
  /** Findings that are suppressed or in the baseline. */
  readonly suppressed: number
  /** With --since: findings that were left out, as they are about files that have not changed. */
  readonly unchanged?: number
  /** The Kubernetes minor version that was assumed, `1.37`; of several clusters the oldest one. */
  readonly kubernetesVersion: string
  /** Present when one cluster was read. */
  readonly cluster?: ClusterSummary
  /** Present when several clusters were to be read, by context; then there is no `cluster`. */
  readonly clusters?: readonly ClusterSummary[]
  readonly milliseconds: number
}

/** A finding's path as kubectl writes it: `.spec.containers[0].image`, `.metadata.labels["a.b/c"]`. */
export function formatPath(path: Path): string {
  return path
    .map((step) =>
      typeof step === 'number'
        ? `[${step}]`
        : /^[A-Za-z_$][\w$-]*$/.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join('')
}

/** Whether a path is another one, or leads on from it. */
export function isWithin(path: Path, whole: Path): boolean {
  return whole.every((step, i) => path[i] === step)
}

/** Whether two paths lead to one place. */
export function isSamePath(a: Path, b: Path): boolean {
  return a.length === b.length && isWithin(a, b)
}

/** An object as people name it: `Deployment shop/web`, `Namespace shop`. */
export function formatSubject({
  kind,
  namespace,
  name,
}: Pick<Subject, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace ? `${namespace}/` : ''}${name || '(no name)'}`.trimStart()
}
