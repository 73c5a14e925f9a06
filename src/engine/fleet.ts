/** Reports of several clusters as one. */
import type { ClusterSummary, Finding, Place, Summary } from '../finding.js'
import { clock } from '../values/clock.js'
import type { Lines, Report } from './report.js'

/** What is left of a cluster when it has been looked at: its objects can go. */
export interface ClusterReport {
  readonly report: Report
  readonly lines: ReadonlyMap<string, string | undefined>
}

/** A cluster of which nothing could be read, and why. */
export interface DeadCluster {
  readonly context: string
  readonly message: string
}

/** Keeps the lines that findings point at, in the place of all objects. */
export function detached(report: Report): ClusterReport {
  const places = report.findings.flatMap(({ place, related }) => [place, ...related])
  const lines = new Map(places.map((place) => [keyOf(place), report.lines.line(place.file, place.line)]))
  return {
    report: {
      ...report,
      lines: { line: () => undefined },
      resource: () => undefined,
      among: () => undefined,
    },
    lines,
  }
}

function keyOf({ file, line }: Pick<Place, 'file' | 'line'>): string {
  return `${file}\n${line}`
}

/**
 * One report: findings carry the context of their cluster, and equal objects of all clusters stand together.
 * @param started `clock()` at the start of the run
 */
export function fleet(
  parts: readonly [ClusterReport, ...ClusterReport[]],
  dead: readonly DeadCluster[],
  started: number,
): Report {
  const reports = parts.map(({ report }) => report)
  const [first] = reports
  const timings = reports.flatMap((report) => [...(report.timings ?? [])])
  return {
    ...parts[0].report,
    findings: reports
      .flatMap((report) =>
        report.findings.map((finding): Finding => ({ cluster: contextOf(report), ...finding })),
      )
      .sort(byObject),
    failures: reports.flatMap(({ failures }) => failures),
    lines: linesOf(parts),
    ...(first?.timings && { timings: sums(timings) }),
    summary: summaryOf(reports, dead, started),
  }
}

/** The context of the cluster that a report is of. */
export function contextOf({ summary }: Report): string {
  return summary.cluster?.context ?? ''
}

/** A stable sort keeps the order of clusters. */
function byObject({ place: a }: Finding, { place: b }: Finding): number {
  return a.file === b.file ? 0 : a.file < b.file ? -1 : 1
}

function linesOf(parts: readonly ClusterReport[]): Lines {
  const clusters = new Map(parts.map(({ report, lines }) => [contextOf(report), lines]))
  return { line: (file, line, cluster = '') => clusters.get(cluster)?.get(keyOf({ file, line })) }
}

function sums(entries: readonly (readonly [string, number])[]): Map<string, number> {
  const all = new Map<string, number>()
  for (const [name, number] of entries) all.set(name, (all.get(name) ?? 0) + number)
  return all
}

function summaryOf(reports: readonly Report[], dead: readonly DeadCluster[], started: number): Summary {
  const summaries = reports.map(({ summary }) => summary)
  const sum = (of: (summary: Summary) => number) => summaries.reduce((all, one) => all + of(one), 0)
  const most = (of: (summary: Summary) => number) => Math.max(...summaries.map(of))
  const [oldest = ''] = summaries.map(({ kubernetesVersion }) => kubernetesVersion).sort(byMinor)
  return {
    files: 0,
    objects: sum(({ objects }) => objects),
    skipped: {},
    unreadable: 0,
    rulesRun: most(({ rulesRun }) => rulesRun),
    notEvaluated: undecided(summaries),
    rulesOff: most(({ rulesOff }) => rulesOff),
    suppressed: sum(({ suppressed }) => suppressed),
    kubernetesVersion: oldest,
    clusters: [
      ...summaries.flatMap(({ cluster, objects, kubernetesVersion }): ClusterSummary[] =>
        cluster ? [{ ...cluster, objects, kubernetesVersion }] : [],
      ),
      ...dead.map(({ context, message }) => ({ context, unread: [], error: message })),
    ].sort((a, b) => (a.context < b.context ? -1 : 1)),
    milliseconds: Math.round(clock() - started),
  }
}

function byMinor(a: string, b: string): number {
  return Number(a.slice(2)) - Number(b.slice(2))
}

/** What could not be decided for the same reason, with the clusters in which. */
function undecided(summaries: readonly Summary[]): Summary['notEvaluated'] {
  const all = new Map<string, { rule: string; needs: string; clusters: string[] }>()
  for (const { notEvaluated, cluster } of summaries) {
    for (const { rule, needs } of notEvaluated) {
      const key = `${rule} ${needs}`
      const known = all.get(key) ?? { rule, needs, clusters: [] }
      known.clusters.push(cluster?.context ?? '')
      all.set(key, known)
    }
  }
  return [...all.values()]
}
