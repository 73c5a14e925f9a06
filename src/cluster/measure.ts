/** Reads what the components of a cluster have counted, and of which nodes to ask for it. */
import type { Untyped } from '../kubernetes.js'
import type { Sample, Unread } from '../reader/input.js'
import { stringAt } from '../values/untyped.js'
import { type Exporter, exporterIn, unreadExporter } from './exporter.js'
import { each } from './list.js'
import { hasCpuLimit, readKubeletMetrics, readNodeMetrics, readServerMetrics } from './metrics.js'
import { type GetLines, RequestError } from './request.js'

export interface MeasureOptions {
  /** Reads metrics; without it none are read. */
  readonly getLines?: GetLines
  /** Kubelets to ask for their metrics, at most; none when absent. */
  readonly kubelets?: number
  /** Nodes whose node-exporter is asked, at most; none when absent. */
  readonly exporters?: number
  /** Requests at once. */
  readonly concurrency: number
}

/** What was counted so far. What could not be read is named in `unread`. */
export class Measuring {
  readonly samples: Sample[] = []
  readonly unread: Unread[] = []
  /** The running pods with CPU limits on each node, by name: a list that starts again brings them again. */
  readonly #limited = new Map<string, Set<unknown>>()
  /** A pod of node-exporter on each node, and how many pods the node runs. */
  readonly #exporters = new Map<string, Exporter>()
  readonly #running = new Map<string, number>()
  readonly #options: MeasureOptions

  constructor(options: MeasureOptions) {
    this.#options = options
  }

  /** Notes where a pod runs, and what its node can tell. */
  note(pod: Untyped, uid: unknown): void {
    const node = hasCpuLimit(pod) ? stringAt(pod, 'spec', 'nodeName') : undefined
    if (node !== undefined) this.#limited.set(node, (this.#limited.get(node) ?? new Set()).add(uid))
    if (this.#options.exporters) this.#noteExporter(pod)
  }

  /** What the API server has counted. Numbers are evidence where they are there: nothing follows when they are not. */
  async readServer(): Promise<void> {
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

  /**
   * What node-exporter has measured: on the nodes that run most pods.
   * @param knowsPods the pods could be read
   */
  async readExporters(knowsPods: boolean): Promise<void> {
    const { getLines, exporters = 0, concurrency } = this.#options
    if (!getLines || exporters === 0) return
    const podsOn = ({ node }: Exporter) => this.#running.get(node) ?? 0
    const asked = [...this.#exporters.values()]
      .sort((a, b) => podsOn(b) - podsOn(a) || (a.node < b.node ? -1 : 1))
      .slice(0, exporters)
    if (asked.length === 0 && knowsPods)
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
