/** Which objects kustomizations change before they are applied. */
import type { Kustomization, PatchTarget } from '../reader/input.js'
import type { Resource } from './resource.js'

/**
 * Tells whether a patch of a kustomization that builds on the object's file names the object.
 * Paths are compared as they are written, relative to the same folder.
 */
export function patchFinder(kustomizations: readonly Kustomization[]): (object: Resource) => boolean {
  const byFolder = new Map(kustomizations.map((one) => [one.folder, one]))
  const builds = kustomizations.map((one) => buildOf(one, byFolder)).filter(({ patches }) => patches.length)
  return ({ document, kind, name }) =>
    builds.some(
      ({ files, patches }) =>
        files.has(document.file.name) && patches.some((patch) => isFor(patch, kind, name)),
    )
}

/** Names that files and folders of partial objects have: `overlays/prod/`, `deployment-patch.yaml`. */
const patchPath = /(^|[-_./])(overlays?|patch(es)?)([-_./]|$)/i

/**
 * Whether what is applied is what a tool makes of the file: a kustomization stands in its folder, or file or folder
 * are called a patch or overlay.
 */
export function isKustomized(
  { document, folders }: Resource,
  kustomizations: readonly Kustomization[],
): boolean {
  if (document.live) return false
  const folder = folders.join('/') || '.'
  return patchPath.test(document.file.name) || kustomizations.some((one) => one.folder === folder)
}

interface Build {
  readonly files: ReadonlySet<string>
  readonly patches: readonly PatchTarget[]
}

/** Everything that a kustomization reads, those that it builds on included. */
function buildOf(root: Kustomization, byFolder: ReadonlyMap<string, Kustomization>): Build {
  const files = new Set<string>()
  const seen = new Set([root])
  for (const { resources } of seen) {
    for (const path of resources) {
      const next = byFolder.get(path)
      if (next) seen.add(next)
      else files.add(path)
    }
  }
  return { files, patches: [...seen].flatMap((one) => one.patches) }
}

function isFor(patch: PatchTarget, kind: string, name: string): boolean {
  if (patch.kind !== undefined && patch.kind !== kind) return false
  if (patch.name === undefined || patch.name === name) return true
  try {
    return new RegExp(`^(?:${patch.name})$`).test(name)
  } catch {
    // Go's syntax knows a little that JavaScript's does not.
    return false
  }
}
