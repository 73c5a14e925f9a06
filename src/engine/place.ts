/** Places of the fields of objects. */
import type { Built, Locator, Range, Written } from '../document.js'
import { formatPath, type Path, type Place } from '../finding.js'
import { at } from '../fix/edited.js'
import type { Resource } from '../graph/resource.js'

/** A line of a file. */
export interface Line {
  readonly file: string
  readonly line: number
}

/**
 * Where a field stands: its key (or its value), its nearest ancestor's key when it is not written.
 * An object and a list item as a whole are shown at their name, a condition at its type.
 */
export function placeOf(resource: Resource, path: Path, onValue = false): Place {
  const { file, live, built } = resource.document
  const range = () => rangeOf(resource.document.locate(), resource.path, path, onValue)
  const shown = formatPath(path)
  if (built) {
    const source = built.source([...resource.path, ...path], range)
    return builtPlace(built, source, { output: file.name, range, path: shown, onValue })
  }
  const { line, column, endLine, endColumn } = range()
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

/** Where a path of the object at `object` stands in a document. */
function rangeOf(found: Locator, object: Path, path: Path, onValue: boolean): Range {
  const written = nearest(found, object, path)
  const full = below(object, written)
  const isItem = typeof written.at(-1) === 'number'
  if (written.length === 0) return nameOf(found, object)
  const name = [...full, full.at(-2) === 'conditions' ? 'type' : 'name']
  if (isItem && found.has(name)) return found.value(name)
  return onValue ? found.value(full) : found.key(full)
}

/** The longest beginning of the path that is written in the text. */
function nearest(found: Locator, object: Path, path: Path): Path {
  const depth = Math.max(0, found.depth(below(object, path)) - object.length)
  return depth < path.length ? path.slice(0, depth) : path
}

/** The path in the document: that of nearly every object is empty. */
function below(object: Path, path: Path): Path {
  return object.length === 0 ? path : [...object, ...path]
}

function nameOf(found: Locator, object: Path): Range {
  const name = [...object, 'metadata', 'name']
  return found.has(name) ? found.value(name) : found.key(object)
}

/** Where something stands that the path does not tell, as the first of two equal keys: it is shown at this range of the document. */
export function placeOfRange(resource: Resource, path: Path, range: Range): Place {
  const { file, built } = resource.document
  if (!built) return { ...placeOf(resource, path), ...range }
  const shown = { output: file.name, range: () => range, path: formatPath(path), onValue: false }
  return builtPlace(built, built.line?.(range), shown)
}

/** How something is shown in what was built. */
interface Shown {
  /** The name of what was built. */
  readonly output: string
  range(): Range
  readonly path: string
  readonly onValue: boolean
}

/** The place in a source, where that is certain; else that of what was built, and what is known around it. */
function builtPlace(
  built: Built,
  source: Written | undefined,
  { output, range, path, onValue }: Shown,
): Place {
  if (source?.isCertain) return sourcePlace(source, path, onValue)
  const { file, range: from } = built.from
  return {
    ...(source?.isMaker ? sourcePlace(source, path, onValue) : { file, ...from, path }),
    built: {
      file: output,
      ...range(),
      ...(source && { near: lineOf(source) }),
      ...(built.archived !== undefined && { archived: built.archived }),
    },
  }
}

function sourcePlace({ document, object, path: own }: Written, path: string, onValue: boolean): Place {
  return { file: document.file.name, ...rangeOf(document.locate(), object, own, onValue), path }
}

/** Other places of what was built at a path: where a template puts the value, the values that are parts of it. */
export function morePlacesOf(resource: Resource, path: Path, onValue = false): readonly Place[] {
  const { built } = resource.document
  const range = () => rangeOf(resource.document.locate(), resource.path, path, onValue)
  const more = built?.also?.([...resource.path, ...path], range) ?? []
  return more.map((one) => sourcePlace(one, formatPath(path), onValue))
}

/** The lines of what was built besides that of its place: in the output, and in the files that it comes from. */
export function otherLines(resource: Resource, path: Path): readonly Line[] {
  const { file, built } = resource.document
  if (!built) return []
  const range = rangeOf(resource.document.locate(), resource.path, path, false)
  const made = [built.origin([...resource.path, ...path], () => range), built.line?.(range)]
  const archived = built.archived === undefined ? [] : [{ file: built.archived, line: 1 }]
  return [
    { file: file.name, line: range.line },
    ...archived,
    ...made.flatMap((one) => (one ? [lineOf(one)] : [])),
  ]
}

function lineOf({ document, object, path }: Written): Line {
  return { file: document.file.name, line: rangeOf(document.locate(), object, path, false).line }
}
