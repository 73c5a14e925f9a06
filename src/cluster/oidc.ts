/**
 * Tokens of `auth-provider: oidc`. The Kubernetes client (1.4) fails with every token that has expired ("server" must be an
 * instance of URL), and would know neither the issuer's authority nor the client's secret.
 * Source: k8s.io/client-go/plugin/pkg/client/auth/oidc/oidc.go.
 */
import type { RequestOptions } from 'node:https'
import { load } from 'js-yaml'
import { UsageError } from '../config/usage.js'
import { arrayAt, numberAt, objectAt, stringAt } from '../values/untyped.js'
import { textOf } from './answer.js'
import { ending, reasonOf } from './failure.js'
import { type Entry, fieldsIn, reasonOf as reasonIn, titleOf } from './kubeconfig.js'
import { limited } from './limit.js'
import { authorityOf, contentAt } from './pem.js'
import { agentFor, proxyFor } from './proxy.js'
import { sent } from './request.js'
import { rewrite } from './rewrite.js'

/** Tokens by what they were asked with: contexts share users, and an issuer may take a refresh token once only. */
const refreshed = new Map<string, Promise<Tokens>>()

/** Bytes of an issuer's answer. */
const largest = 1024 * 1024

/** What an issuer gives for a refresh token: `refresh` is for the next time. */
interface Tokens {
  readonly id: string
  readonly refresh: string
}

/**
 * The id-token of a user, or a new one where it has expired.
 * @param warn told of a refresh token that is lost
 * @throws UsageError that names the user and the issuer
 */
export async function fromOidc(
  user: Entry,
  signal: AbortSignal,
  warn: (text: string) => void,
): Promise<string> {
  const provider = stringAt(user.fields, 'auth-provider', 'name')
  if (provider !== 'oidc')
    throw new UsageError(
      `${titleOf(user)} has the auth-provider ${JSON.stringify(provider)}, which kubectl has not had since 1.26. Have the kubeconfig written anew, with a credential plugin.`,
    )
  const config: Entry = { ...user, fields: objectAt(user.fields, 'auth-provider', 'config') ?? {} }
  const at = (field: string) => stringAt(config.fields, field) ?? ''
  if (isFresh(at('id-token'))) return at('id-token')
  const [issuer, client, token] = [at('idp-issuer-url'), at('client-id'), at('refresh-token')]
  const who = titleOf(user)
  if (token === '')
    throw new UsageError(
      `${who} has no id-token that is valid now, and no refresh-token to get one with. Log in again.`,
    )
  if (!URL.canParse(issuer) || client === '')
    throw new UsageError(
      `${who} has an id-token that has expired. Another one needs idp-issuer-url and client-id in its auth-provider.`,
    )
  const key = JSON.stringify([issuer, client, token])
  const another = async (refreshToken: string) => {
    const tokens = await refresh(config, refreshToken, signal).catch((error: unknown) => {
      if (error instanceof UsageError) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new UsageError(
        `${who} has an id-token that has expired, and the issuer ${new URL(issuer).origin} gives no other: ${signal.aborted ? ending(signal) : reason}. Log in again if that lasts.`,
      )
    })
    await keep(user, token, tokens, warn)
    return tokens
  }
  const known = refreshed.get(key)
  const found = known
    ? known.then(
        (tokens) => (isFresh(tokens.id) ? tokens : another(tokens.refresh)),
        () => another(token),
      )
    : another(token)
  refreshed.set(key, found)
  return (await found).id
}

/** Whether it is a token that is valid for ten seconds more, as in kubectl. */
function isFresh(token: string): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return (numberAt(claims, 'exp') ?? 0) * 1000 > Date.now() + 10_000
  } catch {
    return false
  }
}

/** Source: RFC 6749, sections 2.3.1 and 6; OpenID Connect Discovery 1.0, section 3. */
async function refresh(config: Entry, refreshToken: string, signal: AbortSignal): Promise<Tokens> {
  const at = (field: string) => stringAt(config.fields, field) ?? ''
  const inside = at('idp-certificate-authority-data')
  const content = inside ? Buffer.from(inside, 'base64') : contentAt(config, 'idp-certificate-authority')
  const ca = authorityOf(config, 'idp-certificate-authority', content)
  const metadata = await answered(
    `${at('idp-issuer-url').replace(/\/$/, '')}/.well-known/openid-configuration`,
    { ca },
    signal,
  )
  const endpoint = stringAt(metadata, 'token_endpoint') ?? ''
  if (!URL.canParse(endpoint)) throw new Error('its discovery document names no token_endpoint')
  const [client, secret] = [at('client-id'), at('client-secret')]
  const methods = arrayAt(metadata, 'token_endpoint_auth_methods_supported')
  const isInBody =
    secret === '' || (methods.includes('client_secret_post') && !methods.includes('client_secret_basic'))
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...(isInBody && { client_id: client, ...(secret !== '' && { client_secret: secret }) }),
  })
  const auth = [client, secret].map((one) => new URLSearchParams([['', one]]).toString().slice(1)).join(':')
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(!isInBody && { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }),
  }
  const answer = await answered(endpoint, { ca, method: 'POST', headers }, signal, form.toString())
  const id = stringAt(answer, 'id_token')
  if (!id) throw new Error('there is no id_token in its answer')
  return { id, refresh: stringAt(answer, 'refresh_token') || refreshToken }
}

/**
 * Where the issuer has replaced the refresh token, the old one is worth nothing: as with kubectl, the new one takes its
 * place in the file. Nothing else in the file changes. It is too late to do without: what fails is a warning.
 */
async function keep(user: Entry, old: string, tokens: Tokens, warn: (text: string) => void): Promise<void> {
  if (tokens.refresh === old) return
  try {
    await rewrite(user.file, (text) => withTokens(text, user, old, tokens))
  } catch (error) {
    warn(
      `the issuer has replaced the refresh-token of ${titleOf(user)}, and the new one cannot be kept there: ${reasonIn(error)}. Log in again when the id-token has expired.`,
    )
  }
}

/** The text of a kubeconfig with other tokens for a user. */
function withTokens(text: string, user: Entry, used: string, { id, refresh }: Tokens): string {
  const config = objectAt(fieldsIn(load(text), user), 'auth-provider', 'config')
  const old = stringAt(config, 'refresh-token')
  // Somebody has logged in meanwhile: that token is as good.
  if (old !== used) return text
  // Something short might stand elsewhere, too, and other characters might have to be quoted.
  if (old.length < 16 || !text.includes(old) || !/^[A-Za-z0-9][\w.~+/=-]*$/.test(refresh))
    throw new Error('it cannot be told from the text around it')
  const expired = stringAt(config, 'id-token')
  const changed = text.replaceAll(old, () => refresh)
  return expired ? changed.replaceAll(expired, () => id) : changed
}

/** The JSON that an issuer answers with. */
async function answered(
  address: string,
  options: RequestOptions & { readonly ca: string | undefined },
  signal: AbortSignal,
  body?: string,
): Promise<unknown> {
  const url = new URL(address)
  const agent = agentFor(url, proxyFor(url, process.env), { ca: options.ca }, 1)
  const limit = limited(30_000, signal)
  try {
    const response = await sent(url, { ...options, agent }, limit.signal, body)
    const said = await textOf(response, { most: largest })
    const { statusCode: status } = response
    const answer: unknown = parsed(said)
    if (status === 200 && answer !== undefined) return answer
    const why = stringAt(answer, 'error_description') ?? stringAt(answer, 'error')
    throw new Error(`HTTP ${status}${why === undefined ? '' : `: ${why.slice(0, 300)}`}`)
  } catch (error) {
    throw limit.signal.aborted && !signal.aborted
      ? new Error('no answer within 30 s')
      : new Error(reasonOf(error))
  } finally {
    limit.release()
    agent.destroy()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
