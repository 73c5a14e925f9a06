/** Where kubeconfigs are, and the contexts in them. Without the Kubernetes client, which takes long to load. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { load } from 'js-yaml'
import { UsageError } from '../config/usage.js'
import { objectsAt, stringAt } from '../graph/untyped.js'

export interface KubeconfigOptions {
  /** A file in the place of those that KUBECONFIG and the home folder name. */
  readonly kubeconfig?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
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
