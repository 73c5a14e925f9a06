/** A YAML text that stands in a string of another one, as kustomizations hold patches. */
import type { Document, Locator, Range } from '../document.js'
import type { Path } from '../finding.js'
import { parse } from '../reader/parse.js'
import { documentOf } from '../reader/read.js'

/** The text as a document of the outer one's file; undefined when it is no YAML. */
export function inlineDocument({ file, locate }: Document, path: Path, text: string): Document | undefined {
  const parsed = parse(text)
  if (!parsed.ok) return undefined
  const whole = locate().value(path)
  const written = locate().written(path) ?? ''
  const first = written
    .split('\n')
    .slice(1)
    .find((line) => line.trim() !== '')
  const inner = documentOf(file, { text, offset: 0, line: whole.line + 1, column: 1 }, parsed)
  // Only the lines of a literal block are those of its text, and only where no digit says how far it is indented.
  if (first === undefined || !/^\|[-+]?[ \t]*(?:#.*)?\n[^\n]*\S/.test(written))
    return { ...inner, locate: () => fixed(inner, whole) }
  const indent = first.length - first.trimStart().length
  return { ...inner, locate: () => shifted(inner.locate(), indent) }
}

/** Everything at one place. */
function fixed(document: Document, range: Range): Locator {
  const found = document.locate()
  return { ...found, duplicates: [], key: () => range, value: () => range, extent: () => range }
}

/** The same, so many columns to the right. */
function shifted(found: Locator, by: number): Locator {
  const moved = ({ line, column, endLine, endColumn }: Range): Range => ({
    line,
    column: column + by,
    endLine,
    endColumn: endColumn + by,
  })
  return {
    ...found,
    duplicates: [],
    key: (path) => moved(found.key(path)),
    value: (path) => moved(found.value(path)),
    extent: (path) => moved(found.extent(path)),
  }
}
