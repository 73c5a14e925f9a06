/** Reads what components have counted: of thousands of numbers the few that rules ask for. */
import type { Sample } from '../reader/input.js'
import type { GetLines } from './request.js'

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
])

/**
 * Adds what an API server has counted since its process started to `samples`, those numbers that are not 0.
 * @throws RequestError when there is an end before all was read
 */
export async function readServerMetrics(getLines: GetLines, samples: Sample[]): Promise<void> {
  await getLines('/metrics', (line) => {
    const sample = samples.length < mostSamples ? sampleIn(line, ofApiServer) : undefined
    if (sample) samples.push(sample)
  })
}

/**
 * The number in a line, when it is one of those that are wanted, finite and above 0.
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
  return value > 0 && Number.isFinite(value) && isWanted(found.labels)
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
