/** Files that stand beside a kustomization and that nothing builds. */
import { posix } from 'node:path'
import { groupOf, type KubernetesObject } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import type { Resource } from './resource.js'

/** A file that no kustomization names. */
export interface LeftOut {
  /** Its name in the folder of the kustomization. */
  readonly file: string
  /** The first object that it holds and that is not applied by hand. */
  readonly object: KubernetesObject
}

/** What tools on a desk read: nobody applies it. */
const ofTools =
  /(?:^|\.)(?:k3d|kind\.x-k8s|skaffold|tilt|test\.gatekeeper|cli\.kyverno|config\.k8s|kubebuilder)\.(?:io|sh|dev)$/
/** What somebody applies by hand, once or when it is needed: secrets, jobs, and what tells Flux and Argo CD where to begin. */
const byHand: ReadonlySet<string> = new Set([
  'Secret',
  'Job',
  'Pod',
  'kustomize.toolkit.fluxcd.io/Kustomization',
  'argoproj.io/Application',
  'argoproj.io/ApplicationSet',
])
/** Files that say by their names that they are for somebody's hand. */
const aside =
  /example|sample|template|bootstrap|(?:^|[-_.])(?:old|bak|backup|unused|disabled|test|tmp|enc|sops)(?=[-_.])/i

/** An entry of a list in a comment: `# - web.yaml`. */
const commentedOut = /^[ \t]*#[# \t]*(?:-[ \t]*)?["']?(?:\.\/)?([^\s"']+)/gm

/** The files that a kustomization has in a comment, as entries of a list. */
function setAsideBy({ document }: Kustomization): ReadonlySet<string> {
  return new Set([...document.file.text.matchAll(commentedOut)].flatMap(([, name]) => name ?? []))
}

/** A path in a folder; comments are full of words, few of which lead out of it. */
function below(folder: string, path: string): string {
  return path.startsWith('.') || folder === '' || folder === '.'
    ? posix.join(folder, path)
    : `${folder}/${path}`
}

/**
 * Tells whether somebody has set aside the file of an object, or a folder that it is in: none lists it, and a kustomization has it in a
 * comment; or, where it is to meet another object that is not in the folder, lists two or more of the folders beside it, as
 * `config/default` of kubebuilder does. What is built from the others does not meet it.
 */
export function setAsideIn(
  kustomizations: readonly Kustomization[],
): (one: Resource, meeting?: Resource) => boolean {
  const listed = lazy(() => new Set(kustomizations.flatMap((one) => one.resources)))
  const aside = lazy(
    () =>
      new Set(kustomizations.flatMap((one) => [...setAsideBy(one)].map((file) => below(one.folder, file)))),
  )
  const passedOver = lazy(() => passedOverBy(kustomizations))
  const isAside = memo((path: string): boolean => {
    const folder = posix.dirname(path)
    return path !== folder && ((aside().has(path) && !listed().has(path)) || isAside(folder))
  })
  /** Whether the other file is outside of a folder, passed over, that this one is in: what is in one is applied together. */
  const isPassedOver = (path: string, other: string): boolean => {
    const folder = posix.dirname(path)
    if (path === folder || other.startsWith(`${folder}/`)) return false
    return passedOver()(folder) || isPassedOver(folder, other)
  }
  return ({ document: { file, live } }, meeting) => {
    if (live || kustomizations.length === 0) return false
    const other = meeting?.document.file.name
    return isAside(file.name) || (other !== undefined && isPassedOver(file.name, other))
  }
}

/** Tells of a folder whether a kustomization lists two or more of those beside it, and none, from outside of it, anything in it. */
function passedOverBy(kustomizations: readonly Kustomization[]): (folder: string) => boolean {
  const chosenFrom = new Set<string>()
  const used = new Set<string>()
  for (const { folder, resources } of kustomizations) {
    const isWithin = (path: string) => folder === '' || folder === '.' || path.startsWith(`${folder}/`)
    const parents = groupBy(
      resources.filter((path) => !/\.(?:ya?ml|json)$/i.test(path)),
      (path) => posix.dirname(path),
    )
    for (const [parent, folders] of parents) if (folders.length > 1) chosenFrom.add(parent)
    // What lists folders beside its own is where a build begins.
    if (!resources.every(isWithin)) used.add(folder)
    for (const path of resources)
      for (let one = path; one !== folder && one !== posix.dirname(one); one = posix.dirname(one))
        used.add(one)
  }
  return (folder) => chosenFrom.has(posix.dirname(folder)) && !used.has(folder)
}

/**
 * Tells which files beside a kustomization hold objects and are named by no kustomization of the input, where it names others that stand
 * there: one that names none of its folder's files is no list of them. Not those that it has in a comment: somebody has set them aside.
 */
export function leftOutBy(
  byFolder: () => ReadonlyMap<string, readonly Resource[]>,
  kustomizations: readonly Kustomization[],
): (one: Kustomization) => readonly LeftOut[] {
  const named = lazy(
    () =>
      new Set(
        kustomizations.flatMap(({ document, resources: listed, references }) => [
          document.file.name,
          ...listed,
          ...references.map(({ path }) => path),
        ]),
      ),
  )
  return (one) => {
    const { folder, resources: listed } = one
    const byFile = groupBy(byFolder().get(folder) ?? [], (own) => own.document.file.name)
    if (!listed.some((path) => byFile.has(path))) return []
    const setAside = setAsideBy(one)
    return [...byFile].flatMap(([path, objects]): LeftOut[] => {
      const file = posix.basename(path)
      const first = objects.find(
        ({ kindName, apiVersion }) => !byHand.has(kindName) && !ofTools.test(groupOf(apiVersion)),
      )
      if (!first || named().has(path) || aside.test(file)) return []
      return setAside.has(file) ? [] : [{ file, object: first.value }]
    })
  }
}
