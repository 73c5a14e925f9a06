/** What stands on the disk beside a kustomization, and what may yet come there before somebody builds it. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { memo } from '../values/lazy.js'
import { nearestName } from '../values/similar.js'
import { statsAt } from '../values/stats.js'
import { kustomizationIn, kustomizationNames } from './files.js'
import { isIgnored, rulesIn } from './ignored.js'
import type { Disk } from './references.js'

/**
 * The disk.
 * @param files absolute paths of files that are known to be there
 * @param built absolute paths of folders that are known to have a kustomization
 * @param blank those of which it is known that it says nothing
 */
export function diskWith(
  files: ReadonlySet<string>,
  built: ReadonlySet<string>,
  blank: ReadonlySet<string>,
): Disk {
  // Several names often lead to nothing in one folder, or from neighbours.
  const entriesOf = memo(entriesIn)
  const linesAround = linesOfScripts(entriesOf)
  const isWritten = writtenByScripts(linesAround)
  const isCopied = copiedByScripts(linesAround)
  const submodulesIn = memo(submodules)
  const ignoreRules = memo((folder: string) => rulesIn(folder, undefined, '.gitignore'))
  const rootOf = memo((folder: string): string | undefined => {
    if (existsSync(join(folder, '.git'))) return folder
    const parent = dirname(folder)
    return parent === folder ? undefined : rootOf(parent)
  })
  // Git keeps a part that somebody has chosen, or all files.
  const isWhole = memo((root: string) => !existsSync(join(root, '.git', 'info', 'sparse-checkout')))
  return {
    at: (path) => {
      if (files.has(path)) return 'file'
      if (blank.has(path)) return 'blank'
      if (built.has(path)) return 'kustomization'
      const stats = statsAt(path)
      if (!stats) return mayBeThere(path) ? 'file' : 'nothing'
      if (!stats.isDirectory()) return 'file'
      const own = kustomizationIn(path)
      return own === undefined ? 'folder' : isBlank(textOf(own)) ? 'blank' : 'kustomization'
    },
    mayCome: (path, folder) => {
      const root = rootOf(folder)
      if (root !== undefined && !isWithin(path, root)) return true
      const folders = above(folder, root)
      const rules = above(path, root).toReversed().flatMap(ignoreRules)
      return (
        isIgnored(path, false, rules) ||
        folders.flatMap(submodulesIn).some((module) => isWithin(path, module)) ||
        hasSourceBeside(path, entriesOf) ||
        isWritten(path, folders) ||
        kustomizationNames.some((name) => {
          const own = join(path, name)
          return isIgnored(own, false, rules) || isWritten(own, [path])
        }) ||
        isCopied(folder, folders)
      )
    },
    mayGrow: (folder) =>
      above(folder, rootOf(folder)).some((one) => linesAround(one).some((line) => growing.test(line))),
    isCheckedOut: (folder) => {
      const root = rootOf(folder)
      return root !== undefined && isWhole(root)
    },
    nearest: (name, folder) => nearest(name, folder, entriesOf),
  }
}

type Entries = (folder: string) => readonly string[]

/** A folder and those above it, up to the last one or the root of the disk. */
function above(folder: string, last: string | undefined): readonly string[] {
  const parent = dirname(folder)
  return folder === last || parent === folder ? [folder] : [folder, ...above(parent, last)]
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/** The folders of other repositories that git puts below this one, absolute. */
function submodules(root: string): readonly string[] {
  const text = textOf(join(root, '.gitmodules')) ?? ''
  return [...text.matchAll(/^\s*path\s*=\s*(.+?)\s*$/gm)].map(([, path = '']) => resolve(root, path))
}

/** How files are called that another one of the same name is decrypted, encrypted or filled in from. */
const forms =
  /^(?:enc|encrypted|dec|decrypted|sops|gpg|pgp|age|asc|vault|tmpl|tpl|template|example|sample|dist|in|j2|jinja2?|erb|gotmpl|jsonnet|cue|envsubst)$/i

/** Whether a file stands beside it that it is made from: `secrets.enc.yaml` for `secrets.yaml`, `app.env.example` for `app.env`. */
function hasSourceBeside(path: string, entriesOf: Entries): boolean {
  const plain = (name: string) =>
    name
      .split(/[._-]/)
      .filter((part) => part !== '' && !forms.test(part))
      .join('.')
  const wanted = plain(basename(path))
  return entriesOf(dirname(path)).some(
    (name) => name.split(/[._-]/).some((part) => forms.test(part)) && plain(name) === wanted,
  )
}

const scripts =
  /^(?:gnu)?makefile$|^justfile$|^taskfile\.ya?ml$|^tiltfile$|^earthfile$|^jenkinsfile$|^\.gitlab-ci\.ya?ml$|^kustomize$|\.(?:mk|sh|bash|py|rb|ps1|go)$/i
const scriptFolders = ['scripts', 'script', 'hack', 'ci', '.ci', 'bin']
const workflows = join('.github', 'workflows')
/** A line that makes files, or has names of what is made: of shells, Makefiles and programs. */
const writing =
  />|\b(?:tee|cp|mv|ln|curl|wget|touch|sops|envsubst|create|write\w*|open|output)\b|\s-[oO]\b|--out|^\s*[\w.-]+\s*[:?+]?=|^[^\s#]+.*:/i
/** A line that writes a kustomization. */
const growing = /\bkustomize\s+(?:edit|create)\b/
const largestScript = 256 * 1024

type LinesAround = (folder: string) => readonly string[]

/**
 * The lines of the scripts in a folder, and in those below it that are kept for scripts, that seem to make files. Each folder is looked
 * through once.
 */
function linesOfScripts(entriesOf: Entries): LinesAround {
  const linesIn = memo((folder: string) =>
    entriesOf(folder)
      .filter((name) => scripts.test(name) || (folder.endsWith(workflows) && /\.ya?ml$/.test(name)))
      .flatMap((name) =>
        (textOf(join(folder, name)) ?? '')
          .split('\n')
          .filter((line) => writing.test(line) || growing.test(line)),
      ),
  )
  return memo((folder: string) => {
    const entries = entriesOf(folder)
    const below = [...scriptFolders, workflows].filter((one) => entries.includes(one.split(sep)[0] ?? ''))
    return [folder, ...below.map((one) => join(folder, one))].flatMap(linesIn)
  })
}

/**
 * Tells whether a script seems to write a file, in one of the folders from that of its kustomization upwards. The first two speak of their
 * own files; those further up have to name its folder, too.
 */
function writtenByScripts(linesAround: LinesAround): (path: string, folders: readonly string[]) => boolean {
  return (path, folders) => {
    const name = basename(path)
    // A word alone is anything.
    if (!name.includes('.')) return false
    const full = `${basename(dirname(path))}/${name}`
    return folders.some((folder, i) =>
      linesAround(folder).some((line) => writing.test(line) && holdsName(line, i < 2 ? name : full)),
    )
  }
}

/**
 * Tells whether a script copies a kustomization, or its folder, to another place: what it names is looked for from there. Two folders have
 * to be named.
 */
function copiedByScripts(linesAround: LinesAround): (folder: string, folders: readonly string[]) => boolean {
  return (own, folders) => {
    const name = `${basename(dirname(own))}/${basename(own)}`
    const isSource = (line: string) => {
      const [, ...words] = /(?:^|[\s;&|(])cp\s+(.*)/.exec(line)?.[1]?.split(/\s+/).reverse() ?? []
      return words.some((word) => holdsName(word, name))
    }
    return folders.some((folder) => linesAround(folder).some(isSource))
  }
}

/** Whether a name stands in a line, and is not the end of another one. */
function holdsName(line: string, name: string): boolean {
  const at = line.indexOf(name)
  return at >= 0 && !/[\w-]/.test(line[at - 1] ?? '') && !/[\w-]/.test(line[at + name.length] ?? '')
}

/** The first step that leads to nothing, by the nearest name that is there and leads on. */
function nearest(name: string, folder: string, entriesOf: Entries): string | undefined {
  const steps = name.split('/')
  for (const [i, step] of steps.entries()) {
    const before = steps.slice(0, i)
    const here = resolve(folder, ...before)
    if (step === '' || step === '.' || step === '..') continue
    const entries = entriesOf(here)
    if (entries.includes(step)) continue
    const near = nearestName(step, entries)
    if (near === undefined) return undefined
    const meant = [...before, near, ...steps.slice(i + 1)].join('/')
    return existsSync(resolve(folder, meant)) ? meant : undefined
  }
  return undefined
}

/**
 * Whether something may be there although it can't be followed: a link that leads nowhere, or a path in a folder that
 * we may not look into.
 */
function mayBeThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

/** The names in a folder; none where it cannot be read. */
export function entriesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Whether a text has comments at most. */
function isBlank(text: string | undefined): boolean {
  return text?.split('\n').every((line) => /^\s*(?:#.*|---\s*)?$/.test(line)) ?? false
}

/** The text of a file; undefined where there is none, or one too large for a script. */
function textOf(path: string): string | undefined {
  const stats = statsAt(path)
  if (!stats?.isFile() || stats.size > largestScript) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
