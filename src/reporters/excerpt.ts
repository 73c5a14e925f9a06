/** The part of a source line that a finding is about. */
import type { Place } from '../finding.js'
import { columns, cutFront } from './text.js'

/** What stands on a line before, in and after a place, ready to be shown; what is after may be longer than the room. */
export interface Excerpt {
  readonly before: string
  readonly marked: string
  readonly after: string
}

/** How an excerpt is to look. */
interface Window {
  /** Columns that it has. */
  readonly room: number
  /** Makes text of the input printable. */
  readonly show: (text: string) => string
  /** Stands for what was cut. */
  readonly more: string
}

/** A window of the line around the place. */
export function excerpt(
  source: string,
  { line, column, endLine, endColumn }: Place,
  { room, show, more }: Window,
): Excerpt {
  const from = Math.min(column - 1, source.length)
  const to = endLine === line ? Math.min(Math.max(endColumn - 1, from + 1), source.length) : source.length
  const indent = /^ */.exec(source)?.[0].length ?? 0
  // Deep indentation says little; and of a line of a megabyte, only what is near is looked at.
  const skip = Math.max(Math.min(indent, from) - 8, from - 4 * room, 0)
  const clear = (text: string) => show(text.slice(0, 4 * room).replaceAll('\t', '  '))
  const marked = clear(source.slice(from, to))
  // What is marked comes before what leads to it.
  const left = Math.max(room >> 1, room - columns(marked) - columns(more))
  return {
    before: cutFront(clear(source.slice(skip, from)), left, more),
    marked,
    after: clear(source.slice(to)),
  }
}
