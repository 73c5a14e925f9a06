/**
 * Which objects belong together: objects with the same namespace do. Manifests often leave the namespace to `kubectl -n`, or say `default`
 * as examples do; those belong together when their files are near each other (at most three folder changes apart: base/ and overlays/prod/
 * do, two applications of a repository do not, nor lesson-1/ and lesson-2/) and no kustomizations put them into different namespaces, and a
 * selector that matches something next door leaves alone what is further away. Where several objects have the same kind, namespace and name
 * (variants of one object, as in a folder of examples), an object is linked to the nearest variant only.
 */
import type { KindName, ObjectOf } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import type { Objects } from './objects.js'
import { distance, type Resource } from './resource.js'

/** Folder changes up to which objects without a namespace are taken to belong together. */
export const reach = 3

/** Whether somebody chose the namespace: its objects belong together wherever they stand. */
export function isChosen(namespace: string): boolean {
  return namespace !== '' && namespace !== 'default'
}

/** Whether what stands in two folders may belong together. */
export function isNear(a: readonly string[], b: readonly string[]): boolean {
  return distance(a, b) <= reach
}

/** Orders what belongs to an object: the same file is nearer than another of its folder. */
export function farness(a: Resource, b: Resource): number {
  return 2 * distance(a.folders, b.folders) + (isSameFile(a, b) ? 0 : 1)
}

/** The folder itself and its parents, as far as objects without a namespace may belong together with one in it. */
export function foldersInReach(folders: readonly string[]): readonly string[] {
  const paths: string[] = []
  for (let up = 0; up <= Math.min(reach, folders.length); up++)
    paths.push(folders.slice(0, folders.length - up).join('/'))
  return paths
}

/** The questions about which objects belong together. */
export interface Belonging {
  together(a: Resource, b: Resource): boolean
  /** The object of that name which belongs together with `near`; in another namespace, the one of the nearest file. */
  find<K extends KindName>(
    kind: K,
    name: string | undefined,
    near: Resource,
    namespace?: string,
  ): ObjectOf<K> | undefined
  /** The objects of a kind that belong together with `near`, itself left out. */
  siblings<K extends KindName>(kind: K, near: Resource): readonly ObjectOf<K>[]
  /** The names of a kind that may belong together with `near`. */
  namesNear(kind: KindName, near: Resource): readonly string[]
  /** Sorts roots and workloads. */
  nearestFirst(near: object): (a: object, b: object) => number
}

/** Answers the questions about which objects belong together. */
export function belonging({ inNamespace, named, resource, variants }: Objects): Belonging {
  // Folders are told apart by identity.
  const nearest = memo((group: readonly Resource[]) =>
    memo((folders: readonly string[]) => leastDistance(group, folders)),
  )
  /** Whether `a` is, among its variants, the one nearest to `b` (the same file is nearer than the same folder). */
  const isNearest = (a: Resource, b: Resource, apart: number): boolean => {
    // Objects that leave their name to the API server (generateName) are no variants of each other.
    if (a.name === '') return true
    const group = variants(a)
    if (group.length < 2) return true
    if (apart > 0) return apart <= nearest(group)(b.folders)
    return isSameFile(a, b) || !group.some((other) => isSameFile(other, b))
  }
  const together = (a: Resource, b: Resource) => {
    if (a.namespace !== b.namespace) return false
    const apart = distance(a.folders, b.folders)
    return mayShare(a, b, apart) && isNearest(a, b, apart) && isNearest(b, a, apart)
  }
  return {
    together,
    find: (kind, name, near, namespace = near.namespace) => {
      if (name === undefined) return undefined
      const candidates = named(kind, namespace, name)
      const found =
        namespace === near.namespace
          ? candidates.find((one) => together(one, near))
          : nearestOf(candidates, near)
      return found?.value
    },
    siblings: (kind, near) => {
      const all = inNamespace(kind, near.namespace)
      // Rules ask each workload for quotas and the like, which few namespaces have.
      if (all.length === 0) return []
      return all.filter((one) => one !== near && together(one, near)).map(({ value }) => value)
    },
    namesNear: (kind, near) => {
      const found = inNamespace(kind, near.namespace).filter((one) => mayBelong(one, near))
      return [...new Set(found.map(({ name }) => name))]
    },
    nearestFirst: (near) => {
      const own = resource(near)
      return (a, b) => farness(resource(a), own) - farness(resource(b), own)
    },
  }
}

function isSameFile(a: Resource, b: Resource): boolean {
  return a.document.file === b.document.file
}

/** Whether two objects belong together, variants left aside. */
function mayBelong(a: Resource, b: Resource): boolean {
  return a.namespace === b.namespace && mayShare(a, b, distance(a.folders, b.folders))
}

/** The same for two of equal namespaces, so many folder changes apart. */
function mayShare(a: Resource, b: Resource, apart: number): boolean {
  if (isChosen(a.namespace)) return !isMovedAway(a, b) && !isMovedAway(b, a)
  if (apart > reach) return false
  if (a.home && b.home) return a.home === b.home
  return apart < 2 || !areParallel(a.folders, b.folders)
}

/**
 * Whether two folders, or two above them, are one of a row each: lessons, days, chapters, clusters (`day-10` and `day-36`). Nothing of one
 * is meant for another. Numbers that come first (`01-network`, `02-apps`) are an order.
 */
function areParallel(a: readonly string[], b: readonly string[]): boolean {
  const at = a.findIndex((name, i) => name !== b[i])
  const [one, other] = [a[at], b[at]]
  if (one === undefined || other === undefined) return false
  const word = wordOfRow(one)
  return word !== undefined && word === wordOfRow(other)
}

/** `day-` of `day-10`, `exercise` of `Exercise04.03-probes`. */
const wordOfRow = memo((name: string) => /^[A-Za-z]+[-_ ]?(?=\d)/.exec(name)?.[0].toLowerCase())

/** Whether kustomizations put one object into another namespace than is written, and build the other one without it. */
function isMovedAway({ home, namespace }: Resource, other: Resource): boolean {
  return other.home === '' && home !== undefined && home !== '' && home !== namespace
}

/** The folder changes from a folder to the nearest of the objects. */
function leastDistance(group: readonly Resource[], folders: readonly string[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const one of group) least = Math.min(least, distance(one.folders, folders))
  return least
}

/** The first of those in the nearest file. */
function nearestOf<T extends Resource>(candidates: readonly T[], near: Resource): T | undefined {
  return candidates.reduce<T | undefined>(
    (best, one) => (best && farness(best, near) <= farness(one, near) ? best : one),
    undefined,
  )
}
