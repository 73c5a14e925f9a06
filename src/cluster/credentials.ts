/** How a user of a kubeconfig shows who it is. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { UsageError } from '../config/usage.js'
import { objectAt, stringAt } from '../graph/untyped.js'
import { type Entry, pathAt, shortened, titleOf } from './kubeconfig.js'
import { fromOidc } from './oidc.js'
import { fileAt, type Pem, parsed, pemAt } from './pem.js'
import { fromPlugin } from './plugin.js'

export interface Credentials {
  /** The header of this name. */
  readonly authorization?: string | undefined
  /** PEM. */
  readonly cert?: string | undefined
  /** PEM. */
  readonly key?: string | undefined
  /** When the certificate has expired, if it has. */
  readonly expired?: Date | undefined
}

/**
 * Finds the credentials; plugins run, and tokens are refreshed. What the entry holds comes before what a plugin would give.
 * Source: k8s.io/client-go/transport (round_trippers.go) and plugin/pkg/client/auth.
 * @throws UsageError that names the user and the field or file, and nothing that is secret
 */
export async function credentialsOf(
  user: Entry,
  cluster: () => object,
  signal: AbortSignal,
): Promise<Credentials> {
  const { fields } = user
  const pair = pairOf(user)
  const tokenFile = pathAt(user, 'tokenFile')
  const token = tokenFile === undefined ? stringAt(fields, 'token') : tokenIn(tokenFile, user)
  if (token) return { ...pair, authorization: `Bearer ${token}` }
  const [name, password] = [stringAt(fields, 'username'), stringAt(fields, 'password')]
  if (name || password)
    return {
      ...pair,
      authorization: `Basic ${Buffer.from(`${name ?? ''}:${password ?? ''}`).toString('base64')}`,
    }
  const provider = objectAt(fields, 'auth-provider')
  if (provider) return { ...pair, authorization: `Bearer ${await fromProvider(user, signal)}` }
  if (pair || !objectAt(fields, 'exec')) return { ...pair }
  const given = await fromPlugin(user, cluster, signal)
  const { cert, key } = given
  return {
    ...(given.token !== undefined && { authorization: `Bearer ${given.token}` }),
    ...(cert !== undefined &&
      key !== undefined &&
      checked(
        { text: cert, from: 'the certificate' },
        { text: key, from: 'the key' },
        `from the plugin of ${titleOf(user)}`,
      )),
  }
}

function tokenIn(file: string, user: Entry): string {
  const token = fileAt(file, 'tokenFile', user).trim()
  if (token === '') throw new UsageError(`the tokenFile ${shortened(file)} of ${titleOf(user)} is empty.`)
  return token
}

function pairOf(user: Entry): Credentials | undefined {
  const cert = pemAt(user, 'client-certificate')
  if (!cert) return undefined
  const key = pemAt(user, 'client-key')
  const of = `of ${titleOf(user)}`
  if (!key) throw new UsageError(`there is no client-key for ${cert.from} ${of}.`)
  return checked(cert, key, of)
}

/** A certificate with its key. @throws UsageError when they are none, or do not belong together */
function checked(cert: Pem, key: Pem, of: string): Credentials {
  const certificate = parsed(cert, of, 'certificate', (text) => new X509Certificate(text))
  const own = parsed(key, of, 'private key', createPrivateKey)
  if (!certificate.checkPrivateKey(own))
    throw new UsageError(`${key.from} ${of} is not the one of ${cert.from}.`)
  const end = new Date(certificate.validTo)
  return { cert: cert.text, key: key.text, ...(end < new Date() && { expired: end }) }
}

async function fromProvider(user: Entry, signal: AbortSignal): Promise<string> {
  const name = stringAt(user.fields, 'auth-provider', 'name')
  if (name === 'oidc') return fromOidc(user, signal)
  throw new UsageError(
    `${titleOf(user)} has the auth-provider ${JSON.stringify(name)}, which kubectl has not had since 1.26. Have the kubeconfig written anew, with a credential plugin.`,
  )
}
