/** Reads what components have counted: of thousands of numbers the few that rules ask for. */
import {
  conntrackClashes,
  conntrackEarlyDrops,
  conntrackEntries,
  conntrackLimit,
} from '../graph/conntrack.js'
import { objectCountMetrics } from '../graph/counts.js'
import type { Untyped } from '../kubernetes.js'
import type { Sample } from '../reader/input.js'
import { objectsAt, stringAt, valueAt } from '../values/untyped.js'
import { type Exporter, metricsPath } from './exporter.js'
import { type GetLines, RequestError } from './request.js'

/** Numbers that are kept of one component, at most: the names in labels are not ours to bound. */
const mostSamples = 20_000

type Labels = Sample['labels']

/** The metrics of an API server that rules ask for, and which of their numbers. */
const ofApiServer: ReadonlyMap<string, (labels: Labels) => boolean> = new Map([
  ['apiserver_requested_deprecated_apis', ({ removed_release: removed = '' }: Labels) => removed !== ''],
  [
    'apiserver_admission_webhook_rejection_count',
    ({ error_type: type }: Labels) => type === 'calling_webhook_error',
  ],
  ['apiserver_admission_webhook_fail_open_count', () => true],
  ['apiserver_admission_webhook_admission_duration_seconds_count', () => true],
  ['apiserver_admission_webhook_admission_duration_seconds_bucket', ({ le }: Labels) => Number(le) === 1],
  ...objectCountMetrics.map((name) => [name, () => true] as const),
])

/** The metrics of which a 0 says something. */
const withZeros: ReadonlySet<string> = new Set(objectCountMetrics)

const throttled = 'container_cpu_cfs_throttled_periods_total'
const periods = 'container_cpu_cfs_periods_total'
/** Rows without a container are sums of a pod or more. */
const isOfContainer = ({ container = '', pod = '' }: Labels) => container !== '' && pod !== ''
const ofKubelet: ReadonlyMap<string, (labels: Labels) => boolean> = new Map([
  [throttled, isOfContainer],
  [periods, isOfContainer],
])

const neighbours = 'node_arp_entries'
/** Those of the node as a whole have no labels. Source: prometheus/node_exporter, collector/{conntrack,arp}_linux.go. */
const ofNode: ReadonlyMap<string, (labels: Labels) => boolean> = new Map([
  ...[conntrackEntries, conntrackLimit, conntrackEarlyDrops, conntrackClashes].map(
    (name) => [name, (labels: Labels) => Object.keys(labels).length === 0] as const,
  ),
  // Flannel writes its own entries, and makes them permanent: the table has room for them besides.
  [neighbours, ({ device = '' }: Labels) => device !== '' && !device.startsWith('flannel')],
])

/**
 * Adds what an API server has counted to `samples`: those numbers that are not 0, and of how many objects all.
 * @throws RequestError when there is an end before all was read
 */
export async function readServerMetrics(getLines: GetLines, samples: Sample[]): Promise<void> {
  await getLines('/metrics', (line) => {
    const sample = samples.length < mostSamples ? sampleIn(line, ofApiServer) : undefined
    if (sample) samples.push(sample)
  })
}

/**
 * Adds how often the containers of a node were stopped by their CPU limits, of how many periods, since they started: of those
 * that were stopped at all. Source: google/cadvisor, metrics/prometheus.go.
 * @throws RequestError when there is an end before all was read
 */
export async function readKubeletMetrics(getLines: GetLines, node: string, samples: Sample[]): Promise<void> {
  const found: Sample[] = []
  try {
    await getLines(`/api/v1/nodes/${encodeURIComponent(node)}/proxy/metrics/cadvisor`, (line) => {
      const sample = found.length < mostSamples ? sampleIn(line, ofKubelet) : undefined
      if (!sample) return
      const { namespace = '', pod = '', container = '' } = sample.labels
      found.push({ ...sample, labels: { namespace, pod, container } })
    })
  } finally {
    const stopped = new Set(found.filter(({ name }) => name === throttled).map(keyOf))
    samples.push(...found.filter((one) => stopped.has(keyOf(one))))
  }
}

/**
 * Adds what node-exporter has measured on its node: each number once.
 * @throws RequestError when there is an end before all was read, or the answer is not one of node-exporter
 */
export async function readNodeMetrics(
  getLines: GetLines,
  exporter: Exporter,
  samples: Sample[],
): Promise<void> {
  const { node } = exporter
  const found = new Map<string, Sample>()
  let isExporter = false
  try {
    await getLines(metricsPath(exporter), (line) => {
      isExporter ||= line.startsWith('node_')
      const sample = sampleIn(line, ofNode)
      if (!sample) return
      const { name, value } = sample
      // Of network devices the sum.
      const sum = name === neighbours ? (found.get(name)?.value ?? 0) + value : value
      found.set(name, { name, labels: { node }, value: Math.min(sum, Number.MAX_SAFE_INTEGER) })
    })
  } finally {
    samples.push(...found.values())
  }
  if (!isExporter) throw new RequestError(200, 'its answer has no numbers of node-exporter')
}

function keyOf({ labels }: Sample): string {
  return `${labels.namespace}/${labels.pod}/${labels.container}`
}

/** Whether a pod runs and has a container with a CPU limit, or has one itself. */
export function hasCpuLimit(pod: Untyped): boolean {
  return (
    stringAt(pod, 'status', 'phase') === 'Running' &&
    [valueAt(pod, 'spec'), ...objectsAt(pod, 'spec', 'containers')].some(
      (one) => valueAt(one, 'resources', 'limits', 'cpu') !== undefined,
    )
  )
}

/**
 * The number in a line, when it is one of those that are wanted, finite and above 0 or a count of objects.
 * Source: Prometheus documentation, exposition formats (text-based).
 */
export function sampleIn(
  line: string,
  wanted: ReadonlyMap<string, (labels: Labels) => boolean>,
): Sample | undefined {
  const brace = line.indexOf('{')
  const name = line.slice(0, brace < 0 ? line.indexOf(' ') : brace)
  const isWanted = wanted.get(name)
  if (!isWanted) return undefined
  const found = brace < 0 ? { labels: {}, end: name.length } : labelsIn(line, brace + 1)
  if (!found) return undefined
  const value = Number(/^ ([0-9.eE+-]+)(?: -?\d+)?$/.exec(line.slice(found.end))?.[1])
  // An API server that could not count says -1.
  return (value > 0 || (value === 0 && withZeros.has(name))) &&
    Number.isFinite(value) &&
    isWanted(found.labels)
    ? { name, labels: found.labels, value }
    : undefined
}

const pair = /([a-zA-Z_]\w*)="([^"\\]*(?:\\.[^"\\]*)*)",?/y

/** The labels from a place behind the brace, and where the text goes on behind the closing one. */
function labelsIn(line: string, start: number): { labels: Labels; end: number } | undefined {
  const labels: [string, string][] = []
  let end = start
  while (line[end] !== '}') {
    pair.lastIndex = end
    const [all, name, value] = pair.exec(line) ?? []
    if (all === undefined || name === undefined || value === undefined) return undefined
    labels.push([name, value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))])
    end += all.length
  }
  return { labels: Object.fromEntries(labels), end: end + 1 }
}
