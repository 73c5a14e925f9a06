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

/**
 * Reads the JSON at a path of the server.
 * @param onStart called with how the answer begins, as soon as it arrives; again when it breaks off and is asked for anew
 * @throws RequestError
 */
export type Get = (path: string, accept?: string, onStart?: (start: string) => void) => Promise<unknown>

export interface RequestOptions {
  /** Milliseconds for one request, its answer included. */
  readonly timeout: number
  /** Ends everything. */
  readonly signal: AbortSignal
  /** Called for every request that is sent, repetitions included. */
  readonly onRequest?: () => void
  /** Waits between attempts, in milliseconds. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
}

const attempts = 5
/** Bytes of an answer's start: the metadata of a list fits. */
const startBytes = 4096
/** The longest wait that a server may ask for, in milliseconds. */
const longestPause = 20_000
/** Bytes of an answer: a page of 500 objects of the largest size that etcd takes by default (1.5 MiB) would be more, but not readable in one text. */
const largest = 256 * 1024 * 1024

/** Makes the function that reads from one server. */
export function reader(connection: Connection, options: RequestOptions): Get {
  const { signal, pause = (milliseconds) => sleep(milliseconds, undefined, { signal }) } = options
  return async (path, accept = 'application/json', onStart = undefined) => {
    for (let attempt = 1; ; attempt++) {
      options.onRequest?.()
      const answer = await once(connection, path, accept, options, onStart)
      if (answer.ok) return answer.body
      const { error, wait } = answer
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
  onStart: ((start: string) => void) | undefined,
): Promise<Answer> {
  const limit = AbortSignal.timeout(timeout)
  try {
    const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server)
    const send = url.protocol === 'http:' ? plain : secure
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      send(url, {
        agent,
        headers: { ...headers, accept, 'accept-encoding': encodingFor(server), 'user-agent': 'k8s-af' },
        signal: AbortSignal.any([limit, signal]),
      })
        .on('response', resolve)
        .on('error', reject)
        .end()
    })
    const { statusCode: status = 0 } = response
    const text = await textOf(response, status === 200 ? onStart : undefined)
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
    const { code, message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
    const isBroken = code === 'ECONNRESET' || code === 'EPIPE' || code === 'Z_BUF_ERROR'
    return { ok: false, error: new RequestError(0, reason(code, message)), ...(isBroken && { wait: 0 }) }
  }
}

/** Nothing is saved by compressing for a server on the same machine (kind, minikube, a forwarded port): it doubles the time. */
function encodingFor({ hostname }: URL): string {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname) ? 'identity' : 'gzip'
}

function ending({ reason }: AbortSignal): string {
  const isLate = reason instanceof Error && reason.name === 'TimeoutError'
  return isLate ? 'the time for the whole run is over' : 'interrupted'
}

async function textOf(
  response: IncomingMessage,
  onStart: ((start: string) => void) | undefined,
): Promise<string> {
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
    if (chunks.push(chunk) === 1) onStart?.(chunk.toString('utf8', 0, startBytes))
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

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the name cannot be resolved',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  ECONNRESET: 'the connection broke off',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself, and the kubeconfig names no authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by an authority that the kubeconfig names',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by an authority that the kubeconfig names',
  CERT_HAS_EXPIRED: 'its certificate has expired',
}

function reason(code: string | undefined, message: string): string {
  return (code && reasons[code]) ?? `${message || code}`
}
