/** Reads manifests: walks, decodes, splits, parses and classifies. Nothing in the input makes it throw. */
import { readFileSync } from 'node:fs'
import { basename, posix } from 'node:path'
import type { Document, Locator, Range, ReadProblem, Skip, SkipReason, SourceFile } from '../document.js'
import {
  classify,
  hasPatchDirective,
  isKustomizationFile,
  isMeantAsObject,
  mightHoldObject,
} from './classify.js'
import { type Content, contentOf, decode, reasonOf } from './content.js'
import { explain } from './explain.js'
import { type FoundFile, find, type IgnorePatterns } from './files.js'
import type { Input, Kustomization } from './input.js'
import { dropGeneratedSecrets, kustomizationOf, patchFiles } from './kustomization.js'
import { positions } from './lines.js'
import { locator } from './locate.js'
import { parse } from './parse.js'
import { dropSecretValues } from './secret.js'
import { type Chunk, split } from './split.js'
import { chartFinder, hasBraces, isTemplate } from './template.js'

export { secretRanges } from './secret.js'
export { unfold } from './unfold.js'

export interface ReadOptions {
  /** The absolute path that relative paths start from, and that file names are relative to. */
  readonly cwd: string
  /** Whether folders are read with all that is below them (default true). */
  readonly recursive?: boolean
  /** Gives standard input, for the path `-`; by default it is read. */
  readonly stdin?: () => Buffer | string
  /** What to call standard input (default `<stdin>`). */
  readonly stdinFilename?: string | undefined
  /** What to leave out, besides what `.k8s-af-ignore` files say. */
  readonly ignore?: readonly IgnorePatterns[]
}

/**
 * Reads files, folders, glob patterns and `-` for standard input. What can't be read, is broken or is something else than
 * a Kubernetes object becomes a problem or a skip, and the rest is read all the same.
 */
export function readPaths(paths: readonly string[], options: ReadOptions): Input {
  const { cwd, recursive = true, ignore = [] } = options
  const found = find(
    paths.filter((path) => path !== '-'),
    { cwd, recursive, ignore },
  )
  const reading = new Reading()
  if (paths.includes('-')) {
    const name = options.stdinFilename ?? '<stdin>'
    reading.add({ path: name, name, explicit: true }, standardInput(options.stdin))
  }
  for (const file of found.files) reading.add(file, contentOf(file))
  for (const name of found.ignored) reading.skip(name, 'ignored')
  for (const { name, error } of found.unreadable) reading.unreadable(name, reasonOf(error))
  return reading.finish(found.missing)
}

function standardInput(stdin: ReadOptions['stdin']): Content {
  try {
    const content = stdin ? stdin() : readFileSync(0)
    return decode(typeof content === 'string' ? Buffer.from(content) : content)
  } catch (error) {
    return { problem: reasonOf(error) }
  }
}

const start: Range = { line: 1, column: 1, endLine: 1, endColumn: 1 }

/** The files read so far. Patches are only known once all kustomizations have been read. */
class Reading {
  readonly #documents: Document[] = []
  readonly #kustomizations: Kustomization[] = []
  readonly #problems: ReadProblem[] = []
  readonly #skips: Skip[] = []
  readonly #patches = new Set<string>()
  readonly #chartOf = chartFinder()
  #files = 0

  add(file: Pick<FoundFile, 'path' | 'name' | 'explicit'>, content: Content): void {
    this.#files++
    const { name } = file
    if ('problem' in content) {
      if (file.explicit || content.text === undefined || mightHoldObject(content.text))
        this.unreadable(name, content.problem, placeOf(content))
      else this.skip(name, 'not Kubernetes')
      return
    }
    const { text } = content
    const reason = this.#skipUnread(file, text)
    if (reason) this.skip(name, reason)
    else this.#read({ name, text }, file.explicit)
  }

  /** Why a file need not even be parsed. */
  #skipUnread(file: Pick<FoundFile, 'path' | 'name' | 'explicit'>, text: string): SkipReason | undefined {
    if (text.trim() === '') return 'empty'
    const chart = this.#chartSkip(file, text)
    if (chart) return chart
    const isEvidence = file.explicit || mightHoldObject(text) || isKustomizationFile(basename(file.name))
    return isEvidence ? undefined : 'not Kubernetes'
  }

  /** Templates and values of a Helm chart are left out; other files in a chart are read. */
  #chartSkip({ path, name }: { path: string; name: string }, text: string): SkipReason | undefined {
    const fileName = basename(name)
    if (fileName === 'Chart.yaml') return 'Helm chart'
    const isValues = /^values.*\.ya?ml$/.test(fileName)
    if (!isValues && !hasBraces(text)) return undefined
    const chart = this.#chartOf(path)
    if (!chart) return undefined
    const inside = path.slice(chart.root.length + 1).replaceAll('\\', '/')
    if (inside.startsWith('templates/')) return hasBraces(text) ? 'Helm template' : undefined
    return isValues && !inside.includes('/') ? 'Helm chart' : undefined
  }

  #read(file: SourceFile, explicit: boolean): void {
    const before = this.#documents.length + this.#kustomizations.length + this.#problems.length
    let skip: SkipReason = 'empty'
    for (const chunk of split(file.text)) {
      const reason = this.#readChunk(file, chunk, explicit)
      if (reason && (skip === 'empty' || reason !== 'empty')) skip = reason
    }
    const after = this.#documents.length + this.#kustomizations.length + this.#problems.length
    if (after === before) this.skip(file.name, skip)
  }

  #readChunk(file: SourceFile, chunk: Chunk, explicit: boolean): SkipReason | undefined {
    const { text } = chunk
    const isJson = 'json' in chunk
    const parsed = isJson ? { ok: true as const, value: chunk.json, hasDuplicates: false } : parse(text)
    if (!parsed.ok) {
      if (isTemplate(text)) return 'Go template'
      if (!explicit && !isMeantAsObject(file.text)) return 'not Kubernetes'
      const { offset } = parsed.mistake
      this.#problems.push({
        rule: 'invalid-yaml',
        file: file.name,
        range: positions(text, chunk.line, chunk.column).range(offset, offset + 1),
        message: explain(parsed.mistake, text),
      })
      return undefined
    }
    const { value } = parsed
    if (value === null) return 'empty'
    const found = classify(value, basename(file.name))
    if (found === 'other') return 'not Kubernetes'
    if (found === 'object' && text.includes('$patch') && hasPatchDirective(value)) return 'kustomize patch'
    if (found === 'kustomization') {
      dropGeneratedSecrets(value)
      const folder = posix.dirname(file.name)
      for (const patch of patchFiles(value, folder)) this.#patches.add(patch)
      this.#kustomizations.push(kustomizationOf(documentOf(file, chunk, value, parsed.hasDuplicates)))
      return 'kustomization'
    }
    dropSecretValues(value)
    this.#documents.push(documentOf(file, chunk, value, parsed.hasDuplicates))
    return undefined
  }

  skip(file: string, reason: SkipReason): void {
    this.#skips.push({ file, reason })
  }

  unreadable(file: string, message: string, range: Range = start): void {
    this.#problems.push({ rule: 'unreadable-file', file, range, message })
  }

  finish(missing: readonly string[]): Input {
    const isPatch = (document: Document) => this.#patches.has(document.file.name)
    const patches = new Set(this.#documents.filter(isPatch).map((document) => document.file.name))
    for (const name of patches) this.skip(name, 'kustomize patch')
    for (const { document } of this.#kustomizations) this.skip(document.file.name, 'kustomization')
    return {
      documents: patches.size === 0 ? this.#documents : this.#documents.filter((one) => !isPatch(one)),
      kustomizations: this.#kustomizations,
      problems: this.#problems,
      skips: this.#skips,
      files: this.#files,
      missing,
    }
  }
}

function placeOf({ text, offset }: { text?: string; offset?: number }): Range | undefined {
  return text === undefined || offset === undefined
    ? undefined
    : positions(text, 1, 1).range(offset, offset + 1)
}

function documentOf(file: SourceFile, chunk: Chunk, value: unknown, hasDuplicates: boolean): Document {
  const { text, line, column } = chunk
  let found: Locator | undefined
  const locate = () => {
    found ??= locator(text, line, column)
    return found
  }
  if (!('json' in chunk)) return { file, line, value, text, hasDuplicates, locate }
  return {
    file,
    line,
    value,
    text,
    // JSON.parse says nothing about repeated keys.
    get hasDuplicates() {
      return locate().duplicates.length > 0
    },
    locate,
  }
}
