/** Reads JSON from an API server: raw, with limits of time and size, patient with a server that is busy. */
import { type IncomingMessage, request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { stringAt } from '../graph/untyped.js'
import type { Connection } from './connect.js'

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

/** Reads the JSON at a path of the server. @throws RequestError */
export type Get = (path: string, accept?: string) => Promise<unknown>

export interface RequestOptions {
  /** Milliseconds for one request, its answer included. */
  readonly timeout: number
  /** Ends everything. */
  readonly signal: AbortSignal
  /** Connects anew, for credentials that have worked and are refused now: a token may end before the reading does. */
  readonly renewed?: () => Promise<Connection>
  /** Called for every request that is sent, repetitions included. */
  readonly onRequest?: () => void
  /** Waits between attempts, in milliseconds. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
}

const attempts = 5
/** The longest wait that a server may ask for, in milliseconds. */
const longestPause = 20_000
/** Bytes of an answer: a page of 500 objects of the largest size that etcd takes by default (1.5 MiB) would be more, but not readable in one text. */
const largest = 256 * 1024 * 1024

/** Makes the function that reads from one server. */
export function reader(first: Connection, options: RequestOptions): Get {
  let connection = first
  let renewal: Promise<Connection> | undefined
  /** Those that were let in at least once. */
  const worked = new WeakSet<Connection>()
  const { signal, renewed, pause = (milliseconds) => sleep(milliseconds, undefined, { signal }) } = options
  return async (path, accept = 'application/json') => {
    let isRenewed = false
    for (let attempt = 1; ; attempt++) {
      options.onRequest?.()
      const used = connection
      const answer = await once(used, path, accept, options)
      if (answer.ok) {
        worked.add(used)
        return answer.body
      }
      const { error, wait } = answer
      // Once for each request: one server behind the API may refuse what all others take.
      if (error.status === 401 && renewed && worked.has(used) && !isRenewed) {
        isRenewed = true
        if (used === connection)
          renewal ??= renewed().finally(() => {
            renewal = undefined
          })
        connection = await (renewal ?? connection)
        continue
      }
      if (wait === undefined || attempt === attempts || signal.aborted) throw error
      await pause(
        Math.min(longestPause, Math.max(wait, 100 * 2 ** attempt * (1 + Math.random()))),
        signal,
      ).catch(() => {
        throw error
      })
    }
  }
}

/** `wait`: the milliseconds that the server asks for before the next attempt; absent when another one is no use. */
type Answer =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly error: RequestError; readonly wait?: number }

async function once(
  { server, agent, headers }: Connection,
  path: string,
  accept: string,
  { timeout, signal }: RequestOptions,
): Promise<Answer> {
  const limit = AbortSignal.timeout(timeout)
  const ends = AbortSignal.any([limit, signal])
  try {
    const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server)
    const send = url.protocol === 'http:' ? plain : secure
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      send(url, {
        agent,
        headers: { ...headers, accept, 'accept-encoding': 'gzip', 'user-agent': 'k8s-af' },
        signal: ends,
      })
        .on('response', resolve)
        .on('error', reject)
        .end()
      // A request that has no connection yet does not notice.
      ends.addEventListener('abort', () => reject(ends.reason))
    })
    const text = await textOf(response)
    const { statusCode: status = 0 } = response
    if (status === 200) return { ok: true, body: JSON.parse(text) }
    const isText = (response.headers['content-type'] ?? 'text/plain').startsWith('text/plain')
    const said =
      messageIn(text) ?? (isText ? `HTTP ${status}: ${text.trim().slice(0, 300)}` : `HTTP ${status}`)
    const error = new RequestError(status, said)
    if (status !== 429 && status < 500) return { ok: false, error }
    const after = Number(response.headers['retry-after'])
    return { ok: false, error, wait: Number.isFinite(after) ? after * 1000 : 0 }
  } catch (error) {
    if (error instanceof RequestError) return { ok: false, error }
    if (signal.aborted) return { ok: false, error: new RequestError(0, ending(signal)) }
    if (limit.aborted)
      return { ok: false, error: new RequestError(0, `no answer within ${timeout / 1000} s`) }
    if (error instanceof SyntaxError)
      return { ok: false, error: new RequestError(0, 'the answer is no JSON'), wait: 0 }
    const code = stringAt(error, 'code')
    const isBroken = code === 'ECONNRESET' || code === 'EPIPE' || code === 'Z_BUF_ERROR'
    return { ok: false, error: new RequestError(0, reasonOf(error)), ...(isBroken && { wait: 0 }) }
  }
}

/** Why the work was ended. */
export function ending({ reason }: AbortSignal): string {
  const isLate = reason instanceof Error && reason.name === 'TimeoutError'
  return isLate ? 'the time for the whole run is over' : 'interrupted'
}

async function textOf(response: IncomingMessage): Promise<string> {
  const stream =
    response.headers['content-encoding'] === 'gzip'
      ? response.on('error', (error) => stream.destroy(error)).pipe(createGunzip())
      : response
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > largest) {
      response.destroy()
      throw new RequestError(
        0,
        `the answer is larger than ${largest >> 20} MiB; ask for less at once: --chunk-size`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
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

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the name cannot be resolved',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  ECONNRESET: 'the connection broke off',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; is the clock of this machine right?',
}

/** Why there is no connection, in plain words where they are known. */
export function reasonOf(error: unknown): string {
  const { code, message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for other names (${stringAt(error, 'cert', 'subjectaltname') ?? 'none'}); tls-server-name in the kubeconfig tells which one to expect`
  return (code && reasons[code]) ?? `${message || code}`
}
