/** Lines and columns of offsets in a text. */
import type { Range } from '../document.js'

/** What is about a file as a whole stands at its start. */
export const fileStart: Range = { line: 1, column: 1, endLine: 1, endColumn: 1 }

/** Translates offsets of a text that may itself be a part of a file. */
export interface Positions {
  /** The range from `start` to `end`, in lines and columns of the file. */
  range(start: number, end: number): Range
}

/** `line` and `column` (from 1) are where the text starts in its file. */
export function positions(text: string, line: number, column: number): Positions {
  const lines = new LineIndex(text)
  const place = (offset: number) => {
    const index = lines.at(offset)
    return { line: line + index, column: offset - (lines.start(index) ?? 0) + (index === 0 ? column : 1) }
  }
  return {
    range: (start, end) => {
      const from = place(start)
      const to = place(Math.max(start, end))
      // Copied with dots, each range would have a hidden class of its own in V8, and all that look at ranges would be slow.
      return { line: from.line, column: from.column, endLine: to.line, endColumn: to.column }
    },
  }
}

/** The lines of a text, counted from 0. They are looked for as far as somebody asks: most of a text stands behind that. */
export class LineIndex {
  private readonly starts: number[]
  /** Whether all of them are known. */
  private isWhole: boolean

  constructor(private readonly text: string) {
    this.isWhole = text.includes('\r')
    this.starts = this.isWhole ? lineStarts(text) : [0]
  }

  /** The line that an offset stands in. */
  at(offset: number): number {
    const { starts } = this
    while (!this.isWhole && (starts.at(-1) ?? 0) <= offset) this.findNext()
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The offset at which a line starts; undefined where there are fewer. */
  start(line: number): number | undefined {
    while (!this.isWhole && this.starts.length <= line) this.findNext()
    return this.starts[line]
  }

  /** The text of a line without its line break; undefined where there are fewer. */
  line(line: number): string | undefined {
    const start = this.start(line)
    return start === undefined
      ? undefined
      : this.text.slice(start, this.start(line + 1)).replace(lineBreak, '')
  }

  private findNext(): void {
    const at = this.text.indexOf('\n', this.starts.at(-1))
    if (at < 0) this.isWhole = true
    else this.starts.push(at + 1)
  }
}

const lineBreak = /[\r\n]+$/

/** The offsets at which the lines of a text start. */
export function lineStarts(text: string): number[] {
  const starts = [0]
  if (text.includes('\r')) {
    const ends = /\r\n|\n|\r/g
    while (ends.exec(text)) starts.push(ends.lastIndex)
  } else for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** The lines of a text, without their line breaks. */
export function linesOf(text: string): string[] {
  return text.split(text.includes('\r') ? /\r\n|\n|\r/ : '\n')
}

/** The offset at which the line of `at` starts. */
export function lineStart(text: string, at: number): number {
  let start = at
  while (start > 0 && !isBreak(text.charCodeAt(start - 1))) start--
  return start
}

/** A line feed or a carriage return. */
export function isBreak(code: number): boolean {
  return code === 10 || code === 13
}
