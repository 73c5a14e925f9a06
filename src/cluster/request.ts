/** Reads JSON from an API server: raw, with limits of time and size, patient with a server that is busy. */
import { type IncomingMessage, request as plain } from 'node:http'
import { type RequestOptions as HttpOptions, request as secure } from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { constants, createGunzip, gunzip, gunzipSync } from 'node:zlib'
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
export type Get = (path: string, accept?: string, reading?: Reading) => Promise<unknown>

export interface Reading {
  /** Called with how the answer begins, as soon as it arrives; again when it breaks off and is asked for anew. */
  readonly onStart?: (start: string) => void
  /** Reads the text, if not all of it as JSON. May throw a SyntaxError. */
  readonly parse?: (text: string) => unknown
}

/** Gives the lines of a text at a path of the server, as they come. @throws RequestError after the lines that came */
export type GetLines = (path: string, onLine: (line: string) => void) => Promise<void>

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
/** Bytes of an answer's start: the metadata of a list fits. */
const startBytes = 4096
/** The longest wait that a server may ask for, in milliseconds. */
const longestPause = 20_000
/** Bytes of an answer: a page of 500 objects of the largest size that etcd takes by default (1.5 MiB) would be more, but not readable in one text. */
const largest = 256 * 1024 * 1024

/** Bytes of a text that is read line by line, and characters of a line: a longer one is left out. */
const largestText = 64 * 1024 * 1024
const longestLine = 64 * 1024
/** Bytes of what is said instead of a text. */
const largestRefusal = 1024 * 1024

/** Ways to read from one server. They share credentials: those that end are fetched again once for all. */
export interface Client {
  readonly get: Get
  readonly getLines: GetLines
}

export function clientOf(first: Connection, options: RequestOptions): Client {
  const using = renewing(first, options.renewed)
  return { get: reader(using, options), getLines: lineReader(using, options) }
}

/** `wait`: the milliseconds that the server asks for before the next attempt; absent when another one is no use. */
type Answer =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly error: RequestError; readonly wait?: number }

/** Asks over the connection that counts now; again over the next one, when credentials that have worked are refused. */
type Using = (ask: (connection: Connection) => Promise<Answer>, renews?: boolean) => Promise<Answer>

function renewing(first: Connection, renewed: RequestOptions['renewed']): Using {
  let connection = first
  let renewal: Promise<Connection> | undefined
  /** Those that were let in at least once. */
  const worked = new WeakSet<Connection>()
  return async (ask, renews = true) => {
    const over = async (one: Connection) => {
      const answer = await ask(one)
      if (answer.ok) worked.add(one)
      return answer
    }
    const used = connection
    const answer = await over(used)
    if (answer.ok || answer.error.status !== 401 || !renews || !renewed || !worked.has(used)) return answer
    if (used === connection)
      renewal ??= renewed().finally(() => {
        renewal = undefined
      })
    connection = await (renewal ?? connection)
    // Once: one server behind the API may refuse what all others take.
    return over(connection)
  }
}

function reader(using: Using, options: RequestOptions): Get {
  const { signal, pause = (milliseconds) => sleep(milliseconds, undefined, { signal }) } = options
  return async (path, accept = 'application/json', reading = {}) => {
    for (let attempt = 1; ; attempt++) {
      const answer = await using((connection) => once(connection, path, accept, options, reading))
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

async function once(
  connection: Connection,
  path: string,
  accept: string,
  { timeout, signal, onRequest }: RequestOptions,
  { onStart, parse = JSON.parse }: Reading,
): Promise<Answer> {
  const limit = AbortSignal.timeout(timeout)
  onRequest?.()
  try {
    const response = await open(connection, path, accept, AbortSignal.any([limit, signal]))
    const { statusCode: status = 0 } = response
    const text = await textOf(response, status === 200 ? onStart : undefined)
    if (status === 200) return { ok: true, body: parse(text) }
    const error = refusal(response, text)
    if (status !== 429 && status < 500) return { ok: false, error }
    const after = Number(response.headers['retry-after'])
    return { ok: false, error, wait: Number.isFinite(after) ? after * 1000 : 0 }
  } catch (error) {
    return { ok: false, ...failure(error, limit, { timeout, signal }) }
  }
}

/** Texts are read once, and no more of them than is of use. What a busy server refuses is not asked for again. */
function lineReader(using: Using, options: RequestOptions): GetLines {
  return async (path, onLine) => {
    // Who answers behind the API server has not seen the credentials: others would be no better.
    const isOwn = !path.includes('/proxy/')
    const answer = await using(async (connection) => {
      const limit = AbortSignal.timeout(options.timeout)
      options.onRequest?.()
      try {
        const signal = AbortSignal.any([limit, options.signal])
        const response = await open(connection, path, 'text/plain;version=0.0.4', signal)
        if (response.statusCode !== 200)
          throw refusal(response, await textOf(response, undefined, largestRefusal))
        await readLines(response, onLine)
        return { ok: true, body: undefined }
      } catch (error) {
        return { ok: false, ...failure(error, limit, options) }
      }
    }, isOwn)
    if (!answer.ok) throw answer.error
  }
}

/** A text that ends within a line was cut off there: what is left of it is no line. */
async function readLines(response: IncomingMessage, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let size = 0
  let rest = ''
  let isLong = false
  for await (const chunk of unzipped(response) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > largestText) {
      response.destroy()
      throw new RequestError(0, `it is larger than ${largestText >> 20} MiB; what came before was read`)
    }
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const [i, line] of lines.entries()) {
      if (!(isLong && i === 0) && line.length <= longestLine) onLine(line)
    }
    if (lines.length > 0) isLong = false
    if (rest.length > longestLine) {
      isLong = true
      rest = ''
    }
  }
}

function open(
  { server, agent, headers }: Connection,
  path: string,
  accept: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server)
  return sent(url, { agent, headers: { ...headers, accept, 'accept-encoding': 'gzip' } }, signal)
}

/** Sends a request to any server, and gives the answer as soon as it begins: its text is for `textOf`. */
export function sent(
  url: URL,
  options: HttpOptions,
  signal: AbortSignal,
  body?: string,
): Promise<IncomingMessage> {
  const send = url.protocol === 'http:' ? plain : secure
  return new Promise((resolve, reject) => {
    send(url, { ...options, headers: { ...options.headers, 'user-agent': 'k8s-af' }, signal })
      .on('response', resolve)
      .on('error', reject)
      .end(body)
    // A request that has no connection yet does not notice.
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

/** An answer that is not what was asked for, in the server's words. */
function refusal({ statusCode: status = 0, headers }: IncomingMessage, text: string): RequestError {
  const isText = (headers['content-type'] ?? 'text/plain').startsWith('text/plain')
  const said = messageIn(text) ?? (isText ? `HTTP ${status}: ${text.trim().slice(0, 300)}` : `HTTP ${status}`)
  return new RequestError(status, said)
}

function failure(
  error: unknown,
  limit: AbortSignal,
  { signal, timeout }: RequestOptions,
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

function isZipped({ headers }: IncomingMessage): boolean {
  return headers['content-encoding'] === 'gzip'
}

function unzipped(response: IncomingMessage): NodeJS.ReadableStream {
  if (!isZipped(response)) return response
  // Larger pieces than the 16 KiB of the default: each costs more than to unpack it.
  const stream = createGunzip({ chunkSize: 256 * 1024 })
  return response.on('error', (error) => stream.destroy(error)).pipe(stream)
}

/** The text of an answer. @throws RequestError when it is longer than `most` bytes */
export async function textOf(
  response: IncomingMessage,
  onStart?: (start: string) => void,
  most = largest,
): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) {
      response.destroy()
      throw tooLarge(most)
    }
    if (chunks.push(chunk) === 1 && onStart) onStart(startOf(chunk, response))
  }
  const bytes = Buffer.concat(chunks)
  return (isZipped(response) ? await whole(bytes, most) : bytes).toString('utf8')
}

function startOf(chunk: Buffer, response: IncomingMessage): string {
  const bytes = isZipped(response)
    ? gunzipSync(chunk.subarray(0, startBytes), { finishFlush: constants.Z_SYNC_FLUSH })
    : chunk
  return bytes.toString('utf8', 0, startBytes)
}

/**
 * Unpacks an answer as a whole. The API server sends a page in a hundred pieces, and to unpack those one by one as they come costs
 * more than the work itself: a twentieth of a large scan.
 */
async function whole(bytes: Buffer, most: number): Promise<Buffer> {
  try {
    // It ends with its length, by which it fits into one piece. RFC 1952, 2.3.1: ISIZE.
    const length = bytes.length < 4 ? 0 : Math.min(most, bytes.readUInt32LE(bytes.length - 4))
    return await promisify(gunzip)(bytes, { maxOutputLength: most, chunkSize: length + 64 })
  } catch (error) {
    throw stringAt(error, 'code') === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(most) : error
  }
}

function tooLarge(most: number): RequestError {
  const hint = most === largest ? '; ask for less at once: --chunk-size' : ''
  return new RequestError(0, `the answer is larger than ${most >> 20} MiB${hint}`)
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
