/** The closing line of a run. */
import type { Report } from '../engine/report.js'
import { count, printable } from './text.js'

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
  const fixable = findings.filter((finding) => finding.fix && finding.fix.edits.length > 0).length
  const skipped = Object.entries(summary.skipped).sort((a, b) => b[1] - a[1])
  const skips = skipped.reduce((sum, [, number]) => sum + number, 0)
  const reasons = skipped
    .slice(0, 3)
    .map(([reason, number]) => (skipped.length > 1 ? `${number} ${reason}` : reason))
  return [
    counts.length > 0 ? `${counts.join(', ')}${fixable ? ` (${fixable} with a fix)` : ''}` : 'No findings',
    summary.suppressed ? `${summary.suppressed} suppressed` : '',
    `${count(summary.objects, 'object')} in ${place(summary)}`,
    skips ? `${skips} skipped (${reasons.join(', ')}${skipped.length > 3 ? ', …' : ''})` : '',
    summary.unreadable ? `${summary.unreadable} unreadable` : '',
    `${count(summary.rulesRun, 'rule')} for Kubernetes ${summary.kubernetesVersion}`,
    summary.cluster?.unread.length ? `${summary.cluster.unread.length} not read` : '',
    summary.notEvaluated.length
      ? `${summary.notEvaluated.length} need ${summary.cluster ? 'more' : 'the cluster'}`
      : '',
    summary.rulesOff ? `${summary.rulesOff} off` : '',
    seconds(summary.milliseconds),
  ].filter((part) => part !== '')
}

function place({ cluster, files }: Report['summary']): string {
  if (!cluster) return count(files, 'file')
  const { context, namespace } = cluster
  return namespace === undefined
    ? `cluster ${printable(context)}`
    : `namespace ${namespace} of ${printable(context)}`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`
}
