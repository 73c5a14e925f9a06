/**
 * Reads the long lists of an API server object by object: a page as a whole makes garbage of millions of small objects that the
 * collector copies about while they are read.
 *
 * The API server writes objects of built-in kinds in the order of their Go types, without spaces. What is looked for in its text ends or
 * begins with a quote before a letter, behind a character that is no backslash: that quote opens a text, so that nothing of it stands
 * inside of one, whatever names the objects have. A text that is written otherwise is read as a whole.
 * Source: ListMeta, ObjectMeta and ManagedFieldsEntry in k8s.io/apimachinery/pkg/apis/meta/v1/types.go.
 */

/** A list with its items, which are read one after the other as somebody asks for them. */
interface Page {
  readonly metadata?: unknown
  readonly items: Iterable<unknown>
}

const firstItem = '"items":[{"metadata":{"'
const nextItem = '},{"metadata":{"'

/** A list of objects of a built-in kind, without the fields that updates have set; anything else as it is. @throws SyntaxError */
export function pageIn(text: string): unknown {
  const start = text.indexOf(firstItem)
  const end = text.trimEnd().length - 2
  if (start < 0 || !text.startsWith(']}', end)) return JSON.parse(text)
  try {
    const { metadata } = JSON.parse(`${text.slice(0, start)}"items":[]}`) as Page
    return { metadata, items: itemsIn(text, start + firstItem.indexOf('{'), end) } satisfies Page
  } catch {
    return JSON.parse(text)
  }
}

function* itemsIn(text: string, start: number, end: number): Generator<unknown> {
  let from = start
  for (let i = 0; from < end; i++) {
    const at = text.indexOf(nextItem, from)
    const to = at < 0 ? end : at + 1
    let item: unknown
    try {
      item = JSON.parse(withoutFieldSets(text.slice(from, to)))
    } catch {
      // Such a sequence within an object: all before it were whole.
      yield* (JSON.parse(text) as { readonly items: readonly unknown[] }).items.slice(i)
      return
    }
    yield item
    from = to + 1
  }
}

const entry =
  /"operation":"Update","apiVersion":"[^"\\]*","time":"[^"\\]*","fieldsType":"FieldsV1","fieldsV1":\{/g
/** The bracket that closes the fields: before another entry, before what follows the object's metadata, or before the subresource. */
const close = /\}(?=\},\{"manager":"|\}\]\},"[a-z]|,"subresource":")/g

/**
 * The text of an object with the fields of updates left empty: two fifths of a pod, in the smallest of objects, and nobody reads
 * them. Sets of fields hold mappings and no lists.
 */
function withoutFieldSets(text: string): string {
  let kept = ''
  let from = 0
  entry.lastIndex = 0
  while (entry.test(text)) {
    close.lastIndex = entry.lastIndex
    if (!close.test(text)) break
    kept += text.slice(from, entry.lastIndex)
    from = close.lastIndex - 1
    entry.lastIndex = from
  }
  return from === 0 ? text : kept + text.slice(from)
}
