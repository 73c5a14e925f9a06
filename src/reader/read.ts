/** Reads manifests: walks, decodes, splits, parses and classifies. Nothing in the input makes it throw. */
import { existsSync } from 'node:fs'
import { basename, dirname, posix, resolve } from 'node:path'
import type { Document, Locator, ReadProblem, Skip, SkipReason, SourceFile } from '../document.js'
import { groupBy, push } from '../values/group.js'
import { memo } from '../values/lazy.js'
import { isSopsRecord } from '../values/sops.js'
import { archivedFolders, namesArchived } from './archived.js'
import {
  classify,
  hasForeignReference,
  isAssertion,
  isKustomizationFile,
  isLocal,
  isMadeByOwner,
  isMapping,
  isNameless,
  isNameOnly,
  isPatch,
  looksLikeObject,
  mightHoldObject,
  testedFiles,
} from './classify.js'
import { type Content, contentOf, decode, reasonOf, standardInput } from './content.js'
import { diskWith } from './disk.js'
import { explain, shellLine } from './explain.js'
import {
  type DanglingLink,
  displayName,
  type FoundFile,
  find,
  foldersIn,
  isManifestName,
  kustomizationIn,
} from './files.js'
import type { IgnorePatterns } from './ignored.js'
import type { Input, Kustomization, PatchTarget } from './input.js'
import {
  contentFiles,
  isBlankKustomization,
  kustomizationOf,
  listedPatches,
  patchesFor,
  patchFiles,
  replacedFields,
  replacementFiles,
  replicasIn,
} from './kustomization.js'
import { fileStart, positions } from './lines.js'
import { locator } from './locate.js'
import { type Mistake, parse, parseChunk, type Values } from './parse.js'
import { programsIn } from './program.js'
import { referencesOf } from './references.js'
import type { Fault } from './refuse.js'
import { dropGeneratedSecrets, dropSecretValues, mayBeSecret } from './secret.js'
import { type Chunk, split } from './split.js'
import {
  chartFinder,
  hasBlankField,
  hasBraces,
  hasCommentBlank,
  hasVariablesInBraces,
  hasVariablesInJson,
  isBlankLine,
  isNamedBlank,
  isTemplate,
  withoutFrame,
} from './template.js'

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
  /** Absolute paths of files that are left out unless they are named: what was built of them is in the input. */
  readonly built?: ReadonlySet<string>
}

/**
 * Reads files, folders, glob patterns and `-` for standard input. What cannot be read, is broken or is something else than
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
    const { stdinFilename } = options
    const stands = stdinFilename === undefined ? undefined : resolve(cwd, stdinFilename)
    reading.add(
      { path: undefined, stands, name: stdinFilename ?? '<stdin>', explicit: true },
      inputContent(options.stdin ?? standardInput),
    )
  }
  for (const file of found.files) {
    if (!file.explicit && options.built?.has(file.path)) reading.skip(file.name, 'source of a build')
    else reading.add(file, contentOf(file))
  }
  for (const name of found.ignored) reading.skip(name, 'ignored')
  for (const { name, reason } of found.leftOut) reading.skip(name, reason)
  for (const [first, ...others] of groupBy(found.dangling, ({ gone }) => gone).values()) {
    if (first) reading.unreadable(first.name, leadsNowhere(first, others.length))
  }
  for (const { name, error } of found.unreadable) reading.unreadable(name, reasonOf(error))
  const read = reading.finish(found.missing, cwd)
  return {
    ...(paths.some(namesArchived) ? read : withoutArchived(read, found.takenBack)),
    programs: programsIn(found.programs),
  }
}

/** Leaves out what stands in folders whose names say that nobody applies it any more. */
function withoutArchived(input: Input, takenBack: ReadonlySet<string>): Input {
  const files = [...input.documents.map(({ file }) => file.name), ...input.skips.map(({ file }) => file)]
  const folderOf = archivedFolders(input.documents, input.kustomizations, files)
  const gone = new Set<string>()
  const isRead = (file: string) => {
    const folder = folderOf(file)
    if (folder === undefined || takenBack.has(folder)) return true
    gone.add(folder)
    return false
  }
  return {
    ...input,
    documents: input.documents.filter(({ file }) => isRead(file.name)),
    kustomizations: input.kustomizations.filter(({ document }) => isRead(document.file.name)),
    problems: input.problems.filter(({ file }) => isRead(file)),
    skips: [...input.skips, ...[...gone].map((file): Skip => ({ file, reason: 'switched off' }))],
  }
}

/** One sentence for all links that break because the same thing is gone. */
function leadsNowhere({ gone }: DanglingLink, others: number): string {
  return others === 0
    ? `This link leads nowhere: ${gone} is missing.`
    : `This link and ${others} more lead nowhere: ${gone} is missing.`
}

function inputContent(stdin: () => Buffer | string): Content {
  try {
    const content = stdin()
    return decode(typeof content === 'string' ? Buffer.from(content) : content)
  } catch (error) {
    return { problem: reasonOf(error) }
  }
}

/** A file to read: its absolute path, if it has one, and how it is called. */
interface Source {
  readonly path: string | undefined
  /** The absolute path of what standard input is the text of, as an editor says it. */
  readonly stands?: string | undefined
  readonly name: FoundFile['name']
  readonly explicit: boolean
}

/** What was read so far. Which documents are patches is only known once all kustomizations have been read. */
class Reading {
  private readonly documents: { readonly document: Document; readonly source: Source }[] = []
  private readonly kustomizations: { readonly kustomization: Kustomization; readonly source: Source }[] = []
  private readonly problems: ReadProblem[] = []
  private readonly skips: Skip[] = []
  private readonly broken = new Set<SourceFile>()
  private readonly hidden: { file: string; startLine: number; endLine: number }[] = []
  private readonly kustomizationFolders = new Set<string>()
  /** Absolute paths of the files that kustomizations use as patches. */
  private readonly patches = new Set<string>()
  /** Absolute paths of the files that kustomizations put into ConfigMaps and Secrets. */
  private readonly contents = new Set<string>()
  /** Absolute paths of the files that a suite of Gatekeeper's tests reads. */
  private readonly cases = new Set<string>()
  /** The replicas that patches set, by the patch's file name. */
  private readonly scaled: { readonly file: string; readonly replicas: Kustomization['replicas'][number] }[] =
    []
  /** The patches with directives. */
  private readonly directives: { readonly path: string | undefined; readonly body: unknown }[] = []
  private readonly chartOf = chartFinder()
  /** Absolute paths of the files that were opened. */
  private readonly paths = new Set<string>()
  /** Names of files with documents that were left out, beside others that were not. */
  private readonly parts = new Set<string>()
  /** The files of which such a fault is told: a merge conflict, a shell command. */
  private readonly told = new Set<SourceFile>()
  private files = 0

  add(source: Source, content: Content): void {
    this.files++
    if (source.path !== undefined) this.paths.add(source.path)
    if ('problem' in content) {
      const { problem, text, offset, isEncrypted = false } = content
      if (isEncrypted && !source.explicit) return void this.skip(source.name, 'encrypted')
      // Only a name or a text that promises a manifest makes it a problem.
      const isWanted = isManifestName(source.name)
        ? source.explicit || text === undefined || looksLikeObject(text)
        : source.path === undefined || text === undefined
      if (!isWanted) return void this.skip(source.name, 'not Kubernetes')
      const range =
        text === undefined || offset === undefined
          ? fileStart
          : positions(text, 1, 1).range(offset, offset + 1)
      this.unreadable(source.name, problem, range)
      return
    }
    const { text } = content
    const reason = this.skipUnread(source, text)
    if (reason) this.skip(source.name, reason)
    else this.read(source, { name: source.name, text })
  }

  /** Why a file need not even be parsed. */
  private skipUnread(source: Source, text: string): SkipReason | undefined {
    if (text.trim() === '') return 'empty'
    const chart = this.chartSkip(source, text)
    if (chart) return chart
    const isEvidence = source.explicit || mightHoldObject(text) || isKustomizationFile(baseOf(source.name))
    return isEvidence ? undefined : 'not Kubernetes'
  }

  /** Templates and values of a Helm chart are left out, and what its templates get as `.Files`; other files in a chart are read. */
  private chartSkip({ path, name, explicit }: Source, text: string): SkipReason | undefined {
    if (path === undefined) return undefined
    const fileName = baseOf(name)
    if (fileName === 'Chart.yaml') return 'Helm chart'
    const isValues = /^values.*\.ya?ml$/.test(fileName)
    const isInFiles = !explicit && /[\\/]files[\\/]/.test(path)
    if (!isValues && !isInFiles && !hasBraces(text)) return undefined
    const chart = this.chartOf(path)
    if (chart === undefined) return undefined
    const inside = path.slice(chart.length + 1).replaceAll('\\', '/')
    if (isInFiles && inside.startsWith('files/')) return 'Helm chart'
    if (inside.startsWith('templates/')) return hasBraces(text) ? 'Helm template' : undefined
    return isValues && !inside.includes('/') ? 'Helm chart' : undefined
  }

  private read(source: Source, file: SourceFile): void {
    const before = this.found()
    let skip: SkipReason = 'empty'
    const base = baseOf(file.name)
    for (const chunk of split(file.text)) {
      const reason = this.readChunk(source, file, base, chunk)
      if (reason && (skip === 'empty' || reason !== 'empty')) skip = reason
    }
    if (this.found() === before) this.skip(file.name, skip)
    else if (skip !== 'empty') this.parts.add(file.name)
  }

  private found(): number {
    return this.documents.length + this.kustomizations.length + this.problems.length
  }

  /**
   * Gives the reason when the chunk holds no object.
   * @param base the name of the file without its folders
   */
  private readChunk(source: Source, file: SourceFile, base: string, chunk: Chunk): SkipReason | undefined {
    const { text, strayOffset } = chunk
    if (strayOffset !== undefined && isMeant(source, file) && !isTemplate(file.text)) {
      const message = isRestOfHyphens(file.text, strayOffset)
        ? 'The line between two objects has three hyphens, and this one has more: write ---.'
        : 'Only a comment may follow --- on its line: move the text to the next line.'
      this.invalid(file, { message, offset: strayOffset }, wholeOf(file))
    }
    const parsed = parseChunk(chunk)
    if (!parsed.ok) return this.readBroken(source, file, base, chunk, parsed.mistake)
    const { value } = parsed
    if (value === null) return 'empty'
    const found = classify(value, base)
    if (found === 'other') return 'not Kubernetes'
    if (found === 'kustomization') {
      const document = documentOf(file, chunk, parsed)
      dropGeneratedSecrets(value)
      this.kustomizations.push({ kustomization: kustomizationOf(document), source })
      if (source.path !== undefined) this.notePatches(value, dirname(source.path))
      return undefined
    }
    const reason = this.reasonToSkip(source, base, text, value)
    if (reason) return reason
    dropSecretValues(value)
    this.documents.push({ document: documentOf(file, chunk, parsed), source })
    return undefined
  }

  /** Says what is wrong with a chunk that no one can read, unless it is a template, or was never meant to be an object. */
  private readBroken(
    source: Source,
    file: SourceFile,
    base: string,
    chunk: Chunk,
    mistake: Mistake,
  ): SkipReason | undefined {
    const { text } = chunk
    if (isTemplate(text)) {
      const bare = withoutFrame(text)
      return bare !== undefined && parse(bare).ok
        ? this.readChunk(source, file, base, { ...chunk, text: bare })
        : 'Go template'
    }
    if (!isMeant(source, file)) return 'not Kubernetes'
    const command = shellLine(file.text)
    if (command) this.invalid(file, command, wholeOf(file))
    else {
      const fault = explain(mistake, text)
      if (
        isBlankLine(text, fault.offset) ||
        hasVariablesInBraces(text, file.name) ||
        hasVariablesInJson(text)
      )
        return 'Go template'
      this.invalid(file, fault, chunk)
    }
    if (mayBeSecret(text)) {
      const end = text.trimEnd().length
      const { line: startLine, endLine } = positions(text, chunk.line, chunk.column).range(0, end)
      this.hidden.push({ file: file.name, startLine, endLine })
    }
    return undefined
  }

  /** Why an object is none that anybody applies as it is written. What others have to know of it is noted. */
  private reasonToSkip(
    { name, path, explicit }: Source,
    base: string,
    text: string,
    value: unknown,
  ): SkipReason | undefined {
    if (isNamedBlank(value, base) || hasCommentBlank(text) || hasBlankField(value)) return 'Go template'
    if (text.includes('(') && isAssertion(value)) return 'test data'
    if (!explicit && text.includes('ownerReferences:') && inTests(name) && isMadeByOwner(value))
      return 'test data'
    if (!explicit && isNameOnly(value) && (inTests(name) || inDocs(name))) return 'test data'
    const cases = testedFiles(value)
    if (cases) {
      if (path !== undefined) for (const one of cases) this.cases.add(resolve(dirname(path), one))
      return 'test data'
    }
    if (!explicit && inTests(name) && isNameless(value)) return 'test data'
    if (text.includes('$ref') && hasForeignReference(value)) return 'source of a build'
    if (isLocal(value)) return 'kustomization'
    // Without a name it is what a tool decrypts and takes its values from.
    if (isMapping(value) && isSopsRecord(value.sops) && value.metadata === undefined) return 'encrypted'
    if (isPatch(text, value, base)) {
      this.noteReplicas(name, value)
      this.directives.push({ path, body: value })
      return 'kustomize patch'
    }
    return undefined
  }

  private noteReplicas(file: string, value: unknown): void {
    const replicas = replicasIn(value)
    if (replicas) this.scaled.push({ file, replicas })
  }

  private notePatches(value: unknown, folder: string): void {
    this.kustomizationFolders.add(folder)
    for (const patch of patchFiles(value)) this.patches.add(resolve(folder, patch))
    for (const file of contentFiles(value)) this.contents.add(resolve(folder, file))
  }

  /**
   * What is named alone is judged as it is built: the kustomizations of its folder, of the one above and of the overlays beside it say
   * what is a patch, and what else objects get. They are evidence, and not judged themselves.
   */
  private lookForKustomizations(cwd: string): void {
    const folders = new Set(
      this.documents.flatMap(({ source: { explicit, path, stands = path } }) =>
        explicit && stands !== undefined ? dirname(stands) : [],
      ),
    )
    for (const folder of folders) {
      this.readEvidence(folder, cwd)
      this.readEvidence(dirname(folder), cwd)
      if (this.kustomizationAt(folder) === undefined) continue
      for (const overlay of this.overlaysIn(dirname(folder))) this.readEvidence(overlay, cwd, folder)
    }
  }

  private readonly kustomizationAt = memo(kustomizationIn)
  /** What may build on a base, by the folder that the base is in: looked for once for all bases there. */
  private readonly overlaysIn = memo((folder: string) => overlaysBelow(folder).filter(this.kustomizationAt))
  private readonly kustomizationTexts = memo((path: string) => {
    const content = contentOf({ path, name: path, explicit: false, isFile: false })
    return 'problem' in content ? undefined : content.text
  })

  /** @param base what the kustomization has to build on to be read */
  private readEvidence(folder: string, cwd: string, base?: string): void {
    if (this.kustomizationFolders.has(folder)) return
    const path = this.kustomizationAt(folder)
    const text = path === undefined ? undefined : this.kustomizationTexts(path)
    // Most of what stands beside a folder does not build on it.
    if (path === undefined || text === undefined || (base !== undefined && !text.includes(basename(base))))
      return
    const name = displayName(path, cwd)
    for (const chunk of split(text)) {
      const parsed = parseChunk(chunk)
      if (parsed.ok && classify(parsed.value, baseOf(name)) === 'kustomization')
        return void this.noteEvidence(documentOf({ name, text }, chunk, parsed), path, cwd, base)
    }
  }

  private noteEvidence(document: Document, path: string, cwd: string, base: string | undefined): void {
    const { file, value } = document
    const folder = dirname(path)
    dropGeneratedSecrets(value)
    const kustomization = kustomizationOf(document)
    if (base !== undefined && !kustomization.resources.includes(displayName(base, cwd))) return
    this.kustomizations.push({
      kustomization: { ...kustomization, isEvidence: true },
      source: { path, name: file.name, explicit: false },
    })
    this.notePatches(value, folder)
    for (const component of isMapping(value) ? listIn(value.components) : [])
      if (typeof component === 'string') this.readEvidence(resolve(folder, component), cwd)
  }

  /** Adds what stands where the kustomizations point to, on the disk or among these documents. */
  private withReferences(
    kustomizations: readonly Kustomization[],
    documents: readonly Document[],
  ): Kustomization[] {
    if (kustomizations.length === 0) return []
    const broken = new Set([...this.broken].map(({ name }) => name))
    const read = new Set(documents.map(({ file }) => file.name))
    const isRead = (file: string) => read.has(file) && !broken.has(file) && !this.parts.has(file)
    const folders = this.kustomizations.flatMap(({ kustomization, source: { path } }) =>
      path !== undefined && isKustomizationFile(basename(path))
        ? [{ folder: dirname(path), isBlank: isBlankKustomization(kustomization.document.value) }]
        : [],
    )
    const disk = diskWith(
      this.paths,
      new Set(folders.map(({ folder }) => folder)),
      new Set(folders.flatMap(({ folder, isBlank }) => (isBlank ? [folder] : []))),
    )
    return kustomizations.map((one, i) => {
      const path = this.kustomizations[i]?.source.path
      if (path === undefined || one.isEvidence) return one
      const references = referencesOf(one.document.value, one.folder, dirname(path), disk, isRead)
      return { ...one, references, isCheckedOut: () => disk.isCheckedOut(dirname(path)) }
    })
  }

  /** The kustomizations, with what the files of their patches change and the replicas that these set. */
  private withPatches(): Kustomization[] {
    const bodies = new Map<string, unknown[]>()
    const files = this.documents
      .filter(({ source }) => source.path !== undefined && this.patches.has(source.path))
      .map(({ document, source }) => ({ path: source.path, body: document.value }))
    for (const { path, body } of [...files, ...this.directives]) {
      if (path !== undefined) push(bodies, path, body)
    }
    const bodiesOf = (path: string, isEvidence: boolean) => {
      const found = bodies.get(path) ?? (isEvidence ? changesIn(path) : operationsIn(path))
      bodies.set(path, found)
      return found
    }
    const replacements = new Map<string, readonly PatchTarget[]>()
    const replacementsOf = (path: string) => {
      const found = replacements.get(path) ?? replacedFields(valuesIn(path))
      replacements.set(path, found)
      return found
    }
    const holds = (folder: string, file: string) => folder === '.' || file.startsWith(`${folder}/`)
    return this.kustomizations.map(({ kustomization, source }) => {
      const { folder, document } = kustomization
      const replicas = this.scaled.filter(({ file }) => holds(folder, file)).map((one) => one.replicas)
      const { path } = source
      const patches = listedPatches(document.value).flatMap(({ target, file, at }) => {
        if (file === undefined) return []
        const found =
          path === undefined ? [] : bodiesOf(resolve(dirname(path), file), kustomization.isEvidence === true)
        return (found.length > 0 ? found : [undefined]).flatMap((body) => patchesFor(target, body, at))
      })
      const replaced = replacementFiles(document.value).flatMap((file) =>
        path === undefined ? [] : replacementsOf(resolve(dirname(path), file)),
      )
      return {
        ...kustomization,
        replicas: [...kustomization.replicas, ...replicas],
        patches: [...kustomization.patches, ...patches],
        replaced: [...kustomization.replaced, ...replaced],
      }
    })
  }

  /** Notes a fault. Its offset counts in `text`, which starts at a line and column of the file. */
  private invalid(
    file: SourceFile,
    { message, offset, isOfFile = false }: Fault,
    { text, line, column }: Pick<Chunk, 'text' | 'line' | 'column'>,
  ): void {
    this.broken.add(file)
    if (isOfFile && this.told.has(file)) return
    if (isOfFile) this.told.add(file)
    const range = positions(text, line, column).range(offset, wordEnd(text, offset))
    this.problems.push({ rule: 'invalid-yaml', file: file.name, range, message })
  }

  skip(file: string, reason: SkipReason): void {
    this.skips.push({ file, reason })
  }

  unreadable(file: string, message: string, range = fileStart): void {
    this.problems.push({ rule: 'unreadable-file', file, range, message })
  }

  /**
   * Tells whether a file, or its folder, is called a patch, while the kustomization beside or above it doesn't list it as a
   * resource: scaffolds leave patches to be switched on.
   */
  private unusedPatches(): (name: string) => boolean {
    const folders = new Set(this.kustomizations.map(({ kustomization }) => kustomization.folder))
    const listed = new Set(this.kustomizations.flatMap(({ kustomization }) => kustomization.resources))
    return (name) => {
      // Paths are taken apart slowly, and most files are called otherwise.
      if (!/patch/i.test(name)) return false
      const folder = posix.dirname(name)
      return (
        /(?:^|[-_./])patch(?:es)?(?:[-_./]|$)/i.test(`${posix.basename(folder)}/${posix.basename(name)}`) &&
        (folders.has(folder) || folders.has(posix.dirname(folder))) &&
        !listed.has(name)
      )
    }
  }

  finish(missing: readonly string[], cwd: string): Input {
    this.lookForKustomizations(cwd)
    const documents: Document[] = []
    const patches = new Set<string>()
    const contents = new Set<string>()
    const cases = new Set<string>()
    const isUnusedPatch = this.unusedPatches()
    const listed = new Set(this.kustomizations.flatMap(({ kustomization }) => kustomization.resources))
    const isOf = (files: ReadonlySet<string>, { path, name, explicit }: Source) =>
      path !== undefined && files.has(path) && !listed.has(name) && !explicit
    for (const { document, source } of this.documents) {
      const { path, stands = path } = source
      if (stands !== undefined && this.patches.has(stands)) {
        patches.add(source.name)
        this.noteReplicas(source.name, document.value)
      } else if (isUnusedPatch(source.name)) patches.add(source.name)
      else if (isOf(this.contents, source)) contents.add(source.name)
      else if (isOf(this.cases, source)) cases.add(source.name)
      else documents.push(document)
    }
    for (const name of patches) this.skip(name, 'kustomize patch')
    for (const name of contents) this.skip(name, 'kustomization')
    for (const name of cases) this.skip(name, 'test data')
    return {
      documents,
      kustomizations: this.withReferences(this.withPatches(), documents),
      problems: this.problems,
      skips: this.skips,
      files: this.files,
      missing,
      broken: [...this.broken],
      hidden: this.hidden,
    }
  }
}

/** Whether broken text was meant to be objects: somebody named it as such, or it looks like them. */
function isMeant({ explicit, path, name }: Source, { text }: SourceFile): boolean {
  return (explicit && (path === undefined || isManifestName(name))) || looksLikeObject(text)
}

/** Whether a folder of the file is called as tests are. */
function inTests(name: string): boolean {
  return /(?:^|[\\/])(?:tests?|e2e|conformance)[\\/]/.test(name)
}

/** Whether a folder of the file is called as documentation is. */
function inDocs(name: string): boolean {
  return /(?:^|[\\/])docs?[\\/]/.test(name)
}

/** What a file of JSON patch operations holds: nobody has read it, for it is no object. */
function operationsIn(path: string): unknown[] {
  const value = valueIn(path)
  return Array.isArray(value) ? [value] : []
}

/** What a file of a patch holds that nobody has read. */
function changesIn(path: string): unknown[] {
  const value = valueIn(path)
  return Array.isArray(value) || isMapping(value) ? [value] : []
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** How many folders are looked into for overlays of what is in one folder. */
const mostOverlays = 64

/** The folders in which overlays of what is in a folder usually stand: there, or one below. */
function overlaysBelow(folder: string): readonly string[] {
  const beside = foldersIn(folder).slice(0, mostOverlays)
  return [...beside, ...beside.flatMap(foldersIn)].slice(0, mostOverlays)
}

/** The items of a list, or the one value that a file holds. */
function valuesIn(path: string): readonly unknown[] {
  const value = valueIn(path)
  return Array.isArray(value) ? value : [value]
}

/** What a file holds that is no object; undefined where it cannot be read. */
function valueIn(path: string): unknown {
  if (!existsSync(path)) return undefined
  const content = contentOf({ path, name: path, explicit: false, isFile: false })
  const parsed = 'text' in content && !('problem' in content) ? parse(content.text) : undefined
  return parsed?.ok ? parsed.value : undefined
}

function keysWritten(text: string): number {
  const key = /(?<!\\)"\s*:/g
  let count = 0
  while (key.exec(text)) count++
  return count
}

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const items = Object.values(value)
  return items.reduce((sum: number, item) => sum + keysIn(item), Array.isArray(value) ? 0 : items.length)
}

/** The last part of a file's name: `basename` goes through all of it. */
function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

/** A file as one chunk. */
function wholeOf({ text }: SourceFile) {
  return { text, line: 1, column: 1 }
}

/** Whether hyphens and nothing else stand from an offset to the end of its line. */
function isRestOfHyphens(text: string, offset: number): boolean {
  const rest = /-+[ \t]*(?![^\r\n])/y
  rest.lastIndex = offset
  return rest.test(text)
}

/** The end of the word that starts at an offset, or of the one character there. */
function wordEnd(text: string, offset: number): number {
  return offset + Math.max(1, /^[\w./-]*/.exec(text.slice(offset, offset + 100))?.[0].length ?? 0)
}

/** A document of a file. */
export function documentOf(
  file: SourceFile,
  chunk: Chunk,
  { value, hasDuplicates, isPlain }: Values,
): Document {
  const { text, line, column } = chunk
  let found: Locator | undefined
  let repeats: boolean | undefined
  const locate = () => {
    found ??= locator(text, line, column, isPlain, hasDuplicates)
    return found
  }
  if (!('json' in chunk)) return { file, line, value, text, hasDuplicates, locate }
  return {
    file,
    line,
    value,
    text,
    // JSON.parse says nothing about repeated keys. Counting them is much faster than looking for them.
    get hasDuplicates() {
      repeats ??= keysWritten(text) !== keysIn(value) && locate().duplicates.length > 0
      return repeats
    },
    locate,
  }
}
