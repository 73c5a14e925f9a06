/**
 * JUnit's XML: a test case for each finding, a failed one for errors and warnings; one passed case when there are none.
 * GitLab drops cases of a name that it has seen, and shows of a failure its text, not its message.
 * Source: GitLab documentation, Unit test reports.
 */
import type { Report } from '../engine/report.js'
import { type Finding, formatSubject } from '../finding.js'
import { escapeXml } from './escape.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { inCluster, whereIs, withEvidence } from './text.js'

export function* render(report: Report, look: Look): Iterable<string> {
  const findings = shownIn(report, look)
  const failures = findings.filter((finding) => finding.severity !== 'info' && !finding.suppressed)
  const seconds = (report.summary.milliseconds / 1000).toFixed(3)
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="k8s-af" tests="${Math.max(1, findings.length)}" failures="${failures.length}" time="${seconds}">\n  <testsuite name="k8s-af" tests="${Math.max(1, findings.length)}" failures="${failures.length}" time="${seconds}">\n`
  if (findings.length === 0) yield `    <testcase classname="k8s-af" name="no findings" />\n`
  const nameFor = names()
  for (const finding of findings) {
    const { rule, place, severity, suppressed, fix } = finding
    const message = withEvidence(finding)
    const open = `    <testcase classname="${escapeXml(rule)}" name="${escapeXml(nameFor(finding))}"${place.live ? '' : ` file="${escapeXml(place.file)}" line="${place.line}"`}>`
    const where = `${whereIs(place)}${place.path && !place.live ? ` ${place.path}` : ''}${fix ? `. Fix: ${fix.title}` : ''}`
    const body = suppressed
      ? `<skipped message="${escapeXml(suppressed.reason)}" />`
      : severity === 'info'
        ? `<system-out>${escapeXml(`${message} ${where}`)}</system-out>`
        : `<failure type="${severity}" message="${escapeXml(message)}">${escapeXml(message)}\n${escapeXml(where)}</failure>`
    yield `${open}${body}</testcase>\n`
  }
  yield '  </testsuite>\n</testsuites>\n'
}

/** Names for the cases of a rule, each only once: no lines, so that they stay the same when those move. */
function names(): (finding: Finding) => string {
  const seen = new Map<string, number>()
  return (finding) => {
    const { rule, place, subject } = finding
    const [object, file] = subject ? [formatSubject(subject), place.live ? '' : place.file] : [place.file, '']
    const at = [file, place.path].filter((part) => part !== '').join(' ')
    const name = `${object}${inCluster(finding)}${at === '' ? '' : ` (${at})`}`
    const key = `${rule} ${name}`
    const count = (seen.get(key) ?? 0) + 1
    seen.set(key, count)
    return count === 1 ? name : `${name} ${count}`
  }
}
