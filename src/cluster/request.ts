/** Reads JSON from an API server: raw, with limits of time and size, patient with a server that is busy. */
import { type IncomingMessage, request as plain } from 'node:http'
import { type RequestOptions as HttpOptions, request as secure } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { readLines, textOf } from './answer.js'
import type { Connection } from './connect.js'
import { failure, isWebPage, notTheServer, RequestError, refusal } from './failure.js'
import { limited } from './limit.js'

export { RequestError }

/** Reads the JSON at a path of the server. @throws RequestError */
export type Get = (path: string, accept?: string, reading?: Reading) => Promise<unknown>

interface Reading {
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
/** The longest wait that a server may ask for, in milliseconds. */
const longestPause = 20_000
/** Bytes of what is said instead of a text. */
const largestRefusal = 1024 * 1024

/** Ways to read from one server. They share credentials: those that end are fetched again once for all. */
export interface Client {
  readonly get: Get
  readonly getLines: GetLines
}

/** The client of a connection. */
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

function once(
  connection: Connection,
  path: string,
  accept: string,
  options: RequestOptions,
  { onStart, parse = JSON.parse }: Reading,
): Promise<Answer> {
  return within(options, async (limit) => {
    const response = await open(connection, path, accept, limit)
    const { statusCode: status = 0 } = response
    const text = await textOf(response, status === 200 && onStart ? { onStart } : {})
    if (status === 200 && isWebPage(response)) return { ok: false, error: notTheServer(response) }
    if (status === 200) return { ok: true, body: parse(text) }
    const error = refusal(response, text)
    if (status !== 429 && status < 500) return { ok: false, error }
    const after = Number(response.headers['retry-after'])
    return { ok: false, error, wait: Number.isFinite(after) ? after * 1000 : 0 }
  })
}

/** Sends one request within its time. What ends it otherwise is its answer, too. */
async function within(
  options: RequestOptions,
  send: (limit: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const { timeout, signal, onRequest } = options
  const limit = limited(timeout, signal)
  onRequest?.()
  try {
    return await send(limit.signal)
  } catch (error) {
    return { ok: false, ...failure(error, limit.signal, options) }
  } finally {
    limit.release()
  }
}

/** Texts are read once, and no more of them than is of use. What a busy server refuses is not asked for again. */
function lineReader(using: Using, options: RequestOptions): GetLines {
  return async (path, onLine) => {
    // Who answers behind the API server has not seen the credentials: others would be no better.
    const isOwn = !path.includes('/proxy/')
    const answer = await using(
      (connection) =>
        within(options, async (limit) => {
          const response = await open(connection, path, 'text/plain;version=0.0.4', limit)
          if (response.statusCode !== 200)
            throw refusal(response, await textOf(response, { most: largestRefusal }))
          if (isWebPage(response)) throw notTheServer(response)
          await readLines(response, onLine)
          return { ok: true, body: undefined }
        }),
      isOwn,
    )
    if (!answer.ok) throw answer.error
  }
}

function open(
  { server, agent, headers }: Connection,
  path: string,
  accept: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  // A path that began with two slashes would be another host.
  const url = new URL(`${server.origin}${server.pathname.replace(/\/+$/, '')}${path}`)
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
      // Else Node drops the connection, and nobody hears of it.
      .on('upgrade', ({ statusCode = 0 }, socket) => {
        socket.destroy()
        reject(new RequestError(statusCode, `HTTP ${statusCode}: it answers in another protocol`))
      })
      .end(body)
    // A request that has no connection yet does not notice.
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}
