/** The objects of a document. */
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { isMapping, type Mapping } from './classify.js'

export interface UnfoldedObject {
  readonly value: Mapping
  /** Where the object stands in the document's value. */
  readonly path: Path
}

/** The objects of a document: itself, or the items of a `List`, lists in lists included. Other items are left out. */
export function unfold(document: Pick<Document, 'value'>): UnfoldedObject[] {
  return unfoldValue(document.value, [])
}

function unfoldValue(value: unknown, path: Path): UnfoldedObject[] {
  if (!isMapping(value)) return []
  if (!isList(value)) return [{ value, path }]
  return value.items.flatMap((item, i) => unfoldValue(item, [...path, 'items', i]))
}

/** kubectl takes an object for a list when its kind ends in `List` and it has items. */
export function isList(value: Mapping): value is Mapping & { readonly items: readonly unknown[] } {
  return typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items)
}
