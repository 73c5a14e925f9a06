/** Values as YAML, in the style of the text that they are put into. */
import { dump } from 'js-yaml'
import type { TextNode } from '../reader/node.js'
import { parse } from '../reader/parse.js'
import { isObject } from '../values/untyped.js'
import { shifted } from './places.js'

/** What stands behind a key's colon or a dash: a space and the value, or a collection on lines of its own. */
export function below(text: string, value: unknown, indent: number, isField: boolean): string {
  if (!isCollection(value)) return ` ${scalar(value)}`
  const inner = isField ? indent + (Array.isArray(value) ? dashIndent(text) : 2) : indent
  const lines = dump(value, { indent: 2, lineWidth: -1, noRefs: true, noArrayIndent: dashIndent(text) === 0 })
  const block = shifted(lines.trimEnd(), inner)
  return isField ? `\n${block}` : ` ${block.trimStart()}`
}

/** How far the dashes of lists are indented in a document, as its first such list has it. */
function dashIndent(text: string): number {
  const [, key = '', dash = ''] = /^( *)[\w.-]+:[ \t]*\n( *)- /m.exec(text) ?? []
  return dash.length > key.length
    ? dash.length - key.length
    : dash === '' && key === '' && !/:[ \t]*\n- /.test(text)
      ? 2
      : 0
}

/** A value in flow style. `old` is what it takes the place of. */
export function flow(text: string, value: unknown, old?: TextNode): string {
  if (isJson(text)) return JSON.stringify(value)
  if (!isCollection(value)) return scalar(value, old && text.slice(old.start, old.end))
  return dump(value, { flowLevel: 0, lineWidth: -1, noRefs: true }).trim()
}

/** A plain value as YAML, with quotes where it needs them or its predecessor has them. */
export function scalar(value: unknown, old = ''): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[]' : '{}'
  if (typeof value !== 'string') return String(value)
  if (old.startsWith("'")) return `'${value.replaceAll("'", "''")}'`
  const isPlain = /^[A-Za-z0-9_./][\w./@+-]*(?::[\w./@+-]+)*$/.test(value) && plainMeans(value)
  return isPlain && !old.startsWith('"') ? value : JSON.stringify(value)
}

function plainMeans(text: string): boolean {
  const read = parse(text)
  return read.ok && read.value === text
}

/** Whether a value takes lines of its own in block style. */
export const isCollection = (value: unknown): value is object =>
  (Array.isArray(value) && value.length > 0) || (isObject(value) && Object.keys(value).length > 0)

/** Whether the document is JSON. */
export const isJson = (text: string) => /^\s*[{[]/.test(text)
