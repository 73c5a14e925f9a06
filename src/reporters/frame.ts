/** The code frame of a finding: lines of the input with the place marked, and what belongs to it around them. */
import type { ChalkInstance } from 'chalk'
import { type Finding, formatSubject, type Place, type Related, type Subject } from '../finding.js'
import { excerpt } from './excerpt.js'
import type { Gathered } from './gather.js'
import type { Page } from './terminal.js'
import { columns, cut, fieldOf, nearOf, textPlace, whereShown, wrap } from './text.js'

/** What stands left of all lines of a frame. */
interface Margin {
  /** As wide as a line number with what is around it. */
  readonly pad: string
  /** The same with the side of the box. */
  readonly side: string
  /** Columns that are left beside it. */
  readonly room: number
}

function marginOf({ place, related }: Finding, { width, paint, box }: Page): Margin {
  const digits = place.live ? 0 : Math.max(2, ...[place, ...related].map((at) => numberOf(at).length))
  const pad = ' '.repeat(digits + 3)
  return { pad, side: `${pad}${paint.dim(box.side)}`, room: width - digits - 5 }
}

/** The lines of a live object, or of what was built, are nowhere to be looked up: fields are named instead. */
function numberOf({ live, built, line }: Place): string {
  return live || built ? '' : String(line)
}

/** Places of equal findings that are listed: nobody reads more of them here. */
const mostPlaces = 8

/** The lines of the input with the place marked, the related places under it, equal findings, and the fix. */
export function frame({ first: finding, places, objects }: Gathered, page: Page): string[] {
  const { paint, box, show } = page
  const { place, related, label, subject } = finding
  const margin = marginOf(finding, page)
  const { pad } = margin
  const besideBox = margin.room - 1
  const alongside = (line: string, i: number) =>
    `${pad}${paint.dim(`${i === 0 ? box.middle : `${box.side} `} ${line}`)}`
  const full = place.built ? show(`as built${subject ? `: ${fieldOf(place)}` : ''}`) : where(place, show)
  const made = nearOf(place, 'made from ')
  const isSecret = subject?.kind === 'Secret'
  const shown = places.length > mostPlaces + 1 ? places.slice(0, mostPlaces) : places
  const sourceOf = (sight: Sight) => {
    const at = textPlace(sight.at)
    const source = page.report.lines.line(at.file, at.line, finding.cluster)
    return source === undefined
      ? unshown(sight, margin, page)
      : marked(source, { ...sight, at }, margin, page)
  }
  return [
    // The file's name is above already.
    `${pad}${paint.dim(`${box.top} ${columns(full) <= besideBox || place.live || place.built ? full : `line ${place.line}, column ${place.column}`}`)}`,
    ...sourceOf({ at: place, note: label, mark: page.severity[finding.severity], isSecret }),
    ...(made === '' ? [] : [alongside(show(made), 0)]),
    ...related.flatMap((one) => [
      ...relatedHead(one, place.file, besideBox, show).map(alongside),
      ...sourceOf({
        at: one,
        note: one.note,
        mark: paint.dim,
        isSecret: one.object === undefined ? isSecret : /^Secret /.test(one.object),
      }),
    ]),
    ...shown.flatMap((other) => alsoAt(other, finding, besideBox, page).map(alongside)),
    ...(shown.length < places.length
      ? wrap(`and ${places.length - shown.length} more: -o concise lists them`, besideBox).map(alongside)
      : []),
    ...[...byKind(objects)].map(([kind, names]) =>
      alongside(fitted(`also ${show(kind)} `, names.map(show), besideBox), 0),
    ),
    ...remedy(finding, margin, page),
  ]
}

/** A place of the finding, and what is said there. */
interface Sight {
  readonly at: Place
  readonly note: string | undefined
  /** Paints the bar and the note. */
  readonly mark: ChalkInstance
  /** It is in a Secret, whose lines are not shown. */
  readonly isSecret: boolean
}

/** A line of the input with a bar under the place, and the note beside the bar or below it. */
function marked(
  source: string,
  { at, note, mark }: Sight,
  { side, pad, room }: Margin,
  { paint, box, show }: Page,
): string[] {
  const found = excerpt(source, at, { room, show, more: box.more })
  const start = columns(found.before)
  const length = Math.max(1, Math.min(columns(found.marked), room - start))
  const text = cut(found.before + found.marked + found.after, room, box.more).trimEnd()
  const line = `  ${paint.dim(numberOf(at).padStart(pad.length - 3))} ${paint.dim(box.side)} ${text}`
  const bar = `${side} ${' '.repeat(start)}${mark(box.bar.repeat(length))}`
  if (note === undefined) return [line, bar]
  const words = show(note)
  if (start + length + 1 + columns(words) <= room) return [line, `${bar} ${mark(words)}`]
  return [line, bar, ...wrap(words, room - 2).map((part) => `${side}   ${mark(part)}`)]
}

/** What stands in the place of a line that is not known, or must not be shown. */
function unshown({ note, mark, isSecret }: Sight, { side }: Margin, { paint, show }: Page): string[] {
  return [
    ...(isSecret ? [paint.dim('(not shown: Secret)')] : []),
    ...(note === undefined ? [] : [mark(show(note))]),
  ].map((line) => `${side} ${line}`)
}

/** The fix, with the flag that makes it on the right of its first or last line, or below, and how it gets into a cluster. */
function remedy(finding: Finding, { pad, room }: Margin, page: Page): string[] {
  const { paint, box, show } = page
  const { fix, place } = finding
  if (!fix) return []
  const beside = room - 6
  const flag = fix.edits.length > 0 && !place.live ? (fix.safe ? '--fix' : '--unsafe-fixes') : ''
  const hasRoom = (line: string) => columns(line) + 2 + flag.length <= beside
  const lines = wrap(show(fix.title), beside)
  if (flag !== '' && !hasRoom(lines[0] ?? '') && !hasRoom(lines.at(-1) ?? '')) lines.push('')
  const at = hasRoom(lines[0] ?? '') ? 0 : lines.length - 1
  const [title = '', ...rest] = lines.map((line, i) =>
    i === at && flag !== '' ? `${line}${paint.dim(flag.padStart(beside - columns(line)))}` : line,
  )
  return [
    `${pad}${paint.dim(box.bottom)} ${paint.green('fix')}  ${title}`,
    ...[...rest, ...applied(finding, page)].map((line) => `${pad}        ${line}`),
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
export function fitted(start: string, names: readonly string[], room: number): string {
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
  if (!subject || (first.subject && formatSubject(subject) === formatSubject(first.subject))) return [at]
  const object = show(formatSubject(subject))
  return columns(at) + 2 + columns(object) <= room ? [`${at}  ${object}`] : [at, object]
}
