/**
 * Manifests that a Go program carries in itself, or that it, a script or a pipeline finishes: what stands in them is not what is applied.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import picomatch from 'picomatch'
import { memo } from '../values/lazy.js'
import { isTooWild } from '../values/wildcard.js'

/** Folders as file names have them, with the paths to open them. */
export interface ProgramFolders {
  /** Those with source files of Go. */
  readonly sources: ReadonlyMap<string, string>
  /** Those with shell scripts. */
  readonly scripts: ReadonlyMap<string, string>
  /** Those with the configuration of Terraform. */
  readonly terraform: ReadonlyMap<string, string>
  /** Those with pipelines of Jenkins. */
  readonly pipelines: ReadonlyMap<string, string>
  /** Those that a Go module starts in. */
  readonly modules: ReadonlySet<string>
}

/** The questions about programs. Nothing is opened before somebody asks. */
export interface Programs {
  /** Whether a source file in the folder of a file, or in one above, embeds it: `//go:embed assets/*.yaml`. */
  embeds(file: string): boolean
  /** Whether a file lies in a Go module. */
  holds(file: string): boolean
  /** Whether a shell script beside a file names it, and a program that changes what it reads, such as jq. */
  edits(file: string): boolean
  /**
   * Whether a shell script beside a file, or in a folder above it, makes a ConfigMap or Secret of a name with a key; or Terraform does
   * with a command, wherever its folder is: it makes the cluster first.
   */
  makes(file: string, wanted: { readonly name: string; readonly key: string }): boolean
  /** Whether a pipeline of Jenkins in the folder of a file, or in one above, has its pods made from the file: `yamlFile 'ci/pod.yaml'`. */
  builds(file: string): boolean
}

/** What pipelines of Jenkins, and the scripts that they share, are called. */
export function isPipeline(name: string): boolean {
  return /^jenkinsfile(?:[-._].*)?$|\.(?:jenkins(?:file)?|groovy)$/i.test(name)
}

/** What programs, scripts, Terraform and pipelines in these folders do with manifests. Each file is read when somebody asks. */
export function programsIn({ sources, scripts, terraform, pipelines, modules }: ProgramFolders): Programs {
  const known = new Map<string, readonly ((path: string) => boolean)[]>()
  const embeddedBy = (folder: string) => {
    const path = sources.get(folder)
    const found = known.get(folder) ?? (path === undefined ? [] : patternsIn(path))
    known.set(folder, found)
    return found
  }
  const scriptsIn = memo((folder: string) => filesIn(folder, endsWith('.sh')))
  const terraformIn = memo((folder: string) => filesIn(folder, endsWith('.tf')))
  const pipelinesIn = memo((folder: string) => filesIn(folder, isPipeline).flatMap(podFilesIn))
  const textsIn = memo((folder: string) =>
    scriptsIn(folder)
      .filter((text) => /\b(?:jq|yq|sed|envsubst)\b/.test(text))
      .join('\n'),
  )
  return {
    embeds: (file) =>
      sources.size > 0 &&
      foldersOf(file).some((folder) => embeddedBy(folder).some((matches) => isIn(file, folder, matches))),
    holds: (file) => modules.size > 0 && foldersOf(file).some((folder) => modules.has(folder)),
    edits: (file) => {
      const path = scripts.get(posix.dirname(file))
      return path !== undefined && textsIn(path).includes(posix.basename(file))
    },
    makes: (file, wanted) =>
      (scripts.size > 0 &&
        foldersOf(file).some((folder) => {
          const path = scripts.get(folder)
          return path !== undefined && scriptsIn(path).some((text) => makesWith(text, wanted))
        })) ||
      [...terraform.values()].some((path) => terraformIn(path).some((text) => makesWith(text, wanted))),
    builds: (file) =>
      pipelines.size > 0 &&
      foldersOf(file).some((folder) => {
        const path = pipelines.get(folder)
        return path !== undefined && pipelinesIn(path).includes(posix.basename(file))
      }),
  }
}

/** The base names of the files that a pipeline has its pods made from. Source: the kubernetes plugin of Jenkins, README.md (yamlFile). */
function podFilesIn(text: string): string[] {
  const named = text.matchAll(/\byamlFile\b[\s(:=]*["']([^"'\n]+)["']/g)
  return [...named].map(([, path = '']) => posix.basename(path))
}

/** Whether a script has a `kubectl create secret generic NAME … --from-literal=KEY=…`, on as many lines as it takes. */
function makesWith(text: string, { name, key }: { readonly name: string; readonly key: string }): boolean {
  if (!text.includes(name) || !text.includes(key)) return false
  return text
    .replace(/\\\r?\n/g, ' ')
    .split('\n')
    .some(
      (line) =>
        /\bcreate (?:secret|configmap|cm) /.test(line) &&
        line.split(/[\s"']+/).includes(name) &&
        [' ', '=', '"', "'"].some((before) => line.includes(`${before}${key}=`)),
    )
}

/** The folders that a file is in, from its own up. */
function foldersOf(file: string): string[] {
  const folder = posix.dirname(file)
  return folder === file ? [] : folder === '.' ? ['.'] : [folder, ...foldersOf(folder)]
}

/** Whether a pattern of a folder means a file below it, or a folder that the file is in. */
function isIn(file: string, folder: string, matches: (path: string) => boolean): boolean {
  const steps = (folder === '.' ? file : file.slice(folder.length + 1)).split('/')
  return steps.some((_, i) => matches(steps.slice(0, i + 1).join('/')))
}

/** What the directives in the source files of a folder name. Source: documentation of the package embed. */
function patternsIn(folder: string): ((path: string) => boolean)[] {
  return filesIn(folder, endsWith('.go'))
    .filter((text) => text.includes('//go:embed'))
    .flatMap((text) => [...text.matchAll(/^[ \t]*\/\/go:embed[ \t]+(.+)$/gm)])
    .flatMap(([, patterns = '']) => patterns.match(/"[^"]*"|`[^`]*`|\S+/g) ?? [])
    .map((pattern) => pattern.replace(/^["`]|["`]$/g, '').replace(/^all:/, ''))
    .filter((pattern) => !isTooWild(pattern))
    .map((pattern) => picomatch(pattern, { dot: true, nobrace: true, noglobstar: true, noext: true }))
}

function endsWith(extension: string): (name: string) => boolean {
  return (name) => name.endsWith(extension)
}

function filesIn(folder: string, isWanted: (name: string) => boolean): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && isWanted(entry.name))
      .map(({ name }) => readFileSync(join(folder, name), 'utf8'))
  } catch {
    // A folder that cannot be read any more tells nothing.
    return []
  }
}
