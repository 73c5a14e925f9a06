/** Places of the fields of objects. */
import type { Locator } from '../document.js'
import { formatPath, type Path, type Place } from '../finding.js'
import { at } from '../fix/edited.js'
import type { Resource } from '../graph/resource.js'

/**
 * Where a field stands: its key (or its value), its nearest ancestor's key when it is not written.
 * An object and a list item as a whole are shown at their name.
 */
export function placeOf(resource: Resource, path: Path, onValue = false): Place {
  const found = resource.document.locate()
  const written = nearest(found, resource, path)
  const full = [...resource.path, ...written]
  const isItem = typeof written.at(-1) === 'number'
  const range =
    written.length === 0
      ? nameOf(found, resource)
      : isItem && found.has([...full, 'name'])
        ? found.value([...full, 'name'])
        : onValue
          ? found.value(full)
          : found.key(full)
  const { file, live } = resource.document
  const { line, column, endLine, endColumn } = range
  const shown = formatPath(path)
  return live
    ? { file: file.name, live: true, line, column, endLine, endColumn, path: shown }
    : { file: file.name, line, column, endLine, endColumn, path: shown }
}

/**
 * Whether the field is written, merge keys and aliases followed; also when its value is null. What was read tells as well as the
 * text, and is at hand.
 */
export function isWritten({ document, path: start }: Resource, path: Path): boolean {
  return at(document.value, [...start, ...path]) !== undefined
}

/** The longest beginning of the path that is written in the text. */
function nearest(found: Locator, resource: Resource, path: Path): Path {
  let written = path
  while (written.length > 0 && !found.has([...resource.path, ...written])) written = written.slice(0, -1)
  return written
}

function nameOf(found: Locator, resource: Resource) {
  const name = [...resource.path, 'metadata', 'name']
  return found.has(name) ? found.value(name) : found.key(resource.path)
}
