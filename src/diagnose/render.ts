/** The diagnosis for people at a terminal. */
import { Chalk } from 'chalk'
import { type Report, storyFor } from '../engine/report.js'
import type { Subject } from '../finding.js'
import type { Look } from '../reporters/reporter.js'
import { ascii, columns, nameOf, printable, seenOf, wrap } from '../reporters/text.js'
import type { Cause, Diagnosis } from './diagnose.js'

/** Causes that are shown; the rest is counted. */
const most = 8

export function render(diagnosis: Diagnosis, report: Report, look: Look): string {
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  const show = look.unicode ? printable : ascii
  const { object, seen, pods, causes, around, unread } = diagnosis
  const told = new Set<string>()
  const storyOf = ({ finding }: Cause): string | undefined => {
    const text = storyFor(finding, report)?.text
    if (text === undefined || told.has(text)) return undefined
    told.add(text)
    return text
  }
  /** A line with a word in front, indented under it when it is long. */
  const line = (word: string, text: string) =>
    wrap(show(text), look.width - 14).map(
      (part, i) => `     ${paint.dim((i === 0 ? word : '').padEnd(8))} ${part}`,
    )
  const lines = [paint.bold(show(object))]
  for (const one of seen) lines.push(...wrap(show(one), look.width - 2).map((part) => `  ${part}`))
  if (seen.length === 0)
    lines.push(`  ${pods > 0 ? 'Nothing is wrong with its pods, and no' : 'No'} warning is on record.`)
  lines.push('')
  const shown = causes.filter(({ likely }) => likely).slice(0, most)
  shown.forEach((cause, i) => {
    const { finding, relation, confirm } = cause
    const { severity, rule, subject, message, fix } = finding
    const color = { error: paint.red.bold, warning: paint.yellow.bold, info: paint.cyan.bold }[severity]
    const who = subject ? show(nameOf(subject)) : ''
    const head = `${String(i + 1).padStart(2)}   ${severity}  ${rule}`
    const gap = look.width - columns(head) - columns(who)
    lines.push(
      `${String(i + 1).padStart(2)}   ${color(severity)}  ${paint.bold(rule)}${gap >= 2 ? `${' '.repeat(gap)}${paint.dim(who)}` : ''}`,
      ...(gap >= 2 ? [] : [`     ${paint.dim(who)}`]),
      ...wrap(show(message), look.width - 5).map((part) => `     ${part}`),
      ...seenOf(finding).flatMap((one) => line('seen', one)),
      ...(relation === '' ? [] : line('because', clause(subject, relation))),
    )
    const story = storyOf(cause)
    if (story) lines.push(...line('like', story))
    if (fix) lines.push(...line('fix', fix.title))
    if (fix?.command && subject?.keeper) lines.push(...line('', `in ${subject.keeper}`))
    else if (fix?.command) lines.push(`     ${' '.repeat(8)} ${show(fix.command)}`)
    // Not wrapped: it is to be copied.
    lines.push(`     ${paint.dim('confirm ')} ${show(confirm)}`, '')
  })
  if (shown.length === 0)
    lines.push(
      ...wrap(`No known failure pattern on it or on the ${around} objects around it.`, look.width),
      '',
    )
  if (causes.length > shown.length) lines.push(`${causes.length - shown.length} more with -o json.`, '')
  if (unread.length > 0)
    lines.push(...wrap(`Not read, and perhaps telling: ${show(unread.join(', '))}.`, look.width))
  return `${lines.join('\n').trimEnd()}\n`
}

/** `Service web sends requests to it`; a relation may have a subject of its own. */
function clause(subject: Subject | undefined, relation: string): string {
  return relation.startsWith('the ') ? relation : `${subject?.kind} ${subject?.name} ${relation}`
}
