/** The closing line of a run. */
import type { Report } from '../engine/report.js'
import { count, printable } from './text.js'

/** Why files were left out, of several; the other reasons are said of one and of many alike. */
const plurals: Readonly<Record<string, string>> = {
  'Helm template': 'Helm templates',
  'Go template': 'Go templates',
  // Chart.yaml, and the values.
  'Helm chart': 'files of Helm charts',
  kustomization: 'kustomizations',
  'kustomize patch': 'kustomize patches',
  'older release': 'older releases',
  'agent skill': 'agent skills',
  'source of a build': 'sources of a build',
}

/** Why so many files were left out. */
export function reasonFor(reason: string, files: number): string {
  return files > 1 ? (plurals[reason] ?? reason) : reason
}

/** The parts of the summary, the most important first: counts, what was read, what was not evaluated, time. */
export function summaryParts(report: Report): string[] {
  const { summary } = report
  const findings = report.findings.filter((finding) => !finding.suppressed)
  const of = (severity: string) => findings.filter((finding) => finding.severity === severity).length
  const counts = [
    of('error') && count(of('error'), 'error'),
    of('warning') && count(of('warning'), 'warning'),
    of('info') && count(of('info'), 'info'),
  ].filter((part) => part !== 0)
  const known = report.findings.filter(({ suppressed }) => suppressed?.baseline).length
  const accepted = report.findings.filter(({ suppressed }) => suppressed && !suppressed.baseline).length
  const fixable = findings.filter((finding) => finding.fix && finding.fix.edits.length > 0).length
  const skipped = Object.entries(summary.skipped).sort((a, b) => b[1] - a[1])
  const skips = skipped.reduce((sum, [, number]) => sum + number, 0)
  const reasons = skipped.slice(0, 3).map(([reason, number]) => {
    const said = reasonFor(reason, number)
    return skipped.length > 1 ? `${number} ${said}` : said
  })
  const clusters = summary.clusters ?? (summary.cluster ? [summary.cluster] : [])
  const undecided = new Set(summary.notEvaluated.map(({ rule }) => rule))
  const dead = clusters.filter(({ error }) => error !== undefined)
  const unread = clusters.reduce((sum, one) => sum + one.unread.length, 0)
  return [
    counts.length > 0 ? `${counts.join(', ')}${fixable ? ` (${fixable} with a fix)` : ''}` : 'No findings',
    accepted ? `${accepted} suppressed` : '',
    known ? `${known} in the baseline` : '',
    summary.unchanged ? `${summary.unchanged} in unchanged files` : '',
    `${count(summary.objects, 'object')} in ${place(summary)}`,
    skips ? `${skips} skipped (${reasons.join(', ')}${skipped.length > 3 ? ', …' : ''})` : '',
    summary.unreadable ? `${summary.unreadable} unreadable` : '',
    dead.length > 0 ? `nothing read of ${dead.map(({ context }) => printable(context)).join(', ')}` : '',
    `${count(summary.rulesRun, 'rule')} for Kubernetes ${versions(summary)}`,
    unread ? `${unread} not read` : '',
    undecided.size > 0 ? notDecided(undecided.size, clusters.length > 0) : '',
    summary.rulesOff ? `${summary.rulesOff} off` : '',
    seconds(summary.milliseconds),
  ].filter((part) => part !== '')
}

function notDecided(rules: number, isLive: boolean): string {
  if (isLive) return `${rules} not decided`
  return `${rules} ${rules === 1 ? 'needs' : 'need'} the cluster`
}

/** `1.31`, or of several clusters `1.31 to 1.33`. */
function versions({ kubernetesVersion, clusters = [] }: Report['summary']): string {
  const newest = Math.max(...clusters.map((one) => Number(one.kubernetesVersion?.slice(2) ?? 0)))
  const last = `1.${newest}`
  return clusters.length === 0 || last === kubernetesVersion
    ? kubernetesVersion
    : `${kubernetesVersion} to ${last}`
}

function place({ cluster, clusters, files, builds }: Report['summary']): string {
  if (clusters) {
    const read = clusters.filter(({ error }) => error === undefined)
    return `${count(read.length, 'cluster')} (${read.map(({ context }) => printable(context)).join(', ')})`
  }
  if (!cluster && builds === undefined) return count(files, 'file')
  if (!cluster)
    return [...(files > 0 ? [count(files, 'file')] : []), count(builds ?? 0, 'build')].join(' and ')
  const { context, namespace } = cluster
  return namespace === undefined
    ? `cluster ${printable(context)}`
    : `namespace ${namespace} of ${printable(context)}`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`
}
