/** What Flux applies of a repository. */
import { posix } from 'node:path'
import { groupOf } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { lazy } from '../values/lazy.js'
import { stringAt } from '../values/untyped.js'
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
): (object: Resource) => boolean {
  const folders = lazy(
    () =>
      new Set(
        [...byFolder().keys(), ...kustomizations.map(({ folder }) => folder)].flatMap((one) => upwards(one)),
      ),
  )
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
  for (const one of fluxes) {
    const path = posix.normalize(stringAt(one.value, 'spec', 'path') ?? '').replace(/^\/|\/$/g, '')
    // The top itself looks like any folder.
    if (path === '' || isOutside(path) || path === '.') continue
    for (const top of upwards(folderOf(one))) {
      const folder = posix.join(top, path)
      if (!known().has(folder)) continue
      folders.add(folder)
      repositories.add(top)
    }
  }
  return { folders, repositories: [...repositories] }
}

/** A folder and those that it is in, up to the working directory. */
function upwards(folder: string): readonly string[] {
  const names = folder.split('/')
  const above = names.map((_, i) => names.slice(0, names.length - i).join('/'))
  return isOutside(folder) ? above : [...above, '.']
}

function isOutside(path: string): boolean {
  return path === '..' || path.startsWith('../')
}

function isIn(folder: string, outer: string): boolean {
  return outer === '.' || folder === outer || folder.startsWith(`${outer}/`)
}
