/** What kubectl refuses although js-yaml reads it. Looked for only in texts that show a sign of it. */
import type { TextNode } from './locate.js'

export interface Fault {
  /** What is wrong and what to do; ends with a full stop. */
  readonly message: string
  readonly offset: number
}

const signs: readonly ((text: string) => boolean)[] = [
  // Collections as keys, template braces among them.
  (text) => text.includes('{{') || /[\]}][ \t]*:/.test(text),
  (text) => text.includes('? ') && /^[\s-]*\? /m.test(text),
  // Null as a key.
  (text) => /(?:ull|NULL|~)"?'?\s*:/.test(text) && /(?:^|[\s{,])(?:~|null|Null|NULL)\s*:(?:\s|$)/.test(text),
  // Indicators in plain scalars of flow collections.
  (text) => text.includes('?') && /[[{,][^"'\n]*\?/.test(text),
  (text) => /[[{,]\s*:/.test(text),
  // Escapes.
  (text) => text.includes('\\/') || /\\u[dD][89a-fA-F]/.test(text),
  (text) => text.includes('\t') && /^ *\t|-[ ]*\t/m.test(text),
]

/** Whether a text may hold something that only `faultIn` can tell from the harmless. */
export function isSuspicious(text: string): boolean {
  return signs.some((sign) => sign(text))
}

/** The first fault in a text whose outline is `root`. */
export function faultIn(text: string, root: TextNode): Fault | undefined {
  for (const fault of [...faults(text, root, false), ...tabFaults(text, root)]) return fault
  return undefined
}

function* faults(text: string, node: TextNode, inFlow: boolean): Generator<Fault> {
  if (node.anchor !== undefined && !/^[A-Za-z0-9_-]+$/.test(node.anchor))
    yield {
      message: 'An anchor is named with letters, digits, - and _ only: rename it.',
      offset: node.start,
    }
  if (node.kind === 'scalar') yield* scalarFaults(text, node, inFlow)
  const isFlow = inFlow || text[node.start] === '[' || text[node.start] === '{'
  for (const { key, value, isMerge } of node.entries) {
    yield* keyFaults(text, key)
    if (isMerge) yield* mergeFaults(value)
    yield* faults(text, key, isFlow)
    yield* faults(text, value, isFlow)
  }
  for (const item of node.items) {
    if (!isFlow && /-[ ]*\t[ \t]*$/.test(text.slice(lineStart(text, item.start), item.start)))
      yield { message: 'A tab stands after the dash: replace it with a space.', offset: item.start }
    yield* faults(text, item, isFlow)
  }
}

function* keyFaults(text: string, key: TextNode): Generator<Fault> {
  const { kind } = key.target ?? key
  if (kind === 'mapping' || kind === 'sequence') {
    const braces = text.startsWith('{{', key.start - 1) || text.startsWith('{{', key.start)
    yield {
      message: braces
        ? 'Braces without quotes are read as a mapping, and a mapping cannot be a key: put the value in quotes, or render the template first.'
        : 'A list or a mapping cannot be a key: put it in quotes, or check the brackets.',
      offset: key.start,
    }
  }
  if (kind === 'nothing' || key.isNull)
    yield { message: 'A key is missing or null: write one, or put it in quotes.', offset: key.start }
}

function isQuoted(text: string, { start }: TextNode): boolean {
  return text[start] === '"' || text[start] === "'"
}

function* mergeFaults(value: TextNode): Generator<Fault> {
  const source = value.target ?? value
  const sources = value.kind === 'sequence' ? value.items : [value]
  if (source.kind !== 'mapping' && value.kind !== 'sequence')
    yield {
      message: 'A merge key (<<) takes a mapping or a list of mappings: correct its value.',
      offset: value.start,
    }
  else
    for (const one of sources)
      if ((one.target ?? one).kind !== 'mapping')
        yield { message: 'A merge key (<<) takes mappings only: correct its list.', offset: one.start }
}

function* scalarFaults(text: string, node: TextNode, inFlow: boolean): Generator<Fault> {
  const { start, end } = node
  const first = text[start]
  if (first === '"') {
    for (const match of text.slice(start, end).matchAll(/\\(u[dD][89a-fA-F]|[\s\S])/g)) {
      const [, what = ''] = match
      if (what === '/' || what.length > 1)
        yield {
          message:
            what === '/'
              ? 'Outside of JSON files kubectl knows no escape \\/: write / alone.'
              : 'kubectl knows no surrogate escapes (\\uD83D): write the character itself, or \\U and eight digits.',
          offset: start + match.index,
        }
    }
  } else if (inFlow && first !== "'") {
    const at = first === ':' ? start : text.slice(start, end).indexOf('?') + start
    if (first === ':' || at >= start)
      yield {
        message: `Inside brackets, ${first === ':' ? 'a value that starts with :' : 'a value with a question mark'} needs quotes.`,
        offset: at,
      }
  }
}

/** Tabs that start a line where no scalar and no flow collection goes on. */
function* tabFaults(text: string, root: TextNode): Generator<Fault> {
  for (const match of text.matchAll(/^( *)\t/gm)) {
    const indent = match[1]?.length ?? 0
    const offset = match.index + indent
    const around = surroundings(text, root, offset, 0)
    if (around.isInside || (around.plainIndent !== undefined && indent > around.plainIndent)) continue
    yield {
      message: 'A tab stands at the start of a line, where kubectl allows spaces only: replace it.',
      offset,
    }
  }
}

interface Surroundings {
  /** Within a scalar or a flow collection. */
  readonly isInside: boolean
  /** When the last thing before was a plain scalar: the indentation of the collection it stands in. */
  readonly plainIndent?: number
}

function surroundings(text: string, node: TextNode, offset: number, indent: number): Surroundings {
  const isFlow = text[node.start] === '[' || text[node.start] === '{'
  if (node.kind === 'scalar' || isFlow) {
    if (offset > node.start && offset < node.end) return { isInside: true }
    const isPlain = !isFlow && !isQuoted(text, node) && text[node.start] !== '|' && text[node.start] !== '>'
    return {
      isInside: false,
      ...(isPlain && !text.slice(node.end, offset).includes('#') && { plainIndent: indent }),
    }
  }
  const column = node.start - lineStart(text, node.start)
  const parts = [...node.entries.flatMap(({ key, value }) => [key, value]), ...node.items]
  const before = parts.findLast((part) => part.kind !== 'nothing' && part.start < offset)
  return before ? surroundings(text, before, offset, column) : { isInside: false }
}

function lineStart(text: string, at: number): number {
  return Math.max(text.lastIndexOf('\n', at - 1), text.lastIndexOf('\r', at - 1)) + 1
}
