/** Finds the comments of Go templates that speak to this program, and the lines that each of them is about. */
import { keywordOf, type Part, partsOf } from '../built/go-template.js'
import type { SourceFile } from '../document.js'
import { positions } from '../reader/lines.js'
import { type Comment, spokenIn } from './comments.js'

export interface TemplateComment extends Comment {
  /** Whether it is about all that the template has. */
  readonly isWhole: boolean
}

/** A line of a template, without what prints nothing. */
interface Line {
  /** Literal text, with something in the place of what actions print. */
  text: string
  /** How deep what an action prints in front of it is indented, where it says so. */
  indent?: number
  /** The fewest blocks that are open at any place of it, and those at its end. */
  least: number
  open: number
  /** Whether a named template begins on it. */
  defines: boolean
}

/** A comment, by the indices of its first and last line, and what it says. */
interface Candidate {
  readonly first: number
  readonly last: number
  readonly said: Pick<Comment, 'word' | 'text' | 'range'>
}

/**
 * The comments of a template. One beside something is about its line; one that is alone is about the node that follows, before the first
 * key of a document about the whole document, and above a named template about all of it.
 */
export function templateCommentsOf(file: SourceFile): TemplateComment[] {
  if (!/k8s[-_ ]?af/i.test(file.text)) return []
  const parts = partsOf(file.text) ?? []
  const candidates = parts.flatMap((part) => candidatesIn(part, file.text))
  if (candidates.length === 0) return []
  const lines = linesOf(file.text, parts)
  return candidates.map(({ first, last, said }) => {
    const isAlone = lines.slice(first, last + 1).every(isSilent)
    const { start, end } = isAlone ? following(last, lines) : { start: first, end: first }
    const isWhole =
      isAlone && start <= end && lines.every((line, i) => isEmpty(line) || (i >= start && i <= end))
    return { ...said, from: start + 1, to: end + 1, isWhole }
  })
}

function candidatesIn({ start, end, inner }: Part, text: string): Candidate[] {
  const [, opening = '', body] = /^(-?\s*\/\*)([\s\S]*)\*\/\s*-?$/.exec(inner ?? '') ?? []
  if (body === undefined) return []
  const { line: first, endLine: last } = positions(text, 1, 1).range(start, end)
  let at = start + 2 + opening.length
  return body.split('\n').flatMap((line): Candidate[] => {
    const from = at + line.length - line.trimStart().length
    at += line.length + 1
    const said = spokenIn(line.trim().replace(/^#\s*/, ''))
    if (!said) return []
    const isOneLine = first === last
    const range = isOneLine
      ? positions(text, 1, 1).range(start, end)
      : positions(text, 1, 1).range(from, from + line.trim().length)
    return [{ first: first - 1, last: last - 1, said: { ...said, range } }]
  })
}

/** Stands for what an action prints. */
const printed = 'x'

function linesOf(text: string, parts: readonly Part[]): Line[] {
  const lines: Line[] = [{ text: '', least: 0, open: 0, defines: false }]
  const last = () => lines.at(-1) as Line
  const breakLine = () => lines.push({ text: '', least: last().open, open: last().open, defines: false })
  for (const { start, end, code } of parts) {
    const own = text.slice(start, end).split('\n')
    if (code !== undefined) act(code, last())
    for (const [i, one] of own.entries()) {
      if (i > 0) breakLine()
      if (code === undefined) last().text += one
    }
  }
  return lines
}

/** Notes on its line what an action prints, opens or ends. */
function act(code: string, line: Line): void {
  const keyword = keywordOf(code)
  if (keyword === undefined) {
    if (line.text.trim() === '') line.indent = indentIn(code, line.text.length)
    line.text += printed
  } else if (/^(?:if|range|with|define|block)$/.test(keyword)) {
    line.open++
    if (keyword === 'define') line.defines = true
  } else if (keyword === 'end') {
    line.open--
    line.least = Math.min(line.least, line.open)
  } else if (keyword === 'else') line.least = Math.min(line.least, line.open - 1)
}

/** How deep an action indents what it prints at a column. */
function indentIn(code: string, column: number): number {
  const [, isNew, columns] = /\b(n?)indent\s+(\d+)\s*$/.exec(code) ?? []
  if (columns === undefined) return column
  return isNew === 'n' ? Number(columns) : column + Number(columns)
}

function isSilent({ text }: Line): boolean {
  return /^\s*(?:#.*)?$/.test(text)
}

function isSeparator({ text }: Line): boolean {
  return /^---(?:\s|$)/.test(text)
}

function isEmpty(line: Line): boolean {
  return isSilent(line) || isSeparator(line)
}

/** The lines that a comment on a line of its own is about; none where `end` is below `start`. */
function following(index: number, lines: readonly Line[]): { readonly start: number; readonly end: number } {
  const depth = lines[index]?.open ?? 0
  const goesOn = (i: number) => (lines[i]?.least ?? -1) >= depth
  const before = lines.slice(0, index).findLastIndex((line) => !isSilent(line))
  const isFirst = before < 0 || isSeparator(lines[before] as Line)
  // A document that is empty is none.
  const isSkipped = isFirst ? isEmpty : isSilent
  let start = index + 1
  let defines = false
  while (start < lines.length && goesOn(start) && isSkipped(lines[start] as Line)) {
    defines ||= lines[start]?.defines ?? false
    start++
  }
  if (!goesOn(start) || isSeparator(lines[start] as Line)) return { start, end: index }
  const isIn = defines
    ? (i: number) => (lines[i]?.least ?? 0) > depth
    : isFirst
      ? (i: number) => !isSeparator(lines[i] as Line)
      : ofBlock(start, lines)
  let end = start
  for (let i = start + 1; i < lines.length && goesOn(i) && isIn(i); i++)
    if (!isSilent(lines[i] as Line)) end = i
  return { start, end }
}

/** Tells whether a line belongs to the node that starts on another one, by its indentation. */
function ofBlock(start: number, lines: readonly Line[]): (index: number) => boolean {
  const indent = indentOf(lines[start])
  const isItem = (line: Line | undefined) => /^\s*-(?:\s|$)/.test(line?.text ?? '')
  return (index) => {
    const line = lines[index] as Line
    if (isSilent(line)) return true
    const depth = indentOf(line)
    // A list may stand at its key's own indentation.
    return (
      !isSeparator(line) && (depth > indent || (depth === indent && isItem(line) && !isItem(lines[start])))
    )
  }
}

function indentOf(line: Line | undefined): number {
  const text = line?.text ?? ''
  return line?.indent ?? text.length - text.trimStart().length
}
