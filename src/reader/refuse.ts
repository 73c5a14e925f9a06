/** What kubectl refuses although js-yaml reads it. Looked for only in texts that show a sign of it. */
import { wrongMerge } from './expand.js'
import { lineStart } from './lines.js'
import { unmendedName } from './mend.js'
import type { TextNode } from './node.js'
import { skipSpace } from './outline.js'

export interface Fault {
  /** What is wrong and what to do; ends with a full stop. */
  readonly message: string
  readonly offset: number
  /** Several documents of a file may have it together: once is enough. */
  readonly isOfFile?: boolean
}

/**
 * Whether a text may hold something that only `faultIn` can tell from the harmless. The signs are made to be looked for
 * fast: each text that is read pays for them.
 */
export function isSuspicious(text: string): boolean {
  return (
    // A collection as a key, template braces among them.
    (text.includes('{{') && /(?:[:-] +|^[ \t]*|[[{,]\s*)\{\{/m.test(text)) ||
    /[\]}][ \t]*:/.test(text) ||
    // An alias as a key, which may stand for a collection.
    (text.includes('*') && /\*[^\s*,[\]{}]+[ \t]+:/.test(text)) ||
    // Null as a key.
    /(?:~|null|Null|NULL)[ \t]*:(?:\s|$)/.test(text) ||
    // A question mark in a plain scalar of a flow collection, or as the mark of a key.
    isAfterBracket(text, '?') ||
    (text.includes('?') && /^[ \t-]*\?\s/m.test(text)) ||
    // Escapes that JSON has and go-yaml has not.
    (text.includes('\\/') && /"[^"\n]{0,500}\\\//.test(text)) ||
    (text.includes('\\u') && /\\u[dD][89a-fA-F]/.test(text)) ||
    // Anchors with other names than kubectl takes, or before a mapping on the same line.
    (text.includes('&') &&
      /(?:^|[\s[{,])&(?:[\w-]*[./:\u0080-\uffff]|[\w-]+ +[^\s#&].{0,1000}:)/.test(text)) ||
    // Tabs where kubectl wants spaces.
    (text.includes('\t') && /^ *\t|- *\t/m.test(text))
  )
}

/** Whether `mark` stands somewhere after an opening bracket on the same line, not too far away. */
function isAfterBracket(text: string, mark: string): boolean {
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1))
    if (/(?:[:-] +|^ *)[[{][^"'\n]*$/m.test(text.slice(Math.max(0, at - 500), at))) return true
  return false
}

/** The first fault in a text whose outline is `root`. */
export function faultIn(text: string, root: TextNode): Fault | undefined {
  return faultBelow(text, root, false) ?? tabFault(text, root)
}

function faultBelow(text: string, node: TextNode, inFlow: boolean): Fault | undefined {
  if (node.anchor !== undefined && !/^[A-Za-z0-9_-]*$/.test(unmendedName(node.anchor)))
    return {
      message: 'The name of an anchor may hold letters, digits, - and _ only: rename it.',
      offset: node.start,
    }
  if (node.kind === 'scalar') return scalarFault(text, node, inFlow)
  const isFlow = inFlow || isFlowCollection(text, node)
  for (const { key, value, isMerge } of node.entries) {
    const fault =
      keyFault(text, key) ??
      (isMerge ? mergeFault(value) : undefined) ??
      (isFlow ? undefined : sameLineFault(text, key, value)) ??
      faultBelow(text, key, isFlow) ??
      faultBelow(text, value, isFlow)
    if (fault) return fault
  }
  for (const item of node.items) {
    if (!isFlow && /-[ ]*\t[ \t]*$/.test(text.slice(lineStart(text, item.start), item.start)))
      return { message: 'A tab stands after the dash: replace it with a space.', offset: item.start }
    const fault = faultBelow(text, item, isFlow)
    if (fault) return fault
  }
  return undefined
}

function isFlowCollection(text: string, { start }: TextNode): boolean {
  return text[start] === '[' || text[start] === '{'
}

function isQuoted(text: string, { start }: TextNode): boolean {
  return text[start] === '"' || text[start] === "'"
}

function keyFault(text: string, key: TextNode): Fault | undefined {
  const { kind } = key.target ?? key
  if (kind === 'mapping' || kind === 'sequence') {
    const hasBraces = text.startsWith('{{', key.start - 1) || text.startsWith('{{', key.start)
    return {
      message: hasBraces
        ? 'Braces without quotes are read as a mapping, and a mapping cannot be a key: put the value in quotes, or render the template first.'
        : 'A list or a mapping cannot be a key: put it in quotes, or check the brackets.',
      offset: key.start,
    }
  }
  if (kind === 'nothing' || key.isNull)
    return { message: 'A key is missing or null: write one, or put it in quotes.', offset: key.start }
  return undefined
}

function mergeFault(value: TextNode): Fault | undefined {
  const sources = value.kind === 'sequence' ? value.items : [value]
  const wrong = sources.find((one) => (one.target ?? one).kind !== 'mapping')
  return (
    wrong && {
      message: wrongMerge,
      offset: wrong.start,
    }
  )
}

/** A block mapping cannot start on the line of its key, not even after an anchor. */
function sameLineFault(text: string, key: TextNode, value: TextNode): Fault | undefined {
  if (value.kind !== 'mapping' || isFlowCollection(text, value) || text[key.end] === undefined)
    return undefined
  const isExplicit = /[\r\n] *:[^\r\n]*$/.test(text.slice(key.end, value.start))
  if (isExplicit || lineStart(text, value.start) !== lineStart(text, key.end)) return undefined
  return {
    message: 'A mapping cannot start on the line of its key: put it on the next line.',
    offset: value.start,
  }
}

function scalarFault(text: string, { start, end }: TextNode, inFlow: boolean): Fault | undefined {
  const first = text[start]
  if (first === '"') {
    for (const match of text.slice(start, end).matchAll(/\\(u[dD][89a-fA-F]|[\s\S])/g)) {
      const what = match[1] ?? ''
      if (what !== '/' && what.length === 1) continue
      return {
        message:
          what === '/'
            ? 'Outside of JSON files kubectl knows no escape \\/: write / alone.'
            : 'kubectl knows no surrogate escapes (\\uD83D): write the character itself, or \\U and eight digits.',
        offset: start + match.index,
      }
    }
  } else if (inFlow && first !== "'") {
    const offset = text.indexOf('?', start)
    if (offset >= start && offset < end)
      return { message: 'Inside of brackets a value with a question mark needs quotes.', offset }
  }
  return undefined
}

/** A tab that starts a line where no scalar and no flow collection goes on. */
function tabFault(text: string, root: TextNode): Fault | undefined {
  for (const match of text.matchAll(/^( *)\t/gm)) {
    const indent = match[1]?.length ?? 0
    const offset = match.index + indent
    const { isInside, plainIndent } = surroundings(text, root, offset, 0)
    if (isInside || (plainIndent !== undefined && indent > plainIndent)) continue
    return {
      message:
        'A tab stands at the start of a line, where kubectl allows only spaces: replace it with spaces.',
      offset,
    }
  }
  return undefined
}

interface Surroundings {
  /** Within a scalar or a flow collection. */
  readonly isInside: boolean
  /** When the last thing before was a plain scalar: the indentation of the collection it stands in. */
  readonly plainIndent?: number
}

function surroundings(text: string, node: TextNode, offset: number, indent: number): Surroundings {
  const isFlow = isFlowCollection(text, node)
  if (node.kind === 'scalar' || isFlow) {
    if (offset > node.start && offset < node.end) return { isInside: true }
    const isPlain = !isFlow && !isQuoted(text, node) && text[node.start] !== '|' && text[node.start] !== '>'
    const goesOn =
      isPlain && text[skipSpace(text, node.end)] !== ':' && !text.slice(node.end, offset).includes('#')
    return { isInside: false, ...(goesOn && { plainIndent: indent }) }
  }
  const column = node.start - lineStart(text, node.start)
  const parts = [...node.entries.flatMap(({ key, value }) => [key, value]), ...node.items]
  const before = parts.findLast((part) => part.kind !== 'nothing' && part.start < offset)
  return before ? surroundings(text, before, offset, column) : { isInside: false }
}
