/** What a tool has printed, as documents. */
import type { Built, Document, ReadProblem, SourceFile } from '../document.js'
import { isMapping, type Mapping } from '../reader/classify.js'
import { explain } from '../reader/explain.js'
import { positions } from '../reader/lines.js'
import { parse } from '../reader/parse.js'
import { documentOf } from '../reader/read.js'
import { dropSecretValues, mayBeSecret } from '../reader/secret.js'
import type { Chunk } from '../reader/split.js'

/** What a run of a tool gave. */
export interface BuiltInput {
  /** What the places in the output name as their file. */
  readonly name: string
  readonly documents: readonly Document[]
  readonly problems: readonly ReadProblem[]
  /** Lines that may hold the values of Secrets, both ends included, in texts that cannot be read. */
  readonly hidden: readonly { readonly file: string; readonly startLine: number; readonly endLine: number }[]
  readonly broken: readonly SourceFile[]
  /** Files that findings name and that are no YAML: templates. */
  readonly texts?: readonly SourceFile[]
  /** Files that may have comments of templates. */
  readonly templates?: readonly SourceFile[]
  /** Absolute paths of the local files that say how it is made; those that hold its objects may be among them. */
  readonly files: ReadonlySet<string>
}

/** The name of an output: in the folder that it is made of, and none that a file has. */
export function outputName(folder: string, what: string): string {
  return folder === '.' ? `<${what}>` : `${folder}/<${what}>`
}

/** One document of the output. */
export interface Piece {
  readonly text: string
  /** The file that it was made from, as far as that is known without looking into it. */
  readonly from: Built['from']
}

/** A piece, and the object in it. */
export interface Read<P extends Piece> {
  readonly piece: P
  readonly value: Mapping
  readonly document: Document
}

/**
 * Reads the pieces as documents of one file.
 * @param name of that file, which nobody can open
 * @param builtOf what is known about each document that can be read, all of them at hand
 */
export function inputOf<P extends Piece>(
  name: string,
  pieces: readonly P[],
  files: ReadonlySet<string>,
  builtOf: (read: readonly Read<P>[]) => readonly Built[],
): BuiltInput {
  const file = { name, text: pieces.map(({ text }) => ended(text)).join('---\n') }
  const problems: ReadProblem[] = []
  const hidden: BuiltInput['hidden'][number][] = []
  const read: Read<P>[] = []
  let line = 1
  let offset = 0
  for (const piece of pieces) {
    const text = ended(piece.text)
    const chunk: Chunk = { text, offset, line, column: 1 }
    const parsed = parse(text)
    if (!parsed.ok) {
      const { message, offset: at } = explain(parsed.mistake, text)
      const range = positions(text, line, 1).range(at, at + 1)
      problems.push({
        rule: 'invalid-yaml',
        file: piece.from.file,
        range: piece.from.range,
        message,
        built: { file: name, ...range },
      })
      if (mayBeSecret(text)) hidden.push({ file: name, startLine: line, endLine: line + linesIn(text) })
    } else if (isMapping(parsed.value)) {
      dropSecretValues(parsed.value)
      read.push({ piece, value: parsed.value, document: documentOf(file, chunk, parsed) })
    }
    line += linesIn(text) + 1
    offset += text.length + 4
  }
  const built = builtOf(read)
  const documents = read.map(({ document }, i): Document => {
    const known = built[i]
    return known ? { ...document, built: known } : document
  })
  return { name, documents, problems, hidden, broken: problems.length > 0 ? [file] : [], files }
}

function ended(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

function linesIn(text: string): number {
  return text.split('\n').length - 1
}
