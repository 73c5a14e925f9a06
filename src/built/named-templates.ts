/** The named templates of a chart, and what becomes of their text: printed, or looked into. */
import { push } from '../values/group.js'
import { keywordOf } from './go-template.js'
import { scopedParts } from './scopes.js'

/** Functions that leave text as it is, but for blanks around its lines; `dict` and `list` make arguments. */
const plain = new Set(['include', 'template', 'indent', 'nindent', 'trim', 'dict', 'list'])

/**
 * The named templates whose text decides something, or is changed: in conditions and variables, read as YAML, cut, hashed. Those that
 * they include are among them.
 * @param texts of all templates of a chart
 */
export function examinedTemplates(texts: Iterable<string>): ReadonlySet<string> {
  const examined = new Set<string>()
  const included = new Map<string, string[]>()
  for (const text of texts)
    for (const { code = '', define } of scopedParts(text) ?? []) {
      for (const [, name = ''] of code.matchAll(/\b(?:include|template)\s+["`]([^"`]+)["`]/g)) {
        if (define) push(included, define.name, name)
        if (!isPrinted(code)) examined.add(name)
      }
    }
  // What is added on the way is gone through, too.
  for (const name of examined) for (const inner of included.get(name) ?? []) examined.add(inner)
  return examined
}

function isPrinted(code: string): boolean {
  const words = code.replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '').match(/(?<![\w.$])[A-Za-z]\w*/g) ?? []
  return keywordOf(code) === undefined && words.every((word) => plain.has(word))
}
