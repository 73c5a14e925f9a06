/** Runs the rules over an input: the only place where input, graph, rules and settings meet. */
import type { Settings } from '../config/settings.js'
import { type Finding, isAtLeast, type Place, type Summary } from '../finding.js'
import { buildGraph, type Graph, type IndexedGraph } from '../graph/graph.js'
import { type Live, liveState } from '../graph/live.js'
import { isSliceState, sliceOf } from '../graph/slice.js'
import type { KubernetesObject, Untyped } from '../kubernetes.js'
import type { Cluster, Input } from '../reader/input.js'
import type { Rule } from '../rule.js'
import { shape } from '../schema/check.js'
import { suppress } from '../suppress/suppress.js'
import { clock } from '../values/clock.js'
import { countBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { stringAt } from '../values/untyped.js'
import { type Draft, evaluate } from './evaluate.js'
import { findingOf, relevant } from './findings.js'
import { sourceLines } from './lines.js'
import { otherLines } from './place.js'
import type { Report, Story } from './report.js'
import { recordsOf, type Unreadable } from './resources.js'

export interface LintOptions {
  readonly settings: Settings
  /** All rules by id, those that are off included. */
  readonly rules: ReadonlyMap<string, Rule>
  readonly stories: () => Pick<ReadonlyMap<string, Story>, 'get'>
  /** Measure the time spent in each rule. */
  readonly timings?: boolean
  /** `clock()` at the start of the run, for the summary. */
  readonly started?: number
}

/** Evaluates all active rules. Never throws for anything in the input; a rule that throws is recorded as a failure. */
export function lint(input: Input, options: LintOptions): Report {
  return examine(input, options).report
}

/** The same, with the graph that the rules looked at. */
export function examine(
  input: Input,
  options: LintOptions,
): { readonly report: Report; readonly graph: Graph } {
  const { rules } = options
  const { cluster } = input
  const asked = cluster ? forCluster(options.settings) : options.settings
  // Nobody knows what a document holds that cannot be read: something that is missing may be there.
  const settings = input.problems.length > 0 ? { ...asked, complete: false } : asked
  const started = options.started ?? clock()
  const { resources, kustomizations, builds, unusable } = recordsOf(input, settings)
  const graph = buildGraph(resources, {
    complete: cluster !== undefined || settings.complete,
    source: cluster && 'the cluster',
    externals: settings.externals,
    workloadKinds: settings.workloadKinds,
    kustomizations: input.kustomizations,
    builds,
    kustomizationRecords: kustomizations,
    live: cluster && ((objects) => liveOf(cluster, objects, settings)),
  })
  const withTimings = options.timings ?? false
  const { drafts, failures, notEvaluated, timings } = evaluate(
    graph,
    input.unbuilt ? withRules(settings, (rule) => !isOfKustomizations(rule)) : settings,
    cluster,
    withTimings,
  )
  const draftOf = new WeakMap<Finding, Draft>()
  const findingsOf = (reported: readonly Draft[], from: IndexedGraph) =>
    relevant(reported, from, input.programs).map((draft) => {
      const made = findingOf(draft, from)
      const finding = from === graph ? made : withAdvice(made, input)
      draftOf.set(finding, draft)
      return finding
    })
  const unbuilt = input.unbuilt && unbuiltOf(input.unbuilt, settings, withTimings)
  const each = [...findingsOf(drafts, graph), ...(unbuilt ? findingsOf(unbuilt.drafts, unbuilt.graph) : [])]
  const ownerOf = (finding: Finding) => draftOf.get(finding)?.resource
  const found = onceEach(each, (finding) => ownerOf(finding)?.document.built !== undefined)
  const read = [...input.problems, ...unusable].flatMap((problem) => readFinding(problem, settings))
  const evaluated = { ...settings, active: settings.active.filter(({ id }) => !notEvaluated.has(id)) }
  const findings = suppress([...read, ...found], {
    graph,
    resources: [...resources, ...(unbuilt ?? { kustomizations }).kustomizations.values()],
    input,
    settings: evaluated,
    rules,
    ownerOf,
    canTell: tellerIn(
      evaluated,
      input.unbuilt?.kustomizations ?? input.kustomizations,
      unbuilt?.graph ?? graph,
    ),
    otherLines: memo((finding: Finding) => {
      const draft = draftOf.get(finding)
      return draft ? otherLines(draft.resource, draft.path) : []
    }),
  })
    .filter(({ severity }) => isAtLeast(severity, settings.minSeverity))
    .sort(byPlace)
  const stories = lazy(options.stories)
  const report: Report = {
    findings,
    failures: [...failures, ...(unbuilt?.failures ?? [])],
    ...(timings && { timings: new Map([...timings, ...(unbuilt?.timings ?? [])]) }),
    rules,
    lines: sourceLines(input),
    resource: ownerOf,
    among: (finding) => draftOf.get(finding)?.options.among,
    story: (id) => stories().get(id),
    summary: summaryOf(input, settings, notEvaluated, {
      objects: resources.length,
      suppressed: findings.filter((finding) => finding.suppressed).length,
      milliseconds: Math.round(clock() - started),
    }),
  }
  return { report, graph }
}

/** The kustomizations of what was built, judged among the files that they name. */
function unbuiltOf(input: NonNullable<Input['unbuilt']>, settings: Settings, withTimings: boolean) {
  const { resources, kustomizations } = recordsOf(input, settings)
  const graph = buildGraph(resources, {
    complete: settings.complete,
    externals: settings.externals,
    workloadKinds: settings.workloadKinds,
    kustomizations: input.kustomizations,
    kustomizationRecords: kustomizations,
  })
  const own = withRules(settings, isOfKustomizations)
  return { ...evaluate(graph, own, undefined, withTimings), graph, kustomizations }
}

/** Tells whether a rule could have found something in the kustomization of a file. */
function tellerIn(
  { active }: Settings,
  kustomizations: Input['kustomizations'],
  graph: Graph,
): (id: string, file: string) => boolean {
  const byFile = lazy(() => new Map(kustomizations.map((one) => [one.document.file.name, one])))
  return (id, file) => {
    const kustomization = byFile().get(file)
    const { rule, isAsked } = active.find((one) => one.id === id) ?? {}
    if (!kustomization || !rule?.canTell || isAsked === undefined) return true
    return rule.canTell(kustomization, { graph, isAsked })
  }
}

function withRules(settings: Settings, isWanted: (rule: Rule) => boolean): Settings {
  return { ...settings, active: settings.active.filter(({ rule }) => isWanted(rule)) }
}

function isOfKustomizations({ for: kinds }: Rule): boolean {
  return kinds.every((kind) => kind === 'Kustomization')
}

/** A kustomization that nobody has named is not changed: another build may use it. */
function withAdvice(finding: Finding, { kustomizations }: Input): Finding {
  const isNamed = kustomizations.some(({ document }) => document.file.name === finding.place.file)
  return finding.fix && !isNamed ? { ...finding, fix: { ...finding.fix, edits: [] } } : finding
}

/** Without those that two builds of the same sources have in common. */
function onceEach(findings: readonly Finding[], isBuilt: (finding: Finding) => boolean): Finding[] {
  const seen = new Set<string>()
  return findings.filter((finding) => {
    if (!isBuilt(finding)) return true
    const text = JSON.stringify(finding)
    return !seen.has(text) && seen.add(text)
  })
}

/** A finding of what the reader, or a custom kind's schema, could not make sense of; none where its rule is off. */
function readFinding({ rule, message, file, range, built }: Unreadable, { active }: Settings): Finding[] {
  const own = active.find(({ id }) => id === rule)
  if (!own) return []
  const severity = own.severity ?? own.rule.severity
  const place: Place = { file, ...range, path: '', ...(built && { built }) }
  return [{ rule, severity, message, place, related: [], stories: [] }]
}

/** The summary; `counted` is what the run counted. */
function summaryOf(
  { files, builds, skips, problems, cluster }: Input,
  { active, off, minor }: Settings,
  notEvaluated: ReadonlyMap<string, ReadonlySet<string>>,
  counted: Pick<Summary, 'objects' | 'suppressed' | 'milliseconds'>,
): Summary {
  const needCluster = cluster ? [] : active.filter(({ rule }) => rule.needs === 'cluster')
  return {
    files,
    ...(builds !== undefined && { builds }),
    objects: counted.objects,
    skipped: Object.fromEntries(countBy(skips, ({ reason }) => reason)),
    unreadable: new Set(problems.map((problem) => problem.file)).size,
    rulesRun: active.length - needCluster.length,
    notEvaluated: [
      ...needCluster.map(({ id, rule }) => ({ rule: id, needs: rule.needs ?? '' })),
      ...[...notEvaluated].map(([rule, kinds]) => ({ rule, needs: [...kinds].sort().join(', ') })),
    ],
    rulesOff: off,
    suppressed: counted.suppressed,
    kubernetesVersion: `1.${minor}`,
    ...(cluster && { cluster: clusterSummary(cluster) }),
    milliseconds: counted.milliseconds,
  }
}

/**
 * The settings without the rules about how manifests are written: an API server lets nothing else in. Its objects that name no
 * namespace are in none.
 */
function forCluster(settings: Settings): Settings {
  return {
    ...settings,
    namespace: undefined,
    active: settings.active.filter(({ rule }) => rule.category !== 'api-schema' || rule.live),
  }
}

/** The state of the cluster. What its server says is made true to its types, as objects are. */
function liveOf(
  { made, events, samples, readAt }: Cluster,
  objects: readonly KubernetesObject[],
  { minor, isDiagnosis }: Settings,
): Live {
  const shaped = (raw: Untyped) =>
    shape(raw, stringAt(raw, 'apiVersion') ?? '', stringAt(raw, 'kind') ?? '', minor)
  return liveState(objects, {
    now: readAt,
    isDiagnosis,
    made: made.filter((one) => !isSliceState(one)).map(shaped),
    events: events.map(shaped),
    samples,
    slices: made.flatMap((one) => sliceOf(one) ?? []),
  })
}

function clusterSummary({ context, version, namespace, unread }: Cluster): NonNullable<Summary['cluster']> {
  return {
    context,
    ...(version !== undefined && { version }),
    ...(namespace !== undefined && { namespace }),
    unread,
  }
}

function byPlace(a: Finding, b: Finding): number {
  const { place: x } = a
  const { place: y } = b
  if (x.file !== y.file) return x.file < y.file ? -1 : 1
  return x.line - y.line || x.column - y.column || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0)
}
