/** What kustomizations build: the files that they list, and those that the kustomizations list that they build on. */
import type { Kustomization } from '../reader/input.js'
import { push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { stringAt } from '../values/untyped.js'

/** The questions about builds. */
export interface Builds {
  /** What a kustomization builds. */
  of(one: Kustomization): Build
  /** The kustomizations whose builds one changes: itself; for a component those that use it, directly or through others. */
  changing(one: Kustomization): readonly Kustomization[]
  /** What is built from the kustomizations that no other one builds on: all that is applied. */
  outermost(): readonly Build[]
  /** The files whose objects a kustomization changes: what it builds on, for a component what those build on that use it. */
  changedBy(one: Kustomization): ReadonlySet<string>
}

export interface Build {
  /** The kustomization and those that it builds on, directly or not, each with the namespace that its objects get or ''. */
  readonly parts: ReadonlyMap<Kustomization, string>
  /** The files that they list, with the namespace; undefined for a file that gets more than one. */
  readonly files: ReadonlyMap<string, string | undefined>
}

/** Paths of files are compared as they are written, relative to the same folder. */
export function buildsOf(kustomizations: readonly Kustomization[]): Builds {
  const byFolder = new Map(kustomizations.map((one) => [one.folder, one]))
  const buildOf = memo((root: Kustomization) => build(root, byFolder))
  const usersOf = lazy(() => {
    const users = new Map<string, Kustomization[]>()
    for (const one of kustomizations) for (const path of one.resources) push(users, path, one)
    return users
  })
  const usersAnd = (one: Kustomization) => {
    // Components may be used by components.
    const changing = new Set([one])
    for (const part of changing)
      if (isComponent(part)) for (const user of usersOf().get(part.folder) ?? []) changing.add(user)
    return [...changing]
  }
  return {
    of: buildOf,
    changing: (one) => usersAnd(one).filter((user) => !isComponent(user)),
    outermost: lazy(() => kustomizations.filter(({ folder }) => !usersOf().has(folder)).map(buildOf)),
    changedBy: (one) => new Set(usersAnd(one).flatMap((part) => [...buildOf(part).files.keys()])),
  }
}

function build(root: Kustomization, byFolder: ReadonlyMap<string, Kustomization>): Build {
  const parts = new Map([[root, root.namespace ?? '']])
  const files = new Map<string, string | undefined>()
  for (const [{ resources }, namespace] of parts)
    for (const path of resources) {
      const next = byFolder.get(path)
      if (!next) agree(files, path, namespace)
      // The namespace of the outermost one counts.
      else if (!parts.has(next)) parts.set(next, namespace || (next.namespace ?? ''))
    }
  return { parts, files }
}

/**
 * By file the namespace that kustomizations give its objects, '' where they leave it as it is written; undefined where the builds
 * differ.
 */
export function homesOf(kustomizations: readonly Kustomization[]): ReadonlyMap<string, string | undefined> {
  const homes = new Map<string, string | undefined>()
  for (const { files } of buildsOf(kustomizations).outermost())
    for (const [file, namespace] of files) agree(homes, file, namespace)
  return homes
}

/** Notes a file's namespace: undefined where another one is known. */
function agree(homes: Map<string, string | undefined>, file: string, namespace: string | undefined): void {
  homes.set(file, !homes.has(file) || homes.get(file) === namespace ? namespace : undefined)
}

export function isComponent({ document }: Kustomization): boolean {
  return stringAt(document.value, 'kind') === 'Component'
}
