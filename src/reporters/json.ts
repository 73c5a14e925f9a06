/** The whole report as one JSON text; its schema is report.schema.json. */
import type { Report } from '../engine/report.js'
import { escapeJson } from './escape.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { tool } from './tool.js'

/** Raised when a field changes its meaning or goes; new fields may come at any time. */
export const schemaVersion = 1

export function* render(report: Report, look: Look): Iterable<string> {
  const findings = shownIn(report, look)
  yield `{\n  "schemaVersion": ${schemaVersion},\n  "tool": ${JSON.stringify(tool)},\n  "summary": ${escapeJson(JSON.stringify(report.summary))},\n  "findings": [`
  let separator = '\n'
  for (const finding of findings) {
    yield `${separator}    ${escapeJson(JSON.stringify(finding))}`
    separator = ',\n'
  }
  yield findings.length > 0 ? '\n  ]\n}\n' : ']\n}\n'
}
