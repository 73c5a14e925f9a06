/** The report for the summary of a run and for comments: a table, and the details folded under it. */
import type { Report } from '../engine/report.js'
import { formatSubject, rankOf } from '../finding.js'
import { allGaps } from './gaps.js'
import { type Gathered, gather, gravestFirst } from './gather.js'
import { shownIn } from './look.js'
import { entry } from './pretty.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { pageOf } from './terminal.js'
import { count, cut, fieldOf, printable, whereShown } from './text.js'

/**
 * Bytes of the parts, for a whole that fits into a comment. GitHub takes 65,536 characters there, and 1 MiB in the summary
 * of a step. Source: GitHub documentation, workflow commands (job summaries); error message of its API for comments.
 */
const most = { table: 27_000, details: 27_000, gaps: 4000 } as const
/** Columns of a text of the input. */
const mostColumns = 300

export function* render(report: Report, look: Look): Iterable<string> {
  const shown = shownIn(report, look)
  // Errors first, so that what is cut matters least.
  const groups = gather(gravestFirst(shown)).sort(
    (a, b) => rankOf(a.first.severity) - rankOf(b.first.severity),
  )
  const [found = '', ...rest] = summaryParts(report)
  yield `### k8s-af: ${plain(found)}\n\n${plain(rest.join(' · '))}\n`
  if (groups.length > 0) {
    yield '\n| severity | place | object | finding |\n| --- | --- | --- | --- |\n'
    const left = yield* fitting(groups, most.table, (group) => row(group, look))
    yield left > 0 ? `\n${more(left)}\n` : ''
    yield '\n<details><summary>Details</summary>\n\n'
    const page = pageOf(report, { ...look, color: false, width: 100, unicode: true })
    const untold = yield* fitting(groups, most.details, (group) => fenced(entry(group, page, true)))
    yield `${untold > 0 ? `${more(untold)}\n\n` : ''}</details>\n`
  }
  const gaps = allGaps(report)
  if (gaps.length > 0) {
    yield `\n<details><summary>Not read or not decided (${gaps.length})</summary>\n\n`
    const unsaid = yield* fitting(gaps, most.gaps, (gap) => `- ${plain(gap)}\n`)
    yield `${unsaid > 0 ? `- ${more(unsaid)}\n` : ''}\n</details>\n`
  }
}

/** What there is room for, as text; gives the number of the others. */
function* fitting<Item>(
  items: readonly Item[],
  bytes: number,
  write: (item: Item) => string,
): Generator<string, number> {
  let room = bytes
  let left = 0
  for (const item of items) {
    // Too little for any: nothing more needs to be written to find that out.
    const text = room < 80 ? '' : write(item)
    const size = Buffer.byteLength(text)
    if (size === 0 || size > room) left++
    else {
      room -= size
      yield text
    }
  }
  return left
}

function more(number: number): string {
  return `and ${count(number, 'more', 'more')}: other formats list them all.`
}

function row({ first, places, objects, clusters }: Gathered, { linkTo }: Look): string {
  const { severity, rule, subject, place, message, suppressed } = first
  const text = plain(
    place.live ? fieldOf(place) : place.built ? whereShown(place) : `${place.file}:${place.line}`,
  )
  const url = place.live ? undefined : linkTo?.(place.file, place.line)
  const others = places.length > 0 ? ` and ${places.length} more` : ''
  const kin = objects.length > 0 ? ` and ${objects.length} more` : ''
  const cells = [
    `${severity}${suppressed ? ' (suppressed)' : ''}`,
    `${url === undefined ? text : `[${text}](${url})`}${others}`,
    `${subject ? plain(formatSubject(subject)) : ''}${kin}${clusters.length > 0 ? ` in ${plain(clusters.join(', '))}` : ''}`,
    `${plain(message)} \`${rule}\``,
  ]
  return `| ${cells.join(' | ')} |\n`
}

/** A block of code, in which nothing is a mark, a link or a mention. */
function fenced(text: string): string {
  const runs = text.match(/`+/g) ?? []
  const fence = '`'.repeat(Math.max(3, ...runs.map((run) => run.length + 1)))
  return `${fence}text\n${text.trimEnd()}\n${fence}\n\n`
}

/**
 * Text of the input inside a line of Markdown: no marks, no HTML, no table cells, no links. What would mention a person or
 * an issue is told apart by a space of no width: mentions are looked for when everything else is done.
 */
function plain(text: string): string {
  return cut(printable(text.slice(0, 4 * mostColumns)), mostColumns)
    .replace(/[\\`*_~[\]{}<>|&$]|:(?=\/\/)|(?<=\bwww)\./gi, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/(?<!&)[@#!](?=\w)/g, '$&&#8203;')
}
