/** Takes the bulk out of a list before it is parsed. */

/**
 * The fields that each client has set are two fifths of a list of pods, in the smallest of objects, and nobody reads those of an
 * `Update`. The API server writes objects of built-in kinds in the order of their Go types, without spaces: other texts come back as
 * they are.
 *
 * What is looked for ends or begins with a quote before a letter, behind a character that is no backslash: that quote opens a text, so
 * that nothing of it stands inside of one, whatever names the objects have.
 * Source: ManagedFieldsEntry and ObjectMeta in k8s.io/apimachinery/pkg/apis/meta/v1/types.go.
 */
const entry =
  /"operation":"Update","apiVersion":"[^"\\]*","time":"[^"\\]*","fieldsType":"FieldsV1","fieldsV1":\{/g
/** The bracket that closes the fields: before another entry, before what follows the object's metadata, or before the subresource. */
const close = /\}(?=\},\{"manager":"|\}\]\},"[a-z]|,"subresource":")/g
/** How the next object begins: its fields are not those that were looked for. */
const object = '{"metadata":{"'

/** A list of objects of a built-in kind as the API server has written it, with the fields of updates left empty. */
export function withoutFieldSets(text: string): string {
  const kept: string[] = []
  let from = 0
  let next = -1
  entry.lastIndex = 0
  while (entry.test(text)) {
    const start = entry.lastIndex
    close.lastIndex = start
    if (!close.test(text)) break
    const end = close.lastIndex - 1
    if (next < start) next = text.indexOf(object, start)
    if (next < 0) next = text.length
    if (next < end) break
    kept.push(text.slice(from, start))
    from = end
    entry.lastIndex = end
  }
  return kept.length === 0 ? text : kept.join('') + text.slice(from)
}
