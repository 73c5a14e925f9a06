/** How to reach a cluster: kubeconfig files as kubectl reads them, or the service account of the pod that this runs in. */
import { existsSync } from 'node:fs'
import type { Agent } from 'node:http'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { UsageError } from '../config/usage.js'
import { nearestName } from '../graph/similar.js'
import { arrayAt, objectAt, stringAt, valueAt } from '../graph/untyped.js'
import { type Credentials, credentialsOf } from './credentials.js'
import {
  type Entry,
  filesOf,
  type Kubeconfig,
  type KubeconfigOptions,
  kubeconfigIn,
  titleOf,
} from './kubeconfig.js'
import { authorityAt } from './pem.js'
import { agentFor, isProxy, proxyFor } from './proxy.js'

export interface Connection {
  /** The context's name. */
  readonly context: string
  /** The server's address, with the path in front of its API where it has one. */
  readonly server: URL
  /** The proxy in front of it, without user and password. */
  readonly proxy: string | undefined
  /** Carries certificates, keys and proxy. Keeps connections open. */
  readonly agent: Agent
  /** Credentials and impersonation. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** When the client's certificate expired, if it did. */
  readonly expired: Date | undefined
}

export interface ConnectOptions extends KubeconfigOptions {
  /** The context in the place of the current one. */
  readonly context?: string | undefined
  /** Act as this user and these groups. */
  readonly as?: string | undefined
  readonly asGroup?: readonly string[] | undefined
  /** Connections that are kept open. */
  readonly sockets: number
  /** Ends the wait for credentials. */
  readonly signal: AbortSignal
  /** The folder of the pod's service account; elsewhere in tests only. */
  readonly serviceAccount?: string | undefined
}

/**
 * Finds the cluster and the credentials; plugins that fetch credentials run now.
 * @throws UsageError when there is no such configuration or context, or when it is broken
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const files = filesOf(options)
  const config = files.length > 0 ? kubeconfigIn(files) : ofThisPod(options)
  const { where } = config
  const context = chosen(config, options.context)
  const name = JSON.stringify(context.name)
  const clusterName = stringAt(context.fields, 'cluster') ?? ''
  const cluster = config.clusters.get(clusterName)
  if (!cluster)
    throw new UsageError(
      `the context ${name} names the cluster ${JSON.stringify(clusterName)}, which ${where} does not have. kubectl config view shows what is there.`,
    )
  const userName = stringAt(context.fields, 'user')
  const user = userName ? config.users.get(userName) : nobody
  if (!user)
    throw new UsageError(
      `the context ${name} names the user ${JSON.stringify(userName)}, whom ${where} does not have. kubectl config view shows what is there.`,
    )
  const impersonated = impersonation(user, options)
  const server = serverOf(cluster)
  const proxy = proxyOf(cluster, server, options.env)
  const ca = authorityAt(cluster, 'certificate-authority')
  const servername = stringAt(cluster.fields, 'tls-server-name')
  const isUnchecked = valueAt(cluster.fields, 'insecure-skip-tls-verify') === true
  /** Source: Cluster in k8s.io/client-go/pkg/apis/clientauthentication/v1/types.go. */
  const told = () => ({
    server: stringAt(cluster.fields, 'server'),
    'tls-server-name': servername,
    'insecure-skip-tls-verify': isUnchecked || undefined,
    'certificate-authority-data': ca && Buffer.from(ca).toString('base64'),
    'proxy-url': proxy,
    config: extensionOf(cluster),
  })
  // Nothing secret goes over plain http, as with kubectl.
  const { authorization, cert, key, expired }: Credentials =
    server.protocol === 'http:' ? {} : await credentialsOf(user, told, options.signal)
  const tls = { ca, cert, key, servername, ...(isUnchecked && { rejectUnauthorized: false }) }
  return {
    context: context.name,
    server,
    proxy: proxy && new URL(proxy).host,
    agent: agentFor(server, proxy, tls, options.sockets),
    headers: { ...(authorization !== undefined && { authorization: authorization.trim() }), ...impersonated },
    expired,
  }
}

/** Who asks without credentials. */
const nobody: Entry = { kind: 'user', name: 'nobody', file: '', fields: {} }

/** The configuration of a process in a pod. Source: InClusterConfig in k8s.io/client-go/rest/config.go. */
function ofThisPod({
  env,
  serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount',
}: ConnectOptions): Kubeconfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, KUBECONFIG: named } = env
  const tokenFile = join(serviceAccount, 'token')
  if (!host || !port || !existsSync(tokenFile))
    throw new UsageError(
      `there is no kubeconfig: ${named ? `KUBECONFIG names ${named}` : 'KUBECONFIG is not set, and ~/.kube/config is not there'}. Name one: --kubeconfig FILE`,
    )
  const name = 'in-cluster'
  const one = (kind: Entry['kind'], fields: Entry['fields']) =>
    new Map([[name, { kind, name, file: serviceAccount, fields }]])
  return {
    where: serviceAccount,
    clusters: one('cluster', {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      'certificate-authority': join(serviceAccount, 'ca.crt'),
    }),
    users: one('user', { tokenFile }),
    contexts: one('context', { cluster: name, user: name }),
    currentContext: name,
  }
}

function chosen({ contexts, currentContext, where }: Kubeconfig, asked: string | undefined): Entry {
  const names = [...contexts.keys()]
  const list =
    names.length > 0
      ? `It has ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}.`
      : 'It has none.'
  const name = asked ?? currentContext
  if (!name) throw new UsageError(`no context is set in ${where}. ${list} Choose one: --context NAME`)
  const found = contexts.get(name)
  if (found) return found
  const near = nearestName(name, names)
  throw new UsageError(
    `there is no context ${JSON.stringify(name)} in ${where}. ${near === undefined ? list : `Did you mean ${JSON.stringify(near)}?`}`,
  )
}

function serverOf(cluster: Entry): URL {
  const address = stringAt(cluster.fields, 'server') ?? ''
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new UsageError(`the server of ${titleOf(cluster)} is no https address: ${JSON.stringify(address)}.`)
  return new URL(address)
}

/** The proxy of the kubeconfig, or that of the environment. Its address may hold a password. */
function proxyOf(cluster: Entry, server: URL, env: ConnectOptions['env']): string | undefined {
  const own = stringAt(cluster.fields, 'proxy-url') || undefined
  const proxy = own ?? proxyFor(server, env)
  if (proxy === undefined || isProxy(proxy)) return proxy
  const from = own === undefined ? 'in the environment' : `of ${titleOf(cluster)}`
  throw new UsageError(`the proxy ${from} is no address of the form http://, https:// or socks5://HOST:PORT.`)
}

/** What plugins of one's own are told of a cluster. Source: ExecConfig in k8s.io/client-go/tools/clientcmd/api/types.go. */
function extensionOf({ fields }: Entry): unknown {
  const found = arrayAt(fields, 'extensions').find(
    (one) => stringAt(one, 'name') === 'client.authentication.k8s.io/exec',
  )
  return valueAt(found, 'extension')
}

/**
 * The flags come before the kubeconfig. Source of the headers: k8s.io/api/authentication/v1/types.go and
 * k8s.io/client-go/transport/round_trippers.go.
 */
function impersonation(entry: Entry, { as, asGroup }: ConnectOptions): Connection['headers'] {
  const { fields } = entry
  const user = as ?? stringAt(fields, 'as')
  const groups = asGroup ?? arrayAt(fields, 'as-groups').map(String)
  const uid = stringAt(fields, 'as-uid')
  const extra = Object.entries(objectAt(fields, 'as-user-extra') ?? {})
  if (user) {
    return {
      'impersonate-user': raw(user),
      ...(groups.length > 0 && { 'impersonate-group': groups.map(raw) }),
      ...(uid && { 'impersonate-uid': raw(uid) }),
      ...Object.fromEntries(
        extra.map(([key, values]) => [
          `impersonate-extra-${escaped(key.toLowerCase())}`,
          arrayAt(values).map((value) => raw(String(value))),
        ]),
      ),
    }
  }
  if (asGroup !== undefined) throw new UsageError('--as-group goes with --as: groups need a user.')
  if (groups.length > 0 || uid || extra.length > 0)
    throw new UsageError(
      `${titleOf(entry)} has as-groups, as-uid or as-user-extra, but no as: they need a user.`,
    )
  return {}
}

/** Headers are written byte by byte: one character for each byte of UTF-8. */
function raw(value: string): string {
  return Buffer.from(value).toString('latin1')
}

/** What may not stand in the name of a header, in percent. */
function escaped(key: string): string {
  return [...raw(key)]
    .map((one) =>
      /[a-z0-9!#$&'*+.^_`|~-]/.test(one)
        ? one
        : `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
}
