/** Kubeconfig files as kubectl reads them, or the service account of a pod: which there are, and what is in them. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import type { Cluster, Context, KubeConfig, User } from '@kubernetes/client-node'
import { UsageError } from '../config/usage.js'
import type { Untyped } from '../kubernetes.js'
import { parse } from '../reader/parse.js'
import { objectAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import { bytesIn, Refused } from './file.js'
import { misformed } from './kubeconfig-form.js'

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
   * The clusters and users of the client with all their fields: it (1.4) leaves out `as-groups`, `as-uid`, `as-user-extra`,
   * `tokenFile` and `extensions`, and forgets which file an entry is from.
   */
  readonly entries: ReadonlyMap<Cluster | User, Entry>
}

/** The files to merge, as kubectl finds them. */
function filesOf({ kubeconfig, env }: KubeconfigOptions): readonly string[] {
  if (kubeconfig !== undefined) return [resolve(kubeconfig)]
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const home = env.HOME ?? homeFolder()
  const files = named.length > 0 || home === undefined ? named : [join(home, '.kube', 'config')]
  return files.map((file) => resolve(file))
}

/** What is in a file; undefined for one that is not there. */
function textOf(file: string): string | undefined {
  try {
    return bytesIn(file).toString()
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    if (error.isAbsent) return undefined
    throw new UsageError(
      `${shortened(file)} cannot be read: ${error.message}. Name another file: --kubeconfig FILE`,
    )
  }
}

/**
 * Reads the files, or the service account.
 * @throws UsageError that names the file, and nothing of what is in it
 */
export async function kubeconfigOf(options: KubeconfigOptions): Promise<Kubeconfig> {
  // Half a second unbundled: only here, and only now.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const client = new KubeConfig()
  const files = filesOf(options).flatMap((file) => {
    const text = textOf(file)
    return text === undefined ? [] : [{ file, text }]
  })
  // Those that are not there do not count, but for one that was asked for.
  if (files.length === 0 && options.kubeconfig !== undefined)
    throw new UsageError(`--kubeconfig: there is no file ${options.kubeconfig}.`)
  if (files.length === 0) return ofThisPod(client, options)
  const entries = files.flatMap(({ file, text }) => added(client, new KubeConfig(), file, text))
  return { where: files.map(({ file }) => shortened(file)).join(', '), client, entries: new Map(entries) }
}

/** Adds what is in a file, but for names that the files before it have. */
function added(
  client: KubeConfig,
  own: KubeConfig,
  file: string,
  text: string,
): readonly [Cluster | User, Entry][] {
  try {
    const content = contentIn(text)
    const problem = misformed(content)
    if (problem !== undefined) throw new Error(problem)
    const named = (kind: Entry['kind']) =>
      objectsAt(content, `${kind}s`).flatMap((one): readonly Entry[] => {
        const name = stringAt(one, 'name')
        return name ? [{ kind, name, file, fields: objectAt(one, kind) ?? {} }] : []
      })
    const clusters = named('cluster').map((one) => [clusterIn(one), one] as const)
    const users = named('user').map((one) => [userIn(one), one] as const)
    // For the client a name in two files is an error, and the last current context counts; for kubectl it is the first of each.
    own.loadFromOptions({
      clusters: clusters.map(([one]) => one).filter(({ name }) => !client.getCluster(name)),
      users: users.map(([one]) => one).filter(({ name }) => !client.getUser(name)),
      contexts: contextsIn(content).filter(({ name }) => !client.getContextObject(name)),
      currentContext: stringAt(content, 'current-context'),
    })
    client.mergeConfig(own, Boolean(client.currentContext))
    return [...clusters, ...users].map(([one, entry]) => [one, entry])
  } catch (error) {
    throw new UsageError(
      `${shortened(file)} cannot be used as a kubeconfig: ${reasonOf(error)}. Correct the file, or name another one: --kubeconfig FILE`,
    )
  }
}

/** @throws Error that says where it is no YAML, and nothing of what is there: it may be a key */
function contentIn(text: string): unknown {
  const parsed = parse(text.replace(/^\ufeff/, ''))
  if (parsed.ok) return parsed.value
  const { reason, offset } = parsed.mistake
  const line = text.slice(0, offset).split('\n').length
  throw new Error(`${reason === 'refused' ? 'kubectl refuses what stands there' : reason} (line ${line})`)
}

/** In the form of the client, which would leave out what lacks something. What is in files is read later: see credentials.ts. */
function clusterIn({ name, fields }: Entry): Cluster {
  return {
    name,
    server: stringAt(fields, 'server') ?? '',
    skipTLSVerify: valueAt(fields, 'insecure-skip-tls-verify') === true,
    ...textsIn(fields, {
      caData: 'certificate-authority-data',
      tlsServerName: 'tls-server-name',
      proxyUrl: 'proxy-url',
    }),
  }
}

function userIn({ name, fields }: Entry): User {
  return {
    name,
    exec: objectAt(fields, 'exec'),
    authProvider: objectAt(fields, 'auth-provider'),
    ...textsIn(fields, {
      certData: 'client-certificate-data',
      keyData: 'client-key-data',
      token: 'token',
      username: 'username',
      password: 'password',
    }),
  }
}

function contextsIn(content: unknown): Context[] {
  return objectsAt(content, 'contexts').flatMap((one) => {
    const name = stringAt(one, 'name')
    const at = (field: string) => stringAt(one, 'context', field) ?? ''
    return name ? [{ name, cluster: at('cluster'), user: at('user') }] : []
  })
}

/** Fields under other names, where they are filled. */
function textsIn(fields: Untyped, names: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([own, name]) => {
      const text = stringAt(fields, name)
      return text ? [[own, text]] : []
    }),
  )
}

/** The fields of a cluster or a user, in the content of its file. */
export function fieldsIn(content: unknown, { kind, name }: Pick<Entry, 'kind' | 'name'>): Untyped {
  return (
    objectAt(
      objectsAt(content, `${kind}s`).find((one) => one.name === name),
      kind,
    ) ?? {}
  )
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
  const entry = (kind: Entry['kind'], name: string, fields: Untyped): Entry => ({ kind, name, file, fields })
  const entries = new Map<Cluster | User, Entry>([
    [cluster, entry('cluster', cluster.name, { 'certificate-authority': cluster.caFile })],
    [user, entry('user', user.name, { tokenFile })],
  ])
  return { where: file, client, entries }
}

/** The path with `~` for the home folder, as people write it. */
export function shortened(file: string): string {
  const home = homeFolder()
  return home !== undefined && file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}

/** Undefined for a user whom the system does not know, as in a pod with a `runAsUser` of its own. */
function homeFolder(): string | undefined {
  try {
    return homedir()
  } catch {
    return undefined
  }
}

/** What the files say of a cluster or user that the client has read. */
export function entryOf({ entries }: Kubeconfig, one: Cluster | User): Entry {
  return entries.get(one) ?? { kind: 'user', name: one.name, file: '', fields: {} }
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

/** What went wrong, without the lines around it that the YAML parser shows: they may hold keys. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { reason, mark } = error as Error & {
    readonly reason?: string
    readonly mark?: { readonly line: number }
  }
  return reason === undefined ? error.message : `${reason}${mark ? ` (line ${mark.line + 1})` : ''}`
}
