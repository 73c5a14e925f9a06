/**
 * Workflow commands of GitHub Actions: one annotation a finding.
 * The escaping is the runner's own: actions/toolkit, packages/core/src/command.ts.
 */
import type { Report } from '../engine/report.js'
import type { Place } from '../finding.js'
import { shownIn } from './look.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { printable, statement } from './text.js'

const commands = { error: 'error', warning: 'warning', info: 'notice' } as const

/** The text of a command: nothing in it may begin a command of its own. */
function data(text: string): string {
  return printable(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

function rangeOf({ file, line, column, endLine, endColumn }: Place): string[] {
  return [
    `file=${property(file)}`,
    `line=${line}`,
    `endLine=${endLine}`,
    `col=${column}`,
    `endColumn=${endColumn}`,
  ]
}

export function* render(report: Report, look: Look): Iterable<string> {
  for (const finding of shownIn(report, look)) {
    const { place, fix } = finding
    const text = `${statement(finding)}${fix ? `\nfix: ${fix.title}` : ''}\nk8s-af explain ${finding.rule}`
    const properties = [...(place.live ? [] : rangeOf(place)), `title=${property(finding.rule)}`]
    const message = text.split('\n').map(data).join('%0A')
    yield `::${commands[finding.severity]} ${properties.join(',')}::${message}\n`
  }
  yield `${data(summaryParts(report).join(' · '))}\n`
}
