/**
 * Marks in templates that come out again in what Helm renders, and tell there which line has made what. A mark stands where it changes
 * nothing else: before the first character of literal text in a line, and inside the braces that Helm puts a value in.
 */
import type { SourceFile } from '../document.js'
import type { Path } from '../finding.js'
import { type Dot, keywordOf, type Part, valuesPath } from './go-template.js'
import { scopedParts } from './scopes.js'

/** The file of a template. */
export interface Template extends SourceFile {
  /** Its absolute path. */
  readonly path: string
}

/** A piece of a template: literal text in one line, or an action that prints something. */
export interface Mark {
  readonly file: Template
  /** Offsets in the template. */
  readonly start: number
  readonly end: number
  /** What an action prints; undefined for literal text. */
  readonly code?: string
  /** The path in the values of the chart, where an action prints one value and nothing else. */
  readonly values?: Path
  /** Whether it stands in a named template. */
  readonly isNamed: boolean
}

/** What marks are written in: characters that nothing in between changes, and that no chart has. */
export const brackets = ['⟦', '⟧'] as const
const [opening, closing] = brackets

/** A mark before literal text; with `+` and `-` those around what an action prints. */
function markText(index: number, sign: '' | '+' | '-' = ''): string {
  return `${opening}${sign}${index}${closing}`
}

/**
 * A template with marks.
 * @param marks those of the chart, to which its own are added
 * @param isMarked whether a named template is marked, too, if it writes YAML
 * @returns undefined when it cannot be taken apart
 */
export function withMarks(
  file: Template,
  marks: Mark[],
  isMarked: (name: string) => boolean,
): string | undefined {
  const add = (mark: Omit<Mark, 'file'>) => marks.push({ file, ...mark }) - 1
  return scopedParts(file.text)
    ?.map((part) => {
      const { start, end, code, inner = '', dot, define } = part
      const text = file.text.slice(start, end)
      if (define && !(define.writesYaml && isMarked(define.name))) return text
      const isNamed = define !== undefined
      if (code === undefined)
        return markedText(part, text, (from, to) => add({ start: from, end: to, isNamed }))
      if (keywordOf(code) !== undefined) return text
      const values = printedValue(code, dot, isMarked)
      return markedAction(inner, add({ start, end, code, isNamed, ...(values && { values }) }))
    })
    .join('')
}

/** Marks before the first character of each line that has any; none before a separator of documents, which Helm looks for. */
function markedText({ start }: Part, text: string, add: (start: number, end: number) => number): string {
  return text.replace(/[^\s][^\n]*/g, (line, offset: number) => {
    if (line.startsWith('---')) return line
    const from = start + offset
    return markText(add(from, from + line.trimEnd().length)) + line
  })
}

/** Blanks that it trims away are trimmed by the marks around it. */
function markedAction(inner: string, index: number): string {
  const before = /^-(?=\s)/.test(inner) ? '- ' : ''
  const after = /(?<=\s)-$/.test(inner) ? ' -' : ''
  const code = inner.slice(before === '' ? 0 : 1, after === '' ? undefined : -1)
  return `{{${before}"${markText(index, '+')}"}}{{${code}}}{{"${markText(index, '-')}"${after}}}`
}

/** Functions that print the value that they are given, in one way or another, or one in the place of none. */
const printing = new Set(
  'toYaml toYamlPretty toJson toString quote squote indent nindent trim int int64 float64 default tpl required true false'.split(
    ' ',
  ),
)

/** The path of the only value that an action prints. */
function printedValue(code: string, dot: Dot, isMarked: (name: string) => boolean): Path | undefined {
  const words = code.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[\w.$]+|[^\s]/g) ?? []
  const names = words.filter((word) => /^[A-Za-z]/.test(word))
  // A named template may do that, too: where it writes anything itself, that has marks of its own.
  const [, called] = /^include\s+"([^"]+)"\s/.exec(code) ?? []
  const isCalling = (word: string) =>
    called !== undefined && isMarked(called) && (word === 'include' || word === 'dict')
  if (!names.every((word) => printing.has(word) || isCalling(word))) return undefined
  const found = words.flatMap((word) => {
    const path = /^[.$]/.test(word) ? valuesPath(word, dot) : undefined
    return path ? [path] : []
  })
  return found.length === 1 ? found[0] : undefined
}

/** The paths of the values that a template writes into, as `set .Values.ingress "x" 1` does, as far as that can be seen. */
export function writtenValues(text: string): readonly Path[] {
  const call =
    /\b(?:set|unset|(?:mustM|m)erge\w*)\s+\(?\s*(?:index\s+)?\$?\.Values((?:\.\w+)*)(?:\s+"(\w+)")?/g
  return [...text.matchAll(call)].map(([, steps = '', key]) => [
    ...steps.split('.').slice(1),
    ...(key === undefined ? [] : [key]),
  ])
}

/** Whether a template may hand something else as the values to a named template. */
export function passesOtherValues(text: string): boolean {
  return /["`]Values["`]|\.Subcharts\b/.test(text)
}
