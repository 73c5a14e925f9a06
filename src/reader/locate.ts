/** Where the keys and values of a document stand in its text. */
import type { Locator, Range } from '../document.js'
import type { Path, Step } from '../finding.js'
import { listen, mended } from './dialect.js'
import { isMergeKey } from './expand.js'
import { lineStart, positions } from './lines.js'

/** A node of the text, aliases not followed. Offsets count from the start of the document's text. */
export interface TextNode {
  kind: 'mapping' | 'sequence' | 'scalar' | 'alias' | 'nothing'
  start: number
  end: number
  /** Of a mapping, in the order of the text; a repeated key stands in it repeatedly. */
  readonly entries: Entry[]
  /** Of a sequence. */
  readonly items: TextNode[]
  /** What an alias stands for. */
  target?: TextNode
  anchor?: string
  /** A scalar that means null. */
  isNull?: boolean
}

export interface Entry {
  readonly name: string
  readonly key: TextNode
  readonly value: TextNode
  readonly isMerge: boolean
}

/** The nodes of a document's text. Undefined for a text that can't be read as YAML. */
export function outline(text: string): TextNode | undefined {
  for (const readable of [() => text, () => mended(text)]) {
    try {
      return read(readable())
    } catch {
      // The next form, or none.
    }
  }
  return undefined
}

/** A node while it is being read: the parser reports nodes that turn out to be something else. */
interface Frame extends TextNode {
  readonly children: Frame[]
  name: string
}

function read(text: string): TextNode | undefined {
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
      frame.entries.push(...only.entries)
      frame.items.push(...only.items)
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
  if (frame.kind === 'nothing') frame.end = frame.start
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
      name: merge ? '<<' : key.name === '' && key.kind === 'nothing' ? 'null' : key.name,
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
    frame.items.push(child.kind === 'nothing' ? nothingAt(dash + 1) : child)
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

function nothingAt(at: number): TextNode {
  return { kind: 'nothing', start: at, end: at, entries: [], items: [] }
}

/** The next offset that is neither white space nor part of a comment. */
function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const c = text[at]
    if (c === ' ' || c === '\n' || c === '\r' || c === '\t') at++
    else if (c === '#' && (at === 0 || /\s/.test(text[at - 1] ?? ''))) {
      while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++
    } else return at
  }
}

/** Where a node's content starts, its anchor and tag left out. */
function contentStart(text: string, from: number): number {
  let at = skipSpace(text, from)
  while (text[at] === '&' || text[at] === '!') {
    while (at < text.length && !/[\s,[\]{}]/.test(text[at] ?? '')) at++
    at = skipSpace(text, at)
  }
  return at
}

function trimmedEnd(text: string, from: number): number {
  let at = from
  while (at > 0 && /\s/.test(text[at - 1] ?? '')) at--
  return at
}

/** What stands at a path: the key's node where it has one, and the value's. */
interface Spot {
  readonly key: TextNode | undefined
  readonly value: TextNode
}

/** Makes the locator of a document's text, which starts at `line` and `column` of its file. */
export function locator(text: string, line: number, column: number): Locator {
  const root = outline(text) ?? nothingAt(skipSpace(text, 0))
  const place = positions(text, line, column)
  const range = (start: number, end: number): Range => place.range(start, end)
  let duplicates: Locator['duplicates'] | undefined

  const rangeOfValue = (node: TextNode): Range => {
    const isBlockScalar = node.kind === 'scalar' && (text[node.start] === '|' || text[node.start] === '>')
    return range(node.start, isBlockScalar ? endOfLine(text, node.start, node.end) : node.end)
  }
  const rangeOfKey = (spot: Spot): Range => {
    if (spot.key) return range(spot.key.start, spot.key.end)
    const { value } = spot
    if (value.kind === 'nothing') return range(Math.max(0, value.start - 1), value.end)
    return range(value.start, endOfLine(text, value.start, value.end))
  }
  const firstKey = (): Spot => {
    const key = root.entries[0]?.key
    return { key, value: root }
  }
  return {
    key: (path) => {
      const found = nearest(root, path)
      return rangeOfKey(found.depth === 0 ? firstKey() : found.spot)
    },
    value: (path) => {
      const { spot, depth } = nearest(root, path)
      return depth < path.length || spot.value.kind === 'nothing'
        ? rangeOfKey(depth === 0 ? firstKey() : spot)
        : rangeOfValue(spot.value)
    },
    extent: (path) => {
      const { spot, depth } = nearest(root, path)
      return depth < path.length || spot.value.kind === 'nothing'
        ? rangeOfKey(depth === 0 ? firstKey() : spot)
        : range(spot.value.start, spot.value.end)
    },
    has: (path) => nearest(root, path).depth === path.length,
    get duplicates() {
      duplicates ??= [...repetitions(root, [])].map(({ path, key }) => ({
        path,
        range: range(key.start, key.end),
      }))
      return duplicates
    },
  }
}

/** The deepest part of the path that exists; `depth` is the number of its steps. */
function nearest(root: TextNode, path: Path): { spot: Spot; depth: number } {
  let spot: Spot = { key: undefined, value: root }
  for (let depth = 0; depth < path.length; depth++) {
    const step = path[depth]
    const next = step === undefined ? undefined : child(spot.value, step)
    if (!next) return { spot, depth }
    spot = next
  }
  return { spot, depth: path.length }
}

function child(node: TextNode, step: Step): Spot | undefined {
  const own = node.target ?? node
  if (typeof step === 'number') {
    const item = own.items[step]
    return item && { key: undefined, value: item }
  }
  for (let i = own.entries.length - 1; i >= 0; i--) {
    const entry = own.entries[i]
    if (!entry) continue
    if (!entry.isMerge) {
      if (entry.name === step) return entry
      continue
    }
    const source = entry.value.target ?? entry.value
    for (const one of source.kind === 'sequence' ? source.items : [source]) {
      const found = child(one, step)
      if (found) return found
    }
  }
  return undefined
}

function* repetitions(node: TextNode, path: Path): Generator<{ path: Path; key: TextNode }> {
  const seen = new Set<string>()
  for (const { name, key, value, isMerge } of node.entries) {
    if (isMerge) continue
    const here = [...path, name]
    if (seen.has(name)) yield { path: here, key }
    seen.add(name)
    yield* repetitions(value, here)
  }
  for (const [i, item] of node.items.entries()) yield* repetitions(item, [...path, i])
}

function endOfLine(text: string, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const c = text[at]
    if (c === '\n' || c === '\r') return trimmedEnd(text, at)
  }
  return end
}
