/** Kubeconfig files as kubectl reads them: which there are, and what is in them. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { load } from 'js-yaml'
import { UsageError } from '../config/usage.js'
import { isObject, objectAt, objectsAt, stringAt } from '../graph/untyped.js'
import type { Untyped } from '../kubernetes.js'

export interface KubeconfigOptions {
  /** A file in the place of those that KUBECONFIG and the home folder name. */
  readonly kubeconfig?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A cluster, a user or a context. Source of the fields: k8s.io/client-go/tools/clientcmd/api/v1/types.go. */
export interface Entry {
  readonly kind: 'cluster' | 'user' | 'context'
  readonly name: string
  /** Where it stands; relative paths in it start at the folder of this file. */
  readonly file: string
  readonly fields: Untyped
}

/** All files together: of entries with one name, and of current contexts, the first counts. */
export interface Kubeconfig {
  /** The names of the files, for messages. */
  readonly where: string
  readonly clusters: ReadonlyMap<string, Entry>
  readonly users: ReadonlyMap<string, Entry>
  readonly contexts: ReadonlyMap<string, Entry>
  readonly currentContext: string | undefined
}

/** The files to merge: those that exist of a list, as kubectl does it, but a file that was asked for by name must be there. */
export function filesOf({ kubeconfig, env }: KubeconfigOptions): readonly string[] {
  if (kubeconfig !== undefined) {
    if (!existsSync(kubeconfig)) throw new UsageError(`--kubeconfig: there is no file ${kubeconfig}.`)
    return [resolve(kubeconfig)]
  }
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const files = named.length > 0 ? named : [join(env.HOME ?? homedir(), '.kube', 'config')]
  return files.filter((file) => existsSync(file)).map((file) => resolve(file))
}

/**
 * Reads the files.
 * @throws UsageError that names the file, and nothing of what is in it
 */
export function kubeconfigIn(files: readonly string[]): Kubeconfig {
  const read = files.map((file) => ({ file, content: contentOf(file) }))
  const entries = (kind: Entry['kind']) =>
    new Map(
      read
        .flatMap(({ file, content }) =>
          objectsAt(content, `${kind}s`).flatMap((one): Entry[] => {
            const name = stringAt(one, 'name')
            return name === undefined ? [] : [{ kind, name, file, fields: objectAt(one, kind) ?? {} }]
          }),
        )
        .toReversed()
        .map((entry) => [entry.name, entry]),
    )
  return {
    where: files.map(shortened).join(', '),
    clusters: entries('cluster'),
    users: entries('user'),
    contexts: entries('context'),
    currentContext: read.map(({ content }) => stringAt(content, 'current-context')).find((name) => name),
  }
}

/** The path with `~` for the home folder, as people write it. */
export function shortened(file: string): string {
  const home = homedir()
  return file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}

/** `the user "me" in ~/.kube/config`, for messages. */
export function titleOf({ kind, name, file }: Entry): string {
  return `the ${kind} ${JSON.stringify(name)} in ${shortened(file)}`
}

/** The path that a field of an entry holds. */
export function pathAt({ file, fields }: Entry, ...path: readonly string[]): string | undefined {
  const found = stringAt(fields, ...path)
  return found ? resolve(dirname(file), found) : undefined
}

function contentOf(file: string): unknown {
  try {
    const content = load(readFileSync(file, 'utf8'))
    // An empty file is what `kubectl config` starts from.
    if (content === undefined || content === null || isObject(content)) return content
  } catch (error) {
    throw unusable(file, reasonOf(error))
  }
  throw unusable(file, 'it holds no mapping with clusters, users and contexts')
}

function unusable(file: string, reason: string): UsageError {
  return new UsageError(
    `${shortened(file)} cannot be used as a kubeconfig: ${reason}. Correct the file, or name another one: --kubeconfig FILE`,
  )
}

/** What went wrong, without the lines around it that the YAML parser shows: they may hold keys. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { reason, mark } = error as Error & {
    readonly reason?: string
    readonly mark?: { readonly line: number }
  }
  return reason === undefined ? error.message : `${reason}${mark ? ` (line ${mark.line + 1})` : ''}`
}

/** A context by name; contexts with one `access` are one cluster with the rights of one user. */
export interface NamedContext {
  readonly name: string
  readonly access: string
}

/** All contexts, the first of each name. Files that are no kubeconfig have none here: connecting says what is wrong with them. */
export function contextsIn(options: KubeconfigOptions): readonly NamedContext[] {
  const contexts = new Map<string, NamedContext>()
  for (const file of filesOf(options)) {
    for (const entry of objectsAt(parsed(file), 'contexts')) {
      const name = stringAt(entry, 'name')
      if (name === undefined || contexts.has(name)) continue
      const access = JSON.stringify([
        stringAt(entry, 'context', 'cluster'),
        stringAt(entry, 'context', 'user'),
      ])
      contexts.set(name, { name, access })
    }
  }
  return [...contexts.values()]
}

function parsed(file: string): unknown {
  try {
    return load(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
