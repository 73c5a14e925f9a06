/** Which object of a file has become which object of a build, and where its parts stand: certain, or nothing. */
import { isDeepStrictEqual } from 'node:util'
import type { Document, Written } from '../document.js'
import type { Path } from '../finding.js'
import { at } from '../fix/edited.js'
import { isMapping, type Mapping } from '../reader/classify.js'
import { groupBy } from '../values/group.js'
import { stringAt } from '../values/untyped.js'

/** An object of a source file. */
export interface SourceObject {
  readonly document: Document
  /** Where it stands in the document. */
  readonly path: Path
  readonly value: Mapping
}

/**
 * The source of each built object. kustomize puts prefixes before names and suffixes behind them, and leaves the kind: where several
 * objects of a file could have become one, that is decided only where the names of all of them agree.
 * @param built all objects of a build that come from a file
 * @param sources all objects in that file
 */
export function sourcesOf(
  built: readonly Mapping[],
  sources: readonly SourceObject[],
): ReadonlyMap<Mapping, SourceObject> {
  const found = new Map<Mapping, SourceObject>()
  const kinds = groupBy(built, kindOf)
  for (const [kind, made] of kinds) {
    const own = sources.filter(({ value }) => kindOf(value) === kind)
    // A patch may give another name; the only one of its kind is known all the same.
    if (made.length === 1 && own.length === 1 && made[0] && own[0]) {
      found.set(made[0], own[0])
      continue
    }
    const all = made.length === own.length ? renamed(made, own) : undefined
    for (const one of made) {
      const candidates = own.filter(({ value }) => nameOf(one).includes(nameOf(value)))
      const source = all?.get(one) ?? (candidates.length === 1 ? candidates[0] : undefined)
      if (source) found.set(one, source)
    }
  }
  return found
}

/** The sources of objects of one kind, when there is one way only to give all of them the same prefix and suffix. */
function renamed(
  made: readonly Mapping[],
  own: readonly SourceObject[],
): ReadonlyMap<Mapping, SourceObject> | undefined {
  const name = nameOf(made[0])
  const frames = new Map<string, readonly [string, string]>()
  for (const { value } of own) {
    const inner = nameOf(value)
    if (inner === '') return undefined
    for (let at = name.indexOf(inner); at >= 0; at = name.indexOf(inner, at + 1)) {
      const frame = [name.slice(0, at), name.slice(at + inner.length)] as const
      frames.set(frame.join('/'), frame)
    }
  }
  const byName = groupBy(own, ({ value }) => nameOf(value))
  const ways = [...frames.values()].flatMap((frame) => inFrame(frame, made, byName) ?? [])
  return ways.length === 1 ? ways[0] : undefined
}

/** The source of each object with that prefix and suffix; undefined when one has none, or two have the same. */
function inFrame(
  [prefix, suffix]: readonly [string, string],
  made: readonly Mapping[],
  byName: ReadonlyMap<string, readonly SourceObject[]>,
): ReadonlyMap<Mapping, SourceObject> | undefined {
  const found = new Map<Mapping, SourceObject>()
  for (const one of made) {
    const name = nameOf(one)
    if (!name.startsWith(prefix) || !name.endsWith(suffix)) return undefined
    const called = byName.get(name.slice(prefix.length, name.length - suffix.length)) ?? []
    const near = called.length > 1 ? called.filter(({ value }) => hasNamespaceOf(value, one)) : called
    if (!near[0] || near.length > 1) return undefined
    found.set(one, near[0])
  }
  return new Set(found.values()).size === made.length ? found : undefined
}

function kindOf({ apiVersion, kind }: Mapping): string {
  return `${apiVersion} ${kind}`
}

/** The name of an object; empty where it has none. */
export function nameOf(value: Mapping | undefined): string {
  return stringAt(value, 'metadata', 'name') ?? ''
}

function hasNamespaceOf({ metadata: a }: Mapping, { metadata: b }: Mapping): boolean {
  return isMapping(a) && isMapping(b) && a.namespace === b.namespace
}

/** Where what stands at a path of a built object is written in its source. */
export function writtenIn(
  { document, path: object, value }: SourceObject,
  built: Mapping,
  path: Path,
): Written {
  const steps: (string | number)[] = []
  const spot = (isCertain: boolean): Written => ({ document, object, path: [...steps], isCertain })
  let own: unknown = value
  let made: unknown = built
  for (const [i, step] of path.entries()) {
    const next = stepIn(own, made, step)
    if (!next) {
      // What is in neither is missing in both.
      const isMissing = !has(made, step) && !has(own, step)
      if (isMissing) steps.push(...path.slice(i))
      return spot(isMissing)
    }
    steps.push(next.step)
    own = next.own
    made = next.made
  }
  const isSecret = value.kind === 'Secret' && (path[0] === 'data' || path[0] === 'stringData')
  return spot(!isSecret && (isWhole(built, path) || isDeepStrictEqual(own, made)))
}

/** Whether a path leads to an object or a named item as a whole, which are shown at their names, or to nothing. */
export function isWhole(built: Mapping, path: Path): boolean {
  const value = at(built, path)
  return (
    path.length === 0 ||
    value === undefined ||
    (typeof path.at(-1) === 'number' && isMapping(value) && 'name' in value)
  )
}

/** One step into both. Items of lists are told by their names, others by being the same. */
function stepIn(own: unknown, made: unknown, step: string | number) {
  if (!has(made, step)) return undefined
  if (typeof step === 'string')
    return isMapping(own) && isMapping(made) && Object.hasOwn(own, step)
      ? { step, own: own[step], made: made[step] }
      : undefined
  if (!Array.isArray(own) || !Array.isArray(made)) return undefined
  const item: unknown = made[step]
  const name = isMapping(item) ? item.name : undefined
  const isItem = (one: unknown) =>
    name === undefined ? isDeepStrictEqual(one, item) : isMapping(one) && one.name === name
  const index = own.findIndex(isItem)
  // The same twice: nobody knows which.
  if (index < 0 || own.findLastIndex(isItem) !== index || made.filter(isItem).length > 1) return undefined
  return { step: index, own: own[index] as unknown, made: item }
}

function has(value: unknown, step: string | number): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step)
}
