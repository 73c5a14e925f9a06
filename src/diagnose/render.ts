/** The diagnosis for people at a terminal. */
import { type Report, storyFor } from '../engine/report.js'
import { formatSubject, type Subject } from '../finding.js'
import type { Look } from '../reporters/reporter.js'
import { type Page, pageOf } from '../reporters/terminal.js'
import { columns, seenOf, wrap } from '../reporters/text.js'
import type { Cause, Diagnosis } from './diagnose.js'

/** Causes that are shown; the rest is counted. */
const most = 8

/** The diagnosis as text: what is seen, the likely causes, and what could not be read. */
export function render(diagnosis: Diagnosis, report: Report, look: Look): string {
  const page = pageOf(report, look)
  const { paint, show, width } = page
  const { object, seen, pods, causes, around, unread } = diagnosis
  const lines = [paint.bold(show(object))]
  for (const one of seen) lines.push(...wrap(show(one), width - 2).map((part) => `  ${part}`))
  if (seen.length === 0)
    lines.push(`  ${pods > 0 ? 'Nothing is wrong with its pods, and no' : 'No'} warning is on record.`)
  lines.push('')
  const shown = causes.filter(({ likely }) => likely).slice(0, most)
  for (const [i, cause] of shown.entries()) lines.push(...causeLines(cause, i + 1, page), '')
  if (shown.length === 0)
    lines.push(...wrap(`No known failure pattern on it or on the ${around} objects around it.`, width), '')
  if (causes.length > shown.length) lines.push(`${causes.length - shown.length} more with -o json.`, '')
  if (unread.length > 0)
    lines.push(...wrap(`Not read, and perhaps telling: ${show(unread.join(', '))}.`, width))
  return `${lines.join('\n').trimEnd()}\n`
}

function causeLines({ finding, relation, confirm }: Cause, number: number, page: Page): string[] {
  const { paint, show, width, isNew } = page
  const { severity, rule, subject, message, fix } = finding
  const who = subject ? show(formatSubject(subject)) : ''
  const start = String(number).padStart(2)
  const gap = width - columns(`${start}   ${severity}  ${rule}`) - columns(who)
  const head = `${start}   ${page.severity[severity](severity)}  ${paint.bold(rule)}`
  const story = storyFor(finding, page.report)?.text
  /** A line with a word in front, indented under it when it is long. */
  const line = (word: string, text: string) =>
    wrap(show(text), width - 14).map(
      (part, i) => `     ${paint.dim((i === 0 ? word : '').padEnd(8))} ${part}`,
    )
  return [
    ...(gap >= 2 ? [`${head}${' '.repeat(gap)}${paint.dim(who)}`] : [head, `     ${paint.dim(who)}`]),
    ...wrap(show(message), width - 5).map((part) => `     ${part}`),
    ...seenOf(finding).flatMap((one) => line('seen', one)),
    ...(relation === '' ? [] : line('because', clause(subject, relation))),
    ...(story !== undefined && isNew(story) ? line('like', story) : []),
    // What to do depends on what is found then: the page of the rule has it.
    ...(fix ? line('fix', fix.title) : line('remedy', `k8s-af explain ${rule}`)),
    ...(fix?.command && subject?.keeper ? line('', `in ${subject.keeper}`) : []),
    // Commands are not wrapped: they are to be copied.
    ...(fix?.command && !subject?.keeper ? [`     ${' '.repeat(8)} ${show(fix.command)}`] : []),
    `     ${paint.dim('confirm ')} ${show(confirm)}`,
  ]
}

/** `Service web sends requests to it`; a relation may have a subject of its own. */
function clause(subject: Subject | undefined, relation: string): string {
  return relation.startsWith('the ') ? relation : `${subject?.kind} ${subject?.name} ${relation}`
}
