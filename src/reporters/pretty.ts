/** The report for people at a terminal: the consequence, the lines, the other half, the story, the fix. */
import { Chalk, type ChalkInstance } from 'chalk'
import type { Report } from '../engine/report.js'
import type { Finding, Place, Severity } from '../finding.js'
import type { Look } from './reporter.js'
import { summaryParts } from './summary.js'
import { columns, cut, nameOf, printable, wrap } from './text.js'

interface Style {
  readonly paint: ChalkInstance
  readonly severity: Readonly<Record<Severity, ChalkInstance>>
  readonly box: {
    readonly top: string
    readonly side: string
    readonly middle: string
    readonly bottom: string
    readonly bar: string
  }
  readonly dot: string
}

function styleOf(look: Look): Style {
  const paint = new Chalk({ level: look.color ? 1 : 0 })
  return {
    paint,
    severity: { error: paint.red.bold, warning: paint.yellow.bold, info: paint.cyan.bold },
    box: look.unicode
      ? { top: '╭─', side: '│', middle: '├─', bottom: '╰─', bar: '━' }
      : { top: ',-', side: '|', middle: '+-', bottom: '`-', bar: '^' },
    dot: look.unicode ? ' · ' : ' - ',
  }
}

export function* render(report: Report, look: Look): Iterable<string> {
  const style = styleOf(look)
  const shown = report.findings.filter((finding) => look.showSuppressed || !finding.suppressed)
  const told = new Set<string>()
  let file: string | undefined
  for (const finding of shown) {
    if (finding.place.file !== file) {
      file = finding.place.file
      yield `${style.paint.bold.underline(printable(file))}\n`
    }
    yield `${block(finding, report, look, style, told).join('\n')}\n\n`
  }
  yield `${wrapParts(summaryParts(report), look.width, style.dot).join('\n')}\n`
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

function block(finding: Finding, report: Report, look: Look, style: Style, told: Set<string>): string[] {
  const { paint } = style
  const inner = look.width - 2
  const { subject, suppressed } = finding
  const object = subject ? printable(nameOf(subject)) : ''
  const left = `${finding.severity}  ${finding.rule}`
  const gap = inner - columns(left) - columns(object)
  // A long name gets a line of its own.
  const beside = object && gap >= 2 ? ' '.repeat(gap) + paint.dim(object) : ''
  const lines = [
    `  ${style.severity[finding.severity](finding.severity)}  ${paint.bold(finding.rule)}${suppressed ? ' (suppressed)' : ''}${beside}`,
    ...(object && !beside ? [paint.dim(`  ${cut(object, inner)}`)] : []),
    ...wrap(printable(finding.message), inner).map((line) => `  ${line}`),
    ...frame(finding, report, look, style),
  ]
  if (suppressed)
    return [
      ...lines,
      ...wrap(printable(`suppressed: ${suppressed.reason}`), inner).map((line) => paint.dim(`  ${line}`)),
    ]
  if (report.rules.has(finding.rule) && !told.has(finding.rule)) {
    told.add(finding.rule)
    const story = finding.stories.map((id) => report.story(id)).find((one) => one !== undefined)
    if (story && !told.has(`story ${story.id}`)) {
      told.add(`story ${story.id}`)
      lines.push(
        ...wrap(`${story.org}, ${story.year}: ${story.brief}`, inner).map((line) => paint.dim(`  ${line}`)),
      )
    }
    lines.push(paint.dim(`  k8s-af explain ${finding.rule}`))
  }
  return lines
}

/** The lines of the input with the place marked, the related places under it, and the fix. */
function frame(finding: Finding, report: Report, look: Look, style: Style): string[] {
  const { paint, box } = style
  const places: { place: Place; head: string; note: string | undefined; main: boolean }[] = [
    { place: finding.place, head: where(finding.place), note: finding.label, main: true },
    ...finding.related.map((place) => ({
      place,
      head: `${place.file === finding.place.file ? `line ${place.line}` : where(place)}${place.object ? `  ${printable(place.object)}` : ''}`,
      note: place.note,
      main: false,
    })),
  ]
  const digits = Math.max(2, ...places.map(({ place }) => String(place.line).length))
  const pad = ' '.repeat(digits + 3)
  const side = paint.dim(box.side)
  const room = look.width - digits - 5
  const out: string[] = []
  for (const { place, head, note, main } of places) {
    out.push(
      `${pad}${paint.dim(main ? box.top : box.middle)} ${paint.dim(cut(head, look.width - digits - 6))}`,
    )
    const source = report.lines.line(place.file, place.line)
    const mark = main ? style.severity[finding.severity] : paint.dim
    if (source === undefined) {
      if (note) out.push(`${pad}${side} ${mark(printable(note))}`)
      continue
    }
    const { text, start, length } = excerpt(source, place, room)
    out.push(`  ${paint.dim(String(place.line).padStart(digits))} ${side} ${text}`)
    const bar = ' '.repeat(start) + mark(box.bar.repeat(Math.max(1, length)))
    const label = note ? printable(note) : ''
    const fits = start + length + 1 + columns(label) <= room
    out.push(`${pad}${side} ${bar}${label && fits ? ` ${mark(label)}` : ''}`)
    if (label && !fits) out.push(...wrap(label, room - 2).map((line) => `${pad}${side}   ${mark(line)}`))
  }
  if (finding.fix) {
    const [first = '', ...rest] = wrap(printable(finding.fix.title), room - 6)
    out.push(
      `${pad}${paint.dim(box.bottom)} ${paint.green('fix')}  ${first}`,
      ...rest.map((line) => `${pad}        ${line}`),
    )
  }
  return out
}

function where(place: Place): string {
  return `${printable(place.file)}:${place.line}:${place.column}`
}

/** A window of the line around the place, made printable; start and length in columns of the window. */
function excerpt(
  source: string,
  place: Place,
  room: number,
): { text: string; start: number; length: number } {
  const from = Math.min(place.column - 1, source.length)
  const to =
    place.endLine === place.line
      ? Math.min(Math.max(place.endColumn - 1, from + 1), source.length)
      : source.length
  const show = (text: string) => printable(text.replaceAll('\t', '  '))
  const indent = /^[ ]*/.exec(source)?.[0].length ?? 0
  // Deep indentation says little; two columns of it are kept.
  const skip = Math.max(0, Math.min(indent, from) - 8)
  let before = show(source.slice(skip, from))
  const marked = show(source.slice(from, to))
  const after = show(source.slice(to))
  const tooFar = columns(before) + Math.min(columns(marked), room) - room
  if (tooFar > 0) before = `…${before.slice(Math.min(before.length, tooFar + 1))}`
  const text = cut(before + marked + after, room)
  const start = columns(before)
  return { text: text.trimEnd(), start, length: Math.max(1, Math.min(columns(marked), room - start)) }
}
