/** Reads all objects of a kind, page by page, or asks how many there are. */

import type { KindName, Untyped } from '../kubernetes.js'
import { isObject, numberAt, valueAt } from '../values/untyped.js'
import type { Resource } from './discover.js'
import { TooLarge } from './failure.js'
import { pageIn } from './page.js'
import { type Get, RequestError } from './request.js'

export interface ListOptions {
  /** Of one namespace only; cluster-wide when absent. */
  readonly namespace: string | undefined
  /** Objects of a page. */
  readonly chunk: number
  /** Of these objects only, `type=Warning`. */
  readonly fieldSelector?: string | undefined
}

/** Kinds of which a cluster has thousands. None has parts whose form is not Kubernetes' own, and of none rules ask who updated what. */
const numerous: ReadonlySet<KindName> = new Set([
  'Pod',
  'ReplicaSet',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'Service',
  'EndpointSlice',
  'Event',
  'Node',
])

/**
 * Pages of a list that are under way at once. Each is asked for as soon as the one before it begins to arrive: the pods, which come last,
 * would have this program wait for the server half of the time. With a third page reading them takes a tenth less time than with two,
 * and with more of them no less.
 */
const pagesAtOnce = 3

const whole = 'application/json'
/** Without the plain type behind it: a server that cannot leave out the values shall refuse. */
const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'

/** The path of a kind's collection. */
export function pathOf({ apiVersion, plural, namespaced }: Resource, namespace: string | undefined): string {
  const root = apiVersion.includes('/') ? '/apis' : '/api'
  const within = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}/${apiVersion}${within}/${plural}`
}

/**
 * All objects of a kind, as `keep` makes them on arrival; undefined from it leaves one out. Of Secrets only the metadata is
 * asked for. When the server has forgotten where a list began (410 Gone), it's read once more from the start; what is too
 * large to be read at once is asked for in smaller pages.
 * @throws RequestError
 */
export async function list<T>(
  get: Get,
  resource: Resource,
  options: ListOptions,
  keep: (item: Untyped) => T | undefined,
): Promise<T[]> {
  for (let isSecondTry = false; ; isSecondTry = true) {
    try {
      return await listOnce(get, resource, options, keep)
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 410 || isSecondTry) throw error
    }
  }
}

async function listOnce<T>(
  get: Get,
  resource: Resource,
  options: ListOptions,
  keep: (item: Untyped) => T | undefined,
): Promise<T[]> {
  const kept: T[] = []
  let { chunk } = options
  let read = pagesOf(get, resource, options)
  let token: string | undefined
  const seen = new Set<string>()
  for (;;) {
    try {
      const { items, next } = await read(token)
      for (const item of items) {
        const one = isObject(item) ? keep(item) : undefined
        if (one !== undefined) kept.push(one)
      }
      if (next === undefined) return kept
      if (seen.has(next))
        throw new RequestError(0, 'the list does not end: a page leads to one that was before it')
      seen.add(next)
      token = next
    } catch (error) {
      if (!(error instanceof TooLarge) || chunk === 1) throw error
      chunk = Math.max(1, Math.floor(chunk / 10))
      read = pagesOf(get, resource, { ...options, chunk })
    }
  }
}

interface Page {
  /** Where it begins; undefined for the first one. */
  readonly token: string | undefined
  readonly answer: Promise<unknown>
  /** Where the page behind it begins, once that is known. */
  next: string | undefined
}

/** Reads the pages of a list one after the other, each by the token in the one before it, and asks for those behind it meanwhile. */
function pagesOf(
  get: Get,
  resource: Resource,
  { namespace, chunk, fieldSelector }: ListOptions,
): (token: string | undefined) => Promise<Items> {
  const accept = resource.kindName === 'Secret' ? metadataOnly : whole
  /** Those that are under way, in the order of the list. */
  const pages: Page[] = []
  const ask = (token: string | undefined): Page => {
    const query = new URLSearchParams({
      limit: String(chunk),
      ...(fieldSelector !== undefined && { fieldSelector }),
      ...(token !== undefined && { continue: token }),
    })
    const page: Page = {
      token,
      next: undefined,
      answer: get(`${pathOf(resource, namespace)}?${query}`, accept, {
        onStart: (start) => {
          page.next = continuation.exec(start)?.[1]
          askAhead()
        },
        ...(numerous.has(resource.kindName) && { parse: pageIn }),
      }),
    }
    // Whoever waits for it hears of the error; nobody may, when a page before it fails.
    page.answer.catch(() => {})
    pages.push(page)
    return page
  }
  const askAhead = () => {
    const next = pages.at(-1)?.next
    if (next !== undefined && pages.length < pagesAtOnce) ask(next)
  }
  return async (token) => {
    const [following] = pages
    const isAsked = following !== undefined && following.token === token
    if (!isAsked) pages.length = 0
    const page = isAsked ? following : ask(token)
    try {
      const answer = listIn(await page.answer)
      pages.shift()
      askAhead()
      return answer
    } catch (error) {
      pages.length = 0
      throw error
    }
  }
}

/** The objects of a page, and where the next one begins. */
interface Items {
  readonly items: Iterable<unknown>
  readonly next: string | undefined
}

/** @throws RequestError when the answer is no list */
function listIn(answer: unknown): Items {
  const token = valueAt(answer, 'metadata', 'continue')
  const next = typeof token === 'string' && token !== '' ? token : undefined
  if (isObject(answer) && (token === undefined || typeof token === 'string') && 'items' in answer) {
    const { items } = answer
    // An empty list has null.
    if (items === null) return { items: [], next }
    if (typeof items === 'object' && Symbol.iterator in items)
      return { items: items as Iterable<unknown>, next }
  }
  throw new RequestError(0, 'the answer is no list')
}

/**
 * How many objects of a kind there are. It asks for one of them, its metadata alone, and how many remain.
 * @throws RequestError also when the server does not tell
 */
export async function count(get: Get, resource: Resource, namespace: string | undefined): Promise<number> {
  const answer = await get(`${pathOf(resource, namespace)}?limit=1`, metadataOnly)
  const { items, next } = listIn(answer)
  const remaining = numberAt(answer, 'metadata', 'remainingItemCount')
  if (remaining === undefined && next !== undefined)
    throw new RequestError(0, 'the answer does not say how many there are')
  return [...items].filter(isObject).length + (remaining ?? 0)
}

/** The token at the start of a list of typed objects, whose metadata stands before its items. */
const continuation =
  /^\{"kind":"\w+","apiVersion":"[^"]+","metadata":\{[^{}"]*(?:"[^"\\]*"[^{}"]*)*?"continue":"([^"\\]+)"/

/** Runs `work` for all items, at most `most` at once. Ends with the first error. */
export async function each<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: most }, worker))
}
