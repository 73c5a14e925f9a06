/** Reads a cluster: what is there of the kinds that rules look at, and what could not be read. */
import { nearestMinor } from '../config/version.js'
import type { Document } from '../document.js'
import { objectCount, objectCounts, resourceName } from '../graph/counts.js'
import { stringAt, valueAt } from '../graph/untyped.js'
import { builtinGroups, groupOf, isBuiltin, type KindName, type Untyped } from '../kubernetes.js'
import type { Cluster, Sample, Unread } from '../reader/input.js'
import { discover, type Resource } from './discover.js'
import { type Exporter, exporterIn, unreadExporter } from './exporter.js'
import { folding, waves } from './fold.js'
import { measurements } from './kinds.js'
import { count, each, list } from './list.js'
import { liveDocument } from './live.js'
import { hasCpuLimit, readKubeletMetrics, readNodeMetrics, readServerMetrics } from './metrics.js'
import { type Get, type GetLines, RequestError } from './request.js'
import { slim } from './slim.js'
import { eventState, stateOf, usageState } from './state.js'

export interface ScanOptions {
  readonly kinds: ReadonlySet<KindName>
  /** Kinds of which it's asked how many objects there are; none when absent. */
  readonly counted?: ReadonlySet<KindName>
  /** Only this namespace, and nothing of the cluster as a whole. */
  readonly namespace: string | undefined
  readonly chunk: number
  /** Lists at once. */
  readonly concurrency: number
  /** Reads metrics; without it none are read. */
  readonly getLines?: GetLines
  /** Kubelets to ask for their metrics, at most; none when absent. */
  readonly kubelets?: number
  /** Nodes whose node-exporter is asked, at most; none when absent. */
  readonly exporters?: number
  /** Called when a kind has been read, or not: how many are done, of how many. */
  readonly onProgress?: (done: number, all: number) => void
}

export interface Scan extends Omit<Cluster, 'context'> {
  /** Sorted by name. */
  readonly documents: readonly Document[]
}

/**
 * Reads all objects. A kind that can not be read is named in `unread`, and the rest is read all the same.
 * @throws RequestError when the server can not be asked at all, or nothing may be read
 */
export async function scan(get: Get, options: ScanOptions): Promise<Scan> {
  const { kinds, counted = new Set<KindName>(), namespace } = options
  const wanted = new Set([...kinds, ...counted])
  const readAt = Date.now()
  const [version, discovery] = await Promise.all([versionOf(get), discover(get, wanted)])
  const resources = discovery.resources.filter(({ namespaced }) => namespaced || namespace === undefined)
  const asked = new Set(resources.map(({ kindName }) => kindName))
  const reading = new Reading(get, options, version === undefined ? undefined : nearestMinor(version))
  // Of the cluster as a whole, and no role of a namespace can grant it.
  const metrics = namespace === undefined ? reading.readMetrics() : undefined
  const listed = resources.filter(({ kindName }) => kinds.has(kindName))
  await Promise.all([metrics, reading.readAll(listed)])
  await reading.count(resources.filter(({ kindName }) => counted.has(kindName)))
  await reading.readKubelets()
  await reading.readExporters()
  const { documents, unread, failed, refusal } = reading
  if (refusal && listed.every(({ kindName }) => failed.has(kindName))) throw refusal
  const down = new Set(discovery.down.map(({ group }) => group))
  const served = new Set(discovery.resources.map(({ kindName }) => kindName))
  return {
    version,
    namespace,
    documents: documents.sort((a, b) => (a.file.name < b.file.name ? -1 : 1)),
    made: [...reading.made.values()],
    events: [...reading.events.values()],
    samples: reading.samples,
    readAt,
    unread: [
      ...unread.sort((a, b) => (a.resource < b.resource ? -1 : 1)),
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

/** Normal events outnumber the warnings by far; of them rules ask for those of autoscalers. */
const eventSelectors = ['type=Warning', 'reason=SuccessfulRescale']

function groupsOf(kind: KindName): readonly string[] {
  return isBuiltin(kind) ? builtinGroups[kind] : [kind.slice(0, kind.lastIndexOf('/'))]
}

/** What was read so far. */
class Reading {
  readonly documents: Document[] = []
  /** By uid: a list that starts again brings objects again. */
  readonly made = new Map<unknown, Untyped>()
  readonly events = new Map<unknown, Untyped>()
  readonly samples: Sample[] = []
  /** The running pods with CPU limits on each node, by name: a list that starts again brings them again. */
  readonly #limited = new Map<string, Set<unknown>>()
  /** A pod of node-exporter on each node, and how many pods the node runs. */
  readonly #exporters = new Map<string, Exporter>()
  readonly #running = new Map<string, number>()
  readonly unread: Unread[] = []
  readonly failed = new Set<KindName>()
  /** Why the first kind could not be read. */
  refusal: RequestError | undefined
  readonly #isFolded = folding()
  readonly #get: Get
  readonly #options: ScanOptions
  readonly #minor: number | undefined

  constructor(get: Get, options: ScanOptions, minor: number | undefined) {
    this.#get = get
    this.#options = options
    this.#minor = minor
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
    const known = objectCounts(this.samples)
    const missing = resources.filter((resource) => !known.has(nameOf(resource)))
    await each(missing, concurrency, async (resource) => {
      try {
        const value = await count(this.#get, resource, namespace)
        this.samples.push(objectCount(resource.apiVersion, resource.plural, value))
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

  /** What the API server has counted. Numbers are evidence where they are there: nothing follows when they are not. */
  async readMetrics(): Promise<void> {
    const { getLines } = this.#options
    if (!getLines) return
    try {
      await readServerMetrics(getLines, this.samples)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      const { status, message } = error
      if (status === 404) return
      this.unread.push({ resource: '/metrics', reason: status === 403 ? 'forbidden' : 'failed', message })
    }
  }

  /** What the kubelets have counted of CPU limits: of the nodes that carry most pods with such. */
  async readKubelets(): Promise<void> {
    const { getLines, kubelets = 0, concurrency } = this.#options
    if (!getLines) return
    const nodes = [...this.#limited]
      .sort(([a, one], [b, other]) => other.size - one.size || (a < b ? -1 : 1))
      .slice(0, kubelets)
    let isForbidden = false
    await each(nodes, concurrency, async ([node]) => {
      if (isForbidden) return
      try {
        await readKubeletMetrics(getLines, node, this.samples)
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        const { status } = error
        // The server's own words name addresses: that would be a line for each node.
        const message = status < 500 ? error.message : `the API server does not reach it (HTTP ${status})`
        if (status !== 403)
          this.unread.push({ resource: `the kubelet of ${node}`, reason: 'failed', message })
        else if (!isForbidden) this.unread.push({ resource: 'nodes/proxy', reason: 'forbidden', message })
        isForbidden ||= status === 403
      }
    })
  }

  /** What node-exporter has measured: on the nodes that run most pods. */
  async readExporters(): Promise<void> {
    const { getLines, exporters = 0, concurrency } = this.#options
    if (!getLines || exporters === 0) return
    const podsOn = ({ node }: Exporter) => this.#running.get(node) ?? 0
    const asked = [...this.#exporters.values()]
      .sort((a, b) => podsOn(b) - podsOn(a) || (a.node < b.node ? -1 : 1))
      .slice(0, exporters)
    if (asked.length === 0 && !this.failed.has('Pod'))
      this.unread.push({
        resource: 'node-exporter',
        reason: 'failed',
        message: 'no pod of it runs in the network of its node',
      })
    // What one of them refuses, the others of its namespace refuse, too.
    const refusing = new Set<string>()
    await each(asked, concurrency, async (exporter) => {
      const { namespace } = exporter
      if (refusing.has(namespace)) return
      try {
        await readNodeMetrics(getLines, exporter, this.samples)
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        const isRefusal = error.status === 401 || error.status === 403
        if (isRefusal && refusing.has(namespace)) return
        if (isRefusal) refusing.add(namespace)
        const missing = unreadExporter(exporter, error)
        if (!this.unread.some(({ resource }) => resource === missing.resource)) this.unread.push(missing)
      }
    })
  }

  /** An object as a document. Of what its maker tells, and of events, only the state is kept. */
  #keep(item: Untyped, resource: Resource): Document | undefined {
    const { kindName } = resource
    const uid = valueAt(item, 'metadata', 'uid') ?? item
    const node = kindName === 'Pod' && hasCpuLimit(item) ? stringAt(item, 'spec', 'nodeName') : undefined
    if (node !== undefined) this.#limited.set(node, (this.#limited.get(node) ?? new Set()).add(uid))
    if (kindName === 'Pod' && this.#options.exporters) this.#noteExporter(item)
    // Measurements have no uid.
    if (kindName === 'metrics.k8s.io/PodMetrics') this.made.set(usageKey(item), usageState(item, resource))
    else if (kindName === 'Event') this.events.set(uid, eventState(item, resource))
    else if (this.#isFolded(item, kindName)) this.made.set(uid, stateOf(item, resource))
    else return liveDocument(slim(item, resource, this.#minor))
    return undefined
  }

  /** A list that starts again counts pods twice: nothing but the order of nodes follows from their number. */
  #noteExporter(pod: Untyped): void {
    const node = stringAt(pod, 'spec', 'nodeName')
    if (node === undefined || stringAt(pod, 'status', 'phase') !== 'Running') return
    this.#running.set(node, (this.#running.get(node) ?? 0) + 1)
    const exporter = exporterIn(pod)
    const other = this.#exporters.get(node)
    // Of several the one that lets everybody in.
    if (exporter && (!other || (other.scheme === 'https' && exporter.scheme === 'http')))
      this.#exporters.set(node, exporter)
  }
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
