/** One object of the input with where it came from. */
import type { Document } from '../document.js'
import { formatSubject, type Path } from '../finding.js'
import { groupOf, type KindName, type KubernetesObject } from '../kubernetes.js'
import type { SchemaProblem } from '../schema/problem.js'
import type { Labels } from '../values/selector.js'

/** An object with what the reader knows of it. */
export interface Resource {
  /** The object's root, shaped: what rules see. */
  readonly value: KubernetesObject
  readonly document: Document
  /** Where the object stands in its document: empty, or `items[3]` of a List. */
  readonly path: Path
  readonly kindName: KindName
  readonly apiVersion: string
  readonly kind: string
  /** Empty for objects with `generateName` only. */
  readonly name: string
  /** Empty when the manifest names none. */
  readonly namespace: string
  /** The namespace that kustomizations give it, where that is certain; empty where they leave it as it is written. */
  readonly home?: string | undefined
  /** The labels that kustomizations put on its pods, where that is certain. */
  readonly podLabels?: Labels | undefined
  /** Those of them that they write into its selector, too. */
  readonly selectorLabels?: Labels | undefined
  /** The folders of its file, outermost first. */
  readonly folders: readonly string[]
  /** What the schema found wrong. */
  readonly problems: readonly SchemaProblem[]
}

/**
 * The number of folder changes between two files: 0 in one folder, 1 to a parent or child, 2 between sibling folders.
 */
export function distance(a: readonly string[], b: readonly string[]): number {
  if (a === b) return 0
  return a.length + b.length - 2 * shared(a, b)
}

/** The number of folders that two paths have in common, counted from the outermost. */
export function shared(a: readonly string[], b: readonly string[]): number {
  const most = Math.min(a.length, b.length)
  let count = 0
  while (count < most && a[count] === b[count]) count++
  return count
}

/** The folder of its file as kustomizations name theirs: `apps/web`, `.`. */
export function folderOf({ folders }: Resource): string {
  return folders.join('/') || '.'
}

/** `Service shop/web`, `Namespace shop`: for messages. */
export const formatResource: (resource: Resource) => string = formatSubject

/** The name by which kubectl finds an object: `deployment/web`. */
export function kubectlName({ kind = '', metadata, apiVersion = '' }: KubernetesObject): string {
  const group = groupOf(apiVersion)
  const type =
    group.includes('.') && !group.endsWith('.k8s.io') ? `${kind.toLowerCase()}.${group}` : kind.toLowerCase()
  return `${type}/${metadata?.name ?? ''}`
}
