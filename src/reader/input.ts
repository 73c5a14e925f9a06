/** Everything that was read, before it becomes a graph. */
import type { Document, ReadProblem, Skip, SourceFile } from '../document.js'
import type { Path } from '../finding.js'
import type { KindName, Untyped } from '../kubernetes.js'
import type { Labels } from '../values/selector.js'
import type { Programs } from './program.js'

/** The object that a kustomize patch changes, or all that fit. Kind, name and namespace may be regular expressions. */
export interface PatchTarget {
  readonly kind: string | undefined
  readonly name: string | undefined
  readonly namespace?: string | undefined
  /** Selectors of labels and annotations, as kubectl takes them. */
  readonly labels?: string | undefined
  readonly annotations?: string | undefined
  /** A strategic-merge patch, or a list of JSON patch operations; absent where it could not be read. */
  readonly change?: unknown
  /** Where the kustomization lists it, or its file; absent of what is no patch. */
  readonly at?: Path
  /** Whether the patch itself names the object: kustomize refuses to build where there is none. */
  readonly isOwnTarget?: true
}

/** A file or folder that a kustomization names. */
export interface Reference {
  /** Where the name stands in the kustomization. */
  readonly at: Path
  /** The name as it is written; of `key=file` the file. */
  readonly name: string
  /** What kustomize takes there: a file with objects or the folder of a kustomization, the folder of a component, a file. */
  readonly takes: 'resource' | 'component' | 'file'
  /** Where it leads, in the form of the file names. */
  readonly path: string
  /**
   * What is there: `folder` is one without a kustomization, `blank` one whose kustomization says nothing; `elsewhere` leads to the network,
   * or is still to be filled in.
   */
  readonly found: 'file' | 'folder' | 'kustomization' | 'blank' | 'elsewhere' | 'nothing'
  /** Whether what is not there may come from outside of the repository, or be made before somebody builds. */
  mayCome(): boolean
  /** Whether a script may fill the kustomization there in before somebody builds. */
  mayGrow(): boolean
  /** The name that was probably meant by one that leads to nothing. */
  near(): string | undefined
  /** Present on a file with objects when the input has all that it holds. */
  readonly isRead?: true
}

/** A kustomization file: what it names and patches is judged, and it is evidence of what will exist. */
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
  /** The labels that it puts on the pods of all workloads. */
  readonly podLabels: Labels
  /** Those of them that it writes into selectors, too. */
  readonly selectorLabels: Labels
  readonly replicas: readonly { readonly name: string; readonly count: number }[]
  /** The files and folders that it builds on, in the form of the file names; addresses of remote ones lead nowhere. */
  readonly resources: readonly string[]
  /** All files and folders that it names; none of one that was read from standard input, which has no folder. */
  readonly references: readonly Reference[]
  /** Whether it stands in a checkout of git that has all files of its repository; what is copied or exported may be a part of one. */
  isCheckedOut(): boolean
  /** Set where kustomize has built it: nothing keeps it from that. */
  readonly isBuilt?: true
  /** Set where others may use it that are not known: it is evidence, and not judged. */
  readonly isEvidence?: true
  /** What its patches change, as far as their files were read. */
  readonly patches: readonly PatchTarget[]
  /** The fields that its replacements fill in, as patches. */
  readonly replaced: readonly PatchTarget[]
}

/** What the files, or the answers of a cluster, hold. */
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
  /** The number of kustomizations and charts that were built; none when absent. */
  readonly builds?: number
  /** Arguments that lead to no file: a mistake of the user, not of the input. */
  readonly missing: readonly string[]
  /** Documents of files that others were built from: not linted, and read for their lines and comments. */
  readonly sources?: readonly Document[]
  /** What others were built from, as it is read without a build, with what was read beside it: its kustomizations are judged. */
  readonly unbuilt?: Pick<Input, 'documents' | 'kustomizations'>
  /** The texts of files with problems, where they are texts. */
  readonly broken?: readonly SourceFile[]
  /** Files that are read for their lines alone: templates. */
  readonly texts?: readonly SourceFile[]
  /** Templates, read for their comments alone. */
  readonly templates?: readonly SourceFile[]
  /** Lines (both ends included) of broken documents that may be Secrets: they are never shown. */
  readonly hidden?: readonly { readonly file: string; readonly startLine: number; readonly endLine: number }[]
  /** What is known of the programs that the files belong to. */
  readonly programs?: Programs
  /** Present when the documents are the objects of a cluster. */
  readonly cluster?: Cluster
}

/** What a scan knows of its cluster besides the objects. */
export interface Cluster {
  /** The context in the kubeconfig. */
  readonly context: string
  /** The server's version, `v1.36.3`; absent when it keeps it to itself. */
  readonly version: string | undefined
  /** The only namespace that was read; absent when all of the cluster was. */
  readonly namespace: string | undefined
  readonly unread: readonly Unread[]
  /** Kinds of which there may be objects, and none is known: they could not be read, or are outside all namespaces. */
  readonly unreadKinds: ReadonlySet<KindName>
  /** Kinds of which there may be objects in other namespaces than the one that was read. */
  readonly partialKinds: ReadonlySet<KindName>
  /**
   * The state of the Pods, Jobs and ReplicaSets that workloads made and that are no documents, of EndpointSlices, and the
   * PodMetrics of all pods.
   */
  readonly made: readonly Untyped[]
  /** What the API server, kubelets and node-exporter have counted, of the little that rules ask for. */
  readonly samples?: readonly Sample[]
  /** Warning events, and those of autoscalers that added or removed pods. */
  readonly events: readonly Untyped[]
  /** When reading began, in milliseconds since 1970. */
  readonly readAt: number
}

/** One number of a component's metrics. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A resource or group that may have objects, and why they are not known. */
export interface Unread {
  /** As roles name it: `secrets`, `ingresses.networking.k8s.io`; or a group. */
  readonly resource: string
  readonly reason: 'forbidden' | 'failed'
  /** The server's own words, or ours. */
  readonly message: string
}
