/** The namespaces into which kustomizations put the objects of files. */
import type { Kustomization } from '../reader/input.js'

/**
 * By file the namespace that kustomizations give its objects, where each build from it gives the same: the outermost
 * `namespace` counts. Files that some build leaves without one are left out.
 */
export function homesOf(kustomizations: readonly Kustomization[]): ReadonlyMap<string, string> {
  const byFolder = new Map(kustomizations.map((one) => [one.folder, one]))
  const used = new Set(kustomizations.flatMap(({ resources }) => resources))
  const homes = new Map<string, string>()
  for (const root of kustomizations)
    if (!used.has(root.folder))
      for (const [file, namespace] of filesOf(root, byFolder)) {
        const known = homes.get(file)
        homes.set(file, known === undefined || known === namespace ? namespace : '')
      }
  for (const [file, namespace] of homes) if (namespace === '') homes.delete(file)
  return homes
}

/** The files of a build with their namespaces, empty where none is given. */
function filesOf(
  root: Kustomization,
  byFolder: ReadonlyMap<string, Kustomization>,
): readonly (readonly [file: string, namespace: string])[] {
  const files: [string, string][] = []
  const seen = new Set([root])
  const parts: [Kustomization, string][] = [[root, root.namespace ?? '']]
  for (const [{ resources }, namespace] of parts) {
    for (const path of resources) {
      const next = byFolder.get(path)
      if (next === undefined) files.push([path, namespace])
      else if (!seen.has(next)) {
        seen.add(next)
        parts.push([next, namespace || (next.namespace ?? '')])
      }
    }
  }
  return files
}
