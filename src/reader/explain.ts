/** Says in words what is wrong with a text that is no YAML, where, and what to do about it. Quotes nothing of it. */
import { listen } from './dialect.js'
import { lineStart } from './lines.js'
import type { Mistake } from './parse.js'
import type { Fault } from './refuse.js'

/**
 * The line of a shell that a file begins with, as it is pasted from a tutorial or a terminal: a command whose here-document is the
 * manifest, or a prompt with the command that printed it.
 * @param text that of the file
 */
export function shellLine(text: string): Fault | undefined {
  const offset = /^(?:[ \t]*(?:#.*)?\r?\n)*/.exec(text)?.[0].length ?? 0
  const line = lineAt(text, offset).text
  if (/^[ \t]*[\w./-]+ [^:\r\n]*<<-?[ \t]*["']?[A-Za-z_]/.test(line))
    return {
      message:
        'This line is a shell command and no YAML: remove it, and the line that ends its here-document.',
      offset,
      isOfFile: true,
    }
  // PowerShell has nothing behind what opens its here-string, and the text begins on the next line.
  if (/^@["'][ \t]*$/.test(line))
    return {
      message: 'This line is from PowerShell and no YAML: remove it, and the line that ends its here-string.',
      offset,
      isOfFile: true,
    }
  return /^(?:[\w.-]+@[\w.-]+:[^\s$#]*)?[$#] \S/.test(line)
    ? { message: 'This line is from a terminal and no YAML: remove it.', offset, isOfFile: true }
    : undefined
}

/** What a person should read about a mistake; the place may be another one than the parser stopped at. */
export function explain({ reason, offset, message }: Mistake, text: string): Fault {
  if (message !== undefined) return { message, offset }
  const conflict = text.search(/^(?:<{7}|>{7}|={7}$)/m)
  if (conflict >= 0 && /^={7}$/m.test(text))
    return {
      message: 'A merge conflict is not resolved: remove its marks and keep one side.',
      offset: conflict,
      isOfFile: true,
    }
  const scene: Scene = { reason, text, offset, line: lineAt(text, offset), opening: openingAt(text) }
  for (const cause of causes) {
    const found = cause(scene)
    if (found) return found
  }
  return { message: 'This is not valid YAML: check the quotes, colons and indentation around here.', offset }
}

interface Scene {
  readonly reason: string
  readonly text: string
  readonly offset: number
  readonly line: Line
  /** Where the scalar or the flow collection starts that was being read. */
  readonly opening: number
}

interface Line {
  readonly start: number
  readonly text: string
}

function lineAt(text: string, offset: number): Line {
  const start = lineStart(text, Math.min(offset, text.length))
  const end = text.slice(start).search(/[\r\n]/)
  return { start, text: end < 0 ? text.slice(start) : text.slice(start, start + end) }
}

/** The last line above that holds more than a comment. */
function lineAbove(text: string, line: Line): Line | undefined {
  let { start } = line
  while (start > 0) {
    const above = lineAt(text, start - 1)
    if (!/^\s*(?:#.*)?$/.test(above.text)) return above
    if (above.start >= start) return undefined
    start = above.start
  }
  return undefined
}

/** The start of the innermost node that was open when the parser gave up. */
function openingAt(text: string): number {
  const open: number[] = []
  try {
    listen(text, (event, state) => {
      if (event === 'open') open.push(state.position)
      else open.pop()
    })
  } catch {
    // That is what happens.
  }
  let at = open.at(-1) ?? 0
  while (/\s/.test(text[at] ?? '')) at++
  return at
}

type Cause = (scene: Scene) => Fault | undefined

/** A cause for one of js-yaml's reasons. */
function when(
  reason: RegExp,
  message: string | ((scene: Scene) => string),
  place?: (scene: Scene) => number,
): Cause {
  return (scene) =>
    reason.test(scene.reason)
      ? {
          message: typeof message === 'string' ? message : message(scene),
          offset: place?.(scene) ?? scene.offset,
        }
      : undefined
}

const atOpening = ({ opening }: Scene) => opening

/** In the order in which they are tried: what is certain first. */
const causes: readonly Cause[] = [
  markdown,
  tab,
  terminalLine,
  gluedObject,
  otherSpace,
  otherDash,
  when(
    /^unexpected end of the (?:stream|document) within a (?:double|single) quoted scalar/,
    'The quote that opens here is never closed: close it.',
    atOpening,
  ),
  when(
    /^unexpected end of the stream within a flow collection/,
    ({ text, opening }) =>
      `The ${text[opening] === '{' ? 'brace' : 'bracket'} that opens here is never closed: close it.`,
    atOpening,
  ),
  when(/^nesting exceeded maxDepth/, 'Values are nested too deeply to be read: at most 300 levels are.'),
  when(
    /^null byte is not allowed|non-printable|expected valid JSON character/,
    'There is an invisible control character in the text: remove it.',
    controlCharacter,
  ),
  when(
    /^unknown escape sequence|^expected hexadecimal character/,
    'In double quotes a backslash starts an escape, and this is none: double the backslash, or use single quotes.',
  ),
  alias,
  reservedCharacter,
  when(
    /directive/,
    'A line that starts with % is a directive, which kubectl does not take: remove it, or put the value in quotes.',
  ),
  when(
    /tag/,
    'The value does not fit its tag, or the tag is misspelt: correct it, or put the value in quotes.',
  ),
  when(
    /^alias node should not have any properties/,
    'An alias (*) takes neither a tag nor an anchor: remove it.',
  ),
  when(/anchor/, 'An anchor (&) needs a name: write one, or put the value in quotes.'),
  when(/^missing indentation for block scalar/, 'The text after | or > needs to be indented.'),
  when(
    /indentation width|chomping mode/,
    'After | or > only one of + and - and one digit from 1 to 9 may stand: correct it.',
  ),
  listOnKeyLine,
  colonInValue,
  textAfterQuote,
  textAfterBracket,
  when(
    /^missed comma between flow collection entries|^expected the node content, but found ','/,
    'Between brackets or braces, values are separated by one comma each: add or remove one, or close the bracket.',
  ),
  missingSpace,
  when(
    /whitespace character is expected after the key-value separator/,
    'After the colon of a key a space is needed: add it.',
  ),
  missingColon,
  indentation,
  when(
    /^a line break is expected/,
    'Nothing but a comment may follow | or > on its line: move the text to the next line.',
  ),
]

function tab({ reason, offset, line, text }: Scene): Fault | undefined {
  const above = lineAbove(text, line)
  const found = [line, ...(above ? [above] : [])].find((one) => /^ *\t/.test(one.text))
  if (!found || (!/tab|indentation|end of the stream|colon|implicit/.test(reason) && found !== line))
    return undefined
  const at = found.start + found.text.indexOf('\t')
  return {
    message: 'A tab indents this line, and YAML allows only spaces there: replace it with spaces.',
    offset: reason.startsWith('tab') ? offset : at,
  }
}

/** Lines above a mistake that may have led to it: what follows a wrong indentation reads well for a while. */
const reach = 8

/** Spaces that come with texts from web pages and word processors; for YAML they are letters. */
function otherSpace({ line, text }: Scene): Fault | undefined {
  let at: Line | undefined = line
  for (let i = 0; at && i <= reach; i++, at = lineAbove(text, at))
    if (/^ *[\u00a0\u2000-\u200a\u202f\u3000]/.test(at.text))
      return {
        message:
          'A non-breaking space, or another one that YAML does not know, indents this line: replace it with an ordinary space.',
        offset: at.start + at.text.search(/[^ ]/),
      }
  return undefined
}

/** The prompt of a terminal with a command, between objects that it printed: `[root@node ~]# cat service.yaml`. */
function terminalLine({ line, text }: Scene): Fault | undefined {
  for (const one of [line, lineAbove(text, line)])
    if (one && /^\[?[\w.-]+@[\w.-]+[: ~][^\r\n]{0,200}[#$] \S/.test(one.text))
      return {
        message:
          'This line is from a terminal and no YAML: write --- in its place where it stands between objects, or remove it.',
        offset: one.start,
      }
  return undefined
}

/**
 * A line of three backticks or tildes, which a manifest that was copied from a page still has; or the whole page, under the name of a
 * manifest. In a text of several lines that a value holds, such a line is indented.
 */
function markdown({ line, text }: Scene): Fault | undefined {
  const isFence = (one: Line | undefined) => one !== undefined && fence.test(one.text)
  const found = [line, lineAbove(text, line)].find(isFence)
  if (found)
    return {
      message: 'This line is from Markdown and no YAML: remove it.',
      offset: found.start,
      isOfFile: true,
    }
  return (text.match(fences)?.length ?? 0) > 1
    ? {
        message:
          'This is a page in Markdown and no YAML: keep only the objects of its code blocks, with --- between them.',
        offset: line.start,
        isOfFile: true,
      }
    : undefined
}

const fence = /^(?:`{3}|~{3})[ \t]*\w*[ \t]*$/
const fences = new RegExp(fence.source.replace('$', '\\r?$'), 'gm')

/** The first line of an object behind the last one of another, which had no line break: files that were put together so. */
function gluedObject({ line, text }: Scene): Fault | undefined {
  for (const one of [line, lineAbove(text, line)]) {
    const match =
      one &&
      /^[\s-]*[\w./-]+:[ \t]+[^\s#"'][^#"']{0,200}?(?=(?:apiVersion|kind):[ \t]+[\w./-]+[ \t]*$)/.exec(
        one.text,
      )
    if (match && !/[\s,{[]$/.test(match[0]))
      return {
        message: 'Another object begins within this line: put it on a line of its own, and --- above it.',
        offset: one.start + match[0].length,
      }
  }
  return undefined
}

/** Dashes that web pages and word processors put in the place of a hyphen. */
function otherDash({ line, text }: Scene): Fault | undefined {
  let at: Line | undefined = line
  for (let i = 0; at && i <= reach; i++, at = lineAbove(text, at)) {
    const match = /^\s*(?=([\u2010-\u2015\u2212])\s)/.exec(at.text)
    if (match)
      return {
        message: `A list item begins with a hyphen (-), and this line with another dash (${match[1] ?? ''}): replace it.`,
        offset: at.start + match[0].length,
      }
  }
  return undefined
}

function controlCharacter({ text, offset }: Scene): number {
  const at = text.search(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/)
  return at < 0 ? offset : at
}

function alias({ reason, text, line, offset }: Scene): Fault | undefined {
  if (!/^unidentified alias|^name of an alias/.test(reason)) return undefined
  const at = text.lastIndexOf('*', offset)
  const isGlob = /\*[./\s*,]|\*$/.test(line.text.slice(Math.max(0, at - line.start)))
  return {
    message: isGlob
      ? 'A value that starts with * is read as an alias: put it in quotes.'
      : 'An alias (*) refers to an anchor (&) that is not defined above it in the same document: define it there, or put the value in quotes.',
    offset: Math.max(at, line.start),
  }
}

/** Characters that cannot start a value. */
function reservedCharacter({ text, line }: Scene): Fault | undefined {
  const match =
    /(?:^\s*|: +|- +|[[{,] *)([@`%])/.exec(line.text) ??
    /: +(?:[,\]}]|[?:-](?=\s|$)(?!\s+\S))/.exec(line.text)
  if (!match) return undefined
  const offset = line.start + match.index + match[0].length - 1
  return { message: `A value cannot start with ${text[offset]}: put it in quotes.`, offset }
}

/** The fault of what stands behind a match at the beginning of a line. */
function behind(match: RegExpExecArray | null, line: Line, message: string): Fault | undefined {
  return match ? { message, offset: line.start + match[0].length } : undefined
}

function listOnKeyLine({ line }: Scene): Fault | undefined {
  const match = /^[\s-]*[\w./][\w./-]*:\s+(?=- )/.exec(line.text)
  return behind(match, line, 'A list cannot start on the line of its key: put the dash on the next line.')
}

function colonInValue({ reason, line }: Scene): Fault | undefined {
  if (!/indentation of a mapping entry|indentation of a sequence entry/.test(reason)) return undefined
  const match = /^[\s-]*[^\s:"'[{|>&*!#-][^:"']*:\s+[^\s"'[{|>&*!#][^#]*?(?=:(?:\s|$))/.exec(line.text)
  return behind(
    match,
    line,
    'The value holds a colon and a space, which starts another key: put the value in quotes.',
  )
}

function textAfterQuote({ reason, line }: Scene): Fault | undefined {
  if (!/indentation of a|end of the stream|missed comma/.test(reason)) return undefined
  const match = /^(?:[^"'#]*[:\s[{,-])?(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?=[^\s#,\]}:])/.exec(line.text)
  return behind(
    match,
    line,
    'Text follows a closed quote: put all of the value in quotes, or double the quote inside of it.',
  )
}

/** `values: [] all of them`. */
function textAfterBracket({ reason, line }: Scene): Fault | undefined {
  if (!/indentation of a|end of the stream/.test(reason)) return undefined
  const match = /^[\s-]*(?:[\w./][\w./-]*:\s+)?(?:\[[^[\]"'#]*\]|\{[^{}"'#]*\})\s+(?=[^\s#,\]}:])/.exec(
    line.text,
  )
  return behind(
    match,
    line,
    'Text follows a closed bracket: begin it with # if it is a comment, or put all of the value in quotes.',
  )
}

/** `key:value`, or `-value`. */
function missingSpace({ reason, text, line }: Scene): Fault | undefined {
  if (!/colon is missed|multiline key|indentation of a|end of the stream/.test(reason)) return undefined
  for (const one of [line, lineAbove(text, line)]) {
    if (!one) continue
    const match =
      /^\s*(?:- +)?[A-Za-z][\w.-]*:(?=[^\s:/])/.exec(one.text) ??
      /^\s*-(?=[A-Za-z][\w.-]*:(?:\s|$))/.exec(one.text)
    if (match)
      return {
        message: `A space is missing after the ${match[0].endsWith('-') ? 'dash' : 'colon'}: add it.`,
        offset: one.start + match[0].length,
      }
  }
  return undefined
}

function missingColon({ reason, text, line, offset }: Scene): Fault | undefined {
  if (!/colon is missed|multiline key may not/.test(reason)) return undefined
  const above = lineAbove(text, line)
  const culprit = [line, ...(above ? [above] : [])].find((one) =>
    /^\s*(?:- +)?[\w./-]+\s*(?:#.*)?$/.test(one.text),
  )
  return {
    message:
      'This line is neither a key with a colon nor the continuation of a value: add the colon, or indent it as it belongs.',
    offset: culprit ? culprit.start + culprit.text.search(/\S/) : offset,
  }
}

function indentation({ reason, text, line, offset }: Scene): Fault | undefined {
  if (!/indentation|end of the stream/.test(reason)) return undefined
  const column = Math.max(0, line.text.search(/\S/))
  const above = lineAbove(text, line)
  if (!above) return undefined
  const before = Math.max(0, above.text.search(/\S/))
  const at = line.text.trim() === '' ? offset : line.start + column
  const inside = /^(?: *- +)+(?=\S)/.exec(above.text)?.[0].length ?? before
  return {
    message: `${misfit(column, before, inside)} Align it with the fields that it belongs to.`,
    offset: at,
  }
}

/** @param inside where what follows the hyphens of the line above begins; `before` where it has none */
function misfit(column: number, before: number, inside: number): string {
  const spaces = (count: number) => (count === 1 ? '1 space' : `${count} spaces`)
  if (column === before)
    return 'This line cannot follow the one above it: keys, list items and plain text do not mix.'
  if (column > before && column < inside)
    return `This line is indented by ${spaces(column)}, between the hyphen of the one above it (${before}) and what follows that (${inside}).`
  if (column > before)
    return `This line is indented by ${spaces(column)}, deeper than the one above it (${before}), which has a value already.`
  return `This line is indented by ${spaces(column)}, which fits none of the lines above it (the last by ${before}).`
}
