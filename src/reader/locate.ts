/** Where the keys and values of a document stand in its text. */
import type { Locator, Range } from '../document.js'
import type { Path, Step } from '../finding.js'
import { nodesOf } from './block.js'
import { positions } from './lines.js'
import { type Entry, nothingAt, type TextNode } from './node.js'
import { outline, skipSpace, trimmedEnd } from './outline.js'

/** What stands at a path: the key's node where it has one, and the value's. */
interface Spot {
  readonly key: TextNode | undefined
  readonly value: TextNode
}

/**
 * Makes the locator of a document's text, which starts at `line` and `column` of its file.
 * @param isPlain whether `readBlock` is known to read it
 * @param mayRepeat whether keys may be repeated in it
 */
export function locator(
  document: string,
  line: number,
  column: number,
  isPlain = false,
  mayRepeat = true,
): Locator {
  const found = isPlain ? nodesOf(document, mayRepeat) : outline(document)
  const { root, text } = found ?? { root: nothingAt(skipSpace(document, 0)), text: document }
  return locatorOf(text, root, line, column)
}

/** The same for a text whose nodes are known. */
export function locatorOf(text: string, root: TextNode, line: number, column: number): Locator {
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
    if (value.kind === 'nothing') return range(Math.max(0, value.start - 1), value.start)
    return range(value.start, endOfLine(text, value.start, value.end))
  }
  const firstKey = (): Spot => {
    const key = root.entries[0]?.key
    return { key, value: root }
  }
  const key = (path: Path): Range => {
    const { spot, depth } = nearest(root, path)
    return rangeOfKey(depth === 0 ? firstKey() : spot)
  }
  /** The value that is written at a path. */
  const writtenAt = (path: Path): TextNode | undefined => {
    const { spot, depth } = nearest(root, path)
    return depth < path.length || spot.value.kind === 'nothing' ? undefined : spot.value
  }
  return {
    key,
    value: (path) => {
      const node = writtenAt(path)
      return node ? rangeOfValue(node) : key(path)
    },
    extent: (path) => {
      const node = writtenAt(path)
      return node ? range(node.start, node.end) : key(path)
    },
    written: (path) => {
      const node = writtenAt(path)
      return node && text.slice(node.start, node.end)
    },
    has: (path) => nearest(root, path).depth === path.length,
    depth: (path) => nearest(root, path).depth,
    get duplicates() {
      // Quotes and indentation seldom make a difference.
      const written = ({ start, end }: TextNode) =>
        text.slice(start, end).replace(/["']/g, '').replace(/\s+/g, ' ')
      /** Whether all of the first value is in the second one. */
      const isKept = (first: TextNode, second: TextNode): boolean =>
        ['', written(second)].includes(written(first)) ||
        (first.kind === 'mapping' &&
          first.entries.every(({ name, value }) => {
            const kept = second.entries.find((entry) => entry.name === name)
            return kept !== undefined && isKept(value, kept.value)
          }))
      duplicates ??= [...repetitions(root, [])].map(({ path, entry, first }) => ({
        path,
        range: range(entry.key.start, entry.key.end),
        first: range(first.key.start, first.key.end),
        isSame: isKept(first.value, entry.value),
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
  const entry = own.find?.(step)
  if (entry !== undefined) return entry ?? undefined
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

function* repetitions(node: TextNode, path: Path): Generator<{ path: Path; entry: Entry; first: Entry }> {
  const seen = new Map<string, Entry>()
  for (const entry of node.entries) {
    if (entry.isMerge) continue
    const here = [...path, entry.name]
    const first = seen.get(entry.name)
    if (first) yield { path: here, entry, first }
    else seen.set(entry.name, entry)
    yield* repetitions(entry.value, here)
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
