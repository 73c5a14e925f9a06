/** Reads a cluster: what is there of the kinds that rules look at, and what could not be read. */
import { nearestMinor } from '../config/version.js'
import type { Document } from '../document.js'
import { objectCount, objectCounts, resourceName } from '../graph/counts.js'
import { builtinGroups, groupOf, isBuiltin, type KindName, type Untyped } from '../kubernetes.js'
import type { Cluster, Unread } from '../reader/input.js'
import { stringAt, valueAt } from '../values/untyped.js'
import { bounded } from './depth.js'
import { discover, type Resource } from './discover.js'
import { folding, waves } from './fold.js'
import { measurements } from './kinds.js'
import { count, each, list } from './list.js'
import { liveDocument } from './live.js'
import { type MeasureOptions, Measuring } from './measure.js'
import { type Get, RequestError } from './request.js'
import { slim } from './slim.js'
import { eventState, stateOf, usageState } from './state.js'

export interface ScanOptions extends MeasureOptions {
  readonly kinds: ReadonlySet<KindName>
  /** Kinds of which it's asked how many objects there are; none when absent. */
  readonly counted?: ReadonlySet<KindName>
  /** Only this namespace, and nothing else of the cluster as a whole. */
  readonly namespace: string | undefined
  /** Its Namespace, as the API server has answered; undefined where it may not be read. */
  readonly own?: Untyped | undefined
  readonly chunk: number
  /** Called when a kind has been read, or not: how many are done, of how many. */
  readonly onProgress?: (done: number, all: number) => void
}

export interface Scan extends Omit<Cluster, 'context'> {
  /** Sorted by name. */
  readonly documents: readonly Document[]
}

/**
 * Reads all objects. A kind that cannot be read is named in `unread`, and the rest is read all the same.
 * @throws RequestError when the server cannot be asked at all, or nothing may be read
 */
export async function scan(get: Get, options: ScanOptions): Promise<Scan> {
  const { kinds, counted = new Set<KindName>(), namespace, own } = options
  const wanted = new Set([...kinds, ...counted])
  const readAt = Date.now()
  const [version, discovery] = await Promise.all([versionOf(get), discover(get, wanted)])
  const resources = discovery.resources.filter(({ namespaced }) => namespaced || namespace === undefined)
  const asked = new Set(resources.map(({ kindName }) => kindName))
  const measuring = new Measuring(options)
  const minor = version === undefined ? undefined : nearestMinor(version)
  const reading = new Reading(get, options, minor, measuring)
  // Of the cluster as a whole, and no role of a namespace can grant it.
  const metrics = namespace === undefined ? measuring.readServer() : undefined
  const listed = resources.filter(({ kindName }) => kinds.has(kindName))
  await Promise.all([metrics, reading.readAll(listed)])
  const ofOwn = own && discovery.resources.find(({ kindName }) => kindName === 'Namespace')
  if (ofOwn) {
    reading.add(own, ofOwn)
    asked.add('Namespace')
  }
  await reading.count(resources.filter(({ kindName }) => counted.has(kindName)))
  await measuring.readKubelets()
  await measuring.readExporters(!reading.failed.has('Pod'))
  const { documents, failed, refusal } = reading
  if (refusal && listed.every(({ kindName }) => failed.has(kindName))) throw refusal
  const down = new Set(discovery.down.map(({ group }) => group))
  const served = new Set([...discovery.resources, ...discovery.unlisted].map(({ kindName }) => kindName))
  return {
    version,
    namespace,
    documents: documents.sort((a, b) => (a.file.name < b.file.name ? -1 : 1)),
    made: [...reading.made.values()],
    events: [...reading.events.values()],
    samples: measuring.samples,
    readAt,
    unread: [
      ...[...reading.unread, ...measuring.unread].sort((a, b) => (a.resource < b.resource ? -1 : 1)),
      ...discovery.unlisted.map((resource): Unread => {
        return { resource: nameOf(resource), reason: 'failed', message: 'the server does not list them' }
      }),
      ...discovery.down.map(({ group, reason }): Unread => {
        return { resource: group || 'the core group', reason: 'failed', message: reason }
      }),
    ],
    unreadKinds: new Set(
      [...wanted].filter((kind) =>
        served.has(kind)
          ? failed.has(kind) || !asked.has(kind)
          : measurements.has(kind) || groupsOf(kind).some((group) => down.has(group)),
      ),
    ),
    partialKinds: namespace === undefined ? new Set() : asked,
  }
}

/**
 * Normal events outnumber the warnings by far; of them rules ask for those of autoscalers, of containers that probes have
 * killed, of pods that had to go for others, of pods for which no node is added, and of nodes for which the pod range has no
 * block left.
 */
const eventSelectors = [
  'type=Warning',
  'reason=SuccessfulRescale',
  'reason=Killing',
  'reason=Preempted',
  'reason=NotTriggerScaleUp',
  'reason=CIDRNotAvailable',
]

function groupsOf(kind: KindName): readonly string[] {
  return isBuiltin(kind) ? builtinGroups[kind] : [kind.slice(0, kind.lastIndexOf('/'))]
}

/** What was read so far. */
class Reading {
  readonly documents: Document[] = []
  /** By uid: a list that starts again brings objects again. */
  readonly made = new Map<unknown, Untyped>()
  readonly events = new Map<unknown, Untyped>()
  readonly unread: Unread[] = []
  readonly failed = new Set<KindName>()
  /** Why the first kind could not be read. */
  refusal: RequestError | undefined
  readonly #isFolded = folding()
  readonly #get: Get
  readonly #options: ScanOptions
  readonly #minor: number | undefined
  readonly #measuring: Measuring

  constructor(get: Get, options: ScanOptions, minor: number | undefined, measuring: Measuring) {
    this.#get = get
    this.#options = options
    this.#minor = minor
    this.#measuring = measuring
  }

  async readAll(resources: readonly Resource[]): Promise<void> {
    const { concurrency, onProgress } = this.#options
    let done = 0
    for (const wave of waves(resources))
      await each(wave, concurrency, async (resource) => {
        await this.read(resource)
        onProgress?.(++done, resources.length)
      })
  }

  /** Takes an object that was read before. */
  add(item: Untyped, resource: Resource): void {
    const document = this.#keep(item, resource)
    if (document) this.documents.push(document)
  }

  async read(resource: Resource): Promise<void> {
    try {
      for (const fieldSelector of resource.kindName === 'Event' ? eventSelectors : [undefined]) {
        const options = { ...this.#options, fieldSelector }
        const documents = await list(this.#get, resource, options, (item) => this.#keep(item, resource))
        for (const one of documents) this.documents.push(one)
      }
    } catch (error) {
      this.#miss(resource, error)
    }
  }

  /** Asks how many objects there are of each kind of which the API server's metrics have not told it. */
  async count(resources: readonly Resource[]): Promise<void> {
    const { namespace, kinds, concurrency } = this.#options
    const known = objectCounts(this.#measuring.samples)
    const missing = resources.filter((resource) => !known.has(nameOf(resource)))
    await each(missing, concurrency, async (resource) => {
      try {
        const value = await count(this.#get, resource, namespace)
        this.#measuring.samples.push(objectCount(resource.apiVersion, resource.plural, value))
      } catch (error) {
        // What is read besides is judged by what was read.
        if (!(error instanceof RequestError && kinds.has(resource.kindName))) this.#miss(resource, error)
      }
    })
  }

  #miss(resource: Resource, error: unknown): void {
    if (!(error instanceof RequestError)) throw error
    this.refusal ??= error
    this.failed.add(resource.kindName)
    this.unread.push({
      resource: nameOf(resource),
      reason: error.status === 403 ? 'forbidden' : 'failed',
      message: error.message,
    })
  }

  /** An object as a document. Of what its maker tells, and of events, only the state is kept. */
  #keep(item: Untyped, resource: Resource): Document | undefined {
    const { kindName } = resource
    const uid = valueAt(item, 'metadata', 'uid') ?? item
    if (kindName === 'Pod') this.#measuring.note(item, uid)
    // Measurements have no uid.
    if (kindName === 'metrics.k8s.io/PodMetrics') this.made.set(usageKey(item), usageState(item, resource))
    else if (kindName === 'Event') {
      // Every pod that is deleted has such events for its containers.
      if (item.reason !== 'Killing' || isKillByProbe(item))
        this.events.set(uid, bounded(eventState(item, resource)))
    } else if (this.#isFolded(item, kindName)) this.made.set(uid, bounded(stateOf(item, resource)))
    else return liveDocument(bounded(slim(item, resource, this.#minor)))
    return undefined
  }
}

function isKillByProbe(event: Untyped): boolean {
  return stringAt(event, 'message')?.includes(' failed liveness probe') ?? false
}

/** As roles name it. */
function nameOf({ apiVersion, plural }: Resource): string {
  return resourceName(groupOf(apiVersion), plural)
}

function usageKey({ metadata }: Untyped): string {
  return `usage/${stringAt(metadata, 'namespace')}/${stringAt(metadata, 'name')}`
}

async function versionOf(get: Get): Promise<string | undefined> {
  try {
    return stringAt(await get('/version'), 'gitVersion')
  } catch (error) {
    // A server may keep its version to itself; one that can't be reached is told apart by the requests that follow.
    if (error instanceof RequestError) return undefined
    throw error
  }
}
