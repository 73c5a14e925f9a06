/** Shows findings with one cause as one. */
import type { Finding, Fix } from '../finding.js'
import { groupBy } from '../values/group.js'
import { type Report, withFindings } from './report.js'

/**
 * The report with those findings as one that are told together: the first one of each group says what all are about and shows the
 * places of the others. Each is suppressed, known to a baseline and changed on a branch by itself: this comes after all that.
 */
export function together(report: Report): Report {
  // What is told by itself is a group of its own.
  const groups = groupBy(report.findings, (finding): string | Finding => {
    const among = finding.suppressed ? undefined : report.among(finding)
    const { rule, severity, place, subject } = finding
    return among ? JSON.stringify([rule, severity, place.file, subject, among.key]) : finding
  })
  if (groups.size === report.findings.length) return report
  return withFindings(
    report,
    [...groups.values()].map((group) => joined(group, report)),
  )
}

function joined(group: readonly Finding[], report: Report): Finding {
  const [first, ...others] = group as readonly [Finding, ...Finding[]]
  if (others.length === 0) return first
  const among = group.flatMap((one) => report.among(one) ?? [])
  const names = among.map(({ name }) => name)
  const related = others.flatMap(({ place, label, related }) => [
    { ...place, ...(label && { note: label }) },
    ...related,
  ])
  const seen = new Set(first.related.map((one) => JSON.stringify(one)))
  return {
    ...first,
    message: among[0]?.say(names) ?? first.message,
    related: [...first.related, ...related.filter((one) => !seen.has(JSON.stringify(one)))],
    ...(first.fix && {
      fix: fixOf([first.fix, ...others.flatMap(({ fix }) => fix ?? [])], among[0]?.mend?.(names)),
    }),
  }
}

/** The fixes as one: it is as safe as all of them. */
function fixOf(fixes: readonly [Fix, ...Fix[]], title = fixes[0].title): Fix {
  return { title, safe: fixes.every(({ safe }) => safe), edits: fixes.flatMap(({ edits }) => edits) }
}
