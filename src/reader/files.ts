/** From the paths that the user gave to the files to read. */
import {
  type Dirent,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import picomatch from 'picomatch'
import type { ProgramFolders } from './program.js'

/** Patterns in gitignore syntax, relative to the folder `base` (an absolute path). */
export interface IgnorePatterns {
  readonly patterns: readonly string[]
  readonly base: string
}

export interface FoundFile {
  /** How to open it. */
  readonly path: string
  /** How to name it: relative to the working directory, with `/`. */
  readonly name: string
  /** Named by the user, not met on a walk. */
  readonly explicit: boolean
  /** Known to be an ordinary file: opening it does not wait for anybody. */
  readonly isFile: boolean
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** Names of files and folders that ignore patterns left out. */
  readonly ignored: readonly string[]
  /** Names of folders of test data that a walk met and left out. */
  readonly testData: readonly string[]
  /** The folders with Go sources and modules that a walk met. */
  readonly programs: ProgramFolders
  /** Arguments that lead to nothing. */
  readonly missing: readonly string[]
  /** Folders and links that could not be followed. */
  readonly unreadable: readonly { readonly name: string; readonly error: unknown }[]
}

export interface FindOptions {
  readonly cwd: string
  readonly recursive: boolean
  readonly ignore: readonly IgnorePatterns[]
}

/** The file that lists what to leave out, in gitignore syntax, in any folder. */
export const ignoreFile = '.k8s-af-ignore'

const manifest = /\.(?:ya?ml|json)$/i
const skippedFolders: ReadonlySet<string> = new Set(['.git', 'node_modules'])
/** Where Go keeps the modules that a program is built from: a folder of this name with this list in it. */
const vendored = { folder: 'vendor', list: 'modules.txt' }

/** Folders of test data, whose manifests are broken or old on purpose: as Go calls them, and their like, and `tests/fixtures`. */
function isTestDataFolder(name: string, parent: string): boolean {
  return /^test[-_]?data$/i.test(name) || (name === 'fixtures' && /^(?:tests?|__tests__)$/.test(parent))
}

/** What KUTTL compares with the cluster after a step. Source: kuttl/pkg/test/step.go. */
const kuttlFile = /^\d+-(?:assert|errors)\.ya?ml$/

/**
 * Whether a folder is a test of Chainsaw, KUTTL or the Kyverno CLI: its manifests are refused on purpose, or hold no more than what an
 * assertion compares. The last one's file may also stand beside manifests that are applied; the folder's name, or its parent's, tells.
 */
function isPolicyTest(folder: string, entries: readonly Dirent[]): boolean {
  const name = basename(folder)
  const parent = basename(dirname(folder))
  if (name === '.chainsaw-test' || name === '.kyverno-test') return true
  const has = (file: string) =>
    entries.some((entry) => entry.name === `${file}.yaml` || entry.name === `${file}.yml`)
  if (entries.some((entry) => kuttlFile.test(entry.name))) return true
  return has('chainsaw-test') || (/test/i.test(`${parent}/${name}`) && has('kyverno-test'))
}

/** Whether a file's name says that it may be a manifest. */
export function isManifestName(name: string): boolean {
  return manifest.test(name) || /(?:^|[\\/])Kustomization$/.test(name)
}

/** Lists the files that the arguments name, each real file once, in a stable order. */
export function find(args: readonly string[], options: FindOptions): Found {
  const search: Search = {
    nameOf: displayNames(options.cwd),
    files: new Map(),
    ignored: new Set(),
    testData: new Map(),
    missing: [],
    unreadable: [],
    folders: new Set(),
    programs: { sources: new Map(), scripts: new Map(), modules: new Set() },
  }
  const configuredRules = options.ignore.filter(({ patterns }) => patterns.length > 0).map(configured)
  for (const arg of args) follow(arg, search, options, configuredRules)
  const { files, ignored, testData, missing, unreadable, folders, programs } = search
  // Another argument may have named the folder.
  const leftOut = [...testData].filter(([real]) => !folders.has(real)).map(([, name]) => name)
  return {
    files: [...files.values()],
    ignored: [...ignored],
    testData: leftOut,
    programs,
    missing,
    unreadable,
  }
}

/** What was found so far; files and folders by their real paths. */
interface Search {
  readonly nameOf: (path: string) => string
  readonly files: Map<string, FoundFile>
  readonly ignored: Set<string>
  /** Folders of test data that were left out, with their names. */
  readonly testData: Map<string, string>
  readonly missing: string[]
  readonly unreadable: { readonly name: string; readonly error: unknown }[]
  /** Those that were walked. */
  readonly folders: Set<string>
  readonly programs: {
    readonly sources: Map<string, string>
    readonly scripts: Map<string, string>
    readonly modules: Set<string>
  }
}

/** What an argument asks for: the files of a walk, and whether folders of test data are among them. */
interface Wants {
  readonly file: (path: string) => boolean
  readonly testData: boolean
  /** Folders in folders, too. */
  readonly deep: boolean
}

/** Looks for what an argument names: a file, a folder or a pattern. */
function follow(
  arg: string,
  search: Search,
  { cwd, recursive }: FindOptions,
  configuredRules: readonly Rules[],
): void {
  const path = resolve(cwd, arg)
  const stats = statOf(path)
  const testData = arg
    .split(/[\\/]/)
    .some(
      (part, i, all) =>
        isTestDataFolder(part, all[i - 1] ?? '') || /^\.?(?:chainsaw|kyverno)-test$/.test(part),
    )
  const rulesFor = (start: string) => [...configuredRules, ...rulesAbove(start)]
  if (stats?.isDirectory())
    walk(
      path,
      realpathSync(path),
      search,
      rulesFor(path),
      { file: anything, testData, deep: recursive },
      true,
    )
  else if (stats && isIgnored(path, false, rulesFor(path))) search.ignored.add(search.nameOf(path))
  else if (stats) add(path, realOf(path) ?? path, search, true, stats.isFile())
  else {
    const before = search.files.size
    const pattern = globOf(arg)
    if (pattern) {
      const base = resolve(cwd, pattern.base)
      const matches = picomatch(pattern.glob, { dot: true })
      const file = (name: string) => matches(relative(base, name).split(sep).join('/'))
      const start = realOf(base)
      if (start !== undefined) {
        // The pattern may want other files of a folder than the argument before it.
        search.folders.clear()
        walk(base, start, search, rulesFor(base), { file, testData, deep: true }, true)
      }
    }
    if (search.files.size === before && !(pattern && search.ignored.size > 0)) search.missing.push(arg)
  }
}

/** Reads a folder, which the user may have named. `above` are the rules that hold in its parent. */
function walk(
  folder: string,
  real: string,
  search: Search,
  above: readonly Rules[],
  wants: Wants,
  isNamed = false,
): void {
  const { nameOf, unreadable } = search
  if (search.folders.has(real)) return
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    search.folders.add(real)
    unreadable.push({ name: nameOf(folder), error })
    return
  }
  const isTest = !isNamed && !wants.testData && isPolicyTest(folder, entries)
  if (isTest && isIgnored(folder, true, above, true)) {
    search.testData.set(real, nameOf(folder))
    return
  }
  if (!isNamed && basename(folder) === vendored.folder && entries.some(({ name }) => name === vendored.list))
    return
  search.folders.add(real)
  const rules = entries.some(({ name }) => name === ignoreFile) ? [...above, ...rulesIn(folder)] : above
  let hasSources = false
  let hasScripts = false
  for (const entry of entries) {
    const path = folder + sep + entry.name
    const isWanted = isManifestName(entry.name)
    if (!entry.isDirectory() && !isWanted && !entry.isSymbolicLink()) {
      if (entry.name === 'go.mod') search.programs.modules.add(nameOf(folder))
      hasSources ||= entry.name.endsWith('.go')
      hasScripts ||= entry.name.endsWith('.sh')
      continue
    }
    let target: Target
    try {
      target = targetOf(entry, path, real + sep + entry.name)
    } catch (error) {
      if (isWanted) unreadable.push({ name: nameOf(path), error })
      continue
    }
    const { isFolder } = target
    if (isFolder ? !wants.deep || skippedFolders.has(entry.name) : !isWanted || !wants.file(path)) continue
    const isTestData = isFolder && !wants.testData && isTestDataFolder(entry.name, basename(folder))
    if (isIgnored(path, isFolder, rules, isTestData)) {
      if (isTestData) search.testData.set(target.real, nameOf(path))
      else search.ignored.add(nameOf(path))
    } else if (isFolder) walk(path, target.real, search, rules, wants)
    else add(path, target.real, search, false, target.isFile)
  }
  if (hasSources) search.programs.sources.set(nameOf(folder), folder)
  if (hasScripts) search.programs.scripts.set(nameOf(folder), folder)
}

/** What stands in a folder, links followed. */
interface Target {
  readonly real: string
  readonly isFolder: boolean
  readonly isFile: boolean
}

/** Throws where a link leads nowhere. */
function targetOf(entry: Dirent, path: string, real: string): Target {
  if (!entry.isSymbolicLink()) return { real, isFolder: entry.isDirectory(), isFile: entry.isFile() }
  const end = realpathSync(path)
  const stats = statSync(end)
  return { real: end, isFolder: stats.isDirectory(), isFile: stats.isFile() }
}

function add(
  path: string,
  real: string,
  { files, nameOf }: Search,
  explicit: boolean,
  isFile: boolean,
): void {
  const known = files.get(real)
  if (!known || (explicit && !known.explicit))
    files.set(real, { path, name: known?.name ?? nameOf(path), explicit, isFile })
}

/** `displayName`, which takes a path apart: most files stand in a folder that it was asked about. */
function displayNames(cwd: string): (path: string) => string {
  const folderNames = new Map<string, string>()
  return (path) => {
    const end = path.lastIndexOf(sep)
    if (end <= 0 || cwd.startsWith(path)) return displayName(path, cwd)
    const folder = path.slice(0, end)
    const known = folderNames.get(folder) ?? displayName(folder, cwd)
    folderNames.set(folder, known)
    return known === '.' ? path.slice(end + 1) : `${known}/${path.slice(end + 1)}`
  }
}

function anything(_path: string): boolean {
  return true
}

/** Undefined when there is nothing; a link that leads nowhere is there. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    try {
      return lstatSync(path)
    } catch {
      return undefined
    }
  }
}

/** What kustomize calls its files, in the order in which it looks for them. */
export const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** The kustomization in a folder; undefined where none is. */
export function kustomizationIn(folder: string): string | undefined {
  return kustomizationNames.map((name) => join(folder, name)).find((path) => existsSync(path))
}

/** The path with links followed; undefined where it leads nowhere. */
export function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function globOf(arg: string): { base: string; glob: string } | undefined {
  const { base, glob, isGlob } = picomatch.scan(arg.split(sep).join('/'))
  return isGlob && glob !== '' ? { base: base === '' ? '.' : base, glob } : undefined
}

/** Relative to the working directory with `/`; outside of it the shorter one of the relative and the absolute path. */
export function displayName(path: string, cwd: string): string {
  if (sep === '/' && path.startsWith(`${cwd}/`)) return path.slice(cwd.length + 1)
  const name = relative(cwd, path)
  if (name === '') return '.'
  return (name.startsWith('..') && path.length < name.length ? path : name).split(sep).join('/')
}

/** Ignore patterns with the folder that they are relative to. */
interface Rules {
  readonly base: string
  readonly rules: Ignore
}

function configured({ patterns, base }: IgnorePatterns): Rules {
  return { base, rules: ignore().add([...patterns]) }
}

/** The ignore file of a folder, if it can be read. */
function rulesIn(folder: string): Rules[] {
  try {
    return [{ base: folder, rules: ignore().add(readFileSync(join(folder, ignoreFile), 'utf8')) }]
  } catch {
    return []
  }
}

/** The ignore files of all folders above a path, nearest last. */
function rulesAbove(path: string): Rules[] {
  const folder = dirname(path)
  return folder === path ? [] : [...rulesAbove(folder), ...rulesIn(folder)]
}

/** The last rule that says something decides, as in git; `byDefault` where none does. */
function isIgnored(path: string, isFolder: boolean, all: readonly Rules[], byDefault = false): boolean {
  let ignored = byDefault
  for (const { base, rules } of all) {
    const name = relative(base, path).split(sep).join('/')
    if (name === '' || name.startsWith('..') || isAbsolute(name)) continue
    const result = rules.test(isFolder ? `${name}/` : name)
    if (result.ignored) ignored = true
    else if (result.unignored) ignored = false
  }
  return ignored
}
