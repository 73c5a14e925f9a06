/** JUnit's XML: a test case for each finding, a failed one for errors and warnings; one passed case when there are none. */
import type { Report } from '../engine/report.js'
import { escapeXml } from './escape.js'
import type { Look } from './reporter.js'
import { inCluster, nameOf, whereIs, withEvidence } from './text.js'

export function* render(report: Report, look: Look): Iterable<string> {
  const findings = report.findings.filter((finding) => look.showSuppressed || !finding.suppressed)
  const failures = findings.filter((finding) => finding.severity !== 'info' && !finding.suppressed)
  const seconds = (report.summary.milliseconds / 1000).toFixed(3)
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="k8s-af" tests="${Math.max(1, findings.length)}" failures="${failures.length}" time="${seconds}">\n  <testsuite name="k8s-af" tests="${Math.max(1, findings.length)}" failures="${failures.length}" time="${seconds}">\n`
  if (findings.length === 0) yield `    <testcase classname="k8s-af" name="no findings" />\n`
  for (const finding of findings) {
    const { rule, place, subject, severity, suppressed, fix } = finding
    const message = withEvidence(finding)
    const object = `${subject ? nameOf(subject) : place.file}${inCluster(finding)}`
    const open = `    <testcase classname="${escapeXml(rule)}" name="${escapeXml(object)}"${place.live ? '' : ` file="${escapeXml(place.file)}" line="${place.line}"`}>`
    const where = `${whereIs(place)}${place.path && !place.live ? ` ${place.path}` : ''}${fix ? `. Fix: ${fix.title}` : ''}`
    const body = suppressed
      ? `<skipped message="${escapeXml(suppressed.reason)}" />`
      : severity === 'info'
        ? `<system-out>${escapeXml(`${message} ${where}`)}</system-out>`
        : `<failure type="${severity}" message="${escapeXml(message)}">${escapeXml(where)}</failure>`
    yield `${open}${body}</testcase>\n`
  }
  yield '  </testsuite>\n</testsuites>\n'
}
