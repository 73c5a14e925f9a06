/** How to reach a cluster: kubeconfig files as kubectl reads them, or the service account of the pod that this runs in. */
import { existsSync, readFileSync } from 'node:fs'
import { Agent as PlainAgent } from 'node:http'
import { Agent, type RequestOptions } from 'node:https'
import { homedir } from 'node:os'
import { dirname, resolve, sep } from 'node:path'
import type { Cluster, Context, KubeConfig, User } from '@kubernetes/client-node'
import { load } from 'js-yaml'
import { UsageError } from '../config/usage.js'
import { nearestName } from '../graph/similar.js'
import { objectsAt, stringAt } from '../graph/untyped.js'
import { filesOf, type KubeconfigOptions } from './kubeconfig.js'
import { proxyFor } from './proxy.js'

export interface Connection {
  /** The context's name. */
  readonly context: string
  /** The namespace that the context names. */
  readonly namespace: string | undefined
  /** The server's address, with the path in front of its API where it has one. */
  readonly server: URL
  /** Carries certificates, keys and proxy. Keeps connections open unless there is a proxy. */
  readonly agent: PlainAgent
  /** Credentials and impersonation. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

export interface ConnectOptions extends KubeconfigOptions {
  /** The context in the place of the current one. */
  readonly context?: string | undefined
  /** Act as this user and these groups. */
  readonly as?: string | undefined
  readonly asGroup?: readonly string[] | undefined
  /** Connections that are kept open. */
  readonly sockets: number
}

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/**
 * Finds the cluster and the credentials; plugins that fetch credentials run now.
 * @throws UsageError when there is no such configuration or context, or when it is broken
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  // Half a second unbundled: only here, and only now.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  const files = filesOf(options)
  if (files.length > 0)
    config.loadFromOptions(
      merged(
        files.map((file) => ({ file, config: read(file, new KubeConfig()) })),
        options,
      ),
    )
  else if (options.env.KUBERNETES_SERVICE_HOST && existsSync(serviceAccountToken)) config.loadFromCluster()
  else
    throw new UsageError(
      `there is no kubeconfig: ${options.env.KUBECONFIG ? `KUBECONFIG names ${options.env.KUBECONFIG}` : 'KUBECONFIG is not set, and ~/.kube/config is not there'}. Name one: --kubeconfig FILE`,
    )
  const where = files.map(shortened).join(', ')
  const context = chosen(config, options.context, where)
  const named = config.getCluster(context.cluster)
  if (!named)
    throw new UsageError(
      `the context ${JSON.stringify(context.name)} names the cluster ${JSON.stringify(context.cluster)}, which ${where} does not have. kubectl config view shows what is there.`,
    )
  if (!URL.canParse(named.server) || !/^https?:/.test(named.server))
    throw new UsageError(
      `the server of the cluster ${JSON.stringify(named.name)} in ${where} is no https address: ${JSON.stringify(named.server)}.`,
    )
  const server = new URL(named.server)
  const proxyUrl = named.proxyUrl ?? proxyFor(server, options.env)
  const cluster = { ...named, ...(proxyUrl !== undefined && { proxyUrl }) }
  // The client leaves out the certificates, too, where there is no user.
  const user = context.user ? config.getUser(context.user) : { name: 'nobody' }
  if (!user)
    throw new UsageError(
      `the context ${JSON.stringify(context.name)} names the user ${JSON.stringify(context.user)}, whom ${where} does not have. kubectl config view shows what is there.`,
    )
  complete(config, context, cluster, user)
  const { agent, headers } = await credentials(config, cluster, user, options.sockets)
  return {
    context: context.name,
    namespace: context.namespace,
    server,
    agent,
    headers: { ...headers, ...impersonation(options) },
  }
}

/** Source: k8s.io/api/authentication/v1/types.go. */
function impersonation({ as, asGroup = [] }: ConnectOptions): Connection['headers'] {
  if (as === undefined) {
    if (asGroup.length > 0) throw new UsageError('--as-group goes with --as: groups need a user.')
    return {}
  }
  return { 'impersonate-user': as, ...(asGroup.length > 0 && { 'impersonate-group': asGroup }) }
}

/** The path with `~` for the home folder, as people write it. */
function shortened(file: string): string {
  const home = homedir()
  return file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}

function read(file: string, config: KubeConfig): KubeConfig {
  try {
    const text = readFileSync(file, 'utf8')
    // An empty file is what `kubectl config` starts from.
    if (text.trim() === '') return config
    config.loadFromString(text, { onInvalidEntry: 'filter' })
    config.makePathsAbsolute(dirname(file))
    config.users = config.users.map((user) => withFiles(user, load(text), dirname(file)))
  } catch (error) {
    throw new UsageError(
      `${shortened(file)} cannot be used as a kubeconfig: ${reasonOf(error)}. Correct the file, or name another one: --kubeconfig FILE`,
    )
  }
  return config
}

/**
 * What the client does not read: the token in `tokenFile`, and a credential plugin beside the kubeconfig.
 * Source: k8s.io/client-go/tools/clientcmd (api/v1/types.go, loader.go).
 */
function withFiles(user: User, config: unknown, folder: string): User {
  const entry = objectsAt(config, 'users').find(({ name }) => name === user.name)
  const tokenFile = stringAt(entry, 'user', 'tokenFile')
  const command = stringAt(entry, 'user', 'exec', 'command')
  return {
    ...user,
    ...(tokenFile && { token: readFileSync(resolve(folder, tokenFile), 'utf8').trim() }),
    ...(command?.includes(sep) && { exec: { ...user.exec, command: resolve(folder, command) } }),
  }
}

/** What went wrong, without the lines around it that the YAML parser shows: they may hold keys. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { reason, mark } = error as Error & {
    readonly reason?: string
    readonly mark?: { readonly line: number }
  }
  if (reason !== undefined) return `${reason}${mark ? ` (line ${mark.line + 1})` : ''}`
  return error instanceof TypeError ? 'it holds no mapping with clusters, users and contexts' : error.message
}

interface ReadFile {
  readonly file: string
  readonly config: KubeConfig
}

/** All files together; of entries with one name, and of current contexts, the first counts. Source: kubectl's rules of loading. */
function merged(files: readonly ReadFile[], { context }: ConnectOptions) {
  const first = <T extends { readonly name: string }>(entries: readonly T[]): T[] =>
    [...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values()].reverse()
  return {
    clusters: first(files.flatMap(({ config }) => config.clusters ?? [])),
    users: first(files.flatMap(({ config }) => config.users ?? [])),
    contexts: first(files.flatMap(({ config }) => config.contexts ?? [])),
    currentContext: context ?? files.map(({ config }) => config.currentContext).find((name) => name),
  }
}

function chosen(config: KubeConfig, asked: string | undefined, where: string): Context {
  const names = config.contexts.map(({ name }) => name)
  const list =
    names.length > 0
      ? `It has ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}.`
      : 'It has none.'
  const name = asked ?? config.currentContext
  if (!name) throw new UsageError(`no context is set in ${where}. ${list} Choose one: --context NAME`)
  const found = config.contexts.find((one) => one.name === name)
  if (!found) {
    const near = nearestName(name, names)
    throw new UsageError(
      `there is no context ${JSON.stringify(name)} in ${where}. ${near === undefined ? list : `Did you mean ${JSON.stringify(near)}?`}`,
    )
  }
  config.setCurrentContext(name)
  return found
}

/** Runs whatever gives the credentials. */
async function credentials(
  config: KubeConfig,
  cluster: Cluster,
  user: User,
  sockets: number,
): Promise<Pick<Connection, 'agent' | 'headers'>> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    throw new UsageError(refusal(error, user))
  }
  const { ca, cert, key, servername, rejectUnauthorized, auth, headers = {} } = options
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value).trim()])
  const { agent } = options
  return {
    headers: { ...basic, ...Object.fromEntries(own) },
    agent:
      cluster.proxyUrl && agent instanceof PlainAgent
        ? agent
        : cluster.server.startsWith('http:')
          ? new PlainAgent({ keepAlive: true, maxSockets: sockets })
          : new Agent({
              keepAlive: true,
              maxSockets: sockets,
              ca,
              cert,
              key,
              servername,
              rejectUnauthorized,
            }),
  }
}

function refusal(error: unknown, user: User): string {
  const { code, message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  const command: unknown = user.exec?.command
  if (typeof command !== 'string') return `the credentials cannot be read: ${message}`
  const hint: unknown = user.exec?.installHint
  return code === 'ENOENT'
    ? `the kubeconfig gets its credentials from the program ${command}, which is not installed.${typeof hint === 'string' ? ` ${hint}` : ''}`
    : `${command}, which the kubeconfig gets its credentials from, failed: ${message.trim() || 'it said nothing'}`
}

/**
 * What the client leaves undone: plugins read their task from KUBERNETES_EXEC_INFO, and a plain http server has no
 * certificate to check. Source: k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go.
 */
function complete(config: KubeConfig, context: Context, cluster: Cluster, user: User): void {
  const { exec } = user
  const task = exec && {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(exec.provideClusterInfo && {
        cluster: {
          server: cluster.server,
          'tls-server-name': cluster.tlsServerName,
          'insecure-skip-tls-verify': cluster.skipTLSVerify,
          'certificate-authority-data':
            cluster.caData ?? (cluster.caFile ? readFileSync(cluster.caFile, 'base64') : undefined),
          'proxy-url': cluster.proxyUrl,
        },
      }),
    },
  }
  config.loadFromOptions({
    clusters: [{ ...cluster, skipTLSVerify: cluster.skipTLSVerify || cluster.server.startsWith('http:') }],
    users: [
      {
        ...user,
        ...(task && {
          exec: {
            ...exec,
            env: [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(task) }],
          },
        }),
      },
    ],
    contexts: [{ ...context, user: user.name }],
    currentContext: config.currentContext,
  })
}
