/** Finds the comments that speak to this program, and the lines that each of them is about. */
import type { Document, Range, SourceFile } from '../document.js'
import { lineStarts, linesOf } from '../reader/lines.js'
import type { TextNode } from '../reader/node.js'
import { outline } from '../reader/outline.js'

export interface Comment {
  /** How it starts: `k8s-af-ignore`, `k8s-af-ignore-file`, or something like `k8saf-ignore` and `k8s-af: ignore`. */
  readonly word: string
  /** The text after the word. */
  readonly text: string
  readonly range: Range
  /** The lines that it covers, both included. Empty (`to` below `from`) when nothing follows it. */
  readonly from: number
  readonly to: number
}

interface Candidate extends Omit<Comment, 'from' | 'to'> {
  /** Index of its line. */
  readonly index: number
  /** Where its word starts in the line. */
  readonly at: number
  /** Nothing but blanks stands before it. */
  readonly alone: boolean
}

const speech = '(k8s[-_ ]?af(?:[-_:]\\s*|\\s+)[\\w-]+):?(?:\\s+(.*))?$'
const pattern = new RegExp(`(?:^|\\s)(#\\s*)${speech}`, 'i')
const bare = new RegExp(`^${speech}`, 'i')
const silent = /^\s*(#.*)?$/

/** What the text of a comment says to this program; undefined where it does not speak to it. */
export function spokenIn(comment: string): Pick<Comment, 'word' | 'text'> | undefined {
  const [, word, text = ''] = bare.exec(comment) ?? []
  return word === undefined ? undefined : { word, text: text.trimEnd() }
}

/** Whether a file may hold comments for this program: quick, and right whenever it says no. */
export function maySpeak({ text }: SourceFile): boolean {
  // Most files have neither, and the shorter expression takes a fraction of the time.
  if (!text.includes('8s') && !text.includes('8S')) return false
  return /k8s[-_ ]?af/i.test(text) && /#\s*k8s[-_ ]?af/i.test(text)
}

/**
 * The comments of a file, as YAML sees them: text in a block scalar or in quotes is none. A comment behind something is
 * about its line; one that is alone on its line is about the node that follows, and before the first key of a document
 * about the whole document.
 * @param file one that `maySpeak`
 * @param documents those of this file that hold Kubernetes objects, in order
 */
export function commentsOf(file: SourceFile, documents: readonly Document[]): Comment[] {
  const lines = linesOf(file.text)
  const candidates = lines.flatMap((line, index) => candidateOf(line, index))
  if (candidates.length === 0) return []
  const spans = documents.map((document) => spanOf(document, lines))
  return candidates.flatMap((candidate): Comment[] => {
    const { word, text, range, index, alone } = candidate
    const span = spans.find(({ start, end }) => index >= start && index <= end)
    if (span && isScalar(candidate, span)) return []
    const covered = !alone && span ? { start: index, end: index } : following(index, spans, lines)
    return [{ word, text, range, from: covered.start + 1, to: covered.end + 1 }]
  })
}

function candidateOf(line: string, index: number): Candidate[] {
  const match = pattern.exec(line)
  if (!match) return []
  const [whole, hash = '', word = '', text = ''] = match
  const hashAt = match.index + (whole.startsWith('#') ? 0 : 1)
  const before = line.slice(0, hashAt)
  return [
    {
      word,
      text: text.trimEnd(),
      index,
      at: hashAt + hash.length,
      alone: /^(---)?\s*$/.test(before),
      range: {
        line: index + 1,
        column: hashAt + 1,
        endLine: index + 1,
        endColumn: match.index + whole.trimEnd().length + 1,
      },
    },
  ]
}

interface Span {
  readonly document: Document
  /** Indices of its first and last line. */
  readonly start: number
  readonly end: number
  /** Index of the line with the document's first key. */
  readonly first: number
}

function spanOf(document: Document, lines: readonly string[]): Span {
  const start = document.line - 1
  const end = start + linesOf(document.text.replace(/(?:\r\n|\n|\r)$/, '')).length - 1
  let first = start
  while (first < end && silent.test(lines[first] ?? '')) first++
  return { document, start, end, first }
}

/** Where the lines of a document's outline start, and its scalars. */
interface Outlined {
  readonly starts: readonly number[]
  readonly scalars: readonly TextNode[]
}

const outlines = new WeakMap<Document, Outlined>()

/** Whether the candidate stands inside a scalar of its document. */
function isScalar({ index, at }: Candidate, { document, start }: Span): boolean {
  let found = outlines.get(document)
  if (!found) {
    // The outline's text has the lines of the document's, though perhaps longer ones.
    const { root, text } = outline(document.text) ?? { root: undefined, text: document.text }
    found = { starts: lineStarts(text), scalars: [...scalarsIn(root)] }
    outlines.set(document, found)
  }
  const offset = (found.starts[index - start] ?? 0) + at
  return found.scalars.some((scalar) => offset >= scalar.start && offset < scalar.end)
}

function* scalarsIn(node: TextNode | undefined): Generator<TextNode> {
  if (!node) return
  if (node.kind === 'scalar') yield node
  for (const { key, value } of node.entries) {
    yield* scalarsIn(key)
    yield* scalarsIn(value)
  }
  for (const item of node.items) yield* scalarsIn(item)
}

/** The lines of the node after a line: its block, or the whole document when it is the first. */
function following(
  index: number,
  spans: readonly Span[],
  lines: readonly string[],
): { start: number; end: number } {
  const nothing = { start: index + 1, end: index }
  const span = spans.find(({ end }) => end >= index)
  if (!span) return nothing
  // Between documents only blank lines, comments and separators may lie, else it belongs to something that is not ours.
  const between = lines.slice(index + 1, Math.max(index + 1, span.first))
  if (index < span.first)
    return between.every((line) => silent.test(line) || /^(---|%)/.test(line)) ? span : nothing
  let start = index + 1
  while (start <= span.end && silent.test(lines[start] ?? '')) start++
  if (start > span.end) return nothing
  return { start, end: endOfBlock(start, span.end, lines) }
}

/** The last line of the block node that starts on a line, found by its indentation. */
function endOfBlock(start: number, last: number, lines: readonly string[]): number {
  const indent = indentOf(lines[start])
  const item = isItem(lines[start])
  let end = start
  for (let i = start + 1; i <= last; i++) {
    const line = lines[i] ?? ''
    if (silent.test(line)) continue
    const depth = indentOf(line)
    // A list may stand at its key's own indentation.
    if (depth < indent || (depth === indent && (item || !isItem(line)))) break
    end = i
  }
  return end
}

function indentOf(line = ''): number {
  return line.length - line.trimStart().length
}

function isItem(line = ''): boolean {
  return /^\s*-(\s|$)/.test(line)
}
