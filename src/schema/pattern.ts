/**
 * Regular expressions as Go reads them (regexp/syntax), matched in time linear in the text.
 *
 * JavaScript backtracks, and a pattern such as `^([0-9]+)+$` from somebody's CustomResourceDefinition could hold a run up for
 * ever. Here all ways through a pattern are followed at once (Thompson's construction), as Go does it. Sets of characters
 * are left to JavaScript's own, which test one character at a time.
 */

/** Patterns and programs beyond these sizes are not judged. */
const longestPattern = 2000
const mostStates = 5000
/** Go refuses larger counts, also as the product of those within each other. */
const mostRepeats = 1000

type Test = (char: string) => boolean
/** Of the characters on both sides; undefined at the ends of the text. */
type Edge = (before: string | undefined, after: string | undefined) => boolean

type Node =
  | { readonly is: 'one'; readonly matches: Test }
  | { readonly is: 'edge'; readonly holds: Edge }
  | { readonly is: 'all' | 'any'; readonly of: readonly Node[] }
  | { readonly is: 'repeat'; readonly of: Node; readonly least: number; readonly most: number }

/** What this reader does not know, or Go refuses. */
class Unreadable extends Error {}

/** A pattern that one text matches alone, as names in kustomizations do. */
const wholeWord = /^\^\(\?:([\w-]*)\)\$$/

/** What may still be done: every step takes one off, and below zero nothing is looked at any more. */
export interface Budget {
  steps: number
}

/**
 * Whether a text matches somewhere, as Go's `MatchString`; texts match when the budget is spent.
 * @returns undefined for patterns that Go refuses, and for those that are too large or too rare to be read here
 */
export function matcher(pattern: string): ((text: string, budget: Budget) => boolean) | undefined {
  if (pattern.length > longestPattern) return undefined
  const word = wholeWord.exec(pattern)?.[1]
  if (word !== undefined) return (text) => text === word
  try {
    const states: State[] = [{ is: 'end' }]
    const start = build(parse(pattern), 0, states)
    return (text, budget) => run(states, start, text, budget)
  } catch (error) {
    // An impossible set of characters is a SyntaxError of JavaScript's.
    if (error instanceof Unreadable || error instanceof SyntaxError) return undefined
    throw error
  }
}

type State =
  | { readonly is: 'end' }
  | { readonly is: 'one'; readonly matches: Test; readonly next: number }
  | { readonly is: 'edge'; readonly holds: Edge; readonly next: number }
  | { readonly is: 'fork'; readonly to: number[] }

/** Adds the states of a node that go on to `next`, and gives the first of them. */
function build(node: Node, next: number, states: State[]): number {
  const add = (state: State): number => {
    if (states.length >= mostStates) throw new Unreadable()
    return states.push(state) - 1
  }
  switch (node.is) {
    case 'one':
    case 'edge':
      return add({ ...node, next })
    case 'all':
      return node.of.reduceRight((after, one) => build(one, after, states), next)
    case 'any':
      return add({ is: 'fork', to: node.of.map((one) => build(one, next, states)) })
    case 'repeat': {
      let after = next
      if (node.most === Number.POSITIVE_INFINITY) {
        const to = [next]
        after = add({ is: 'fork', to })
        to.push(build(node.of, after, states))
      } else
        for (let i = node.least; i < node.most; i++)
          after = add({ is: 'fork', to: [next, build(node.of, after, states)] })
      for (let i = 0; i < node.least; i++) after = build(node.of, after, states)
      return after
    }
  }
}

function run(states: readonly State[], start: number, text: string, budget: Budget): boolean {
  const chars = [...text]
  let now = new Set<number>()
  for (let at = 0; at <= chars.length; at++) {
    const before = chars[at - 1]
    const char = chars[at]
    const reached = new Set<number>()
    const waiting = [...now, start]
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const state = states[one]
      if (state === undefined || reached.has(one)) continue
      if (state.is === 'end') return true
      reached.add(one)
      if (state.is === 'fork') waiting.push(...state.to)
      else if (state.is === 'edge' && state.holds(before, char)) waiting.push(state.next)
    }
    budget.steps -= reached.size
    if (budget.steps < 0) return true
    now = new Set()
    for (const one of reached) {
      const state = states[one]
      if (state?.is === 'one' && char !== undefined && state.matches(char)) now.add(state.next)
    }
  }
  return false
}

/** The flags that are on: `i`, `s` and `m`; `U` only turns greediness round. */
type Flags = ReadonlySet<string>

const isWord: Test = (char) => /^\w$/.test(char)
const atWord: Edge = (before = ' ', after = ' ') => isWord(before) !== isWord(after)
const atStart: Edge = (before) => before === undefined
const atEnd: Edge = (_, after) => after === undefined

/** Go's `\s` and `[:space:]`-like sets in JavaScript's words; its `\S` has the blanks that only JavaScript knows. */
const spaces = '\\t\\n\\f\\r '
const otherBlanks =
  '\\v\\u{a0}\\u{1680}\\u{2000}-\\u{200a}\\u{2028}\\u{2029}\\u{202f}\\u{205f}\\u{3000}\\u{feff}'
const sets: Readonly<Record<string, string>> = {
  d: '\\d',
  D: '\\D',
  w: '\\w',
  W: '\\W',
  s: spaces,
  S: `\\S${otherBlanks}`,
}
const namedSets: Readonly<Record<string, string>> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  ascii: '\\u{0}-\\u{7f}',
  blank: '\\t ',
  cntrl: '\\u{0}-\\u{1f}\\u{7f}',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
}
const controls: Readonly<Record<string, string>> = { a: '\x07', f: '\f', t: '\t', n: '\n', r: '\r', v: '\v' }

function parse(pattern: string): Node {
  const reader = { chars: [...pattern], at: 0 }
  const node = alternatives(reader, new Set())
  if (reader.at < reader.chars.length) throw new Unreadable()
  return node
}

interface Reader {
  readonly chars: readonly string[]
  at: number
}

function rest({ chars, at }: Reader, length: number): string {
  return chars.slice(at, at + length).join('')
}

/** Steps over what a regular expression finds here, and gives its groups. */
function take(reader: Reader, expression: RegExp): RegExpExecArray | undefined {
  const found = expression.exec(rest(reader, 64))
  if (found) reader.at += [...found[0]].length
  return found ?? undefined
}

/** Up to the end or a closing parenthesis. A flag that is set in between holds to the end of the group. */
function alternatives(reader: Reader, outer: Flags): Node {
  const options: Node[][] = [[]]
  let flags = outer
  for (;;) {
    const char = reader.chars[reader.at]
    if (char === undefined || char === ')') break
    if (char === '|') {
      reader.at++
      options.push([])
      continue
    }
    const set = take(reader, /^\(\?([imsU]*)(?:-([imsU]+))?\)/)
    if (set) flags = changed(flags, set)
    else if (take(reader, /^\\Q/)) options.at(-1)?.push(...quoted(reader, flags))
    else options.at(-1)?.push(repeated(reader, atom(reader, flags)))
  }
  const of = options.map((nodes): Node => ({ is: 'all', of: nodes }))
  return of.length === 1 && of[0] ? of[0] : { is: 'any', of }
}

function changed(flags: Flags, [, on = '', off = '']: readonly string[]): Flags {
  return new Set([...flags, ...on].filter((flag) => !off.includes(flag)))
}

const repetition = /^(?:[*+?]|\{\d+(,\d*)?\})/

function repeated(reader: Reader, of: Node): Node {
  const found = take(reader, /^(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??/)
  if (!found) return of
  // Go refuses what repeats a repetition.
  if (repetition.test(rest(reader, 12))) throw new Unreadable()
  const [, sign, count, comma, limit] = found
  const least = sign === '+' ? 1 : Number(count ?? 0)
  const endless = sign === '*' || sign === '+' || (comma !== undefined && limit === undefined)
  const most = endless ? Number.POSITIVE_INFINITY : sign === '?' ? 1 : Number(limit ?? count)
  if (least > mostRepeats || least > most || (most > mostRepeats && !endless)) throw new Unreadable()
  const node: Node = { is: 'repeat', of, least, most }
  if (!isRepeatable(node, mostRepeats)) throw new Unreadable()
  return node
}

/** Whether repetitions within each other ask for so many at most: repeatIsValid of Go. */
function isRepeatable(node: Node, most: number): boolean {
  if (node.is === 'all' || node.is === 'any') return node.of.every((one) => isRepeatable(one, most))
  if (node.is !== 'repeat' || node.most === 0) return true
  const times = node.most === Number.POSITIVE_INFINITY ? node.least : node.most
  return times <= most && isRepeatable(node.of, Math.floor(most / Math.max(1, times)))
}

function atom(reader: Reader, flags: Flags): Node {
  const group = take(reader, /^\((?:\?(?:P?<\w+>|([imsU]*)(?:-([imsU]+))?:))?/)
  if (group) {
    if (rest(reader, 1) === '?') throw new Unreadable()
    const inner = alternatives(reader, changed(flags, group))
    if (reader.chars[reader.at++] !== ')') throw new Unreadable()
    return inner
  }
  const edge = take(reader, /^(?:[$^]|\\[AzbB])/)
  if (edge) return { is: 'edge', holds: edgeOf(edge[0], flags.has('m')) }
  const char = reader.chars[reader.at]
  if (char === '.') {
    reader.at++
    return { is: 'one', matches: flags.has('s') ? () => true : (one) => one !== '\n' }
  }
  if (char === '[') return set(reader, flags)
  // Go refuses a repetition of nothing.
  if (repetition.test(rest(reader, 12))) throw new Unreadable()
  if (char === '\\') return oneOf(escaped(reader), false, flags)
  reader.at++
  return literal(char ?? '', flags)
}

function edgeOf(sign: string, lines: boolean): Edge {
  if (sign === '\\b') return atWord
  if (sign === '\\B') return (before, after) => !atWord(before, after)
  if (sign === '^' && lines) return (before) => before === undefined || before === '\n'
  if (sign === '$' && lines) return (_, after) => after === undefined || after === '\n'
  return sign === '^' || sign === '\\A' ? atStart : atEnd
}

/** Characters that mean themselves; what repeats them repeats the last one. */
function quoted(reader: Reader, flags: Flags): Node[] {
  const of: Node[] = []
  while (reader.at < reader.chars.length && !take(reader, /^\\E/))
    of.push(literal(reader.chars[reader.at++] ?? '', flags))
  const last = of.pop()
  return last ? [...of, repeated(reader, last)] : []
}

function literal(char: string, flags: Flags): Node {
  return flags.has('i') ? oneOf(codeOf(char), false, flags) : { is: 'one', matches: (one) => one === char }
}

/** A character as JavaScript's sets take every one: `\u{61}`. */
function codeOf(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
}

/** @param members what stands between the brackets of JavaScript's set */
function oneOf(members: string, not: boolean, flags: Flags): Node {
  if (members === '') throw new Unreadable()
  const expression = new RegExp(`^[${not ? '^' : ''}${members}]$`, flags.has('i') ? 'iu' : 'u')
  return { is: 'one', matches: (one) => expression.test(one) }
}

/** What a backslash stands for, as members of JavaScript's set. */
function escaped(reader: Reader): string {
  const unicode = take(reader, /^\\([pP])(?:\{(\^?)(\w+)\}|(\w))/)
  if (unicode) {
    const [, sign = 'p', not, long, short] = unicode
    return `\\${not ? (sign === 'p' ? 'P' : 'p') : sign}{${isScript(long) ? `Script=${long}` : (long ?? short)}}`
  }
  const hex = take(reader, /^\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/)
  if (hex) return `\\u{${hex[1] ?? hex[2]}}`
  const octal = take(reader, /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/)
  if (octal) return `\\u{${Number.parseInt(octal[1] ?? '', 8).toString(16)}}`
  const [, letter = ''] = take(reader, /^\\([dDwWsSaftnrv]|[!-/:-@[-`{-~])/) ?? []
  if (letter === '') throw new Unreadable()
  return sets[letter] ?? codeOf(controls[letter] ?? letter)
}

function isScript(name: string | undefined): boolean {
  return name !== undefined && name.length > 2
}

function set(reader: Reader, flags: Flags): Node {
  const [, not] = take(reader, /^\[(\^?)/) ?? []
  let members = ''
  for (let first = true; ; first = false) {
    const char = reader.chars[reader.at]
    if (char === undefined) throw new Unreadable()
    if (char === ']' && !first) break
    const named = take(reader, /^\[:(\w+):\]/)
    if (named) {
      const found = namedSets[named[1] ?? '']
      if (found === undefined) throw new Unreadable()
      members += found
      continue
    }
    const from = member(reader)
    if (rest(reader, 1) !== '-' || /^-(\]|$)/.test(rest(reader, 2))) {
      members += from
      continue
    }
    reader.at++
    members += `${from}-${member(reader)}`
  }
  reader.at++
  return oneOf(members, not === '^', flags)
}

function member(reader: Reader): string {
  const char = reader.chars[reader.at]
  if (char === undefined || /^\[[:.=]/.test(rest(reader, 2))) throw new Unreadable()
  if (char === '\\') return escaped(reader)
  reader.at++
  return codeOf(char)
}
