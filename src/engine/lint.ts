/** Runs the rules over an input: the only place where input, graph, rules and settings meet. */
import type { ActiveRule, Settings } from '../config/settings.js'
import type { Document, ReadProblem, SourceFile } from '../document.js'
import {
  type Finding,
  type Fix,
  formatPath,
  type Path,
  type Place,
  type Related,
  type Severity,
  type Subject,
  type Summary,
  severities,
} from '../finding.js'
import { droppedOf } from '../graph/dropped.js'
import { buildGraph, type Graph, type IndexedGraph } from '../graph/graph.js'
import { homesOf } from '../graph/homes.js'
import { keeperOf } from '../graph/keeper.js'
import { lazy, memo } from '../graph/lazy.js'
import { type Live, liveState } from '../graph/live.js'
import { distance, kubectlName, type Resource, shared } from '../graph/resource.js'
import { isSliceState, sliceOf } from '../graph/slice.js'
import { isObject, stringAt, valueAt } from '../graph/untyped.js'
import { type Watched, watched } from '../graph/watched.js'
import { customWorkloads } from '../graph/workload.js'
import { clusterScoped, type KubernetesObject, kindNameOf, type Untyped } from '../kubernetes.js'
import type { Cluster, Input } from '../reader/input.js'
import { linesOf } from '../reader/lines.js'
import { secretRanges, unfold } from '../reader/read.js'
import type {
  Context,
  Interest,
  Node,
  Params,
  RepeatedKey,
  ReportOptions,
  Rule,
  RuleEdit,
  RuleFix,
  Sight,
} from '../rule.js'
import { check, originalIndex, shape, shapePodTemplate } from '../schema/check.js'
import { type CustomKinds, customKinds } from '../schema/custom-kinds.js'
import { suppress } from '../suppress/suppress.js'
import { isFrozen } from './frozen.js'
import { type Line, type Locations, locations } from './locations.js'
import { patchCommand } from './patch.js'
import { inRelease } from './release.js'
import type { Lines, Report, Story } from './report.js'

/** A finding before its places are looked up: most of the work is only done for findings that stay. */
interface Draft {
  readonly active: ActiveRule
  readonly severity: Severity
  readonly resource: Resource
  readonly path: Path
  readonly message: string
  readonly options: ReportOptions
}

export interface LintOptions {
  readonly settings: Settings
  /** All rules by id, those that are off included. */
  readonly rules: ReadonlyMap<string, Rule>
  readonly stories: () => ReadonlyMap<string, Story>
  /** Measure the time spent in each rule. */
  readonly timings?: boolean
  /** `performance.now()` at the start of the run, for the summary. */
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
  const settings = cluster ? forCluster(options.settings) : options.settings
  const started = options.started ?? performance.now()
  const objects = unfolded(input.documents)
  const definitions = unfolded(input.crds ?? [])
  // The API server has judged live objects by their schemas.
  const customs = customKinds(
    cluster ? [] : [...objects, ...definitions].map(({ raw }) => raw),
    settings.complete ? undefined : neighbours(objects),
  )
  const resources = resourcesOf(objects, customs, settings, homesOf(input.kustomizations))
  const graph = buildGraph(resources, {
    complete: cluster !== undefined || settings.complete,
    source: cluster && 'the cluster',
    externals: settings.externals,
    workloadKinds: settings.workloadKinds,
    kustomizations: input.kustomizations,
    live: cluster && ((objects) => liveOf(cluster, objects, settings.minor)),
  })
  const timings = options.timings ? new Map<string, number>() : undefined
  const hasGap = cluster && cluster.unreadKinds.size + cluster.partialKinds.size > 0
  const watch = hasGap ? watched(graph, cluster) : undefined
  const { drafts, failures, notEvaluated } = evaluate(graph, settings, timings, watch, cluster?.unreadKinds)
  const where = locations()
  const owners = new WeakMap<Finding, Resource>()
  const lines = new WeakMap<Finding, readonly Line[]>()
  const all = finish(drafts, graph, where, owners, lines)
  const found = onceEach(all, (finding) => owners.get(finding)?.document.built !== undefined)
  const read = [...input.problems, ...unusableIn(definitions, customs)].flatMap((problem) =>
    readFinding(problem, settings),
  )
  const evaluated = { ...settings, active: settings.active.filter(({ id }) => !notEvaluated.has(id)) }
  const findings = suppress([...read, ...found], {
    graph,
    resources,
    input,
    settings: evaluated,
    rules,
    where,
    ownerOf: (finding) => owners.get(finding),
    otherLines: (finding) => lines.get(finding) ?? [],
  })
    .filter((finding) => severities.indexOf(finding.severity) <= severities.indexOf(settings.minSeverity))
    .sort(byPlace)
  const stories = lazy(options.stories)
  const report: Report = {
    findings,
    failures,
    ...(timings && { timings }),
    rules,
    lines: sourceLines(input),
    resource: (finding) => owners.get(finding),
    story: (id) => stories().get(id),
    summary: summaryOf(input, settings, notEvaluated, {
      objects: resources.length,
      suppressed: findings.filter((finding) => finding.suppressed).length,
      milliseconds: performance.now() - started,
    }),
  }
  return { report, graph }
}

/** A finding of what the reader, or a custom kind's schema, could not make sense of; none where its rule is off. */
function readFinding(
  { rule, message, file, range, built }: Omit<ReadProblem, 'rule'> & { readonly rule: string },
  { active }: Settings,
): Finding[] {
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
  const skipped: Record<string, number> = {}
  for (const { reason } of skips) skipped[reason] = (skipped[reason] ?? 0) + 1
  return {
    files,
    ...(builds !== undefined && { builds }),
    objects: counted.objects,
    skipped,
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

/** The settings without the rules about how manifests are written: an API server lets nothing else in. */
function forCluster(settings: Settings): Settings {
  return {
    ...settings,
    active: settings.active.filter(({ rule }) => rule.category !== 'api-schema' || rule.live),
  }
}

/** The state of the cluster. What its server says is made true to its types, as objects are. */
function liveOf(
  { made, events, samples, readAt }: Cluster,
  objects: readonly KubernetesObject[],
  minor: number,
): Live {
  const shaped = (raw: Untyped) =>
    shape(raw, stringAt(raw, 'apiVersion') ?? '', stringAt(raw, 'kind') ?? '', minor)
  return liveState(
    objects,
    made.filter((one) => !isSliceState(one)).map(shaped),
    events.map(shaped),
    readAt,
    samples,
    made.flatMap((one) => sliceOf(one) ?? []),
  )
}

function clusterSummary({ context, version, namespace, unread }: Cluster): NonNullable<Summary['cluster']> {
  return {
    context,
    ...(version !== undefined && { version }),
    ...(namespace !== undefined && { namespace }),
    unread,
  }
}

/** An object as it was read, with where it stands in its document. */
interface Written {
  readonly document: Document
  readonly path: Path
  readonly raw: Untyped
}

function unfolded(documents: readonly Document[]): Written[] {
  return documents.flatMap((document) =>
    unfold(document).map(({ value, path }) => ({ document, path, raw: value })),
  )
}

/**
 * Whether objects of the input belong to one project: below one folder of the input, or at most three folder changes apart. In
 * a folder of many projects each has its own version of a CustomResourceDefinition. What is not of the input is everybody's.
 */
function neighbours(objects: readonly Written[]): (definition: object, object: object) => boolean {
  // Made when the first custom object comes along: most inputs have none.
  const known = lazy(() => foldersOf(objects))
  return (definition, object) => {
    const { folders, depth } = known()
    const a = folders.get(definition)
    const b = folders.get(object)
    return !a || !b || shared(a, b) > depth || distance(a, b) <= 3
  }
}

/** The folders of each object's file, and how many of them all have in common. */
function foldersOf(objects: readonly Written[]) {
  const folderOf = memo(({ name }: SourceFile) => name.split('/').slice(0, -1))
  const folders = new Map<object, readonly string[]>()
  for (const { raw, document } of objects) folders.set(raw, folderOf(document.file))
  const [first = [], ...others] = new Set(folders.values())
  return { folders, depth: others.reduce((least, one) => Math.min(least, shared(first, one)), first.length) }
}

/** Schemas that cannot be used in definitions that are not part of the input: no rule sees those. */
function unusableIn(definitions: readonly Written[], customs: CustomKinds) {
  return definitions.flatMap(({ document, path, raw }) =>
    customs.unusable(raw).map((problem) => ({
      rule: 'invalid-value',
      file: document.file.name,
      range: document.locate().key([...path, ...problem.path]),
      message: problem.message,
    })),
  )
}

/** Names the kinds of objects and makes their types true. */
function resourcesOf(
  objects: readonly Written[],
  customs: CustomKinds,
  settings: Settings,
  homes: ReadonlyMap<string, string>,
): readonly Resource[] {
  const custom = new Map(
    [...customWorkloads, ...settings.workloadKinds].map((kind) => [kind.kind, kind.template.split('.')]),
  )
  const resources: Resource[] = []
  let lastName: string | undefined
  let folders: readonly string[] = []
  // One list for each folder: the graph tells folders apart by identity.
  const lists = new Map<string, readonly string[]>()
  for (const { document, raw, path } of objects) {
    if (document.file.name !== lastName) {
      lastName = document.file.name
      const folder = document.live ? '' : lastName.slice(0, Math.max(0, lastName.lastIndexOf('/')))
      folders = lists.get(folder) ?? (folder === '' ? [] : folder.split('/'))
      lists.set(folder, folders)
    }
    const apiVersion = String(valueAt(raw, 'apiVersion') ?? '')
    const kind = String(valueAt(raw, 'kind') ?? '')
    const kindName = kindNameOf(apiVersion, kind)
    // The server has judged its objects: what is left to say is what it has dropped.
    const checked = document.live
      ? { value: shape(raw, apiVersion, kind, settings.minor), problems: droppedOf(raw) }
      : check(raw, apiVersion, kind, settings.minor, customs)
    const template = custom.get(kindName)
    const value = template ? withShapedTemplate(checked.value, template) : checked.value
    const { metadata } = value
    resources.push({
      value,
      document,
      path,
      kindName,
      apiVersion,
      kind,
      name: metadata?.name ?? '',
      namespace: metadata?.namespace ?? (clusterScoped.has(kindName) ? '' : (settings.namespace ?? '')),
      home: clusterScoped.has(kindName) ? undefined : homes.get(document.file.name),
      folders,
      problems: checked.problems,
    })
  }
  // Which schemas can be used is known when all their objects have been looked at.
  for (const [i, { raw, document }] of objects.entries()) {
    if (document.live) continue
    const resource = resources[i]
    if (resource?.apiVersion === 'apiextensions.k8s.io/v1') customs.read(raw)
    const unusable = customs.unusable(raw)
    const isReadable = !resource?.problems.some(({ kind }) => kind === 'wrong-type')
    if (resource && unusable.length > 0 && isReadable)
      resources[i] = { ...resource, problems: [...resource.problems, ...unusable] }
  }
  return settings.namespace === undefined ? inRelease(resources) : resources
}

/** The object with its embedded pod template shaped; the same object when nothing had to change. */
function withShapedTemplate(object: KubernetesObject, path: readonly string[]): KubernetesObject {
  const found = valueAt(object, ...path)
  const shaped = isObject(found) ? shapePodTemplate(found) : found
  return shaped === found ? object : (replaced(object, path, shaped) as KubernetesObject)
}

function replaced(object: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value
  return isObject(object) ? { ...object, [step]: replaced(object[step], rest, value) } : object
}

/** What a rule looks at, with the object behind it. */
interface SubjectOf {
  readonly subject: object
  readonly resource: Resource
}

function subjectsIn(graph: IndexedGraph, interest: Interest): readonly object[] {
  switch (interest) {
    case 'Workload':
      return graph.workloads.filter((workload) => !workload.controlled)
    case 'Object':
      return graph.objects
    case 'FaultyObject':
      return graph.objects.filter((object) => graph.problems(object).length > 0)
    case 'EndingObject':
      return graph.objects.filter(({ metadata }) => metadata?.deletionTimestamp !== undefined)
    default:
      return graph.all(interest)
  }
}

function evaluate(
  graph: IndexedGraph,
  settings: Settings,
  timings: Map<string, number> | undefined,
  watch: Watched | undefined,
  /** Of a cluster only. */
  unreadKinds: ReadonlySet<string> | undefined,
) {
  const drafts: Draft[] = []
  /** Rules that look at kinds that could not be read, or whose findings rested on such, with these kinds. */
  const notEvaluated = new Map<string, Set<string>>()
  const failures: { rule: string; object: string; error: unknown }[] = []
  const subjectsOf = memo((interest: Interest): readonly SubjectOf[] =>
    subjectsIn(graph, interest)
      .map((subject) => ({ subject, resource: graph.resource(subject) }))
      .filter(({ resource }) => interest === 'EndingObject' || !resource.document.live?.isSilent),
  )
  for (const active of settings.active) {
    const { rule, params, id } = active
    if (rule.needs === 'cluster' && !unreadKinds) continue
    const unseen = [...rule.for, ...(rule.reads ?? [])].filter((kind) => unreadKinds?.has(kind))
    if (unseen.length > 0) notEvaluated.set(id, new Set(unseen))
    const begun = timings ? performance.now() : 0
    // One context for all subjects of a rule: millions of calls need no object each.
    let resource: Resource
    const add = (path: Path, message: string, options: ReportOptions) => {
      if (options.recommended === false && active.isAsked === false) return
      const severity = active.severity ?? options.severity ?? rule.severity
      drafts.push({ active, severity, resource, path, message, options })
    }
    const context: Context<Params> = {
      graph: watch?.graph ?? graph,
      params: params as never,
      minor: settings.minor,
      report: (node, field, message, options = {}) => add(pathOf(resource, node, field), message, options),
      reportPath: (path, message, options = {}) => add(path, message, options),
      written: (path) =>
        resource.kindName === 'Secret'
          ? undefined
          : resource.document.locate().written([...resource.path, ...path]),
      repeatedKeys: () => repeatedKeys(resource),
    }
    for (const interest of rule.for) {
      // A hundred rules look at thousands of objects: no iterators.
      const all = subjectsOf(interest)
      for (let i = 0; i < all.length; i++) {
        const one = all[i] as SubjectOf
        resource = one.resource
        const before = drafts.length
        try {
          rule.check(one.subject, context)
        } catch (error) {
          const object = `${graph.describe(one.subject)} (${resource.document.file.name})`
          failures.push({ rule: id, object, error })
        }
        const kinds = watch?.asked()
        if (kinds && kinds.length > 0 && drafts.length > before) {
          drafts.length = before
          notEvaluated.set(id, new Set([...(notEvaluated.get(id) ?? []), ...kinds]))
        }
      }
    }
    if (timings) timings.set(id, performance.now() - begun)
  }
  return { drafts, failures, notEvaluated }
}

function repeatedKeys({ document, path, value }: Resource): readonly RepeatedKey[] {
  if (!document.hasDuplicates) return []
  const keys = new Map<string, RepeatedKey>()
  for (const { path: full, first, isSame } of document.locate().duplicates) {
    if (!path.every((step, i) => step === full[i])) continue
    const own = full.slice(path.length)
    const id = JSON.stringify(own)
    const before = keys.get(id)?.isSame ?? true
    const sight = { of: value, node: value, field: undefined, note: 'has no effect', range: first }
    keys.set(id, { path: own, line: first.line, first: sight, isSame: before && isSame })
  }
  return [...keys.values()]
}

/** The path of a field of `node` from the root of its object. */
export function pathOf(resource: Resource, node: Node, field?: string | number): Path {
  const steps: (string | number)[] = []
  // A Workload stands for its object's root.
  findNode(resource.value, node, steps)
  const path = steps.reverse()
  if (field !== undefined)
    path.push(typeof field === 'number' && Array.isArray(node) ? originalIndex(node, field) : field)
  return path
}

/** Looks for `node` in the tree `value`; `steps` are then those to it, the last one first. */
function findNode(value: object, node: Node, steps: (string | number)[]): boolean {
  if (value === node) return true
  const fields = value as Readonly<Record<string, unknown>>
  for (const key in fields) {
    const item = fields[key]
    if (typeof item !== 'object' || item === null || !findNode(item, node, steps)) continue
    steps.push(Array.isArray(value) ? originalIndex(value, Number(key)) : key)
    return true
  }
  return false
}

/** Leaves out what a kustomization changes or another finding explains, looks up the places, and makes findings of drafts. */
function finish(
  all: readonly Draft[],
  graph: IndexedGraph,
  where: Locations,
  /** Filled with the objects of findings that have a fix, or that are about what was built. */
  owners: WeakMap<Finding, Resource>,
  /** Filled with the other lines of what was built. */
  lines: WeakMap<Finding, readonly Line[]>,
): Finding[] {
  const drafts = all.filter((draft) => !isPatched(draft, graph))
  const reported = new Map<Resource, Set<string>>()
  for (const { resource, active } of drafts) {
    const ids = reported.get(resource) ?? new Set()
    reported.set(resource, ids.add(active.id))
  }
  const isSymptom = ({ options: { symptomOf: cause } }: Draft) =>
    cause?.objects.some((one) => {
      const ids = reported.get(graph.resource(one))
      return cause.rules.some((id) => ids?.has(id))
    }) ?? false
  return drafts
    .filter(
      (draft) =>
        !draft.active.rule.unless?.some((id) => reported.get(draft.resource)?.has(id)) &&
        !isOfDropped(draft, reported.get(draft.resource)) &&
        !isSymptom(draft),
    )
    .map(({ active, severity, resource, path, message, options }): Finding => {
      const { fix } = options
      const label = options.label ?? missing(resource, path, where)
      const place = where.place(resource, path, options.onValue ?? false)
      const finding: Finding = {
        rule: active.id,
        severity,
        message,
        ...(options.evidence && options.evidence.length > 0 && { evidence: options.evidence }),
        ...(options.often && options.often.length > 0 && { often: options.often }),
        ...(label !== undefined && { label }),
        subject: subjectOf(resource),
        place,
        related: (options.see ?? [])
          .filter((sight) => sight !== undefined)
          .map((sight) => related(sight, resource, graph, where))
          .filter((one) => !resource.document.built || !isThere(one, place)),
        stories: options.stories ?? active.rule.stories,
        ...(fix && {
          fix: fixOf(fix, resource),
        }),
      }
      if (fix || resource.document.built) owners.set(finding, resource)
      if (resource.document.built) lines.set(finding, where.otherLines(resource, path))
      return finding
    })
}

/** Whether something of the same object was written on the same line, as the tag of two images may be. */
function isThere({ object, file, line, column, built }: Related, place: Place): boolean {
  return (
    object === undefined && !built && file === place.file && line === place.line && column === place.column
  )
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

/** Whether a kustomization changes what the finding is about. */
function isPatched({ resource, path, options: { fix, restsOn = [] } }: Draft, graph: IndexedGraph): boolean {
  const changes = graph.patchOf(resource)
  if (!changes) return false
  const mended = (fix?.edits ?? []).map((edit) => withPath(edit, resource).path)
  return [path, ...mended, ...restsOn.map(([node, field]) => pathOf(resource, node, field))].some(changes)
}

/** Whether it is about the place of a field that the API server has dropped elsewhere, and another finding says so. */
function isOfDropped({ resource, path }: Draft, reported: ReadonlySet<string> | undefined): boolean {
  return resource.problems.some(
    (one) =>
      one.kind === 'dropped-field' &&
      one.target !== undefined &&
      formatPath(one.target) === formatPath(path) &&
      reported?.has(one.wrong === 'place' ? 'misplaced-spec-field' : 'unknown-field'),
  )
}

function subjectOf({ apiVersion, kind, name, namespace, value, document }: Resource): Subject {
  const keeper = document.live && keeperOf(value)
  return { apiVersion, kind, name, namespace, ...(keeper !== undefined && { keeper }) }
}

function fixOf({ title, safe, edits }: RuleFix, resource: Resource): Fix {
  const own = edits.map((edit) => withPath(edit, resource))
  const { document, kind, namespace, value } = resource
  // What was built is not edited, and its source may be the base of others.
  if (document.built) return { title, safe, edits: [] }
  if (!document.live) return { title, safe, edits: own }
  if (own.some(({ path }) => isFrozen(kind, path)))
    return { title: `${title}, in a new ${kind}: the field does not change`, safe, edits: own }
  const command = patchCommand({ name: kubectlName(value), namespace, value: document.value }, own)
  return { title, safe, edits: own, ...(command !== undefined && { command }) }
}

/** What to say under a place whose field is not there. */
function missing(resource: Resource, path: Path, where: Locations): string | undefined {
  const field = path.at(-1)
  return typeof field === 'string' && !where.isWritten(resource, path) ? `no ${field}` : undefined
}

function related(sight: Sight, own: Resource, graph: IndexedGraph, where: Locations): Related {
  const resource = graph.resource(sight.of)
  const path = pathOf(resource, sight.node, sight.field)
  const place: Place = where.place(resource, path, false)
  const note = sight.note ?? (sight.range ? undefined : missing(resource, path, where))
  return {
    ...place,
    ...sight.range,
    ...(resource !== own && { object: graph.describe(resource.value) }),
    ...(note !== undefined && { note }),
  }
}

function withPath(edit: RuleEdit, resource: Resource) {
  if ('path' in edit) return edit
  const path = pathOf(resource, edit.node, edit.field)
  return edit.op === 'set' ? { op: edit.op, path, value: edit.value } : { op: edit.op, path }
}

function byPlace(a: Finding, b: Finding): number {
  const { place: x } = a
  const { place: y } = b
  if (x.file !== y.file) return x.file < y.file ? -1 : 1
  return x.line - y.line || x.column - y.column || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0)
}

/** Lines of the files that were read; the values of Secrets stay hidden. */
function sourceLines(input: Input): Lines {
  const files = new Map<string, SourceFile>()
  const hidden = new Map<string, { startLine: number; endLine: number }[]>()
  const split = new Map<string, readonly string[]>()
  const documents = new Map<string, Document[]>()
  for (const file of input.broken ?? []) files.set(file.name, file)
  for (const document of [
    ...input.documents,
    ...(input.crds ?? []),
    ...(input.sources ?? []),
    ...input.kustomizations.map((one) => one.document),
  ]) {
    const { name } = document.file
    files.set(name, document.file)
    const others = documents.get(name)
    if (others) others.push(document)
    else documents.set(name, [document])
  }
  const hiddenIn = (file: string) => {
    let ranges = hidden.get(file)
    if (!ranges) {
      ranges = [
        ...(documents.get(file) ?? []).flatMap(secretRanges),
        ...(input.hidden ?? []).filter((one) => one.file === file),
      ]
      hidden.set(file, ranges)
    }
    return ranges
  }
  return {
    line: (file, number) => {
      let lines = split.get(file)
      if (!lines) {
        lines = linesOf(files.get(file)?.text ?? '')
        split.set(file, lines)
      }
      if (hiddenIn(file).some((range) => number >= range.startLine && number <= range.endLine))
        return undefined
      return files.has(file) ? lines[number - 1] : undefined
    },
  }
}
