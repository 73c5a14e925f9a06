/** What Flux applies of a repository, and what it and Argo CD change besides. */
import { posix } from 'node:path'
import { groupOf } from '../kubernetes.js'
import type { Kustomization, PatchTarget } from '../reader/input.js'
import { inlinePatches } from '../reader/kustomization.js'
import { lazy, memo } from '../values/lazy.js'
import { objectAt, objectsAt, stringAt } from '../values/untyped.js'
import type { Builds } from './builds.js'
import type { Objects } from './objects.js'
import { folderOf, type Resource } from './resource.js'

const flux = '.toolkit.fluxcd.io'

/**
 * Tells whether Flux applies an object: it stands in a file that is built from a folder which a Kustomization of Flux names. In a folder
 * without a kustomization Flux writes one, of all files and kustomizations below. Objects of Flux's own kinds count wherever they
 * stand in a repository that Flux applies something of.
 * Sources: fluxcd/kustomize-controller (spec.path), fluxcd/pkg/kustomize (Generator, scanManifests).
 */
export function appliedByFlux(
  objects: Objects,
  byFolder: () => ReadonlyMap<string, readonly Resource[]>,
  kustomizations: readonly Kustomization[],
  builds: Builds,
  folders: () => ReadonlySet<string>,
): (object: Resource) => boolean {
  const sources = lazy(() => sourcesOf(objects.ofKind(`kustomize${flux}/Kustomization`), folders))
  const filesOf = (root: Kustomization) => [...builds.of(root).files.keys()]
  /** What Flux builds from a folder. */
  const builtFrom = (folder: string): readonly string[] => {
    const own = kustomizations.filter((one) => one.folder === folder)
    if (own.length > 0) return own.flatMap(filesOf)
    const roots = kustomizations.filter((one) => isIn(one.folder, folder))
    const isLoose = (at: string) => isIn(at, folder) && !roots.some((root) => isIn(at, root.folder))
    const loose = [...byFolder()].flatMap(([at, there]) => (isLoose(at) ? there : []))
    return [...roots.flatMap(filesOf), ...loose.map(({ document }) => document.file.name)]
  }
  const applied = lazy(() => new Set([...sources().folders].flatMap(builtFrom)))
  return (object) => {
    const { document, apiVersion } = object
    if (document.live || document.built) return false
    const isOwn = groupOf(apiVersion).endsWith(flux)
    if (isOwn && sources().repositories.some((top) => isIn(folderOf(object), top))) return true
    return applied().has(document.file.name)
  }
}

/** The folders that Kustomizations of Flux name, and the repositories in which they are: a path begins at the top of one. */
function sourcesOf(fluxes: readonly Resource[], known: () => ReadonlySet<string>) {
  const folders = new Set<string>()
  const repositories = new Set<string>()
  for (const one of fluxes)
    for (const { folder, top } of ledTo(one, stringAt(one.value, 'spec', 'path'), known)) {
      folders.add(folder)
      repositories.add(top)
    }
  return { folders, repositories: [...repositories] }
}

/** The folders that a path of an object may mean, with the top of the repository that it begins at. */
function ledTo(one: Resource, named: string | undefined, known: () => ReadonlySet<string>) {
  const path = posix.normalize(named ?? '').replace(/^\/|\/$/g, '')
  // The top itself looks like any folder.
  if (path === '' || isOutside(path) || path === '.') return []
  return [...upwards(folderOf(one))]
    .map((top) => ({ top, folder: posix.join(top, path) }))
    .filter(({ folder }) => known().has(folder))
}

/** The folders with objects or kustomizations, and all that those are in, up to the working directory. */
export function foldersOf(
  byFolder: ReadonlyMap<string, readonly Resource[]>,
  kustomizations: readonly Kustomization[],
): ReadonlySet<string> {
  const folders = new Set<string>()
  const add = (folder: string) => {
    for (const one of upwards(folder)) {
      // Those above it came with it.
      if (folders.has(one)) return
      folders.add(one)
    }
  }
  for (const folder of byFolder.keys()) add(folder)
  for (const { folder } of kustomizations) add(folder)
  return folders
}

/** Patches of an object that has others applied, and the files whose objects they may change. */
export interface AppliedPatches {
  readonly patches: readonly PatchTarget[]
  readonly files: ReadonlySet<string>
}

/**
 * The patches that Kustomizations of Flux and Applications of Argo CD put over what they apply of their own repository.
 * Sources: fluxcd/kustomize-controller/api/v1 (KustomizationSpec.Patches), argo-cd/pkg/apis/application/v1alpha1 (ApplicationSourceKustomize).
 */
export function appliedPatches(
  objects: Objects,
  byFolder: () => ReadonlyMap<string, readonly Resource[]>,
  kustomizations: readonly Kustomization[],
  builds: Builds,
  folders: () => ReadonlySet<string>,
): readonly AppliedPatches[] {
  const filesOf = memo((folder: string) => filesBuiltFrom(folder, byFolder(), kustomizations, builds))
  const found = (one: Resource, path: string | undefined, said: unknown): AppliedPatches[] => {
    const patches = inlinePatches(said)
    return patches.length === 0
      ? []
      : ledTo(one, path, folders).map(({ folder }) => ({ patches, files: filesOf(folder) }))
  }
  return [
    ...written(objects.ofKind(`kustomize${flux}/Kustomization`)).flatMap((one) =>
      found(one, stringAt(one.value, 'spec', 'path'), objectAt(one.value, 'spec')),
    ),
    ...written(objects.ofKind('argoproj.io/Application')).flatMap((one) => {
      const source = objectAt(one.value, 'spec', 'source')
      return [...(source ? [source] : []), ...objectsAt(one.value, 'spec', 'sources')].flatMap((from) =>
        found(one, stringAt(from, 'path'), objectAt(from, 'kustomize')),
      )
    }),
  ]
}

const written = (all: readonly Resource[]) => all.filter(({ document }) => !document.live && !document.built)

/** The files that are built from a folder: those of its kustomization; else of all below, where no kustomization has them to itself. */
function filesBuiltFrom(
  folder: string,
  byFolder: ReadonlyMap<string, readonly Resource[]>,
  kustomizations: readonly Kustomization[],
  builds: Builds,
): ReadonlySet<string> {
  const below = kustomizations.filter((one) => isIn(one.folder, folder))
  const own = below.filter((one) => one.folder === folder)
  const outermost = below.filter((one) => !below.some((two) => two !== one && isIn(one.folder, two.folder)))
  const roots = own.length > 0 ? own : outermost
  const files = new Set(roots.flatMap((root) => [...builds.of(root).files.keys()]))
  if (own.length > 0) return files
  for (const [at, there] of byFolder)
    if (isIn(at, folder) && !roots.some((root) => isIn(at, root.folder)))
      for (const { document } of there) files.add(document.file.name)
  return files
}

/** A folder and those that it is in, up to the working directory. */
function* upwards(folder: string): Generator<string> {
  let end = folder.length
  for (; end > 0; end = folder.lastIndexOf('/', end - 1)) yield folder.slice(0, end)
  if (!isOutside(folder)) yield '.'
}

function isOutside(path: string): boolean {
  return path === '..' || path.startsWith('../')
}

function isIn(folder: string, outer: string): boolean {
  return outer === '.' || folder === outer || folder.startsWith(`${outer}/`)
}
