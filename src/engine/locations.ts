/** Places of the fields of objects: locators are made for documents with findings only, one each. */
import type { Locator } from '../document.js'
import { formatPath, type Path, type Place } from '../finding.js'
import type { IndexedGraph } from '../graph/graph.js'
import type { Resource } from '../graph/resource.js'

export interface Locations {
  /**
   * Where a field stands: its key (or its value), its nearest ancestor's key when it is not written.
   * The object as a whole is shown at its name.
   */
  place(resource: Resource, path: Path, onValue: boolean): Place
  locator(resource: Resource): Locator
}

export function locations(_graph: IndexedGraph): Locations {
  const locator = (resource: Resource) => resource.document.locate()
  return {
    locator,
    place: (resource, path, onValue) => {
      const found = locator(resource)
      const full = [...resource.path, ...path]
      const range =
        path.length === 0 || (path.length === 1 && !found.has(full)) ? nameOf(found, resource) : onValue ? found.value(full) : found.key(full)
      return { file: resource.document.file.name, ...range, path: formatPath(path) }
    },
  }
}

function nameOf(found: Locator, resource: Resource) {
  const name = [...resource.path, 'metadata', 'name']
  return found.has(name) ? found.value(name) : found.key(resource.path)
}
