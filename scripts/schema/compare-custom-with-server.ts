/**
 * Compares what is said about custom objects with what a real API server says, verdict by verdict.
 *
 *   tsx scripts/schema/compare-custom-with-server.ts --kubeconfig FILE [--list] PATH…
 *
 * The CustomResourceDefinitions of the paths are created on the server. Every object of theirs is sent with `dryRun=All` and
 * `fieldValidation=Strict`; then those that the server accepts, with one field changed at a time. Fails when an object that the
 * server accepts gets an error, or when less than 95 % of the refused ones do.
 */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { parseArgs } from 'node:util'
import { load } from 'js-yaml'
import { formatPath, type Path } from '../../src/finding.js'
import type { Untyped } from '../../src/kubernetes.js'
import { readPaths, unfold } from '../../src/reader/read.js'
import { check } from '../../src/schema/check.js'
import { customKinds } from '../../src/schema/custom-kinds.js'
import { newestMinor } from '../../src/schema/definitions.js'

const { values: options, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    kubeconfig: { type: 'string', default: process.env.KUBECONFIG ?? '' },
    list: { type: 'boolean', default: false },
  },
})
const enough = 0.95

interface Manifest {
  readonly [field: string]: unknown
  readonly apiVersion: string
  readonly kind: string
}

interface Verdict {
  readonly refused: boolean
  readonly message: string
}

/** Talks to the API server with the client certificate of a kubeconfig. */
function connect(file: string) {
  const config = load(readFileSync(file, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  const cluster = config.clusters[0]?.cluster ?? {}
  const user = config.users[0]?.user ?? {}
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64')
  const server = new URL(cluster.server ?? '')
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ca: bytes(cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  })
  return (method: string, path: string, body?: unknown): Promise<{ status: number; json: Untyped }> =>
    new Promise((resolve, reject) => {
      const sent = body === undefined ? undefined : JSON.stringify(body)
      const call = request(
        new URL(path, server),
        { method, agent, headers: sent === undefined ? {} : { 'content-type': 'application/json' } },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              json: JSON.parse(Buffer.concat(chunks).toString() || '{}'),
            }),
          )
        },
      )
      call.on('error', reject)
      call.end(sent)
    })
}

const call = connect(options.kubeconfig)

interface Resource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
}

/** Where objects of each `apiVersion kind` are created. */
async function discover(): Promise<Map<string, { collection: string; namespaced: boolean }>> {
  const groups = (await call('GET', '/apis')).json.groups as { versions: { groupVersion: string }[] }[]
  const found = new Map<string, { collection: string; namespaced: boolean }>()
  for (const version of ['v1', ...groups.flatMap((one) => one.versions.map((each) => each.groupVersion))]) {
    const base = version === 'v1' ? '/api/v1' : `/apis/${version}`
    const { resources = [] } = (await call('GET', base)).json as { resources?: Resource[] }
    for (const { name, kind, namespaced, verbs } of resources)
      if (verbs.includes('create') && !name.includes('/'))
        found.set(`${version} ${kind}`, {
          collection: `${base}${namespaced ? '/namespaces/default' : ''}/${name}`,
          namespaced,
        })
  }
  return found
}

let resources: Awaited<ReturnType<typeof discover>> = new Map()

async function serverSays(object: Manifest): Promise<Verdict | undefined> {
  const resource = resources.get(`${object.apiVersion} ${object.kind}`)
  if (!resource) return undefined
  const copy = structuredClone(object) as Record<string, unknown>
  const metadata = copy.metadata as Record<string, unknown> | undefined
  if (metadata && typeof metadata === 'object') {
    for (const field of ['resourceVersion', 'uid', 'namespace']) delete metadata[field]
    if (resource.namespaced) metadata.namespace = 'default'
  }
  const { status, json } = await call(
    'POST',
    `${resource.collection}?dryRun=All&fieldValidation=Strict`,
    copy,
  )
  // There already, or an account or namespace that this server does not have: nothing is wrong with the object.
  const other = status === 409 || status === 404 || status === 403
  return { refused: status >= 400 && !other, message: String(json.message ?? '') }
}

let customs = customKinds([])

function weSay(object: Manifest): string[] {
  return check(object, object.apiVersion, object.kind, newestMinor, customs)
    .problems.filter((one) => one.kind !== 'duplicate-entry' || one.refused)
    .map((one) => `${one.kind} ${formatPath(one.path)}`)
}

interface Change {
  readonly object: Manifest
  readonly what: string
}

const tried = new Map<string, number>()

/** Each change is tried twice for each field of a kind. */
function isNew(key: string): boolean {
  const times = tried.get(key) ?? 0
  tried.set(key, times + 1)
  return times < 2
}

function changed(object: Manifest, path: Path, value: unknown): Manifest {
  const copy = structuredClone(object)
  let here: Record<string | number, unknown> = copy as never
  for (const step of path.slice(0, -1)) here = here[step] as never
  const last = path.at(-1) ?? ''
  if (value === undefined) delete here[last]
  else here[last] = value
  return copy
}

function isMapping(value: unknown): value is Untyped {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One field changed at a time; the schema is not asked. */
function* changes(object: Manifest, value: unknown, path: Path): Generator<Change> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, own] of Object.entries(value)) {
    if (path.length === 0 && ['status', 'apiVersion', 'kind', 'metadata'].includes(key)) continue
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    const name = `${object.kind} ${formatPath(here).replaceAll(/\[\d+\]/g, '[]')}`
    for (const other of [...(Array.isArray(value) ? [] : [undefined]), null, ...otherValues(own)]) {
      const shown = String(JSON.stringify(other)).slice(0, 60)
      if (isNew(`${name} ${shown}`))
        yield { object: changed(object, here, other), what: `${name} = ${shown}` }
    }
    yield* changes(object, own, here)
  }
}

function otherValues(value: unknown): readonly unknown[] {
  if (Array.isArray(value))
    return [[], value[0], [...value, value.at(-1)], [...value, null], [...value, {}], 'x', [...value, 'x']]
  if (isMapping(value)) return ['x', [value], { ...value, bogusField: 1 }, { ...value, bogusField: null }, {}]
  if (typeof value === 'boolean') return ['true', 1, !value]
  if (typeof value === 'number') return [-1, 0, 1, 1.5, 65536, 2 ** 31, 1e20, `${value}`, true]
  return [5, true, '', 'Bogus', `${value}x`, `${value}-`, 'x'.repeat(300), 'é', '1h', [value], { value }]
}

async function inParallel<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

interface Tally {
  accepted: number
  refused: number
  found: number
  readonly wrong: string[]
  readonly missed: string[]
}

const newTally = (): Tally => ({ accepted: 0, refused: 0, found: 0, wrong: [], missed: [] })

function count(tally: Tally, verdict: Verdict, said: readonly string[], what: string): void {
  if (verdict.refused) {
    tally.refused++
    if (said.length > 0) tally.found++
    else tally.missed.push(`${what}\n    ${verdict.message.slice(0, 300)}`)
  } else {
    tally.accepted++
    if (said.length > 0) tally.wrong.push(`${what}\n    ${said.join('\n    ')}`)
  }
}

function* changesOfAll(objects: readonly Manifest[]): Generator<Change> {
  for (const object of objects) yield* changes(object, object, [])
}

/** Waits until the server serves what it took. */
async function createDefinitions(objects: readonly Manifest[]): Promise<void> {
  const collection = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue
    const { status, json } = await call('POST', collection, object)
    const { name } = object.metadata as { name: string }
    if (status >= 400 && status !== 409) console.log(`not created: ${name}: ${json.message}`)
    const isEstablished = async () =>
      /"type":"Established"/.test(JSON.stringify((await call('GET', `${collection}/${name}`)).json))
    while (status < 400 && !(await isEstablished())) await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function compare(): Promise<void> {
  const objects = readPaths(paths, { cwd: process.cwd() }).documents.flatMap((document) =>
    [...unfold(document)].map(({ value }) => ({ value: value as Manifest, file: document.file.name })),
  )
  customs = customKinds(objects.map(({ value }) => value))
  await createDefinitions(objects.map(({ value }) => value))
  resources = await discover()
  const written = newTally()
  const accepted: Manifest[] = []
  await inParallel(objects, async ({ value, file }) => {
    if (/\$\{|\{\{/.test(JSON.stringify(value))) return
    if (customs.problems(value, value.apiVersion, value.kind) === undefined) return
    const verdict = await serverSays(value)
    if (!verdict) return
    count(written, verdict, weSay(value), `${file}: ${value.apiVersion} ${value.kind}`)
    if (!verdict.refused && JSON.stringify(value).length < 60_000) accepted.push(value)
  })

  const mutated = newTally()
  await inParallel(changesOfAll(accepted), async ({ object, what }) => {
    const verdict = await serverSays(object)
    if (verdict) count(mutated, verdict, weSay(object), `${object.kind}: ${what}`)
  })

  for (const [name, tally] of [
    ['as written', written],
    ['one field changed', mutated],
  ] as const) {
    const share = tally.refused === 0 ? 1 : tally.found / tally.refused
    console.log(
      `${name}: ${tally.accepted} accepted, ${tally.wrong.length} of them with an error here; ` +
        `${tally.refused} refused, ${tally.found} of them with an error here (${(share * 100).toFixed(1)} %)`,
    )
    for (const one of tally.wrong) console.log(`  accepted: ${one}`)
    if (options.list) for (const one of tally.missed) console.log(`  missed: ${one}`)
    if (tally.wrong.length > 0) process.exitCode = 1
  }
  if (mutated.found < enough * mutated.refused) process.exitCode = 1
}

void compare()
