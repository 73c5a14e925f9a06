/** What people are told about what could not be read or decided. */
import type { Report } from '../engine/report.js'
import type { ClusterSummary, Summary } from '../finding.js'
import { groupBy } from '../values/group.js'
import { reasonFor } from './summary.js'
import { count } from './text.js'

/** A line for each reason. */
export function unreadNotes(unread: ClusterSummary['unread']): string[] {
  const forbidden = unread.filter(({ reason }) => reason === 'forbidden').map(({ resource }) => resource)
  const failed = groupBy(unread, ({ reason, message }) => (reason === 'failed' ? message : undefined))
  return [
    ...(forbidden.length > 0
      ? [
          // The role for a scan leaves Secrets out, too.
          `not read, forbidden: ${some(forbidden)}${forbidden.join() === 'secrets' ? '' : '. k8s-af rbac prints the role that allows it'}`,
        ]
      : []),
    ...[...failed].map(
      ([message, all]) => `not read: ${some(all.map(({ resource }) => resource))}: ${message}`,
    ),
  ]
}

/** The names, the first of them when they are many. */
export function some(names: readonly string[]): string {
  const most = 8
  return names.length > most + 1
    ? `${names.slice(0, most).join(', ')} and ${names.length - most} more`
    : names.join(', ')
}

/** What a run over clusters could not look at or decide, a line each. Raw text. */
export function gapsOf(summary: Summary): string[] {
  const { cluster, clusters = cluster ? [cluster] : [] } = summary
  return clusters.flatMap((one) => gapsIn(one, summary))
}

/** All that a run did not look at or decide, a line each, for reports that are read without the output around them. Raw text. */
export function allGaps({ summary, failures }: Report): string[] {
  const { skipped, unreadable } = summary
  // Rules that need a cluster are no gap of a lint: the summary counts them.
  return [
    ...gapsOf(summary),
    ...(unreadable > 0 ? [`not read in full: ${count(unreadable, 'file')}`] : []),
    ...Object.entries(skipped)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, number]) => `left out: ${count(number, 'file')} (${reasonFor(reason, number)})`),
    ...[...new Set(failures.map(({ rule }) => rule))].map((rule) => `not decided, internal error: ${rule}`),
  ]
}

/** What was not read of a cluster, and what that means. */
function gapsIn(
  { context, namespace, unread, error }: ClusterSummary,
  { clusters, notEvaluated }: Summary,
): string[] {
  const undecided = notEvaluated.filter((one) => one.clusters?.includes(context) ?? true)
  const needs = [...new Set(undecided.flatMap((one) => one.needs.split(', ')))].sort()
  const lines = [
    ...(error === undefined ? [] : [`not read at all: ${error}`]),
    ...unreadNotes(unread),
    ...(namespace === undefined
      ? needs.map((kind) => {
          const rules = undecided.filter((one) => one.needs.split(', ').includes(kind))
          return `not decided without ${kind}: ${some(rules.map(({ rule }) => rule))}`
        })
      : undecided.length === 0
        ? []
        : // Nearly every kind of the cluster as a whole is missing: a line for each would bury the rest.
          [`not decided by what namespace ${namespace} shows: ${some(undecided.map(({ rule }) => rule))}`]),
  ]
  return clusters ? lines.map((line) => `${context}: ${line}`) : lines
}
