/** What a connection shows and expects: the Kubernetes client says it, with plugins and issuers of tokens that are ours. */
import type { OutgoingHttpHeaders } from 'node:http'
import type { RequestOptions } from 'node:https'
import type { Cluster, User } from '@kubernetes/client-node'
import { UsageError } from '../config/usage.js'
import { arrayAt, stringAt, valueAt } from '../values/untyped.js'
import { type Entry, entryOf, type Kubeconfig, pathAt, titleOf } from './kubeconfig.js'
import { fromOidc } from './oidc.js'
import { authorityOf, contentAt, type Pair, pairOf, pemOf } from './pem.js'
import { fromPlugin, type Given } from './plugin.js'
import type { Tls } from './proxy.js'

export interface Credentials {
  readonly tls: Tls
  /** The header of this name. */
  readonly authorization: string | undefined
  /** When the client's certificate has expired, if it has. */
  readonly expired: Date | undefined
}

export interface CredentialsOptions {
  /** Ends the wait for credentials. */
  readonly signal: AbortSignal
  /** Told of what does not keep this run from its credentials, but the next one. */
  readonly warn: (text: string) => void
}

/**
 * Finds the credentials; plugins run, and tokens are refreshed. What the entry holds comes before what a plugin would give.
 * Source: k8s.io/client-go/transport (round_trippers.go) and plugin/pkg/client/auth.
 * @throws UsageError that names the user and the field or file, and nothing that is secret
 */
export async function credentialsOf(
  config: Kubeconfig,
  cluster: Cluster,
  user: User,
  proxy: string | undefined,
  options: CredentialsOptions,
): Promise<Credentials> {
  const { client } = config
  const [place, who] = [entryOf(config, cluster), entryOf(config, user)]
  const headers: OutgoingHttpHeaders = {}
  const request: RequestOptions = { headers }
  // Nothing secret goes over plain http, as with kubectl.
  const isPlain = new URL(cluster.server).protocol === 'http:'
  const token = isPlain ? undefined : contentAt(who, 'tokenFile')?.toString().trim()
  client.loadFromClusterAndUser(
    clusterFor(cluster, place, isPlain),
    isPlain ? { name: user.name } : userFor(user, who, token),
  )
  let given: Given = {}
  const source = isPlain || token ? undefined : sourceOf(user, who, options)
  if (source)
    client.addAuthenticator({
      isAuthProvider: () => true,
      applyAuthentication: async () => {
        given = await source(() => described(cluster, place, request.ca, proxy))
        if (given.token) headers.Authorization = `Bearer ${given.token}`
      },
    })
  await client.applyToHTTPSOptions(request)
  const { cert, key, expired } = given.pair ?? pairIn(request, who) ?? {}
  const ca = authorityOf(place, 'certificate-authority', request.ca)
  const { servername, rejectUnauthorized = true, auth } = request
  const bearer = stringAt(headers, 'Authorization')?.trim()
  return {
    tls: { ca, cert, key, servername, ...(!rejectUnauthorized && { rejectUnauthorized }) },
    authorization: bearer ?? (auth ? `Basic ${Buffer.from(auth).toString('base64')}` : undefined),
    expired,
  }
}

/** A cluster in a form that the client (1.4) does right by. */
function clusterFor(cluster: Cluster, entry: Entry, isPlain: boolean): Cluster {
  return {
    ...cluster,
    ...inside('ca', cluster.caData, entry, 'certificate-authority'),
    // It refuses plain http otherwise.
    skipTLSVerify: cluster.skipTLSVerify || isPlain,
    // Its agents open a connection for each request: see proxy.ts.
    proxyUrl: '',
  }
}

/** The same for a user. It sends whom to act as without the groups: see connect.ts. */
function userFor({ impersonateUser, ...user }: User, entry: Entry, token: string | undefined): User {
  return {
    ...user,
    ...inside('cert', user.certData, entry, 'client-certificate'),
    ...inside('key', user.keyData, entry, 'client-key'),
    // It sends "undefined" in the place of none.
    password: user.password ?? '',
    // It prefers its own plugins and issuers to ours: see plugin.ts and oidc.ts.
    exec: undefined,
    authProvider: undefined,
    // It knows no tokenFile.
    ...(token && { token }),
  }
}

/**
 * What is in a file in the place of its name: the client waits for ever for pipes, and says of nothing that it cannot read where it is
 * named. Of data and a file it takes the file; kubectl takes the data.
 */
function inside(name: 'ca' | 'cert' | 'key', data: string | undefined, entry: Entry, field: string) {
  const content = data || contentAt(entry, field)?.toString('base64')
  return { [`${name}Data`]: content, [`${name}File`]: '' }
}

/** Where a user gets what its entry does not hold; undefined when that holds all there is. */
function sourceOf(
  user: User,
  entry: Entry,
  { signal, warn }: CredentialsOptions,
): ((cluster: () => object) => Promise<Given>) | undefined {
  if (user.token || user.username) return undefined
  if (user.authProvider) return async () => ({ token: await fromOidc(entry, signal, warn) })
  if (!user.exec || user.certData || pathAt(entry, 'client-certificate')) return undefined
  return (cluster) => fromPlugin(entry, cluster, signal)
}

/**
 * What a plugin may be told of a cluster. Source: Cluster in k8s.io/client-go/pkg/apis/clientauthentication/v1/types.go, and
 * for `config` ExecConfig in k8s.io/client-go/tools/clientcmd/api/types.go.
 */
function described(cluster: Cluster, { fields }: Entry, ca: unknown, proxy: string | undefined): object {
  const extension = arrayAt(fields, 'extensions').find(
    (one) => stringAt(one, 'name') === 'client.authentication.k8s.io/exec',
  )
  return {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTLSVerify || undefined,
    'certificate-authority-data': ca ? Buffer.from(String(ca)).toString('base64') : undefined,
    'proxy-url': proxy,
    config: valueAt(extension, 'extension'),
  }
}

function pairIn(request: RequestOptions, user: Entry): Pair | undefined {
  const cert = pemOf(user, 'client-certificate', request.cert)
  if (!cert) return undefined
  const key = pemOf(user, 'client-key', request.key)
  const of = `of ${titleOf(user)}`
  if (!key) throw new UsageError(`there is no client-key for ${cert.from} ${of}.`)
  return pairOf(cert, key, of)
}
