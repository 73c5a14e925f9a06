/** Splits a file into its documents as kubectl does, so that a broken one spares its neighbours. */
import { deepest } from './dialect.js'

/** A part of a file that holds one document. */
export interface Chunk {
  readonly text: string
  /** Where it starts in the file's text. */
  readonly offset: number
  /** The line it starts on, from 1, and the column, from 1. */
  readonly line: number
  readonly column: number
  /** Set for one of several JSON texts or the only one: its value, read as JSON. */
  readonly json?: unknown
  /** Text that stands after the `---` that ended the chunk, where only a comment may; its place in the file. */
  readonly strayOffset?: number
}

/**
 * The documents of a file. Like kubectl, a file that starts with `{` is tried as one or more JSON values first.
 * Source: `YAMLOrJSONDecoder` and `YAMLReader` in k8s.io/apimachinery.
 */
export function split(text: string): Chunk[] {
  return (startsWithBrace(text) && jsonChunks(text)) || yamlChunks(text)
}

function startsWithBrace(text: string): boolean {
  return /^\s*\{/.test(text)
}

function yamlChunks(text: string): Chunk[] {
  const chunks: Chunk[] = []
  let start = 0
  let line = 1
  let at = text.startsWith('---') ? 0 : nextSeparator(text, 0)
  for (;;) {
    const end = at < 0 ? text.length : at
    const chunk = text.slice(start, end)
    const lineEnd = at < 0 ? -1 : text.indexOf('\n', at)
    const found: Chunk = { text: beforeEndMark(chunk), offset: start, line, column: 1 }
    const after = at < 0 ? '' : text.slice(at + 3, lineEnd < 0 ? text.length : lineEnd)
    const stray = after === '' ? undefined : /^\s*[^\s#]/.exec(after)
    chunks.push(stray ? { ...found, strayOffset: at + 3 + stray[0].length - 1 } : found)
    if (lineEnd < 0) return chunks
    line += breaks(chunk) + 1
    start = lineEnd + 1
    at = text.startsWith('---', start) ? start : nextSeparator(text, start)
  }
}

function nextSeparator(text: string, from: number): number {
  const at = text.indexOf('\n---', from)
  return at < 0 ? -1 : at + 1
}

/** kubectl reads no further than a line `...`. */
function beforeEndMark(chunk: string): string {
  if (!chunk.includes('...')) return chunk
  const match = /^\.\.\.(?=\s|$)/m.exec(chunk)
  return match ? chunk.slice(0, match.index) : chunk
}

/** The number of line breaks: CRLF, LF, or CR alone. */
function breaks(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  if (text.includes('\r')) count += text.match(/\r(?!\n)/g)?.length ?? 0
  return count
}

/** One chunk for each JSON value; undefined when the text is not JSON from start to end. */
function jsonChunks(text: string): Chunk[] | undefined {
  const whole = jsonValue(text)
  if (whole.ok) return [{ text, offset: 0, line: 1, column: 1, json: whole.value }]
  const chunks: Chunk[] = []
  let line = 1
  let counted = 0
  let last = 0
  for (const [start, end] of topLevelValues(text)) {
    const part = text.slice(start, end)
    const value = jsonValue(part)
    if (!value.ok || text.slice(last, start).trim() !== '') return undefined
    line += breaks(text.slice(counted, start))
    const column = start - text.lastIndexOf('\n', start - 1)
    chunks.push({ text: part, offset: start, line, column, json: value.value })
    counted = start
    last = end
  }
  return text.slice(last).trim() === '' ? chunks : undefined
}

function jsonValue(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    const value: unknown = JSON.parse(text)
    // Read as YAML, it is refused with a reason.
    return isDeeperThan(value, deepest) ? { ok: false } : { ok: true, value }
  } catch {
    return { ok: false }
  }
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1))
}

/** The extents of bracketed values that follow each other. */
function* topLevelValues(text: string): Generator<[number, number]> {
  // A text without an end goes on to that of the file: nothing in it is looked at again.
  const token = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|[{}[\]]/gs
  let depth = 0
  let start = 0
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [found] = match
    if (found === '{' || found === '[') {
      if (depth++ === 0) start = match.index
    } else if (found === '}' || found === ']') {
      if (--depth === 0) yield [start, token.lastIndex]
      else if (depth < 0) return
    }
  }
}
