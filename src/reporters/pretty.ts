/** The report for people at a terminal: the consequence, the lines, the other half, the story, the fix. */
import { type Report, storyFor } from '../engine/report.js'
import { type Finding, formatSubject } from '../finding.js'
import { fitted, frame } from './frame.js'
import { type Gathered, gather, gravestFirst, titleOf } from './gather.js'
import { shownIn } from './look.js'
import { overview, remedies } from './overview.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { type Page, pageOf } from './terminal.js'
import { columns, cut, seenOf, wrap, wrapParts } from './text.js'

/** Entries that fill more than a screen or two: the first ones are the gravest, so the end names the rules again. */
const several = 10
/** Entries that are a long report: its end says how to see less, too. */
const many = 30

export function* render(report: Report, look: Look): Iterable<string> {
  const page = pageOf(report, look)
  const shown = shownIn(report, look)
  const groups = gather(gravestFirst(shown))
  let file: string | undefined
  for (const group of groups) {
    yield entry(group, page, group.first.place.file !== file)
    file = group.first.place.file
  }
  const found = shown.filter(({ suppressed }) => !suppressed)
  const rules = groups.length > several ? overview(found, page) : []
  const isRenewed = report.findings.some(({ suppressed }) => suppressed?.baseline)
  const ending = [
    ...rules,
    ...(rules.length > 0 ? [''] : []),
    ...wrapParts(summaryParts(report), look.width, page.box.dot),
    ...(groups.length > many ? remedies(found, isRenewed, page) : []),
  ]
  yield `${ending.join('\n')}\n`
}

/**
 * A group of findings, with an empty line behind it.
 * @param isTitled with its file, or the name of its object when that is live, above it
 */
export function entry(group: Gathered, page: Page, isTitled: boolean): string {
  const title = isTitled ? [page.paint.bold.underline(page.show(titleOf(group.first)))] : []
  return `${[...title, ...block(group, page)].join('\n')}\n\n`
}

function block(group: Gathered, page: Page): string[] {
  const { paint, show } = page
  const finding = group.first
  // Of several clusters, what was seen is of the first.
  const of = group.clusters.length > 1 ? `in ${finding.cluster}: ` : ''
  const inner = page.width - 2
  const { suppressed } = finding
  const dimmed = (text: string) => wrap(show(text), inner).map((line) => paint.dim(`  ${line}`))
  return [
    ...head(group, page),
    ...wrap(show(finding.message), inner).map((line) => `  ${line}`),
    ...seenOf(finding).flatMap((seen) =>
      wrap(show(`${of}${seen}`), inner - 6).map(
        (line, i) => `  ${paint.dim(i === 0 ? 'seen' : '    ')}  ${line}`,
      ),
    ),
    ...frame(group, page),
    ...(suppressed ? dimmed(`suppressed: ${suppressed.reason}`) : background(finding, page).flatMap(dimmed)),
  ]
}

/** Severity and rule on the left, the object, or the clusters, on the right, or below when that is long. */
function head({ first, clusters }: Gathered, { paint, show, ...page }: Page): string[] {
  const { severity, rule, subject, place, suppressed } = first
  // The name of a live object stands above already.
  const object =
    clusters.length > 0
      ? fitted('in ', clusters.map(show), page.width - 2)
      : subject && !place.live
        ? show(formatSubject(subject))
        : ''
  const mark = suppressed ? ' (suppressed)' : ''
  const left = `  ${page.severity[severity](severity)}  ${paint.bold(rule)}${mark}`
  const gap = page.width - columns(`  ${severity}  ${rule}${mark}${object}`)
  if (object === '') return [left]
  return gap >= 2
    ? [`${left}${' '.repeat(gap)}${paint.dim(object)}`]
    : [left, `  ${paint.dim(cut(object, page.width - 2, page.box.more))}`]
}

/** What happened elsewhere and where to read more, when it was not said before. */
function background(finding: Finding, { report, isNew }: Page): string[] {
  const { rule } = finding
  if (!report.rules.has(rule) || !isNew(rule)) return []
  const story = storyFor(finding, report)
  return [...(story && isNew(story.text) ? [story.text, story.url ?? ''] : []), `k8s-af explain ${rule}`]
}
