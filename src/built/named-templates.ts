/** The named templates of a chart, and what becomes of their text: printed, or looked into. */
import { push } from '../values/group.js'
import { keywordOf, partsOf } from './go-template.js'

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
    for (const { code, define } of actionsOf(text)) {
      const names = [...code.matchAll(/\b(?:include|template)\s+["`]([^"`]+)["`]/g)].map(
        ([, name = '']) => name,
      )
      for (const name of names) {
        if (define !== undefined) push(included, define, name)
        if (!isPrinted(code)) examined.add(name)
      }
    }
  // What is added on the way is gone through, too.
  for (const name of examined) for (const inner of included.get(name) ?? []) examined.add(inner)
  return examined
}

/** The actions of a template, with the named template that each stands in. */
function actionsOf(text: string): { readonly code: string; readonly define: string | undefined }[] {
  const blocks: (string | undefined)[] = []
  return (partsOf(text) ?? []).flatMap(({ code }) => {
    if (code === undefined) return []
    const define = blocks.findLast((name) => name !== undefined)
    const keyword = keywordOf(code)
    if (keyword === 'end') blocks.pop()
    else if (keyword === 'define') blocks.push(nameOf(code))
    else if (/^(?:if|range|with|block)$/.test(keyword ?? '')) blocks.push(undefined)
    return [{ code, define }]
  })
}

/** The name in `define "name"`. */
export function nameOf(code: string): string {
  return /^define\s+["`]([^"`]*)["`]/.exec(code)?.[1] ?? ''
}

function isPrinted(code: string): boolean {
  const words = code.replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '').match(/(?<![\w.$])[A-Za-z]\w*/g) ?? []
  return keywordOf(code) === undefined && words.every((word) => plain.has(word))
}
