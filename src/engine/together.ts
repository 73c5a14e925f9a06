/** Shows findings with one cause as one. */
import type { Finding, Fix } from '../finding.js'
import { push } from '../values/group.js'
import { type Report, withFindings } from './report.js'

/**
 * The report with those findings as one that are told together: the first one of each group says what all are about and shows the
 * places of the others. Each is suppressed, known to a baseline and changed on a branch by itself: this comes after all that.
 */
export function together(report: Report): Report {
  const groups = new Map<string, Finding[]>()
  const groupOf = (finding: Finding): string | undefined => {
    const among = finding.suppressed ? undefined : report.among(finding)
    const { rule, severity, place, subject } = finding
    return among && JSON.stringify([rule, severity, place.file, subject, among.key])
  }
  for (const finding of report.findings) {
    const key = groupOf(finding)
    if (key !== undefined) push(groups, key, finding)
  }
  if ([...groups.values()].every((group) => group.length === 1)) return report
  return withFindings(
    report,
    report.findings.flatMap((finding) => {
      const group = groups.get(groupOf(finding) ?? '') ?? [finding]
      return group[0] === finding ? [joined(group, report)] : []
    }),
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
