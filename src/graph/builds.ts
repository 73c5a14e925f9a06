/** What kustomizations build: the files that they list, and those that the kustomizations list that they build on. */
import type { Kustomization } from '../reader/input.js'
import { push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import type { Labels } from '../values/selector.js'
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
  /** The kustomization and those that it builds on, directly or not, each with what its objects get. */
  readonly parts: ReadonlyMap<Kustomization, Given>
  /** The files that they list, with what each of those that list it gives them. */
  readonly files: ReadonlyMap<string, readonly Given[]>
}

/** What kustomizations give all objects of a file. */
interface Given {
  /** '' where they leave it as it is written. */
  readonly namespace: string
  readonly podLabels: Labels
}

const made = new WeakMap<readonly Kustomization[], Builds>()

/** Paths of files are compared as they are written, relative to the same folder. Several parts of a run ask: each build is made once. */
export function buildsOf(kustomizations: readonly Kustomization[]): Builds {
  const builds = made.get(kustomizations) ?? makeBuilds(kustomizations)
  made.set(kustomizations, builds)
  return builds
}

function makeBuilds(kustomizations: readonly Kustomization[]): Builds {
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
  /** What a kustomization gives all that it builds. Components change what is built before them, and stand for their user here. */
  const own = ({ namespace = '', podLabels, resources }: Kustomization): Given => {
    const components = resources.flatMap((path) => byFolder.get(path) ?? []).filter(isComponent)
    return { namespace, podLabels: Object.assign({}, ...components.map((one) => one.podLabels), podLabels) }
  }
  const parts = new Map([[root, own(root)]])
  const files = new Map<string, Given[]>()
  for (const [{ resources }, outer] of parts)
    for (const path of resources) {
      const next = byFolder.get(path)
      if (!next) push(files, path, outer)
      else if (!parts.has(next)) parts.set(next, within(outer, own(next)))
    }
  return { parts, files }
}

/** What the outermost one says counts. */
function within(outer: Given, inner: Given): Given {
  return {
    namespace: outer.namespace || inner.namespace,
    podLabels: { ...inner.podLabels, ...outer.podLabels },
  }
}

/**
 * By file the namespace that kustomizations give its objects, '' where they leave it as it is written; undefined where the builds
 * differ.
 */
export function homesOf(kustomizations: readonly Kustomization[]): ReadonlyMap<string, string | undefined> {
  const homes = new Map<string, string | undefined>()
  for (const { files } of buildsOf(kustomizations).outermost())
    for (const [file, given] of files)
      for (const { namespace } of given)
        homes.set(file, !homes.has(file) || homes.get(file) === namespace ? namespace : undefined)
  return homes
}

/** By file the labels that kustomizations put on the pods of its objects, without those that only some of the builds put on. */
export function podLabelsOf(kustomizations: readonly Kustomization[]): ReadonlyMap<string, Labels> {
  const labels = new Map<string, Labels>()
  if (kustomizations.every(({ podLabels }) => Object.keys(podLabels).length === 0)) return labels
  for (const { files } of buildsOf(kustomizations).outermost())
    for (const [file, given] of files)
      for (const { podLabels } of given) {
        const known = labels.get(file) ?? podLabels
        const agreed = Object.entries(podLabels).filter(([key, value]) => known[key] === value)
        labels.set(file, Object.fromEntries(agreed))
      }
  return new Map([...labels].filter(([, pairs]) => Object.keys(pairs).length > 0))
}

export function isComponent({ document }: Kustomization): boolean {
  return stringAt(document.value, 'kind') === 'Component'
}
