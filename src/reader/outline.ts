/** The nodes of a document's text with their places. */
import { nodesOf, readBlock } from './block.js'
import { listen } from './dialect.js'
import { isMergeKey } from './expand.js'
import { isBreak, lineStart } from './lines.js'
import { emptyItemsIn, mended } from './mend.js'
import { nothingAt, type Outline, type TextNode } from './node.js'

/** The nodes of a document's text. Undefined for a text that cannot be read as YAML. */
export function outline(document: string): Outline | undefined {
  return readBlock(document) ? nodesOf(document) : outlineAny(document)
}

/** The nodes of a document in any style. */
export function outlineAny(document: string): Outline | undefined {
  const { text, added } = withoutEmptyItems(document)
  for (const readable of [() => text, () => mended(text)]) {
    try {
      const root = read(readable(), added)
      return root && { root, text: readable() }
    } catch {
      // The next form, or none.
    }
  }
  return undefined
}

const nothingAdded: ReadonlySet<number> = new Set()
const addition = ' ~'

interface Written {
  readonly text: string
  /** Where in it nulls were written, each with a space before it. */
  readonly added: ReadonlySet<number>
  /** Whether these are list items for sure: the text as it is could be read, if wrongly. */
  readonly isCertain: boolean
}

/** Writes out the null of list items without a value, where js-yaml would misread them. */
export function withoutEmptyItems(text: string): Written {
  const candidates = emptyItemsIn(text)
  if (candidates.length === 0) return { text, added: nothingAdded, isCertain: true }
  const empty = emptyItemsBelow(text)
  const added = new Set<number>()
  let result = ''
  let last = 0
  for (const at of candidates) {
    if (empty && !empty.has(at)) continue
    result += text.slice(last, at) + addition
    last = at
    added.add(result.length - 1)
  }
  return { text: result + text.slice(last), added, isCertain: empty !== undefined }
}

/** The places of empty list items as js-yaml sees them; undefined when it cannot read the text as it is. */
function emptyItemsBelow(text: string): ReadonlySet<number> | undefined {
  const empty = new Set<number>()
  const collect = (node: TextNode) => {
    for (const item of node.items) {
      if (item.kind === 'nothing') empty.add(item.start)
      collect(item)
    }
    for (const { key, value } of node.entries) {
      collect(key)
      collect(value)
    }
  }
  try {
    const root = read(text, nothingAdded)
    if (root) collect(root)
    return empty
  } catch {
    return undefined
  }
}

/** A node while it is being read: the parser reports nodes that turn out to be something else. */
interface Frame extends TextNode {
  readonly children: Frame[]
  name: string
}

function read(text: string, added: ReadonlySet<number>): TextNode | undefined {
  const stack: Frame[] = []
  const anchors = new Map<string, TextNode>()
  let root: Frame | undefined
  listen(text, (event, state) => {
    if (event === 'open') {
      stack.push({
        kind: 'nothing',
        start: state.position,
        end: state.position,
        entries: [],
        items: [],
        children: [],
        name: '',
      })
      return
    }
    const frame = stack.pop()
    if (!frame) return
    close(frame, text, state, anchors)
    if (added.has(frame.start)) {
      frame.kind = 'nothing'
      frame.start--
    }
    const parent = stack.at(-1)
    if (parent) parent.children.push(frame)
    else root ??= frame
  })
  return root
}

function close(
  frame: Frame,
  text: string,
  state: { position: number; kind: string | null; result: unknown; anchor: string | null },
  anchors: Map<string, TextNode>,
): void {
  frame.start = contentStart(text, frame.start)
  frame.end = Math.max(frame.start, trimmedEnd(text, Math.min(state.position, text.length)))
  const { kind } = state
  if (kind === 'mapping' || kind === 'sequence') {
    frame.kind = kind
    const [only] = frame.children
    if (only && frame.children.length === 1 && only.kind === kind && only.start === frame.start) {
      // A flow collection that was first read as a possible key.
      frame.end = only.end
      frame.entries = only.entries
      frame.items = only.items
    } else if (kind === 'mapping') addEntries(frame, frame.children, text)
    else addItems(frame, state.result, text)
  } else if (kind === 'scalar') {
    frame.kind = 'scalar'
    frame.name = String(state.result)
    frame.isNull = state.result === null
  } else if (text[frame.start] === '*' && state.result !== undefined) {
    const name = /^[^\s,[\]{}]+/.exec(text.slice(frame.start + 1, frame.start + 1025))?.[0] ?? ''
    const target = anchors.get(name)
    if (target) {
      frame.kind = 'alias'
      frame.target = target
      frame.end = frame.start + 1 + name.length
      frame.name = String(state.result)
    }
  }
  if (frame.kind === 'nothing') {
    frame.end = frame.start
    // A tag alone, as in `!!str : value`, makes an empty text: a key of no letters.
    frame.name = state.result === '' ? '' : 'null'
  }
  if (state.anchor !== null) {
    frame.anchor = state.anchor
    anchors.set(state.anchor, frame)
  }
  frame.children.length = 0
}

/** Pairs the children of a mapping: a key that no colon follows has no value. */
function addEntries(frame: TextNode, children: readonly Frame[], text: string): void {
  for (let i = 0; i < children.length; i++) {
    const key = children[i]
    if (!key) return
    const hasValue = text[skipSpace(text, key.end)] === ':'
    const value = hasValue ? children[++i] : undefined
    const merge = isMergeKey(key.name)
    frame.entries.push({
      name: merge ? '<<' : key.name,
      key,
      value: value ?? nothingAt(key.end),
      isMerge: merge,
    })
    // A block collection's end is where the parser stopped: past comments. Its last part ends it.
    if (text[frame.start] !== '{') frame.end = Math.max(key.end, value?.end ?? 0)
  }
}

function addItems(frame: Frame, result: unknown, text: string): void {
  if (text[frame.start] === '[') addFlowItems(frame, result, text)
  else addBlockItems(frame, text)
}

/** `[a: b]` holds one mapping of one pair. */
function addFlowItems(frame: Frame, result: unknown, text: string): void {
  const values = Array.isArray(result) ? result : []
  for (let i = 0; i < frame.children.length; i++) {
    const child = frame.children[i]
    if (!child) return
    const isPair = values.length < frame.children.length && text[skipSpace(text, child.end)] === ':'
    if (isPair) {
      const value = frame.children[++i]
      const pair: TextNode = {
        kind: 'mapping',
        start: child.start,
        end: Math.max(child.end, value?.end ?? 0),
        entries: [],
        items: [],
      }
      addEntries(pair, value ? [child, value] : [child], text)
      frame.items.push(pair)
    } else frame.items.push(child)
  }
}

/** Entries without a value leave no node behind: their dashes are counted. */
function addBlockItems(frame: Frame, text: string): void {
  let at = frame.start
  for (const child of frame.children) {
    let dash = -1
    for (
      let next = skipSpace(text, at);
      isDash(text, next) && next < child.start;
      next = skipSpace(text, at)
    ) {
      if (dash >= 0) frame.items.push(nothingAt(dash + 1))
      dash = next
      at = next + 1
    }
    frame.items.push(child.kind === 'nothing' ? { ...child, start: dash + 1 } : child)
    at = Math.max(at, child.end)
  }
  const column = columnOf(text, frame.start)
  for (
    let next = skipSpace(text, at);
    isDash(text, next) && columnOf(text, next) === column;
    next = skipSpace(text, at)
  ) {
    frame.items.push(nothingAt(next + 1))
    at = next + 1
  }
  frame.end = at
}

function isDash(text: string, at: number): boolean {
  return text[at] === '-' && /^-(?:\s|$)/.test(text.slice(at, at + 2))
}

function columnOf(text: string, at: number): number {
  return at - lineStart(text, at)
}

/** The next offset that is neither white space nor part of a comment. */
export function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (isSpace(code)) at++
    else if (code === hash && (at === 0 || isSpace(text.charCodeAt(at - 1)))) {
      while (at < text.length && !isBreak(text.charCodeAt(at))) at++
    } else return at
  }
}

const hash = 0x23

/** White space of YAML only: a no-break space is text. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || isBreak(code)
}

/** Where a node's content starts, its anchor and tag left out. */
function contentStart(text: string, from: number): number {
  let at = skipSpace(text, from)
  while (text[at] === '&' || text[at] === '!') {
    while (at < text.length && !/[ \t\r\n,[\]{}]/.test(text[at] ?? '')) at++
    at = skipSpace(text, at)
  }
  return at
}

/** The end of what stands before an offset, without the white space there. */
export function trimmedEnd(text: string, from: number): number {
  let at = from
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at--
  return at
}
