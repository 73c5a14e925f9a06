/** What a kustomization names on the disk, and what is there. */
import { posix, resolve, sep } from 'node:path'
import type { Path } from '../finding.js'
import { lazy } from '../values/lazy.js'
import { isMapping, type Mapping } from './classify.js'
import type { Reference } from './input.js'

/** A name as it stands in a kustomization. */
type Named = Pick<Reference, 'at' | 'name' | 'takes'>

/** What is asked of the disk, by absolute paths. */
export interface Disk {
  /** What stands at a path; `folder` for one without a kustomization, `blank` for one whose kustomization says nothing. */
  at(path: string): 'file' | 'folder' | 'kustomization' | 'blank' | 'nothing'
  /**
   * Whether what is not there may be when somebody builds: a file that git ignores, a script writes or SOPS decrypts, a submodule.
   * @param folder of the kustomization that names it
   */
  mayCome(path: string, folder: string): boolean
  /** Whether a script seems to write kustomizations, as `kustomize edit` does, in this folder or one that it is in. */
  mayGrow(folder: string): boolean
  /** Whether the folder stands in a checkout that has all files of its repository. */
  isCheckedOut(folder: string): boolean
  /** The path, relative to the folder, of what was probably meant by a name that leads to nothing. */
  nearest(name: string, folder: string): string | undefined
}

/** A name in which there is nothing to resolve, as most that stand in kustomizations; and a whole path. */
const simple = /^\w[\w.-]*(?:\/\w[\w.-]*)*$/
const simplePath = /^(?:\/|(?:\.\.\/)+)?\w[\w.-]*(?:\/\w[\w.-]*)*$/

/** Where a name in a kustomization leads, in the form of the file names. `node:path` goes through all of a path letter by letter. */
export function pathFrom(folder: string, name: string): string {
  const path = folder === '.' ? name : `${folder}/${name}`
  const isResolved = simple.test(name) && simplePath.test(path)
  return isResolved ? path : posix.join(folder, name).replace(/\/$/, '')
}

/** The same on the disk. */
function targetFrom(folder: string, name: string): string {
  return sep === '/' && folder !== '/' && simple.test(name) ? `${folder}/${name}` : resolve(folder, name)
}

/**
 * The files and folders that a kustomization names, in all fields that kustomize reads from.
 * @param folder its name, in the form of the file names
 * @param path of the folder, absolute
 * @param isRead whether the input has all that a file holds
 */
export function referencesOf(
  value: unknown,
  folder: string,
  path: string,
  disk: Disk,
  isRead: (file: string) => boolean = () => false,
): Reference[] {
  return namesIn(value).map(({ at, name, takes }): Reference => {
    const target = targetFrom(path, name)
    const reference: Reference = {
      at,
      name,
      takes,
      path: pathFrom(folder, name),
      found: name === '' ? 'nothing' : isElsewhere(name) ? 'elsewhere' : disk.at(target),
      mayCome: lazy(() => disk.mayCome(target, path)),
      mayGrow: lazy(() => disk.mayGrow(target)),
      near: lazy(() => disk.nearest(name, path)),
    }
    return reference.found === 'file' && isRead(reference.path) ? { ...reference, isRead: true } : reference
  })
}

/**
 * The names in a kustomization, those of the network among them.
 * Source: sigs.k8s.io/kustomize/api/types (Kustomization) and api/internal/target, where each field is read.
 */
function namesIn(value: unknown): Named[] {
  if (!isMapping(value)) return []
  return [
    ...['resources', 'bases'].flatMap((field) => listed(value, field, 'resource')),
    ...listed(value, 'components', 'component'),
    // An empty text is an inline configuration of nothing: kusttarget.go (configureExternalGenerators).
    ...['generators', 'transformers', 'validators'].flatMap((field) =>
      listed(value, field, 'resource').filter(({ name }) => name !== '' && !isInline(name)),
    ),
    ...['crds', 'configurations'].flatMap((field) => listed(value, field, 'file')),
    ...listed(value, 'patchesStrategicMerge', 'file').filter(({ name }) => !isInline(name)),
    ...['patches', 'patchesJson6902', 'replacements'].flatMap((field) =>
      items(value[field], [field]).flatMap(([one, at]) => named(one, 'path', at)),
    ),
    ...(isMapping(value.openapi) ? named(value.openapi, 'path', ['openapi']) : []),
    ...['configMapGenerator', 'secretGenerator'].flatMap((field) =>
      items(value[field], [field]).flatMap(([one, at]) => sourcesOf(one, at)),
    ),
    ...items(value.helmCharts, ['helmCharts']).flatMap(([one, at]) => valuesOf(one, at, chartHome(value))),
  ]
}

/** The texts of a list, and what is empty in it where kustomize wants something to build on. */
function listed(value: Mapping, field: string, takes: Named['takes']): Named[] {
  const list = value[field]
  if (!Array.isArray(list)) return []
  return list.flatMap((one, i): Named[] => {
    const name = one === null && takes !== 'file' ? '' : one
    if (typeof name !== 'string' || (name === '' && takes === 'file')) return []
    return [{ at: [field, i], name, takes }]
  })
}

function named(value: Mapping, field: string, at: Path): Named[] {
  const name = value[field]
  return typeof name === 'string' && name !== '' ? [{ at: [...at, field], name, takes: 'file' }] : []
}

/** The mappings of a list, each with its place. */
function items(list: unknown, at: Path): [Mapping, Path][] {
  if (!Array.isArray(list)) return []
  return list.flatMap((one, i): [Mapping, Path][] => (isMapping(one) ? [[one, [...at, i]]] : []))
}

/** The files of a generator: `files` has them with the key that they get, or alone. */
function sourcesOf(generator: Mapping, at: Path): Named[] {
  const files = listed(generator, 'files', 'file').map((one) => ({
    ...one,
    name: one.name.replace(/^[^=]*=/, ''),
  }))
  const all = [...files, ...listed(generator, 'envs', 'file')].filter(({ name }) => name !== '')
  return [...all.map((one) => ({ ...one, at: [...at, ...one.at] })), ...named(generator, 'env', at)]
}

/** The values of a chart, without those that come with it when kustomize fetches it, and those that nothing reads. */
function valuesOf(chart: Mapping, at: Path, home: string): Named[] {
  const own =
    chart.valuesMerge === 'replace' && isMapping(chart.valuesInline) ? [] : named(chart, 'valuesFile', at)
  const more = listed(chart, 'additionalValuesFiles', 'file').map((one) => ({
    ...one,
    at: [...at, ...one.at],
  }))
  return [...own, ...more].filter(({ name }) => !`${posix.normalize(name)}/`.startsWith(`${home}/`))
}

function chartHome({ helmGlobals }: Mapping): string {
  const home = isMapping(helmGlobals) ? helmGlobals.chartHome : undefined
  return typeof home === 'string' && home !== '' ? posix.normalize(home).replace(/\/$/, '') : 'charts'
}

/** Whether a text is what kustomize looks for itself, and no name of a file. */
function isInline(text: string): boolean {
  return text.includes('\n') || text.includes('{') || text.includes(': ')
}

/**
 * Whether a name leads away from what stands on the disk: an address, a repository in all of the forms that some kustomize takes, an
 * absolute path, or something that is still to be filled in.
 * Source: sigs.k8s.io/kustomize/api/internal/git/repospec.go.
 */
function isElsewhere(name: string): boolean {
  return (
    /^[\w+.-]+:|^[\w-]+@|::|\?(?:ref|version)=/.test(name) ||
    /^[\w-]+(?:\.[\w-]+)+\/.*(?:\/\/|\.git\b)|^(?:github|gitlab|bitbucket)\.\w+\//i.test(name) ||
    /^[/\\]|\{\{|[$<>%]|__\w+__/.test(name)
  )
}
