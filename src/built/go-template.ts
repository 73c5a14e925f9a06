/** The parts of a Go template: text that is printed as it stands, and what stands in braces. */
import type { Path } from '../finding.js'

/** Literal text, or one `{{ … }}`, by its offsets in the template. */
export interface Part {
  readonly start: number
  readonly end: number
  /** What stands between the braces, without comments, trim marks and blanks around it; undefined for text. */
  readonly code?: string
  /** Between the braces, trim marks included. */
  readonly inner?: string
}

/** Space that a trim mark needs beside it. Source: text/template/parse/lex.go, as for all here. */
const blank = /[ \t\r\n]/

/** The parts in their order; undefined for what is no template, as an action without an end. */
export function partsOf(text: string): readonly Part[] | undefined {
  const parts: Part[] = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('{{', at)
    if (open > at || open < 0) parts.push({ start: at, end: open < 0 ? text.length : open })
    if (open < 0) break
    const end = endOfAction(text, open)
    if (end === undefined) return undefined
    const inner = text.slice(open + 2, end - 2)
    parts.push({ start: open, end, inner, code: codeOf(inner) })
    at = end
  }
  return parts
}

/** The code of an action; a comment has none. */
function codeOf(inner: string): string {
  const code = inner.replace(/^-(?=[ \t\r\n])/, '').replace(/(?<=[ \t\r\n])-$/, '')
  return code.trimStart().startsWith('/*') ? '' : code.trim()
}

/** The offset behind the braces that end an action; strings and comments may hold any. */
function endOfAction(text: string, open: number): number | undefined {
  let at = open + 2
  if (text[at] === '-' && blank.test(text[at + 1] ?? '')) {
    at++
    while (blank.test(text[at] ?? '')) at++
  }
  if (text.startsWith('/*', at)) {
    const close = text.indexOf('*/', at + 2)
    const rest = close < 0 ? null : /^(?:\s-)?\}\}/.exec(text.slice(close + 2, close + 6))
    return rest ? close + 2 + rest[0].length : undefined
  }
  while (at < text.length) {
    if (text.startsWith('}}', at)) return at + 2
    const character = text[at] ?? ''
    if ('"`\''.includes(character)) {
      const end = endOfString(text, at)
      if (end === undefined) return undefined
      at = end
    } else at++
  }
  return undefined
}

function endOfString(text: string, start: number): number | undefined {
  const quote = text[start]
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return at + 1
    if (quote !== '`' && text[at] === '\n') return undefined
    if (quote !== '`' && text[at] === '\\') at++
  }
  return undefined
}

/** The keyword of an action that prints nothing itself; undefined for one whose result is printed. */
export function keywordOf(code: string): string | undefined {
  if (code === '' || /^\$\w*(?:\s*,\s*\$\w*)?\s*:?=/.test(code)) return ''
  return /^(?:if|else|end|range|with|define|block|break|continue)(?!\w)/.exec(code)?.[0]
}

/**
 * What the dot stands for: the root of the chart's data, with `Values` in it; a value by its path in the values; anything else when
 * undefined.
 */
export type Dot = { readonly values: Path } | 'root' | undefined

/** The path in the values that an operand leads to; undefined for what is none of them. */
export function valuesPath(operand: string, dot: Dot): Path | undefined {
  const [, dollar, steps] = /^(\$?)((?:\.\w+)+|\.)$/.exec(operand) ?? []
  if (steps === undefined) return undefined
  const path = steps.split('.').filter((step) => step !== '')
  if (dollar === '$' || dot === 'root') return path[0] === 'Values' ? path.slice(1) : undefined
  return dot && [...dot.values, ...path]
}
