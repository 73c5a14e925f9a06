/**
 * One line a finding, for grep, editors and problem matchers: `file:line:column: severity rule: message [Kind ns/name]`; live:
 * `kind/ns/name field: severity rule: message`, behind the context when there are several clusters.
 */
import type { Report } from '../engine/report.js'
import { formatSubject } from '../finding.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { builtNote, printable, whereIs } from './text.js'

export function* render(report: Report, look: Look): Iterable<string> {
  for (const finding of shownIn(report, look)) {
    const { cluster, place, severity, rule, message, subject, suppressed } = finding
    const built = place.built ? ` ${builtNote(finding)}.` : ''
    const object = subject && !place.live ? ` [${formatSubject(subject)}]` : ''
    yield `${printable(`${cluster === undefined ? '' : `${cluster} `}${whereIs(place)}: ${severity} ${rule}: ${message}${built}${object}`)}${suppressed ? ' (suppressed)' : ''}\n`
  }
  yield `${summaryParts(report).join(' · ')}\n`
}
