/** What the reader hands on: documents with their values, and the way back from a value to its text. */
import type { BuiltPlace, Path } from './finding.js'

/** A file of the input, or standard input. */
export interface SourceFile {
  /** As the user would name it: relative to the working directory with `/`, `<stdin>`, or what --stdin-filename says. */
  readonly name: string
  readonly text: string
}

/** A range of the file's text. Lines and columns count from 1, columns in UTF-16 code units; the end is exclusive. */
export interface Range {
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

/** Answers where the parts of one document stand. Made on demand: most documents never need it. */
export interface Locator {
  /**
   * The key at `path`, or the list item. When there is nothing at that path, the nearest ancestor that exists
   * (so a missing field is reported at its parent's key). The empty path is the document's first key.
   */
  key(path: Path): Range
  /** The value at `path` (block scalars: their first line); the key where there is no value of its own. */
  value(path: Path): Range
  /** The whole value at `path`, to its last line; like `value` otherwise. */
  extent(path: Path): Range
  /** The value at `path` as it is written, quotes and all; undefined where none is. Aliases are not followed. */
  written(path: Path): string | undefined
  /** Whether something is written at `path`, merge keys and aliases followed. */
  has(path: Path): boolean
  /** How many steps of `path` are written, merge keys and aliases followed. */
  depth(path: Path): number
  /** Keys written more than once in one mapping: each repetition. */
  readonly duplicates: readonly Repetition[]
}

/** A key that stands in its mapping already. */
interface Repetition {
  readonly path: Path
  readonly range: Range
  /** Where the key stands for the first time. */
  readonly first: Range
  /** Whether nothing is lost: the last value has all that stands there, quotes and indentation aside. */
  readonly isSame: boolean
}

/** One YAML document or JSON text of a file. */
export interface Document {
  readonly file: SourceFile
  /** The first line of the document in its file, from 1. */
  readonly line: number
  /** The value as the API server would see it. */
  readonly value: unknown
  /** The text between the separators. */
  readonly text: string
  /** True when a mapping repeats a key; the last one won, as in kubectl. */
  readonly hasDuplicates: boolean
  locate(): Locator
  /** Present on an object of a running cluster: its file is only a name for it, `deployment/shop/web`. */
  readonly live?: Live
  /** Present on what kustomize or Helm has made: its file is their output, which nobody edits. */
  readonly built?: Built
}

/** What is known about where a document comes from that a tool has made. */
export interface Built {
  readonly by: 'kustomize' | 'helm'
  /**
   * The file that was made into it, as far as that is known for all of it: the kustomization, the template; of a template in an archive
   * what names the archive.
   */
  readonly from: { readonly file: string; readonly range: Range }
  /** The template in an archive that it was made from. */
  readonly archived?: string
  /**
   * Where the thing at a path is written, or the nearest thing around it. Undefined when not even the object is known.
   * @param shown where the thing, or what is around it, is shown in the output
   */
  source(path: Path, shown: () => Range): Written | undefined
  /** The nearest thing around it, or itself, in the file that the object comes from, whatever has been written over it. */
  origin(path: Path, shown: () => Range): Written | undefined
  /** Where a line of the output comes from, if that is known. */
  line?(shown: Range): Written | undefined
  /** Other places that have a part in it: the template beside the values. */
  also?(path: Path, shown: () => Range): readonly Written[]
  /** Whether what makes it asks first if the cluster serves an API version: the tool has answered for a cluster that it does not know. */
  asksFor?(apiVersion: string): boolean
}

/** Something in a source of a build. */
export interface Written {
  readonly document: Document
  /** Where its object stands in the document. */
  readonly object: Path
  /** Its path in the object; of something that is missing the path where it would be. */
  readonly path: Path
  /** Whether this is the thing itself, with the same value, and not only something around it. */
  readonly isCertain: boolean
  /** Set where this is not the thing, and certainly the line that makes it: one that includes a block. */
  readonly isMaker?: boolean
}

interface Live {
  /** Nobody could act on a finding about the object (Kubernetes keeps it itself, or it is over): it is evidence alone. */
  readonly isSilent: boolean
}

/** Something in the input that could not be read, or not be read as a whole. */
export interface ReadProblem {
  readonly rule: 'unreadable-file' | 'invalid-yaml'
  readonly file: string
  readonly range: Range
  /** Says what is wrong and what to do; ends with a full stop. */
  readonly message: string
  /** Set where a tool has made the text: `file` and `range` then name what it was made from. */
  readonly built?: BuiltPlace
}

/** Why a file or document was left out. A closed list: the summary line counts by it. */
export type SkipReason =
  | 'not Kubernetes'
  | 'Helm template'
  | 'Go template'
  | 'Helm chart'
  | 'kustomization'
  | 'kustomize patch'
  | 'empty'
  | 'encrypted'
  | 'ignored'
  | 'test data'
  | 'older release'
  | 'switched off'
  | 'agent skill'
  | 'source of a build'

export interface Skip {
  readonly file: string
  readonly reason: SkipReason
}
