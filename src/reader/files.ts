/** From the paths that the user gave to the files to read. */
import {
  type Dirent,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import picomatch from 'picomatch'

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
/** Go's name for a folder of test data, whose manifests are broken or old on purpose. */
const testDataFolder = 'testdata'

/** Whether a file's name says that it may be a manifest. */
export function isManifestName(name: string): boolean {
  return manifest.test(name) || /(?:^|[\\/])Kustomization$/.test(name)
}

/** Lists the files that the arguments name, each real file once, in a stable order. */
export function find(args: readonly string[], options: FindOptions): Found {
  const { cwd } = options
  const files = new Map<string, FoundFile>()
  const ignored = new Set<string>()
  const testData = new Map<string, string>()
  const missing: string[] = []
  const unreadable: { name: string; error: unknown }[] = []
  const folders = new Set<string>()
  const configuredRules = options.ignore.filter(({ patterns }) => patterns.length > 0).map(configured)

  const folderNames = new Map<string, string>()
  /** What `displayName` says, which takes a path apart: most files stand in a folder that it was asked about. */
  const nameOf = (path: string) => {
    const end = path.lastIndexOf(sep)
    if (end <= 0 || cwd.startsWith(path)) return displayName(path, cwd)
    const folder = path.slice(0, end)
    const known = folderNames.get(folder) ?? displayName(folder, cwd)
    folderNames.set(folder, known)
    return known === '.' ? path.slice(end + 1) : `${known}/${path.slice(end + 1)}`
  }
  const add = (path: string, real: string, explicit: boolean, isFile: boolean) => {
    const known = files.get(real)
    if (!known || (explicit && !known.explicit))
      files.set(real, { path, name: known?.name ?? nameOf(path), explicit, isFile })
  }

  /** `above` are the rules that hold in the folder's parent. */
  const walk = (folder: string, real: string, above: readonly Rules[], deep: boolean, wants: Wants) => {
    if (folders.has(real)) return
    folders.add(real)
    let entries: Dirent[]
    try {
      entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
    } catch (error) {
      unreadable.push({ name: nameOf(folder), error })
      return
    }
    const rules = entries.some(({ name }) => name === ignoreFile) ? [...above, ...rulesIn(folder)] : above
    for (const entry of entries) {
      const path = folder + sep + entry.name
      let isFolder = entry.isDirectory()
      let isFile = entry.isFile()
      let realPath = real + sep + entry.name
      const isWanted = isManifestName(entry.name)
      if (!isFolder && !isWanted && !entry.isSymbolicLink()) continue
      if (entry.isSymbolicLink()) {
        try {
          realPath = realpathSync(path)
          const stats = statSync(realPath)
          isFolder = stats.isDirectory()
          isFile = stats.isFile()
        } catch (error) {
          if (isWanted) unreadable.push({ name: nameOf(path), error })
          continue
        }
      }
      if (isFolder ? !deep || skippedFolders.has(entry.name) : !isWanted || !wants.file(path)) continue
      const isTestData = isFolder && entry.name === testDataFolder && !wants.testData
      if (isIgnored(path, isFolder, rules, isTestData)) {
        if (isTestData) testData.set(realPath, nameOf(path))
        else ignored.add(nameOf(path))
      } else if (isFolder) walk(path, realPath, rules, deep, wants)
      else add(path, realPath, false, isFile)
    }
  }

  for (const arg of args) {
    const path = resolve(cwd, arg)
    const stats = statOf(path)
    const wantsTestData = arg.split(/[\\/]/).includes(testDataFolder)
    if (stats === undefined) {
      const before = files.size
      const pattern = globOf(arg)
      if (pattern) {
        const base = resolve(cwd, pattern.base)
        const matches = picomatch(pattern.glob, { dot: true })
        const start = realOf(base)
        if (start !== undefined) {
          folders.clear()
          const isMatch = (file: string) => matches(relative(base, file).split(sep).join('/'))
          const wants = { file: isMatch, testData: wantsTestData }
          walk(base, start, [...configuredRules, ...rulesAbove(base)], true, wants)
        }
      }
      if (files.size === before && !(pattern && ignored.size > 0)) missing.push(arg)
    } else if (stats.isDirectory()) {
      const real = realpathSync(path)
      const wants = { file: anything, testData: wantsTestData }
      walk(path, real, [...configuredRules, ...rulesAbove(path)], options.recursive, wants)
    } else if (isIgnored(path, false, [...configuredRules, ...rulesAbove(path)])) ignored.add(nameOf(path))
    else add(path, realOf(path) ?? path, true, stats.isFile())
  }
  // Another argument may have named the folder.
  const leftOut = [...testData].filter(([real]) => !folders.has(real)).map(([, name]) => name)
  return { files: [...files.values()], ignored: [...ignored], testData: leftOut, missing, unreadable }
}

/** What an argument asks for: the files of a walk, and whether folders of test data are among them. */
interface Wants {
  readonly file: (path: string) => boolean
  readonly testData: boolean
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

function realOf(path: string): string | undefined {
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
