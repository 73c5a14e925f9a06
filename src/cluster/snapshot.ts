/** A cluster in a file: what a scan read, to look at again elsewhere or later. Gzipped lines of JSON. */
import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, gunzipSync } from 'node:zlib'
import { UsageError } from '../config/usage.js'
import type { KindName } from '../kubernetes.js'
import type { Cluster, Input, Sample, Unread } from '../reader/input.js'
import { arrayAt, isObject, numberAt, objectAt, objectsAt, stringAt } from '../values/untyped.js'
import { bounded } from './depth.js'
import { bytesIn } from './file.js'
import { isKindName } from './kinds.js'
import { liveDocument } from './live.js'
import type { Scan } from './scan.js'

/** Raised when older programs could not read the file any more. */
const formatVersion = 1
/** In bytes, unpacked: several times the largest clusters. */
const largest = 2 ** 31
/** As the file is. Objects become a tenth of their size and less. */
const largestPacked = 2 ** 29

export interface Snapshot extends Scan {
  readonly context: string
}

/** A cluster as the engine takes it. */
export function inputOf({ documents, ...cluster }: Snapshot): Input {
  return { documents, kustomizations: [], problems: [], skips: [], files: 0, missing: [], cluster }
}

/** Writes the objects as they were kept, of Secrets the names alone; the file appears whole or not at all. Only its owner may read it. */
export async function saveSnapshot(
  file: string,
  { documents, made, events, samples = [], ...cluster }: Snapshot,
): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`
  const head = {
    snapshot: formatVersion,
    ...cluster,
    unreadKinds: [...cluster.unreadKinds],
    partialKinds: [...cluster.partialKinds],
  }
  const lines = function* () {
    yield `${JSON.stringify(head)}\n`
    for (const one of made) yield `${JSON.stringify({ made: one })}\n`
    for (const one of events) yield `${JSON.stringify({ event: one })}\n`
    for (const one of samples) yield `${JSON.stringify({ sample: one })}\n`
    for (const { value } of documents) yield `${JSON.stringify(isSecret(value) ? nameOnly(value) : value)}\n`
  }
  try {
    await pipeline(Readable.from(lines()), createGzip(), createWriteStream(draft, { mode: 0o600 }))
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw new UsageError(`${file} cannot be written: ${messageOf(error)}.`)
  }
}

function isSecret(value: unknown): boolean {
  return stringAt(value, 'kind') === 'Secret' && stringAt(value, 'apiVersion') === 'v1'
}

function nameOnly(value: unknown): object {
  const metadata = {
    namespace: stringAt(value, 'metadata', 'namespace'),
    name: stringAt(value, 'metadata', 'name'),
  }
  return { apiVersion: 'v1', kind: 'Secret', metadata }
}

/** @throws UsageError when the file is not there or is no snapshot */
export function loadSnapshot(file: string): Snapshot {
  const values: unknown[] = []
  try {
    const bytes = gunzipSync(bytesIn(resolve(file), largestPacked), { maxOutputLength: largest })
    // Line by line: the whole may be longer than a string can be.
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf('\n', start)
      values.push(bounded(JSON.parse(bytes.toString('utf8', start, end < 0 ? bytes.length : end)) as unknown))
      start = end < 0 ? bytes.length : end + 1
    }
  } catch (error) {
    throw new UsageError(`${file} cannot be read as a snapshot: ${messageOf(error)}.`)
  }
  const [head, ...objects] = values
  if (!isObject(head) || head.snapshot === undefined)
    throw new UsageError(`${file} is no snapshot. k8s-af scan --save-snapshot ${file} makes one.`)
  if (head.snapshot !== formatVersion)
    throw new UsageError(
      `${file} was made by another version of k8s-af: its format is ${JSON.stringify(head.snapshot)}, not ${formatVersion}. Read it with that one, or make another: k8s-af scan --save-snapshot FILE`,
    )
  const lines = objects.filter(isObject)
  const held = (name: string) => lines.map((line) => line[name]).filter(isObject)
  return {
    ...clusterOf(head),
    made: held('made'),
    events: held('event'),
    samples: held('sample').map(sampleOf),
    documents: lines.filter((line) => 'kind' in line).map(liveDocument),
  }
}

function clusterOf(head: object): Omit<Cluster, 'made' | 'events' | 'samples'> {
  return {
    readAt: numberAt(head, 'readAt') ?? 0,
    context: stringAt(head, 'context') ?? '',
    version: stringAt(head, 'version'),
    namespace: stringAt(head, 'namespace'),
    unread: objectsAt(head, 'unread').map(
      (one): Unread => ({
        resource: stringAt(one, 'resource') ?? '',
        reason: one.reason === 'forbidden' ? 'forbidden' : 'failed',
        message: stringAt(one, 'message') ?? '',
      }),
    ),
    unreadKinds: kindsAt(head, 'unreadKinds'),
    partialKinds: kindsAt(head, 'partialKinds'),
  }
}

function sampleOf(one: object): Sample {
  const labels = Object.entries(objectAt(one, 'labels') ?? {}).filter(
    (label): label is [string, string] => typeof label[1] === 'string',
  )
  return {
    name: stringAt(one, 'name') ?? '',
    labels: Object.fromEntries(labels),
    value: numberAt(one, 'value') ?? 0,
  }
}

function kindsAt(head: object, field: string): ReadonlySet<KindName> {
  return new Set(
    arrayAt(head, field)
      .filter((kind) => typeof kind === 'string')
      .filter(isKindName),
  )
}

function messageOf(error: unknown): string {
  const refusal: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
  const { code, message } = refusal
  if (code === 'ERR_BUFFER_TOO_LARGE') return `unpacked, it is larger than ${largest / 2 ** 30} GiB`
  // What zlib says of bytes that are not its own, or cut off.
  if (code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR') return 'it is no gzip file, or not whole'
  return error instanceof SyntaxError ? 'it is no JSON' : message
}
