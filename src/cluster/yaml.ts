/** The YAML of an object, much as `kubectl get -o yaml` prints it, with the place of each of its parts. */
import type { Untyped } from '../kubernetes.js'
import { nodeAt, scalarAt, type TextNode } from '../reader/node.js'
import { plainValue } from '../reader/scalar.js'

export interface Rendered {
  readonly text: string
  readonly root: TextNode
}

/** Writes a value as JSON has it, keys in order. */
export function render(value: Untyped): Rendered {
  const writer = new Writer()
  const root = writer.value(value, 0, 0)
  return { text: `${writer.text}\n`, root }
}

/** What is nested deeper is left out: no object that people wrote. */
const deepest = 100

class Writer {
  text = ''

  /** Writes what starts here; further lines of it are indented by `indent`. */
  value(value: unknown, indent: number, depth: number): TextNode {
    if (depth > deepest) return this.#scalar('...', false)
    if (Array.isArray(value) && value.length > 0) return this.#sequence(value, indent, depth)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return typeof value === 'string'
        ? this.#scalar(isBlock(value) ? block(value, indent) : textual(value), false)
        : this.#scalar(Array.isArray(value) ? '[]' : String(value), value === null)
    return this.#mapping(value as Untyped, indent, depth)
  }

  #scalar(written: string, isNull: boolean): TextNode {
    const start = this.text.length
    this.text += written
    return scalarAt(start, start + lengthWithout(written, ' \n'), isNull)
  }

  #mapping(value: Untyped, indent: number, depth: number): TextNode {
    const node = nodeAt('mapping', this.text.length)
    for (const name of Object.keys(value).sort()) {
      const item = value[name]
      if (item === undefined) continue
      if (node.entries.length > 0) this.#newLine(indent)
      const key = this.#scalar(textual(name), false)
      this.text += ':'
      // A list stands as far left as its key.
      const isList = Array.isArray(item) && item.length > 0
      if (isList || isFilled(item)) this.#newLine(isList ? indent : indent + 2)
      else this.text += ' '
      const inner = isList ? indent : indent + 2
      node.entries.push({ name, key, value: this.value(item, inner, depth + 1), isMerge: false })
    }
    if (node.entries.length === 0) this.text += '{}'
    node.end = node.entries.at(-1)?.value.end ?? this.text.length
    return node
  }

  #sequence(value: readonly unknown[], indent: number, depth: number): TextNode {
    const node = nodeAt('sequence', this.text.length)
    for (const item of value) {
      if (node.items.length > 0) this.#newLine(indent)
      this.text += '- '
      const of = this.value(item ?? null, indent + 2, depth + 1)
      node.items.push(of)
      node.end = of.end
    }
    return node
  }

  #newLine(indent: number): void {
    this.text += `\n${' '.repeat(indent)}`
  }
}

/** Whether a value is a mapping with something in it. */
function isFilled(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).some((item) => item !== undefined)
}

/** Text that means itself without quotes, on one line. */
const plain = /^(?:[\w./$(]|-(?=[^\s-]|-\w))[\x20-\x7e]*$/
const unclear = /: |:$| #| $|^\.\.\./

function textual(text: string): string {
  if (plain.test(text) && !unclear.test(text) && plainValue(text) === text) return text
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Whether a text is best written line by line: it has several, and nothing that would be lost so. */
function isBlock(text: string): boolean {
  return /^[^\s][^\n]*\n/.test(text) && !lossy.test(text)
}

/** Characters that YAML does not take as they are, and white space of which nobody sees how far it goes. */
const lossy = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|^ +$|$(?<=\t[ \t]*)/m

/** The length of a text without certain characters at its end. An expression would look for the end from each of many in a row. */
function lengthWithout(text: string, characters: string): number {
  let length = text.length
  while (length > 0 && characters.includes(text.charAt(length - 1))) length--
  return length
}

function block(text: string, indent: number): string {
  const end = text.length - lengthWithout(text, '\n')
  const mark = end === 0 ? '|-' : end === 1 ? '|' : '|+'
  const lines = (end === 0 ? text : text.slice(0, -1)).split('\n')
  return [mark, ...lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line))].join('\n')
}
