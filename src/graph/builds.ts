/** What kustomizations build: the files that they list, and those that the kustomizations list that they build on. */
import type { Kustomization } from '../reader/input.js'
import { push } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import type { Labels } from '../values/selector.js'
import { arrayAt, ownValue, stringAt } from '../values/untyped.js'

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

interface Build {
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
  readonly selectorLabels: Labels
}

/** What the builds agree on. */
interface Agreed {
  /** Undefined where they differ. */
  readonly namespace: string | undefined
  /** Without those that only some of them put on. */
  readonly podLabels: Labels
  readonly selectorLabels: Labels
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
  /** What a kustomization gives all that it builds. Components change what is built before them, and stand for their user here. */
  const own = ({ namespace = '', podLabels, selectorLabels, resources }: Kustomization): Given => {
    const components = resources.flatMap((path) => byFolder.get(path) ?? []).filter(isComponent)
    return {
      namespace,
      podLabels: [...components, { podLabels }].map((one) => one.podLabels).reduce(over),
      selectorLabels: [...components, { selectorLabels }].map((one) => one.selectorLabels).reduce(over),
    }
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
    podLabels: over(inner.podLabels, outer.podLabels),
    selectorLabels: over(inner.selectorLabels, outer.selectorLabels),
  }
}

/** The labels of both, where they differ of the second. Most kustomizations have none: no object is made for what is as it was. */
function over(labels: Labels, others: Labels): Labels {
  if (isEmpty(others)) return labels
  return isEmpty(labels) ? others : { ...labels, ...others }
}

function isEmpty(labels: Labels): boolean {
  for (const _ in labels) return false
  return true
}

/** By file what its objects get in all that is applied. */
export function givenBy(builds: Builds): ReadonlyMap<string, Agreed> {
  const agreed = new Map<string, Agreed>()
  for (const { files } of builds.outermost())
    for (const [file, given] of files)
      for (const one of given) {
        const known = agreed.get(file)
        agreed.set(file, known ? agreement(known, one) : one)
      }
  return agreed
}

function agreement(known: Agreed, { namespace, podLabels, selectorLabels }: Given): Agreed {
  return {
    namespace: known.namespace === namespace ? namespace : undefined,
    podLabels: shared(known.podLabels, podLabels),
    selectorLabels: shared(known.selectorLabels, selectorLabels),
  }
}

function shared(known: Labels, labels: Labels): Labels {
  if (known === labels) return known
  return Object.fromEntries(Object.entries(labels).filter(([key, value]) => ownValue(known, key) === value))
}

/** Whether it is a part for other kustomizations, which is not built by itself. */
export function isComponent({ document }: Kustomization): boolean {
  return stringAt(document.value, 'kind') === 'Component'
}

/**
 * Whether plugins may change what it builds, names included. Its own patches and generators come before them: kusttarget.go
 * (accumulateTarget, runTransformers).
 */
export function isTransformed({ document }: Kustomization): boolean {
  return arrayAt(document.value, 'transformers').length > 0
}
