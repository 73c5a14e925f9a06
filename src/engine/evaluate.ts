/** Asks the rules about their subjects. */
import type { ActiveRule, Settings } from '../config/settings.js'
import { isWithin, type Path, type Severity } from '../finding.js'
import type { IndexedGraph } from '../graph/graph.js'
import type { Resource } from '../graph/resource.js'
import { watched } from '../graph/watched.js'
import type { Workload } from '../graph/workload.js'
import type { Cluster } from '../reader/input.js'
import type { Context, Interest, Params, RepeatedKey, ReportOptions } from '../rule.js'
import { clock } from '../values/clock.js'
import { memo } from '../values/lazy.js'
import { exact } from './numbers.js'
import { pathOf } from './path.js'
import type { Report } from './report.js'

/** A finding before its places are looked up: most of the work is only done for findings that stay. */
export interface Draft {
  readonly active: ActiveRule
  readonly severity: Severity
  readonly resource: Resource
  readonly path: Path
  readonly message: string
  readonly options: ReportOptions
}

/** What the rules said. */
export interface Evaluation {
  readonly drafts: readonly Draft[]
  readonly failures: Report['failures']
  /** Rules that look at kinds that could not be read, or whose findings rested on such, with these kinds. */
  readonly notEvaluated: ReadonlyMap<string, ReadonlySet<string>>
  /** The milliseconds of each rule, when asked for. */
  readonly timings: ReadonlyMap<string, number> | undefined
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
    case 'Kustomization':
      return graph.kustomizations.filter(({ isEvidence }) => !isEvidence)
    default:
      return graph.all(interest)
  }
}

/**
 * Asks all active rules about their subjects. A rule that throws is recorded as a failure, and the others are asked all the same.
 * @param cluster what the objects are of, if they are of one
 */
export function evaluate(
  graph: IndexedGraph,
  { active, minor }: Settings,
  cluster: Cluster | undefined,
  withTimings: boolean,
): Evaluation {
  const drafts: Draft[] = []
  const notEvaluated = new Map<string, ReadonlySet<string>>()
  const unread: ReadonlySet<string> | undefined = cluster?.unreadKinds
  const failures: { rule: string; object: string; error: unknown }[] = []
  const timings = withTimings ? new Map<string, number>() : undefined
  const hasGap = cluster && cluster.unreadKinds.size + cluster.partialKinds.size > 0
  const watch = hasGap ? watched(graph, cluster) : undefined
  const subjectsOf = memo((interest: Interest): readonly SubjectOf[] =>
    subjectsIn(graph, interest)
      .map((subject) => ({ subject, resource: graph.resource(subject) }))
      .filter(({ resource }) => interest === 'EndingObject' || !resource.document.live?.isSilent),
  )
  // In a cluster it is a state, which the night or an operator may have made.
  const isIdle = ({ subject, resource }: SubjectOf, path: Path): boolean => {
    if (cluster || !graph.isSwitchedOff(subject as Workload)) return false
    return isWithin(path, pathOf(resource, (subject as Workload).pod, undefined))
  }
  const ask = (own: ActiveRule) => {
    const { rule, params, id } = own
    // One context for all subjects of a rule: millions of calls need no object each.
    let resource: Resource
    let workload: SubjectOf | undefined
    const isLeftOut = ({ recommended }: ReportOptions) => recommended === false && !own.isAsked
    const add = (path: Path, message: string, options: ReportOptions) => {
      // Of pods that nobody starts only errors are told.
      if (workload && (options.severity ?? rule.severity) !== 'error' && isIdle(workload, path)) return
      const severity = own.severity ?? options.severity ?? rule.severity
      drafts.push({
        active: own,
        severity,
        resource,
        path,
        message: shownOf(message, resource, path),
        options,
      })
    }
    const context: Context<Params> = {
      graph: watch?.graph ?? graph,
      params: params as never,
      minor,
      isAsked: own.isAsked,
      report: (node, field, message, options = {}) => {
        if (!isLeftOut(options)) add(pathOf(resource, node, field), message, options)
      },
      reportPath: (path, message, options = {}) => {
        if (!isLeftOut(options)) add(path, message, options)
      },
      written: (path) =>
        resource.kindName === 'Secret'
          ? undefined
          : resource.document.locate().written([...resource.path, ...path]),
      repeatedKeys: () => repeatedKeys(resource),
    }
    const { check } = rule
    for (const interest of rule.for) {
      // A hundred rules look at thousands of objects: no iterators.
      const all = subjectsOf(interest)
      for (let i = 0; i < all.length; i++) {
        const one = all[i] as SubjectOf
        resource = one.resource
        const before = drafts.length
        workload = interest === 'Workload' ? one : undefined
        try {
          check(one.subject, context)
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
  }
  for (const one of active) {
    const { rule, id } = one
    if (rule.needs === 'cluster' && !cluster) continue
    const unseen = [...rule.for, ...(rule.reads ?? [])].filter((kind) => unread?.has(kind))
    if (unseen.length > 0) notEvaluated.set(id, new Set(unseen))
    const begun = timings ? clock() : 0
    ask(one)
    timings?.set(id, clock() - begun)
  }
  return { drafts, failures, notEvaluated, timings }
}

/** A message as it is shown. Nothing but what a rule has chosen is told of a Secret. */
function shownOf(message: string, resource: Resource, path: Path): string {
  if (resource.kindName === 'Secret') return message
  const { document } = resource
  return exact(message, () => document.locate().written([...resource.path, ...path]), document.text)
}

function repeatedKeys({ document, path, value }: Resource): readonly RepeatedKey[] {
  if (!document.hasDuplicates) return []
  const keys = new Map<string, RepeatedKey>()
  for (const { path: full, first, isSame } of document.locate().duplicates) {
    if (!isWithin(full, path)) continue
    const own = full.slice(path.length)
    const id = JSON.stringify(own)
    const before = keys.get(id)?.isSame ?? true
    const sight = { of: value, node: value, field: undefined, note: 'has no effect', range: first }
    const line = document.built ? undefined : first.line
    keys.set(id, { path: own, line, first: sight, isSame: before && isSame })
  }
  return [...keys.values()]
}
