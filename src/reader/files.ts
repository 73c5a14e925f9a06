/** From the paths that the user gave to the files to read. */
import { lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs'
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
  readonly stats: Stats | undefined
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** Names of files and folders that ignore patterns left out. */
  readonly ignored: readonly string[]
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
const kustomization = 'Kustomization'
const skippedFolders: ReadonlySet<string> = new Set(['.git', 'node_modules'])

/** Lists the files that the arguments name, each real file once, in a stable order. */
export function find(args: readonly string[], options: FindOptions): Found {
  const { cwd } = options
  const files = new Map<string, FoundFile>()
  const ignored = new Set<string>()
  const missing: string[] = []
  const unreadable: { name: string; error: unknown }[] = []
  const folders = new Set<string>()
  const rules = new IgnoreRules(options.ignore)

  const nameOf = (path: string) => displayName(path, cwd)
  const add = (path: string, real: string, explicit: boolean, stats: Stats | undefined) => {
    const known = files.get(real)
    if (!known || (explicit && !known.explicit))
      files.set(real, { path, name: known?.name ?? nameOf(path), explicit, stats })
  }

  const walk = (folder: string, real: string, accept: (path: string) => boolean, deep: boolean) => {
    if (folders.has(real)) return
    folders.add(real)
    let entries: ReturnType<typeof list>
    try {
      entries = list(folder)
    } catch (error) {
      unreadable.push({ name: nameOf(folder), error })
      return
    }
    for (const entry of entries) {
      const path = join(folder, entry.name)
      let isFolder = entry.isDirectory()
      const wanted = manifest.test(entry.name) || entry.name === kustomization
      let realPath = join(real, entry.name)
      if (entry.isSymbolicLink()) {
        try {
          realPath = realpathSync(path)
          isFolder = statSync(realPath).isDirectory()
        } catch (error) {
          if (wanted) unreadable.push({ name: nameOf(path), error })
          continue
        }
      }
      if (isFolder) {
        if (!deep || skippedFolders.has(entry.name)) continue
        if (rules.ignores(path, true)) ignored.add(nameOf(path))
        else walk(path, realPath, accept, deep)
      } else if (wanted && accept(path)) {
        if (rules.ignores(path, false)) ignored.add(nameOf(path))
        else add(path, realPath, false, undefined)
      }
    }
  }

  for (const arg of args) {
    const path = resolve(cwd, arg)
    const stats = statOf(path)
    if (stats === undefined) {
      const before = files.size
      const pattern = globOf(arg)
      if (pattern) {
        const base = resolve(cwd, pattern.base)
        const matches = picomatch(pattern.glob, { dot: true })
        const start = realOf(base)
        if (start !== undefined) {
          folders.clear()
          walk(base, start, (file) => matches(relative(base, file).split(sep).join('/')), true)
        }
      }
      if (files.size === before && !(pattern && ignored.size > 0)) missing.push(arg)
    } else if (stats.isDirectory()) {
      const real = realpathSync(path)
      walk(path, real, () => true, options.recursive)
    } else if (rules.ignores(path, false)) ignored.add(nameOf(path))
    else add(path, realOf(path) ?? path, true, stats)
  }
  return { files: [...files.values()], ignored: [...ignored], missing, unreadable }
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
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
  const name = relative(cwd, path)
  if (name === '') return '.'
  return (name.startsWith('..') && path.length < name.length ? path : name).split(sep).join('/')
}

/** Ignore patterns from the configuration and from the ignore files of the folders above a path, nearest last. */
class IgnoreRules {
  readonly #configured: readonly { base: string; rules: Ignore }[]
  readonly #byFolder = new Map<string, readonly { base: string; rules: Ignore }[]>()

  constructor(configured: readonly IgnorePatterns[]) {
    this.#configured = configured
      .filter(({ patterns }) => patterns.length > 0)
      .map(({ patterns, base }) => ({ base, rules: ignore().add([...patterns]) }))
  }

  ignores(path: string, isFolder: boolean): boolean {
    let ignored = false
    for (const { base, rules } of [...this.#configured, ...this.#filesAbove(dirname(path))]) {
      const name = relative(base, path).split(sep).join('/')
      if (name === '' || name.startsWith('../') || isAbsolute(name)) continue
      const result = rules.test(isFolder ? `${name}/` : name)
      if (result.ignored) ignored = true
      else if (result.unignored) ignored = false
    }
    return ignored
  }

  #filesAbove(folder: string): readonly { base: string; rules: Ignore }[] {
    const known = this.#byFolder.get(folder)
    if (known) return known
    const parent = dirname(folder)
    const above = parent === folder ? [] : this.#filesAbove(parent)
    const text = textOf(join(folder, ignoreFile))
    const rules = text === undefined ? above : [...above, { base: folder, rules: ignore().add(text) }]
    this.#byFolder.set(folder, rules)
    return rules
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
