/** The kustomizations on the disk that a build goes through, and the files that they name. */
import { dirname, resolve } from 'node:path'
import { kustomizationIn, realOf } from '../reader/files.js'
import { statsAt } from '../values/stats.js'
import { stringAt } from '../values/untyped.js'
import type { Sources } from './sources.js'

export interface Kustomization {
  /** Absolute, as all paths here, with links followed. */
  readonly path: string
  /** What it names that is no kustomization. */
  readonly files: ReadonlySet<string>
  /** Those that it builds on; components among them. */
  readonly parts: readonly Kustomization[]
  /** It changes what those build that use it, and not only what it builds on itself. */
  readonly isComponent: boolean
}

/** The kustomization at a path, with all below it. */
export function treeOf(
  path: string,
  sources: Sources,
  known = new Map<string, Kustomization>(),
): Kustomization {
  const before = known.get(path)
  if (before) return before
  const files = new Set<string>()
  const parts: Kustomization[] = []
  const documents = sources.documents(path)
  const isComponent = documents.some(({ value }) => stringAt(value, 'kind') === 'Component')
  const own = { path, files, parts, isComponent }
  known.set(path, own)
  // In whatever field: generators write `key=file`.
  for (const text of documents.flatMap(({ value }) => [...textsIn(value)]))
    for (const name of new Set([text, text.slice(text.indexOf('=') + 1)])) {
      const target = name === '' || name.includes('\n') ? undefined : realOf(resolve(dirname(path), name))
      const inner = target === undefined ? undefined : kustomizationIn(target)
      if (inner !== undefined) parts.push(treeOf(inner, sources, known))
      else if (target !== undefined && statsAt(target)?.isFile()) files.add(target)
    }
  return own
}

/** A kustomization and all below it, itself first. */
function allIn(root: Kustomization): readonly Kustomization[] {
  const found = new Set([root])
  for (const { parts } of found) for (const part of parts) found.add(part)
  return [...found]
}

/** All files that a build of it reads. */
export function filesOf(root: Kustomization): ReadonlySet<string> {
  return new Set(allIn(root).flatMap(({ path, files }) => [path, ...files]))
}

/** For each kustomization of a build the files whose objects it may change. */
export function scopesOf(root: Kustomization): ReadonlyMap<Kustomization, ReadonlySet<string>> {
  const all = allIn(root)
  const scopeOf = (one: Kustomization, seen: readonly Kustomization[]): ReadonlySet<string> => {
    if (!one.isComponent || one === root) return filesOf(one)
    const users = all.filter(({ parts }) => parts.includes(one)).filter((user) => !seen.includes(user))
    return new Set(users.flatMap((user) => [...scopeOf(user, [...seen, one])]))
  }
  return new Map(all.map((one) => [one, scopeOf(one, [])]))
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) yield* textsIn(item)
}
