/** How to reach a cluster: kubeconfig files as kubectl reads them, or the service account of the pod that this runs in. */
import type { Agent, OutgoingHttpHeaders } from 'node:http'
import type { Cluster, Context, User } from '@kubernetes/client-node'
import { UsageError } from '../config/usage.js'
import { didYouMean } from '../values/similar.js'
import { arrayAt, objectAt, stringAt } from '../values/untyped.js'
import { type CredentialsOptions, credentialsOf } from './credentials.js'
import {
  type Entry,
  entryOf,
  type Kubeconfig,
  type KubeconfigOptions,
  kubeconfigOf,
  titleOf,
} from './kubeconfig.js'
import { agentFor, isProxy, proxyFor } from './proxy.js'
import { decoded } from './tunnel.js'

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
  readonly headers: Readonly<OutgoingHttpHeaders>
  /** When the client's certificate expired, if it did. */
  readonly expired: Date | undefined
}

export interface ConnectOptions extends KubeconfigOptions, CredentialsOptions {
  /** The context in the place of the current one. */
  readonly context?: string | undefined
  /** Act as this user and these groups. */
  readonly as?: string | undefined
  readonly asGroup?: readonly string[] | undefined
  /** Connections that are kept open. */
  readonly sockets: number
}

/**
 * Finds the cluster and the credentials; plugins that fetch credentials run now.
 * @throws UsageError when there is no such configuration or context, or when it is broken
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const config = await kubeconfigOf(options)
  const { where, client } = config
  const context = chosen(config, options.context)
  const name = JSON.stringify(context.name)
  if (context.cluster === '') throw new UsageError(`the context ${name} in ${where} names no cluster.`)
  const cluster = client.getCluster(context.cluster)
  if (!cluster)
    throw new UsageError(
      `the context ${name} names the cluster ${JSON.stringify(context.cluster)}, which ${where} does not have. kubectl config view shows what is there.`,
    )
  const user = context.user ? client.getUser(context.user) : nobody
  if (!user)
    throw new UsageError(
      `the context ${name} names the user ${JSON.stringify(context.user)}, whom ${where} does not have. kubectl config view shows what is there.`,
    )
  const impersonated = impersonation(entryOf(config, user), options)
  const place = titleOf(entryOf(config, cluster))
  const address = serverOf(cluster, place)
  const server = withoutUser(address)
  const proxy = proxyOf(cluster, place, server, options.env)
  const { tls, authorization, expired } = await credentialsOf(config, cluster, user, proxy, options)
  const shown = authorization ?? userIn(address)
  const headers = { ...(shown !== undefined && { authorization: shown }), ...impersonated }
  checkHeaders(headers, titleOf(entryOf(config, user)))
  return {
    context: context.name,
    server,
    proxy: proxy && new URL(proxy).host,
    agent: agentFor(server, proxy, tls, options.sockets),
    headers,
    expired,
  }
}

/** Who asks without credentials: without a user, the client would leave out the cluster's certificates, too. */
const nobody: User = { name: 'nobody' }

function chosen({ client, where }: Kubeconfig, asked: string | undefined): Context {
  const names = client.getContexts().map(({ name }) => name)
  const list =
    names.length > 0
      ? `It has ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}.`
      : 'It has none.'
  const name = asked ?? client.getCurrentContext()
  if (!name && names.length === 0)
    throw new UsageError(`there are no contexts in ${where}. Name another file: --kubeconfig FILE`)
  if (!name) throw new UsageError(`no context is set in ${where}. ${list} Choose one: --context NAME`)
  const found = client.getContextObject(name)
  if (found) return found
  throw new UsageError(
    `there is no context ${JSON.stringify(name)} in ${where}. ${didYouMean(name, names) || list}`,
  )
}

function serverOf({ server }: Cluster, place: string): URL {
  if (server === '') throw new UsageError(`${place} has no server. Write it as https://HOST:PORT.`)
  if (URL.canParse(server) && /^https?:/i.test(server)) return new URL(server)
  // There may be a password in front of the host.
  const shown = server.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@')
  throw new UsageError(
    `the server of ${place} is no https address: ${JSON.stringify(shown)}. Write it as https://HOST:PORT.`,
  )
}

function withoutUser(address: URL): URL {
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url
}

/**
 * The header for the user in front of a host, who counts where there are no other credentials. Nothing secret goes over plain http.
 * Source: Client.send in go/src/net/http/client.go.
 */
function userIn({ protocol, username, password }: URL): string | undefined {
  if (protocol === 'http:' || username === '') return undefined
  const pair = [username, password].map(decoded).join(':')
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** Node would say it without a word on where they come from. */
function checkHeaders(headers: Connection['headers'], user: string): void {
  for (const [name, value] of Object.entries(headers))
    if (![value].flat().every((one) => /^[\t\x20-\x7e\x80-\xff]*$/.test(String(one))))
      throw new UsageError(
        name === 'authorization'
          ? `the token of ${user} holds a line break or another character that no token has.`
          : `${name} cannot be sent: --as, --as-group or ${user} gives it a line break or another character that no header can hold.`,
      )
}

/** The proxy of the kubeconfig, or that of the environment. Its address may hold a password. */
function proxyOf({ proxyUrl }: Cluster, place: string, server: URL, env: ConnectOptions['env']) {
  const proxy = proxyUrl || proxyFor(server, env)
  if (proxy === undefined || isProxy(proxy)) return proxy
  const from = proxyUrl ? `of ${place}` : 'in the environment'
  throw new UsageError(`the proxy ${from} is no address of the form http://, https:// or socks5://HOST:PORT.`)
}

/**
 * The flags come before the kubeconfig. The Kubernetes client (1.4) sends the user only. Source of the headers:
 * k8s.io/api/authentication/v1/types.go and k8s.io/client-go/transport/round_trippers.go.
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
