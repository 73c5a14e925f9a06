/** Places in the text of a document: lines, columns, and the marks of YAML. */
import type { Entry, TextNode } from '../reader/node.js'

/** Says within this folder that a text is not written plainly enough. */
export class Unfit extends Error {}

/** Whether a collection is written in flow style, `[a, b]`. */
export function isFlow(text: string, node: TextNode | undefined): boolean {
  const first = node && text[node.start]
  return first === '{' || first === '['
}

/** The first field of a mapping. @throws Unfit when it has none */
export function firstOf({ entries: [first] }: TextNode): Entry {
  if (!first) throw new Unfit()
  return first
}

/** The colon behind a key. @throws Unfit for keys with a question mark */
export function colonOf(text: string, { key }: Entry): number {
  const [space] = /^[ \t]*(?=:)/.exec(text.slice(key.end)) ?? []
  if (space === undefined) throw new Unfit()
  return key.end + space.length
}

/** The dash before an item of a list in block style. @throws Unfit when something else stands there */
export function dashOf(text: string, item: TextNode): number {
  const at = item.kind === 'nothing' ? item.start - 1 : text.lastIndexOf('-', item.start - 1)
  if (text[at] !== '-' || text.slice(at + 1, item.start).trim() !== '') throw new Unfit()
  return at
}

/** The column of a place, counted from 0. */
export function column(text: string, at: number): number {
  return at - lineStart(text, at)
}

/** The start of the line that a place is in. */
export function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1
}

/** Behind the line break of the line in which something ends, or the end of the text. */
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', trimmed(text, at))
  return end < 0 ? text.length : end + 1
}

/** Before the space that an end includes: block scalars end behind their last line break. */
export function trimmed(text: string, end: number): number {
  let at = end
  while (at > 0 && /\s/.test(text[at - 1] ?? '')) at--
  return at
}

/** The start of the line of a key, or of the comments right above it that are indented as it is. */
export function commentStart(text: string, key: number): number {
  let start = lineStart(text, key)
  const indentation = text.slice(start, key)
  while (start > 0) {
    const above = lineStart(text, start - 1)
    if (!text.startsWith(`${indentation}#`, above)) return start
    start = above
  }
  return start
}

/** The text with `insert` in the place of what stands from `start` to `end`. */
export function cut(text: string, start: number, end = start, insert = ''): string {
  return text.slice(0, start) + insert + text.slice(end)
}

/** Lines with more or, where the number is below 0, with less space before them. @throws Unfit when there is less than that */
export function shifted(lines: string, by: number): string {
  if (by >= 0) return lines.replace(/^(?=.)/gm, ' '.repeat(by))
  const less = new RegExp(`^ {${-by}}`)
  return lines
    .split('\n')
    .map((line) => {
      if (line.trim() !== '' && !less.test(line)) throw new Unfit()
      return line.replace(less, '')
    })
    .join('\n')
}
