/** The patches of kustomizations that are for nothing of what is built. */
import { clusterScoped, type KubernetesObject } from '../kubernetes.js'
import type { Kustomization, PatchTarget } from '../reader/input.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { nearestName } from '../values/similar.js'
import { arrayAt, stringAt } from '../values/untyped.js'
import type { Builds } from './builds.js'
import { isCalled } from './patches.js'
import type { Resource } from './resource.js'

/** A patch that is for nothing. */
export interface Unmatched {
  readonly patch: PatchTarget
  /** The object that is most likely meant: the nearest by its name, the only one of the kind, or of the name. */
  readonly near: KubernetesObject | undefined
}

/** All objects of a build. */
interface Content {
  readonly objects: readonly Resource[]
  readonly generated: Kustomization['generated']
  /** Their names get something before or behind them on the way. */
  readonly isRenamed: boolean
  /** Their namespaces are set on the way. */
  readonly isPlaced: boolean
}

/**
 * Tells the patches of a kustomization that are for no object of any build that they change: by kind and name, for labels may come from
 * kustomizations, and by the namespace of patches that name their object themselves, where no kustomization sets one. None where not all of
 * these builds is known: what comes from elsewhere or is made by charts and plugins, files that were not read as a whole, and objects to
 * which patches give another name.
 */
export function unmatchedIn(
  kustomizations: readonly Kustomization[],
  builds: Builds,
  resources: readonly Resource[],
): (one: Kustomization) => readonly Unmatched[] {
  const contents = lazy(() => contentsOf(builds, kustomizations, resources))
  return (one) => {
    if (one.patches.length === 0) return []
    const changed = builds.changing(one).map(contents())
    const known = changed.filter((content) => content !== undefined)
    if (known.length === 0 || known.length < changed.length) return []
    const objects = known.flatMap((content) => content.objects)
    return one.patches
      .filter((patch) => !known.some((content) => isForAny(content, patch)))
      .map((patch) => ({ patch, near: nearest(patch, objects)?.value }))
  }
}

/** Gives all that a kustomization builds; undefined where that is not known. */
function contentsOf(
  builds: Builds,
  kustomizations: readonly Kustomization[],
  resources: readonly Resource[],
): (root: Kustomization) => Content | undefined {
  const byFolder = groupBy(kustomizations, ({ folder }) => folder)
  const byFile = groupBy(resources, ({ document }) => document.file.name)
  const isAlone = (folder: string) => byFolder.get(folder)?.length === 1
  const isKnown = memo(
    (one: Kustomization) =>
      isAlone(one.folder) &&
      !makers.some((field) => arrayAt(one.document.value, field).length > 0) &&
      !isRenaming(one) &&
      (one.references.length > 0 || one.resources.length === 0) &&
      one.references.every(
        ({ takes, found, path, isRead }) =>
          takes === 'file' || isRead || (found === 'kustomization' && isAlone(path)),
      ),
  )
  return memo((root) => {
    const { parts, files } = builds.of(root)
    const all = [...parts.keys()]
    if (!all.every(isKnown)) return undefined
    return {
      objects: [...files.keys()].flatMap((file) => byFile.get(file) ?? []),
      generated: all.flatMap(({ generated }) => generated),
      isPlaced: all.some(({ namespace }) => namespace !== undefined),
      isRenamed: all.some(({ document: { value } }) =>
        ['namePrefix', 'nameSuffix'].some((field) => stringAt(value, field)),
      ),
    }
  })
}

/** What makes objects that nobody knows before the build, and what may give those that are known other names. */
const makers = ['helmCharts', 'helmChartInflationGenerator', 'generators', 'transformers']

/** Whether patches may give objects other names or kinds, by which the next ones find them. */
function isRenaming({ document, patches }: Kustomization): boolean {
  const paths = patches.flatMap(({ change }) =>
    Array.isArray(change) ? change.map((one) => stringAt(one, 'path') ?? '') : [],
  )
  return (
    /\ballow(?:Name|Kind)Change\b/.test(document.text) ||
    paths.some((path) => /^\/(?:kind|metadata(?:\/name)?)$/.test(path))
  )
}

function isForAny({ objects, generated, isRenamed, isPlaced }: Content, patch: PatchTarget): boolean {
  const isNamed = (kind: string, name: string) =>
    isCalled(patch.kind, kind) &&
    (isCalled(patch.name, name) || (isRenamed && mayMean(patch.name ?? '', name)))
  return (
    generated.some(({ kind, name }) => isNamed(kind, name)) ||
    objects.some((one) => isNamed(one.kind, one.name) && (isPlaced || mayShareNamespace(patch, one)))
  )
}

/** Source: sigs.k8s.io/kustomize/kyaml/resid (EffectiveNamespace): an object without a namespace is in `default`. */
function mayShareNamespace({ isOwnTarget, change }: PatchTarget, { kindName, value }: Resource): boolean {
  if (!isOwnTarget || clusterScoped.has(kindName)) return true
  return (stringAt(change, 'metadata', 'namespace') || 'default') === (value.metadata?.namespace || 'default')
}

/** Whether a name, or a pattern, may be one that kustomize makes of another one. */
function mayMean(wanted: string, name: string): boolean {
  return !/^[\w-]*$/.test(wanted) || wanted.includes(name)
}

function nearest({ kind, name = '' }: PatchTarget, objects: readonly Resource[]): Resource | undefined {
  const alike = objects.filter((one) => one.kind === kind)
  const near = nearestName(name, new Set(alike.map((one) => one.name)))
  const same = alike.find((one) => one.name === name) ?? alike.find((one) => one.name === near)
  const longer = alike.filter((one) => name !== '' && one.name.startsWith(name))
  const named = objects.filter((one) => one.name === name)
  return same ?? [longer, alike, named].find((all) => all.length === 1)?.[0]
}
