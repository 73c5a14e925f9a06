/** Checkstyle's XML, which many servers of continuous integration read: the findings of each file under its name. */
import type { Report } from '../engine/report.js'
import type { Finding } from '../finding.js'
import { escapeXml } from './escape.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { statement } from './text.js'

export function* render(report: Report, look: Look): Iterable<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<checkstyle version="4.3">\n'
  let file: string | undefined
  // They come sorted by file.
  for (const finding of shownIn(report, look)) {
    if (finding.place.file !== file) {
      if (file !== undefined) yield '  </file>\n'
      file = finding.place.file
      yield `  <file name="${escapeXml(file)}">\n`
    }
    yield error(finding)
  }
  yield `${file === undefined ? '' : '  </file>\n'}</checkstyle>\n`
}

function error(finding: Finding): string {
  const { rule, place, fix, suppressed } = finding
  // Checkstyle's own word for what does not count.
  const severity = suppressed ? 'ignore' : finding.severity
  const message = `${statement(finding)}${fix ? ` Fix: ${fix.title}` : ''}`
  const at = place.live ? '' : ` line="${place.line}" column="${place.column}"`
  return `    <error${at} severity="${severity}" message="${escapeXml(message)}" source="k8s-af.${escapeXml(rule)}" />\n`
}
