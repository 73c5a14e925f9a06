/** The report for people at a terminal: the consequence, the lines, the other half, the story, the fix. */
import { Chalk, type ChalkInstance } from 'chalk'
import { type Report, storyFor } from '../engine/report.js'
import type { Finding, Place, Related, Severity, Subject } from '../finding.js'
import { excerpt } from './excerpt.js'
import { type Gathered, gather, gravestFirst, titleOf } from './gather.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import {
  ascii,
  columns,
  cut,
  fieldOf,
  nameOf,
  nearOf,
  printable,
  seenOf,
  textPlace,
  whereShown,
  wrap,
} from './text.js'

/** The report with everything that its look decides. */
export interface Page {
  readonly report: Report
  readonly width: number
  readonly paint: ChalkInstance
  readonly severity: Readonly<Record<Severity, ChalkInstance>>
  readonly box: typeof rounded
  /** Text of the input or of a story as this terminal can show it. */
  show(text: string): string
  /** True for the first of equal calls: stories and hints are given once. */
  isNew(what: string): boolean
}

const rounded = { top: '╭─', side: '│', middle: '├─', bottom: '╰─', bar: '━', more: '…', dot: ' · ' }
const square = { top: ',-', side: '|', middle: '+-', bottom: '`-', bar: '^', more: '..', dot: ' - ' }

export function pageOf(report: Report, look: Look): Page {
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  const said = new Set<string>()
  return {
    report,
    width: look.width,
    paint,
    severity: { error: paint.red.bold, warning: paint.yellow.bold, info: paint.cyan.bold },
    box: look.unicode ? rounded : square,
    show: look.unicode ? printable : ascii,
    isNew: (what) => !said.has(what) && said.add(what) !== undefined,
  }
}

export function* render(report: Report, look: Look): Iterable<string> {
  const page = pageOf(report, look)
  const shown = report.findings.filter((finding) => look.showSuppressed || !finding.suppressed)
  let file: string | undefined
  for (const group of gather(gravestFirst(shown))) {
    yield entry(group, page, group.first.place.file !== file)
    file = group.first.place.file
  }
  yield `${wrapParts(summaryParts(report), look.width, page.box.dot).join('\n')}\n`
}

/**
 * A group of findings, with an empty line behind it.
 * @param isTitled with its file, or the name of its object when that is live, above it
 */
export function entry(group: Gathered, page: Page, isTitled: boolean): string {
  const title = isTitled ? [page.paint.bold.underline(page.show(titleOf(group.first)))] : []
  return `${[...title, ...block(group, page)].join('\n')}\n\n`
}

/** Joins the parts of the summary and breaks lines between them where that is possible. */
function wrapParts(parts: readonly string[], width: number, dot: string): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last !== undefined && columns(last) + columns(dot) + columns(part) <= width)
      lines[lines.length - 1] = `${last}${dot}${part}`
    else lines.push(part)
  }
  return lines.flatMap((line) => (columns(line) > width ? wrap(line, width) : [line]))
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
        ? show(nameOf(subject))
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

/** The lines of the input with the place marked, the related places under it, equal findings, and the fix. */
function frame({ first: finding, places, objects }: Gathered, page: Page): string[] {
  const { paint, box, show } = page
  const { place, related, label, subject, fix } = finding
  // The lines of a live object are nowhere to be looked up: its fields are named instead.
  const numberOf = ({ live, built, line }: Place) => (live || built ? '' : String(line))
  const digits = place.live ? 0 : Math.max(2, ...[place, ...related].map((at) => numberOf(at).length))
  const pad = ' '.repeat(digits + 3)
  const side = `${pad}${paint.dim(box.side)}`
  const room = page.width - digits - 5
  const besideBox = room - 1
  const alongside = (line: string, i: number) =>
    `${pad}${paint.dim(`${i === 0 ? box.middle : `${box.side} `} ${line}`)}`
  const sourceOf = (at: Place, note: string | undefined, mark: ChalkInstance, isSecret: boolean) => {
    const words = note === undefined ? [] : [show(note)]
    const text = textPlace(at)
    const source = page.report.lines.line(text.file, text.line, finding.cluster)
    if (source === undefined)
      return [
        ...(isSecret ? [paint.dim('(not shown: Secret)')] : []),
        ...words.map((line) => mark(line)),
      ].map((line) => `${side} ${line}`)
    const { before, marked, after } = excerpt(source, text, room, show, box.more)
    const start = columns(before)
    const length = Math.max(1, Math.min(columns(marked), room - start))
    const shown = cut(before + marked + after, room, box.more).trimEnd()
    const bar = `${side} ${' '.repeat(start)}${mark(box.bar.repeat(length))}`
    const fits = start + length + 1 + columns(words[0] ?? '') <= room
    return [
      `  ${paint.dim(numberOf(at).padStart(digits))} ${paint.dim(box.side)} ${shown}`,
      ...(fits ? [[bar, ...words.map((word) => mark(word))].join(' ')] : [bar]),
      ...(fits ? [] : words.flatMap((word) => wrap(word, room - 2)).map((line) => `${side}   ${mark(line)}`)),
    ]
  }
  // There are no lines of what was built: the field tells.
  const full = place.built ? show(`as built${subject ? `: ${fieldOf(place)}` : ''}`) : where(place, show)
  const isSecret = subject?.kind === 'Secret'
  const severity = page.severity[finding.severity]
  const [remedy = '', ...rest] = fix ? wrap(show(fix.title), room - 6) : []
  const flag = fix && fix.edits.length > 0 && !place.live ? (fix.safe ? '--fix' : '--unsafe-fixes') : ''
  const gap = ' '.repeat(Math.max(0, room - 6 - columns(remedy) - flag.length))
  return [
    // The file's name is above already.
    `${pad}${paint.dim(`${box.top} ${columns(full) <= besideBox || place.live || place.built ? full : `line ${place.line}, column ${place.column}`}`)}`,
    ...sourceOf(place, label, severity, isSecret),
    ...(place.built?.near ? [alongside(show(nearOf(place, 'made from ')), 0)] : []),
    ...related.flatMap((one) => [
      ...relatedHead(one, place.file, besideBox, show).map(alongside),
      ...sourceOf(
        one,
        one.note,
        paint.dim,
        one.object === undefined ? isSecret : /^Secret /.test(one.object),
      ),
    ]),
    ...places.flatMap((other) => alsoAt(other, finding, besideBox, page).map(alongside)),
    ...[...byKind(objects)].map(
      ([kind, names]) =>
        `${pad}${paint.dim(`${box.middle} ${fitted(`also ${show(kind)} `, names.map(show), besideBox)}`)}`,
    ),
    ...(fix
      ? [
          `${pad}${paint.dim(box.bottom)} ${paint.green('fix')}  ${remedy}${gap === '' ? '' : paint.dim(gap + flag)}`.trimEnd(),
        ]
      : []),
    ...rest.map((line) => `${pad}        ${line}`),
    ...applied(finding, page).map((line) => `${pad}        ${line}`),
  ]
}

/** How a fix gets into a cluster: the command, which is not wrapped, or who has to make the change instead. */
function applied({ fix, subject }: Finding, { paint, show }: Page): string[] {
  if (!fix?.command) return []
  return [
    paint.dim(
      subject?.keeper ? `in ${show(subject.keeper)}, which undoes changes by hand` : show(fix.command),
    ),
  ]
}

/** The names of objects, `shop/web`, by kind. */
function byKind(objects: readonly Subject[]): Map<string, string[]> {
  const kinds = new Map<string, string[]>()
  for (const { kind, namespace, name } of objects) {
    const names = kinds.get(kind) ?? []
    names.push(namespace ? `${namespace}/${name}` : name)
    kinds.set(kind, names)
  }
  return kinds
}

/** `in prod-eu, prod-us and 3 more`: as many names as there is room for, but at least one. */
function fitted(start: string, names: readonly string[], room: number): string {
  for (let shown = Math.min(names.length, room); ; shown--) {
    const rest = names.length - shown
    const text = `${start}${names.slice(0, shown).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
    if (shown <= 1 || columns(text) <= room) return text
  }
}

function where(place: Place, show: Page['show']): string {
  return show(place.live ? fieldOf(place) : whereShown(place))
}

/** Where a related place is, and in which object: on two lines when one is too short. Places are never cut. */
function relatedHead(place: Related, file: string, room: number, show: Page['show']): string[] {
  const isHere = !place.live && place.file === file
  const near = place.built ? show(fieldOf(place)) : `line ${place.line}`
  const at = isHere ? near : where(place, show)
  if (place.object === undefined) return [at]
  const object = show(place.object)
  const [first, second] = place.live ? [object, at] : [at, object]
  return columns(at) + 2 + columns(object) <= room ? [`${first}  ${second}`] : [first, second]
}

/** Where the same was found, and in which object when it is another one: on two lines when one is too short. */
function alsoAt({ place, subject }: Finding, first: Finding, room: number, { show, box }: Page): string[] {
  if (place.live) return [cut(`also ${where(place, show)}`, room, box.more)]
  const near = place.built ? show(fieldOf(place)) : `line ${place.line}`
  const at = `also ${place.file === first.place.file ? near : where(place, show)}`
  if (!subject || (first.subject && nameOf(subject) === nameOf(first.subject))) return [at]
  const object = show(nameOf(subject))
  return columns(at) + 2 + columns(object) <= room ? [`${at}  ${object}`] : [at, object]
}
