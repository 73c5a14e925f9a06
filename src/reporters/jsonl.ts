/** One JSON text a line for each finding, as in the `findings` of the json format. */
import type { Report } from '../engine/report.js'
import { escapeJson } from './escape.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'

export function* render(report: Report, look: Look): Iterable<string> {
  for (const finding of shownIn(report, look)) {
    yield `${escapeJson(JSON.stringify(finding))}\n`
  }
}
