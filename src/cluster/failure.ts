/** Why a request brought nothing, in plain words. */
import type { IncomingMessage } from 'node:http'
import { stringAt } from '../values/untyped.js'

/** Why a request brought no answer to work with. */
export class RequestError extends Error {
  /** The HTTP status; 0 when there was none: no connection, no answer in time, an answer that breaks off. */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'RequestError'
    this.status = status
  }
}

/** That an answer is longer than may be read at once: less may be asked for. */
export class TooLarge extends RequestError {
  /** @param most bytes */
  constructor(most: number) {
    super(0, `the answer is larger than ${most >> 20} MiB`)
  }
}

/** What ends a request: a time of its own, and what ends everything. */
interface Limits {
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** Whether the answer is a page for people: no API server sends one, but proxies and logins in front of it do. */
export function isWebPage({ headers }: IncomingMessage): boolean {
  return /^(text\/html|application\/xhtml\+xml)\b/.test(headers['content-type'] ?? '')
}

/** That something else answers in the place of the API server. */
export function notTheServer({ statusCode: status = 0 }: IncomingMessage): RequestError {
  return new RequestError(
    0,
    `a web page answers${status === 200 ? '' : `, HTTP ${status}`}: a proxy or a login stands in front of the API server`,
  )
}

/** An answer that is not what was asked for, in the server's words. */
export function refusal(response: IncomingMessage, text: string): RequestError {
  const { statusCode: status = 0, headers } = response
  const { location = '' } = headers
  if (status >= 300 && status < 400)
    return new RequestError(
      status,
      `HTTP ${status}: a redirect${URL.canParse(location) ? ` to ${new URL(location).origin}` : ''}`,
    )
  if (isWebPage(response) && status < 500) return notTheServer(response)
  const isText = (headers['content-type'] ?? 'text/plain').startsWith('text/plain')
  const said = messageIn(text) ?? (isText ? `HTTP ${status}: ${text.trim().slice(0, 300)}` : `HTTP ${status}`)
  return new RequestError(status, said)
}

/**
 * Why a request has failed.
 * @param limit what has ended it, if anything has: its own time, or the signal
 * @returns with `wait`, milliseconds, where the next attempt may succeed
 */
export function failure(
  error: unknown,
  limit: AbortSignal,
  { signal, timeout }: Limits,
): { readonly error: RequestError; readonly wait?: number } {
  if (error instanceof RequestError) return { error }
  if (signal.aborted) return { error: new RequestError(0, ending(signal)) }
  if (limit.aborted) return { error: new RequestError(0, `no answer within ${timeout / 1000} s`) }
  if (error instanceof SyntaxError) return { error: new RequestError(0, 'the answer is no JSON'), wait: 0 }
  const code = stringAt(error, 'code')
  const isBroken = code === 'ECONNRESET' || code === 'EPIPE' || code === 'Z_BUF_ERROR'
  return { error: new RequestError(0, reasonOf(error)), ...(isBroken && { wait: 0 }) }
}

/** Why the work was ended. */
export function ending({ reason }: AbortSignal): string {
  const isLate = reason instanceof Error && reason.name === 'TimeoutError'
  return isLate ? 'the time for the whole run is over' : 'interrupted'
}

/** The message of the Status that the API server explains errors with. */
function messageIn(text: string): string | undefined {
  try {
    return stringAt(JSON.parse(text), 'message')?.slice(0, 300)
  } catch {
    return undefined
  }
}

const untrusted =
  'its certificate is signed by no authority that is trusted here: certificate-authority in the kubeconfig names one, or else NODE_EXTRA_CA_CERTS'

const noTls = 'what answers there does not speak TLS; is its address one of http://?'

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the name cannot be resolved',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  ECONNRESET: 'the connection broke off',
  Z_DATA_ERROR: 'the answer is packed with gzip, and damaged',
  Z_BUF_ERROR: 'the answer is packed with gzip, and not whole',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; is the clock of this machine right?',
}

/** Why there is no connection, in plain words where they are known. */
export function reasonOf(error: unknown): string {
  const { code, message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for other names (${stringAt(error, 'cert', 'subjectaltname') ?? 'none'}); tls-server-name in the kubeconfig tells which one to expect`
  if (code === 'EPROTO' && message.includes('wrong version number')) return noTls
  if (code?.startsWith('HPE_')) return `what answers there is no HTTP, or broken (${message})`
  return (code && reasons[code]) ?? `${message || code}`
}
