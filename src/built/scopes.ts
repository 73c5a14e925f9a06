/** What surrounds the parts of a Go template: the blocks that they stand in. */
import { type Dot, keywordOf, type Part, partsOf, valuesPath } from './go-template.js'

/** A named template that parts stand in. */
interface Define {
  readonly name: string
  /** Known when all of its parts have been gone through. */
  writesYaml: boolean
}

interface Scope {
  readonly dot: Dot
  readonly define: Define | undefined
}

/** A part with what surrounds it. */
export type ScopedPart = Part & Scope

/** A key, or an item of a list, at the start of a line. */
const yamlLine = /^[ \t]*(?:- (?=\S)|["']?[A-Za-z][\w./-]*["']?:(?=[ \t\r\n]|$))/m

/** The parts of a template in their order; undefined when it cannot be taken apart, or blocks do not end. */
export function scopedParts(text: string): readonly ScopedPart[] | undefined {
  const parts = partsOf(text)
  if (!parts) return undefined
  let scope: Scope = { dot: 'root', define: undefined }
  const outer: Scope[] = []
  const found: ScopedPart[] = []
  for (const part of parts) {
    found.push({ ...part, ...scope })
    const { start, end, code } = part
    if (code === undefined) {
      if (scope.define) scope.define.writesYaml ||= writesYaml(text, start, end)
      continue
    }
    const next = scopeBehind(code, scope, outer)
    if (!next) return undefined
    scope = next
  }
  return outer.length === 0 ? found : undefined
}

/**
 * What surrounds the parts behind an action; undefined where it ends a block and none is open.
 * @param outer what surrounds each block that is open, the innermost last; the action opens or ends one
 */
function scopeBehind(code: string, scope: Scope, outer: Scope[]): Scope | undefined {
  const keyword = keywordOf(code) ?? ''
  if (keyword === 'end') return outer.pop()
  if (keyword === 'else') {
    // It belongs to the block that is open.
    const around = outer.at(-1)
    return around && code.startsWith('else with') ? within(code.slice(5), around) : around
  }
  if (/^(?:break|continue|)$/.test(keyword)) return scope
  outer.push(scope)
  return within(code, scope)
}

function writesYaml(text: string, start: number, end: number): boolean {
  const isLineStart = start === 0 || text[start - 1] === '\n'
  const from = isLineStart ? start : text.indexOf('\n', start)
  return from >= 0 && from < end && yamlLine.test(text.slice(from, end))
}

/** What surrounds the body of a block. */
function within(code: string, around: Scope): Scope {
  const [, keyword = '', argument = ''] = /^(\w+)\s*(.*)$/s.exec(code) ?? []
  switch (keyword) {
    case 'if':
      return around
    case 'with': {
      const values = valuesPath(argument.replace(/^\$\w*\s*:=\s*/, ''), around.dot)
      return { ...around, dot: values && { values } }
    }
    case 'define': {
      const [, name = ''] = /^["`]([^"`]*)["`]/.exec(argument) ?? []
      // Most are called with the root.
      return { dot: 'root', define: { name, writesYaml: false } }
    }
    case 'block':
      return { dot: /\s[.$]$/.test(argument) ? around.dot : undefined, define: around.define }
    default:
      return { ...around, dot: undefined }
  }
}
