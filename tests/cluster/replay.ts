/** A namespace of a cluster in which an outage is played, and what the built program says about it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import type { Finding } from '../../src/finding.js'
import type { Call } from './connection.js'
import { isMapping, type Mapping } from './mapping.js'
import { folders } from './resources.js'

/** How long the cluster may take for what it is waited for. */
const longestWait = 60_000
/** Characters of what was there in the end, when that was in vain. */
const longestText = 4_000

export interface Replay {
  readonly namespace: string
  /**
   * Applies objects, as `kubectl apply --server-side` does: those of a file in `replays/`, or one. They are in the replay's
   * namespace, and `$NAMESPACE` stands for its name. Gives them as they are then.
   */
  apply(what: string | Mapping): Promise<readonly Mapping[]>
  /**
   * The answer for a path, `apps/v1/deployments/web` in the namespace or `/api/v1/nodes/n1`. The body of a PATCH is merged
   * as kubectl does it. Rejects when the server refuses.
   */
  ask(method: Parameters<Call>[0], path: string, body?: Mapping): Promise<Mapping>
  /** The items of the list that a path answers. */
  list(path: string): Promise<readonly Mapping[]>
  /** Waits for a message of an event about something in the namespace. */
  event(message: RegExp): Promise<void>
  /** Waits until a scan finds this at `KIND/NAMESPACE/NAME .FIELD`; before each scan it does `first`. */
  found(rule: string, place: string | RegExp, first?: () => Promise<unknown>): Promise<Finding>
  /** Waits until a scan has no error and no warning that speaks of the namespace but of these rules, and nothing of the rule. */
  silent(rule: string, besides?: readonly string[]): Promise<void>
  /** Deletes the namespace, without waiting for its end. */
  end(): Promise<void>
}

/** Makes the namespace. */
export async function replay(namespace: string, call: Call, scan: () => readonly Finding[]): Promise<Replay> {
  const folderOf = await folders(call)
  const base = `/namespaces/${namespace}/`
  const pathOf = (path: string) =>
    path.startsWith('/')
      ? path
      : path.startsWith('v1/')
        ? `/api/v1${base}${path.slice('v1/'.length)}`
        : `/apis/${path.replace(/^([^/]+\/[^/]+)\//, `$1${base}`)}`

  const ask: Replay['ask'] = async (method, path, body) => {
    const contentType = method === 'PATCH' ? 'application/strategic-merge-patch+json' : undefined
    const { status, json } = await call(method, pathOf(path), body, contentType)
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${json.message}`)
    return json
  }
  const applyOne = async (object: unknown) => {
    if (!isMapping(object)) return []
    const metadata: Mapping = isMapping(object.metadata) ? object.metadata : {}
    const placed = { ...object, metadata: { namespace, ...metadata } }
    const path = `${folderOf(placed)}/${metadata.name}?fieldManager=replay&force=true&fieldValidation=Strict`
    const { status, json } = await call('PATCH', path, placed, 'application/apply-patch+yaml')
    if (status >= 300) throw new Error(`${object.kind} ${metadata.name}: ${status} ${json.message}`)
    return [json]
  }
  const list: Replay['list'] = async (path) => {
    const { items } = await ask('GET', path)
    return Array.isArray(items) ? items.filter(isMapping).map(withoutManagers) : []
  }
  const own = () => scan().filter((finding) => JSON.stringify(finding).includes(namespace))

  await ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  return {
    namespace,
    ask,
    list,
    apply: async (what) => {
      if (typeof what !== 'string') return applyOne(what)
      const text = readFileSync(join(__dirname, 'replays', what), 'utf8')
      const applied: Mapping[] = []
      for (const object of loadAll(text.replaceAll('$NAMESPACE', namespace)))
        applied.push(...(await applyOne(object)))
      return applied
    },
    event: async (message) => {
      const texts = async () => (await list('v1/events')).map((one) => String(one.message))
      await until(texts, (all) => all.find((text) => message.test(text)))
    },
    found: (rule, place, first) =>
      until(
        async () => {
          await first?.()
          return own()
        },
        (all) => all.find((one) => one.rule === rule && isAt(one, place)),
        shown,
      ),
    silent: async (rule, besides = []) => {
      const counts = (one: Finding) =>
        one.rule === rule || (one.severity !== 'info' && !besides.includes(one.rule))
      await until(
        async () => own().filter(counts),
        (all) => all.length === 0,
        shown,
      )
    },
    end: async () => void (await call('DELETE', `/api/v1/namespaces/${namespace}`)),
  }
}

/** Asks until what is wanted is found in the answer, or is so. Rejects with the last answer when the time is over. */
export async function until<T, U>(
  ask: () => Promise<T>,
  find: (answer: T) => U | false | undefined,
  show: (answer: T) => unknown = (answer) => answer,
): Promise<U> {
  const last = Date.now() + longestWait
  for (;;) {
    const answer = await ask()
    const found = find(answer)
    if (found !== undefined && found !== false) return found
    if (Date.now() > last)
      throw new Error(
        `waited in vain; in the end: ${JSON.stringify(show(answer), undefined, 1).slice(0, longestText)}`,
      )
    await sleep(300)
  }
}

function isAt({ place: { file, path } }: Finding, place: string | RegExp): boolean {
  const text = `${file} ${path}`.trim()
  return typeof place === 'string' ? text === place : place.test(text)
}

/** What nobody wants to read when a test fails. */
function withoutManagers(object: Mapping): Mapping {
  if (!isMapping(object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

const shown = (findings: readonly Finding[]) =>
  findings.map(
    ({ rule, severity, message, place }) => `${place.file} ${place.path} ${severity} ${rule}: ${message}`,
  )
