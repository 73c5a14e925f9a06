/** Everything that was read, before it becomes a graph. */
import type { Document, ReadProblem, Skip, SourceFile } from '../document.js'

/** A kustomization file: not linted itself, but evidence of what will exist. */
export interface Kustomization {
  readonly document: Document
  /** The file's folder, in the form of the file names. */
  readonly folder: string
  /** What its generators create. The real names carry a hash; references in manifests use these names. */
  readonly generated: readonly {
    readonly kind: 'ConfigMap' | 'Secret'
    readonly name: string
    readonly namespace: string | undefined
  }[]
  /** The images that it rewrites: `name` as written in manifests, and whether a tag or digest is set. */
  readonly images: readonly { readonly name: string; readonly pinned: boolean }[]
  readonly namespace: string | undefined
  readonly replicas: readonly { readonly name: string; readonly count: number }[]
}

/** A Helm values file, chart or template: named, not linted. */
export interface Input {
  /** Documents that hold Kubernetes objects (`kind: List` not yet unfolded). */
  readonly documents: readonly Document[]
  readonly kustomizations: readonly Kustomization[]
  /** Documents with CustomResourceDefinitions that are not part of the input: kinds are looked up in them, nothing else. */
  readonly crds?: readonly Document[]
  readonly problems: readonly ReadProblem[]
  readonly skips: readonly Skip[]
  /** The number of files that were opened. */
  readonly files: number
  /** Arguments that lead to no file: a mistake of the user, not of the input. */
  readonly missing: readonly string[]
  /** The texts of files with problems, where they are texts. */
  readonly broken?: readonly SourceFile[]
  /** Lines (both ends included) of broken documents that may be Secrets: they are never shown. */
  readonly hidden?: readonly { readonly file: string; readonly startLine: number; readonly endLine: number }[]
}
