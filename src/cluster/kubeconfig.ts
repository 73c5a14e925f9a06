/** Kubeconfig files as kubectl reads them, or the service account of a pod: which there are, and what is in them. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node'
import { load } from 'js-yaml'
import { UsageError } from '../config/usage.js'
import { isObject, objectAt, objectsAt, stringAt } from '../graph/untyped.js'
import type { Untyped } from '../kubernetes.js'

export interface KubeconfigOptions {
  /** A file in the place of those that KUBECONFIG and the home folder name. */
  readonly kubeconfig?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** In the place of `/`, where the files of a pod's service account are looked for; in tests only. */
  readonly root?: string | undefined
}

/** A cluster or a user as it stands in a file. Source of the fields: k8s.io/client-go/tools/clientcmd/api/v1/types.go. */
export interface Entry {
  readonly kind: 'cluster' | 'user'
  readonly name: string
  /** Where it stands; relative paths in it start at the folder of this file. */
  readonly file: string
  readonly fields: Untyped
}

/** What there is, read and merged by the Kubernetes client. */
export interface Kubeconfig {
  /** The names of the files, for messages. */
  readonly where: string
  readonly client: KubeConfig
  /**
   * An entry with all its fields: the client (1.4) leaves out `as-groups`, `as-uid`, `as-user-extra`, `tokenFile` and
   * `extensions`, and forgets which file an entry is from.
   */
  readonly entryOf: (one: Cluster | User) => Entry
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
 * Reads the files, or the service account.
 * @throws UsageError that names the file, and nothing of what is in it
 */
export async function kubeconfigOf(options: KubeconfigOptions): Promise<Kubeconfig> {
  // Half a second unbundled: only here, and only now.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const client = new KubeConfig()
  const files = filesOf(options)
  if (files.length === 0) return ofThisPod(client, options)
  const entries = files.flatMap((file) => added(client, new KubeConfig(), file))
  return kubeconfig(client, files.map(shortened).join(', '), entries)
}

type Read = readonly [Cluster | User, Entry]

function kubeconfig(client: KubeConfig, where: string, read: readonly Read[]): Kubeconfig {
  const entries = new Map(read)
  const entryOf = (one: Cluster | User) =>
    entries.get(one) ?? { kind: 'user', name: one.name, file: '', fields: {} }
  return { where, client, entryOf }
}

/** Adds a file to the others: its entries with names that those do not have. */
function added(client: KubeConfig, own: KubeConfig, file: string): readonly Read[] {
  const content = contentOf(file)
  // An empty file is what `kubectl config` starts from; the client fails on it, and takes a list for an empty mapping.
  if (content === undefined) return []
  try {
    own.loadFromFile(file, { onInvalidEntry: 'filter' })
    // For the client a name in two files is an error, and the last current context counts; for kubectl it is the first of each.
    own.clusters = own.clusters.filter(({ name }) => !client.getCluster(name))
    own.users = own.users.filter(({ name }) => !client.getUser(name))
    own.contexts = own.contexts.filter(({ name }) => !client.getContextObject(name))
    client.mergeConfig(own, Boolean(client.currentContext))
  } catch (error) {
    throw unusable(file, error)
  }
  const entry = (kind: Entry['kind'], { name }: Cluster | User): Entry => {
    const found = objectsAt(content, `${kind}s`).find((one) => one.name === name)
    return { kind, name, file, fields: objectAt(found, kind) ?? {} }
  }
  return [
    ...own.clusters.map((one): Read => [one, entry('cluster', one)]),
    ...own.users.map((one): Read => [one, entry('user', one)]),
  ]
}

/** Where there is no kubeconfig. Source: InClusterConfig in k8s.io/client-go/rest/config.go. */
function ofThisPod(client: KubeConfig, { env, root }: KubeconfigOptions): Kubeconfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, KUBECONFIG: named } = env
  client.loadFromCluster(root)
  const [cluster, user] = [client.getCurrentCluster(), client.getCurrentUser()]
  const tokenFile = stringAt(user?.authProvider, 'config', 'tokenFile') ?? ''
  if (!host || !port || !cluster || !user || !existsSync(tokenFile))
    throw new UsageError(
      `there is no kubeconfig: ${named ? `KUBECONFIG names ${named}` : 'KUBECONFIG is not set, and ~/.kube/config is not there'}. Name one: --kubeconfig FILE`,
    )
  const file = dirname(tokenFile)
  return kubeconfig(client, file, [
    [
      cluster,
      { kind: 'cluster', name: cluster.name, file, fields: { 'certificate-authority': cluster.caFile } },
    ],
    [user, { kind: 'user', name: user.name, file, fields: { tokenFile } }],
  ])
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

function contentOf(file: string): Untyped | undefined {
  let content: unknown
  try {
    content = load(readFileSync(file, 'utf8'))
  } catch (error) {
    throw unusable(file, error)
  }
  if (isObject(content)) return content
  if (content === undefined || content === null) return undefined
  throw unusable(file, 'it holds no mapping with clusters, users and contexts')
}

function unusable(file: string, error: unknown): UsageError {
  return new UsageError(
    `${shortened(file)} cannot be used as a kubeconfig: ${reasonOf(error)}. Correct the file, or name another one: --kubeconfig FILE`,
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
