/**
 * Makes changes in the text of a document. Comments, quotes, anchors and the order of fields stay as they are: text is cut out and
 * put in, and nothing is written anew. What is not written plainly enough for that is left alone.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Edit, isWithin, type Path, type Step } from '../finding.js'
import type { Entry, TextNode } from '../reader/node.js'
import { outline } from '../reader/outline.js'
import { parse } from '../reader/parse.js'
import { edited, nested, smaller } from './edited.js'
import {
  colonOf,
  column,
  commentStart,
  cut,
  dashOf,
  firstOf,
  isFlow,
  lineEnd,
  lineStart,
  shifted,
  trimmed,
  Unfit,
} from './places.js'
import { below, flow, isCollection, isJson, scalar } from './yaml.js'

/**
 * The text of a document with the changes made, in their order; undefined where that cannot be done. What it means is read again:
 * it is as before but for the changes.
 * @param text with line feeds as its only line breaks
 */
export function spliced(text: string, edits: readonly Edit[]): string | undefined {
  const before = parse(text)
  if (!before.ok || before.hasDuplicates) return undefined
  try {
    let wanted: unknown = before.value
    let result = text
    for (const edit of edits) {
      result = smaller(wanted, edit).reduce(splice, result)
      wanted = edited(wanted, edit)
    }
    const after = parse(result)
    return after.ok && !after.hasDuplicates && isDeepStrictEqual(after.value, wanted) ? result : undefined
  } catch (error) {
    if (error instanceof Unfit || error instanceof RangeError) return undefined
    throw error
  }
}

function splice(text: string, edit: Edit): string {
  switch (edit.op) {
    case 'set':
      return withValue(text, edit.path, edit.value)
    case 'remove':
      return without(text, edit.path)
    case 'move':
      return moved(text, edit.path, edit.to)
  }
}

/** What stands at the end of a path, or as far along it as anything does. */
interface Found {
  readonly node: TextNode
  /** Absent at the root, and for items of lists. */
  readonly entry: Entry | undefined
  /** What holds it; absent at the root. */
  readonly parent: TextNode | undefined
  /** The steps of the path that are written. */
  readonly depth: number
}

/** @throws Unfit when the way leads through an alias, a merge key, or something that aliases stand for */
function find(text: string, path: Path): Found {
  const read = outline(text)
  if (!read || read.text !== text) throw new Unfit()
  let here: Found = { node: read.root, entry: undefined, parent: undefined, depth: 0 }
  for (;;) {
    const { node, depth } = here
    if (node.kind === 'alias' || (node.anchor !== undefined && text.includes(`*${node.anchor}`)))
      throw new Unfit()
    const step = path[depth]
    if (step === undefined) return here
    const next = childOf(node, step)
    if (!next) return here
    here = { ...next, parent: node, depth: depth + 1 }
  }
}

function childOf(node: TextNode, step: Step): Pick<Found, 'node' | 'entry'> | undefined {
  if (typeof step === 'number') {
    const item = node.items[step]
    return item && { node: item, entry: undefined }
  }
  // What a merge brings along stands elsewhere, and is overridden by what is added here.
  if (node.entries.some((entry) => entry.isMerge)) throw new Unfit()
  const entry = node.entries.find(({ name }) => name === step)
  return entry && { node: entry.value, entry }
}

function withValue(text: string, path: Path, value: unknown): string {
  const found = find(text, path)
  const { node, entry, depth } = found
  const rest = path.slice(depth)
  if (rest.length === 0) return replaced(text, found, value)
  const [key] = rest
  // What is missing on the way is made with it.
  const inner = nested(rest.slice(1), value)
  if (key === undefined) throw new Unfit()
  const isNothing = node.kind === 'nothing' || node.isNull === true
  const isEmpty = node.entries.length + node.items.length === 0
  if (isNothing || (isEmpty && node.kind !== 'scalar' && entry && !isFlow(text, found.parent)))
    return replaced(text, found, nested(rest, value))
  if (node.kind === 'mapping' && typeof key === 'string')
    return isFlow(text, node) ? flowEntryAdded(text, node, key, inner) : entryAdded(text, node, key, inner)
  if (node.kind === 'sequence' && key === node.items.length)
    return isFlow(text, node) ? flowItemAdded(text, node, inner) : itemAdded(text, node, inner)
  throw new Unfit()
}

/** With another value in the place of one that is written. */
function replaced(
  text: string,
  { node, entry, parent }: Found,
  value: unknown,
  losesComments = false,
): string {
  if (!parent) throw new Unfit()
  if (isFlow(text, parent)) {
    if (node.kind === 'nothing') throw new Unfit()
    return cut(text, node.start, node.end, flow(text, value, node))
  }
  const isLine =
    (node.kind === 'scalar' || isFlow(text, node)) && !text.slice(node.start, node.end).includes('\n')
  if (isLine && !isCollection(value))
    return cut(text, node.start, node.end, scalar(value, text.slice(node.start, node.end)))
  if (typeof value === 'string' && value.includes('\n') && text[node.start] === '|')
    return withLines(text, node, value)
  // Behind the colon or the dash.
  const mark = entry ? colonOf(text, entry) : dashOf(text, node)
  const start = isCollection(value) && entry && !isLine ? behindComment(text, mark + 1) : mark + 1
  const end = node.kind === 'nothing' ? start : Math.max(start, trimmed(text, node.end))
  // There may be an anchor, a tag or a comment.
  if (text.slice(start, node.kind === 'nothing' ? start : node.start).trim() !== '') throw new Unfit()
  if (!isLine && !losesComments && /(^|\s)#/.test(text.slice(start, end))) throw new Unfit()
  const indent = entry ? column(text, entry.key.start) : column(text, mark) + 2
  return cut(text, start, end, below(text, value, indent, entry !== undefined))
}

/** With other lines in a literal block scalar, whose first line stays. */
function withLines(text: string, { start, end }: TextNode, value: string): string {
  const first = text.indexOf('\n', start) + 1
  const [indentation = ''] = /^ +/m.exec(text.slice(first, end)) ?? []
  const lines = value.trimEnd().split('\n')
  const body = lines.map((line) => (line === '' ? '' : indentation + line)).join('\n')
  return cut(text, first, trimmed(text, end), body)
}

/** Behind the comment that is the rest of a line; the place itself when there is none. */
function behindComment(text: string, at: number): number {
  const [comment = ''] = /^[ \t]+#.*/.exec(text.slice(at)) ?? []
  return at + comment.length
}

/** With a field more in a mapping in block style: behind the short ones that it begins with, before the longer ones. */
function entryAdded(text: string, mapping: TextNode, key: string, value: unknown): string {
  const indent = column(text, firstOf(mapping).key.start)
  return linesAdded(
    text,
    mapping,
    `${' '.repeat(indent)}${scalar(key)}:${below(text, value, indent, true)}\n`,
  )
}

/** With lines more in a mapping in block style; they are indented as its fields are. */
function linesAdded(text: string, mapping: TextNode, lines: string): string {
  const first = firstOf(mapping)
  const short = mapping.entries.findIndex(({ key, value }) => text.slice(key.start, value.end).includes('\n'))
  const before = mapping.entries[short < 0 ? mapping.entries.length - 1 : short - 1]
  const startsLine = text.slice(lineStart(text, first.key.start), first.key.start).trim() === ''
  // An object begins with what it is.
  if (mapping.entries.some(({ name }) => name === 'apiVersion'))
    return insertedBehind(text, mapping.end, lines)
  if (before) return insertedBehind(text, before.value.end, lines)
  if (startsLine) return cut(text, commentStart(text, first.key.start), undefined, lines)
  return insertedBehind(text, mapping.end, lines)
}

function itemAdded(text: string, list: TextNode, value: unknown): string {
  const [first] = list.items
  if (!first) throw new Unfit()
  const indent = column(text, dashOf(text, first))
  return insertedBehind(text, list.end, `${' '.repeat(indent)}-${below(text, value, indent + 2, false)}\n`)
}

/** With whole lines behind the line that a place is in. */
function insertedBehind(text: string, at: number, lines: string): string {
  const end = text.indexOf('\n', trimmed(text, at))
  if (end >= 0) return cut(text, end + 1, undefined, lines)
  return `${text}\n${lines.slice(0, -1)}`
}

function flowEntryAdded(text: string, mapping: TextNode, key: string, value: unknown): string {
  const name = isJson(text) ? JSON.stringify(key) : scalar(key)
  return flowAdded(text, mapping, mapping.entries.at(-1), `${name}: ${flow(text, value)}`)
}

function flowItemAdded(text: string, list: TextNode, value: unknown): string {
  const last = list.items.at(-1)
  return flowAdded(text, list, last && { key: last, value: last }, flow(text, value))
}

/** Behind the last part: on a line of its own when that is on one. */
function flowAdded(
  text: string,
  node: TextNode,
  last: Pick<Entry, 'key' | 'value'> | undefined,
  part: string,
): string {
  if (!last) return cut(text, node.start + 1, node.end - 1, part)
  const start = lineStart(text, last.key.start)
  const indentation = text.slice(start, last.key.start)
  const own = indentation.trim() === '' && start > node.start
  return cut(text, last.value.end, undefined, own ? `,\n${indentation}${part}` : `, ${part}`)
}

function without(text: string, path: Path): string {
  const { node, entry, parent, depth } = find(text, path)
  if (!parent || depth < path.length) throw new Unfit()
  const parts =
    parent.kind === 'mapping' ? parent.entries : parent.items.map((item) => ({ key: item, value: item }))
  const at = parts.findIndex(({ value }) => value === node)
  if (parts.length === 1)
    return replaced(text, find(text, path.slice(0, -1)), parent.kind === 'mapping' ? {} : [], true)
  const own = parts[at]
  const before = parts[at - 1]
  const after = parts[at + 1]
  if (!own) throw new Unfit()
  if (isFlow(text, parent)) {
    if (before) return cut(text, before.value.end, own.value.end)
    return after ? cut(text, own.key.start, after.key.start) : text
  }
  const start = entry ? entry.key.start : dashOf(text, node)
  if (text.slice(lineStart(text, start), start).trim() === '')
    return cut(text, lineStart(text, start), lineEnd(text, node.end))
  // The first field of an item stands behind the dash: the next one takes its place.
  if (!after || !entry || text.slice(trimmed(text, node.end), after.key.start).trim() !== '')
    throw new Unfit()
  return cut(text, start, after.key.start)
}

/** With a field elsewhere in the document: its lines and the comments right above them go along. */
function moved(text: string, path: Path, to: Path): string {
  const { node, entry, parent, depth } = find(text, path)
  const key = to.at(-1)
  if (!entry || !parent || depth < path.length || typeof key !== 'string') throw new Unfit()
  if (isDeepStrictEqual(path.slice(0, -1), to.slice(0, -1)))
    return cut(text, entry.key.start, entry.key.end, isJson(text) ? JSON.stringify(key) : scalar(key))
  const start = lineStart(text, entry.key.start)
  const isInside = parent.entries.length === 1 && isWithin(to, path.slice(0, -1))
  if (isInside && isFlow(text, parent) && !isJson(text)) {
    const own = scalar(key) + text.slice(entry.key.end, node.end)
    const whole = to.slice(path.length - 1, -1).reduceRight<string>((inner, step) => {
      if (typeof step === 'number') throw new Unfit()
      return `${scalar(step)}: { ${inner} }`
    }, own)
    return cut(text, entry.key.start, node.end, whole)
  }
  if (isFlow(text, parent) || text.slice(start, entry.key.start).trim() !== '') throw new Unfit()
  const from = commentStart(text, entry.key.start)
  const own = column(text, entry.key.start)
  const end = lineEnd(text, node.end)
  const lines = `${text.slice(from, entry.key.start)}${scalar(key)}${text.slice(entry.key.end, end)}`
  // What is missing on the way is made with it.
  const between = (steps: Path) =>
    steps.map((step, i) => {
      if (typeof step === 'number') throw new Unfit()
      return `${' '.repeat(own + 2 * i)}${scalar(step)}:\n`
    })
  const block = lines.endsWith('\n') ? lines : `${lines}\n`
  if (isInside) {
    const parents = between(to.slice(path.length - 1, -1))
    return cut(text, from, end, parents.join('') + shifted(lines, 2 * parents.length))
  }
  const rest = without(from === start ? text : cut(text, from, start), path)
  const target = find(rest, to.slice(0, -1))
  if (target.node.kind !== 'mapping' || isFlow(rest, target.node)) throw new Unfit()
  if (target.depth === to.length - 1 && target.node.entries.some(({ name }) => name === key))
    throw new Unfit()
  const parents = between(to.slice(target.depth, -1))
  const whole = parents.join('') + shifted(block, 2 * parents.length)
  return linesAdded(rest, target.node, shifted(whole, column(rest, firstOf(target.node).key.start) - own))
}
