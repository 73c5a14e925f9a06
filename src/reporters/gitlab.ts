/** GitLab's Code Quality report: a JSON list in the format of Code Climate. */
import type { Report } from '../engine/report.js'
import { escapeJson } from './escape.js'
import { fingerprints } from './fingerprint.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { withEvidence } from './text.js'

const severities = { error: 'critical', warning: 'major', info: 'info' } as const

export function* render(report: Report, look: Look): Iterable<string> {
  const fingerprint = fingerprints()
  let separator = '['
  for (const finding of shownIn(report, look)) {
    const { rule, cluster, place, severity } = finding
    const issue = {
      description: withEvidence(finding),
      check_name: rule,
      fingerprint: fingerprint(finding),
      severity: severities[severity],
      location: {
        path: cluster === undefined ? place.file : `${cluster}/${place.file}`,
        positions: {
          begin: { line: place.line, column: place.column },
          end: { line: place.endLine, column: place.endColumn },
        },
      },
    }
    yield `${separator}\n  ${escapeJson(JSON.stringify(issue))}`
    separator = ','
  }
  yield separator === '[' ? '[]\n' : '\n]\n'
}
