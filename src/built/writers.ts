/** What a kustomization writes into the objects that it builds on: patches, counts of replicas, images. */
import { dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Document, Written } from '../document.js'
import type { Path } from '../finding.js'
import { at } from '../fix/edited.js'
import { isCalled } from '../graph/patches.js'
import { isMapping, type Mapping } from '../reader/classify.js'
import { realOf } from '../reader/files.js'
import type { PatchTarget } from '../reader/input.js'
import { listedPatches } from '../reader/kustomization.js'
import { unescapedStep } from '../values/pointer.js'
import { arrayAt } from '../values/untyped.js'
import { inlineDocument } from './inline.js'
import { nameOf, type SourceObject, writtenIn } from './match.js'
import type { Sources } from './sources.js'
import { type Kustomization, scopesOf } from './tree.js'

/** An object that was built. */
export interface Made {
  readonly value: Mapping
  readonly source: SourceObject | undefined
  /** The absolute path of the file that it comes from, where that is known. */
  readonly file: string | undefined
}

/** Tells where what stands at a path of an object is written, if this is what has written it. */
type Writer = (made: Made, path: Path) => Written | undefined

/** What one kustomization writes. */
export interface Writers {
  readonly writers: readonly Writer[]
  /** The files whose objects it may change; all when undefined. */
  readonly scope: ReadonlySet<string> | undefined
}

/** All places where it may be written. What the outermost kustomization writes comes last, and is the only one then. */
export function writtenBy(all: readonly Writers[], made: Made, path: Path): readonly Written[] {
  const found = all
    .filter(({ scope }) => !scope || (made.file !== undefined && scope.has(made.file)))
    .map(({ writers }) => writers.flatMap((write) => write(made, path) ?? []))
  return found[0] && found[0].length > 0 ? found[0] : found.flat()
}

/** All that writes in a build, the outermost kustomization first. */
export function writersOf(root: Kustomization, sources: Sources): readonly Writers[] {
  return [...scopesOf(root)].map(([one, scope]) => ({
    writers: writersIn(one.path, sources),
    scope: one === root ? undefined : scope,
  }))
}

function writersIn(kustomization: string, sources: Sources): Writer[] {
  return sources.documents(kustomization).flatMap((document): Writer[] => {
    const { value } = document
    if (!isMapping(value)) return []
    return [
      ...listedPatches(value).flatMap(({ target, inline, file = '', at: path }) => {
        const body = inline === undefined ? undefined : inlineDocument(document, path, inline)
        const bodies = body ? [body] : sources.documents(fileOf(kustomization, file))
        return bodies.map((one) => patching(one, target))
      }),
      ...arrayAt(value, 'replicas').map((entry, i) => counting(document, entry, i)),
      ...arrayAt(value, 'images').map((entry, i) => naming(document, entry, i)),
    ]
  })
}

/** A path that leads nowhere stays as it is. */
function fileOf(kustomization: string, name: string): string {
  const path = resolve(dirname(kustomization), name)
  return realOf(path) ?? path
}

function patching(document: Document, target: PatchTarget | undefined): Writer {
  const { value: patch } = document
  return (made, path) => {
    if (!isFor(target ?? targetIn(patch), made)) return undefined
    if (Array.isArray(patch)) return operating(document, patch, made.value, path)
    if (!isMapping(patch)) return undefined
    const written = writtenIn({ document, path: [], value: patch }, made.value, path)
    // What is missing in a patch, and where the object is not known, may be in the object.
    const value = at(made.value, path)
    const isThere =
      made.source !== undefined || (value !== undefined && isDeepStrictEqual(at(patch, written.path), value))
    return written.isCertain && isThere ? written : undefined
  }
}

/** The object that a patch names itself. */
function targetIn(patch: unknown): PatchTarget | undefined {
  if (!isMapping(patch) || !isMapping(patch.metadata)) return undefined
  const { kind, metadata } = patch
  return typeof kind === 'string' && typeof metadata.name === 'string'
    ? { kind, name: metadata.name }
    : undefined
}

/** Whether a patch may be for an object, by the name in its source or in the build. */
function isFor(target: PatchTarget | undefined, { value, source }: Made): boolean {
  if (!target) return false
  const names = [value, source?.value].map(nameOf)
  return isCalled(target.kind, String(value.kind)) && names.some((name) => isCalled(target.name, name))
}

/** Where the operation of a JSON patch stands that has written it, if exactly one has. */
function operating(
  document: Document,
  operations: readonly unknown[],
  made: Mapping,
  path: Path,
): Written | undefined {
  const own = operations.flatMap((one, i) => {
    if (!isMapping(one) || typeof one.path !== 'string' || !/^(?:add|replace)$/.test(String(one.op)))
      return []
    const steps = one.path.split('/').slice(1)
    const isOn = steps.every((step, depth) => unescapedStep(step) === String(path[depth]))
    const rest = path.slice(steps.length)
    if (!isOn || steps.length > path.length) return []
    const value = at(made, path)
    return value !== undefined && isDeepStrictEqual(at(one.value, rest), value) ? [[i, 'value', ...rest]] : []
  })
  return own[0] && own.length === 1 ? { document, object: [], path: own[0], isCertain: true } : undefined
}

/** An entry of `replicas`. */
function counting(document: Document, entry: unknown, i: number): Writer {
  return ({ value, source }, path) => {
    if (!isMapping(entry) || path.join('.') !== 'spec.replicas' || at(value, path) !== entry.count)
      return undefined
    return [value, source?.value].some((one) => nameOf(one) === entry.name)
      ? { document, object: [], path: ['replicas', i, 'count'], isCertain: true }
      : undefined
  }
}

/** An entry of `images`. */
function naming(document: Document, entry: unknown, i: number): Writer {
  return ({ value }, path) => {
    if (!isMapping(entry) || path.at(-1) !== 'image') return undefined
    const { name, newName = name, newTag, digest } = entry
    const image = at(value, path)
    const isWhole =
      image ===
      `${newName}${newTag === undefined ? '' : `:${newTag}`}${digest === undefined ? '' : `@${digest}`}`
    const field = newTag !== undefined ? 'newTag' : digest !== undefined ? 'digest' : undefined
    return isWhole && field
      ? { document, object: [], path: ['images', i, field], isCertain: true }
      : undefined
  }
}
