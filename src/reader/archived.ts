/** Folders of what a cluster no longer runs, in a repository that Flux or Argo CD applies. */
import { posix } from 'node:path'
import type { Document } from '../document.js'
import { groupOf } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import { objectAt, objectsAt, stringAt } from '../values/untyped.js'
import type { Kustomization } from './input.js'

/** What such folders are called. One called `old` or `legacy` may well be applied. */
const archived = /^_?(?:archived?|deprecated|obsolete|unused)$/i
/**
 * Folders that do not tell a repository from the one that stands beside it: Flux's own objects stand in `clusters`, the applications in
 * `apps`.
 */
const plain =
  /^(?:apps?|applications|argo-?cd|base|cluster|clusters|deploy|deployments?|env|environments|flux|gitops|infra|infrastructure|k8s|kubernetes|manifests|prod|production|staging)$/i

/** Whether a folder is called so in one of the arguments: who names it wants it. */
export function namesArchived(path: string): boolean {
  return path.split(/[\\/]/).some((part) => archived.test(part))
}

/**
 * Tells the folder of what is no longer applied in which a file stands: it is called `archive` or the like, Flux or Argo CD applies what
 * stands beside it, and no path of theirs and no kustomization outside leads there. Without those objects such a folder is one as any
 * other.
 * Sources: fluxcd/pkg/kustomize (Generator, scanManifests: all below a path without a kustomization is applied),
 * argo-cd/reposerver/repository/repository.go (directory.recurse, GetGitDirectories).
 */
export function archivedFolders(
  documents: readonly Document[],
  kustomizations: readonly Kustomization[],
  files: readonly string[],
): (file: string) => string | undefined {
  const sources = documents.flatMap((one): readonly Source[] => sourceIn(one))
  if (sources.length === 0) return () => undefined
  const named = kustomizations.flatMap(({ folder, references }) =>
    references.map(({ path }) => ({ by: folder, path })),
  )
  const folders = new Set(kustomizations.map(({ folder }) => folder))
  const isUnused = memo((folder: string): boolean => {
    const top = topOf(folder)
    const outside = sources.filter(({ file }) => !isIn(file, folder))
    return (
      outside.some(({ file }) => isIn(file, top)) &&
      !named.some(({ by, path }) => !isIn(by, folder) && isIn(path, folder)) &&
      !outside.some(({ paths }) => paths.some((one) => leadsTo(one, folder, folders, files)))
    )
  })
  const folderOf = memo((folder: string): string | undefined => {
    if (folder === '.' || folder === '/') return undefined
    const above = folderOf(posix.dirname(folder))
    return above ?? (archived.test(posix.basename(folder)) && isUnused(folder) ? folder : undefined)
  })
  return (file) => folderOf(posix.dirname(file))
}

/** An object that says what is applied. */
interface Source {
  readonly file: string
  readonly paths: readonly Applied[]
}

/** A path in a repository. */
interface Applied {
  readonly path: string
  /** Whether all that is below is applied: always, or where no kustomization stands there. */
  readonly isDeep: boolean | 'without kustomization'
}

function sourceIn({ file, value }: Document): readonly Source[] {
  const spec = objectAt(value, 'spec')
  const kind = stringAt(value, 'kind')
  const group = groupOf(stringAt(value, 'apiVersion') ?? '')
  if (group === 'kustomize.toolkit.fluxcd.io')
    return [{ file: file.name, paths: appliedAt(stringAt(spec, 'path'), 'without kustomization') }]
  if (group === 'helm.toolkit.fluxcd.io') return [{ file: file.name, paths: [] }]
  if (group !== 'argoproj.io' || (kind !== 'Application' && kind !== 'ApplicationSet')) return []
  const own = kind === 'ApplicationSet' ? objectAt(spec, 'template', 'spec') : spec
  const source = objectAt(own, 'source')
  const direct = [...(source ? [source] : []), ...objectsAt(own, 'sources')].flatMap((one) =>
    appliedAt(stringAt(one, 'path'), objectAt(one, 'directory')?.recurse === true),
  )
  // Generators may stand in one another, and any of their texts may be the path that a template is filled in with.
  const generated = [...JSON.stringify(spec?.generators ?? []).matchAll(/"([^"\\]*)"/g)]
  return [
    {
      file: file.name,
      paths: [
        ...direct.filter(({ path }) => !path.startsWith('{{')),
        ...generated.flatMap(([, text]) => appliedAt(text, false)),
      ],
    },
  ]
}

function appliedAt(path: string | undefined, isDeep: Applied['isDeep']): readonly Applied[] {
  const plainPath = posix.normalize(path ?? '').replace(/^\/|\/$/g, '')
  return plainPath === '' || plainPath === '.' ? [] : [{ path: plainPath, isDeep }]
}

/**
 * Whether a path is the folder, leads into it or takes it in; a path begins at the top of a repository, wherever that is.
 * @param built the folders with a kustomization
 * @param files what was read
 */
function leadsTo(
  { path, isDeep }: Applied,
  folder: string,
  built: ReadonlySet<string>,
  files: readonly string[],
): boolean {
  const whole = `/${folder}/`
  const base = posix.basename(path)
  // A generator of files: `**/argocd.yaml`.
  if (
    /^[^*{$]+\.(?:ya?ml|json)$/.test(base) &&
    !files.some((one) => isIn(one, folder) && posix.basename(one) === base)
  )
    return false
  // `apps/*` and `apps/{{name}}` may stand for each folder there.
  const [fixed = ''] = path.split(/[*{$]/)
  if (fixed !== path) return fixed === '' || whole.includes(`/${fixed}`)
  if (`/${path}/`.includes(`/${posix.basename(folder)}/`)) return true
  const end = whole.indexOf(`/${path}/`)
  if (end < 0 || isDeep === false) return false
  return isDeep === true || !built.has(folder.slice(0, end + path.length))
}

/** The folder that has all of a repository, as far as can be told: the one that it is in, or the one that has that and its like. */
function topOf(folder: string): string {
  const parent = posix.dirname(folder)
  return plain.test(posix.basename(parent)) ? topOf(parent) : parent
}

function isIn(path: string, folder: string): boolean {
  return folder === '.' || path === folder || path.startsWith(`${folder}/`)
}
