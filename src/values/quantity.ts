/** Numbers as Kubernetes writes them: quantities, percentages and Go durations. */
import { memo } from './lazy.js'

/** Source: k8s.io/apimachinery/pkg/api/resource/suffix.go. */
const binary: Readonly<Record<string, number>> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}
/** As exponents, so that 9m and 0.009 are the same number. */
const decimal: Readonly<Record<string, string>> = {
  n: 'e-9',
  u: 'e-6',
  m: 'e-3',
  k: 'e3',
  M: 'e6',
  G: 'e9',
  T: 'e12',
  P: 'e15',
  E: 'e18',
}
const quantityText = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))$/

/** What nothing in Kubernetes counts beyond: an int64. */
const most = 2 ** 63

/**
 * A quantity as a number in its base unit (cores, bytes, pieces); undefined for text that is no quantity.
 * `100m` → 0.1, `1Gi` → 1073741824, `1e3` → 1000. What is larger than the int64 that schedulers, quotas and the kubelet count with is
 * taken for that: `1e400` is no infinity. Source: k8s.io/apimachinery/pkg/api/resource/quantity.go (ParseQuantity, Value).
 */
export function quantity(value: unknown): number | undefined {
  if (typeof value === 'string') return quantityOf(value)
  return typeof value === 'number' ? bounded(value) : undefined
}

function bounded(value: number): number {
  return Math.min(most, Math.max(-most, value))
}

/** There are few of them, and each is asked for again and again. */
const quantityOf = memo((text: string): number | undefined => {
  const match = quantityText.exec(text)
  if (!match) return undefined
  const [, digits = '', exponent = '', suffix = ''] = match
  return bounded(Number(digits + (exponent || (decimal[suffix] ?? ''))) * (binary[suffix] ?? 1))
})

/**
 * A sum of quantities as Kubernetes has it, to the billionth: in binary fractions 100m and 200m are a little more than 300m. Source:
 * k8s.io/apimachinery/pkg/api/resource/quantity.go (Nano, its smallest scale).
 */
export function exact(sum: number): number {
  return Number.isInteger(sum) ? sum : Math.round(sum * 1e9) / 1e9
}

/** A quantity of CPU in cores. */
export const cpuCores = quantity
/** A quantity of memory or storage in bytes. */
export const bytes = quantity

/** Bytes as people write them: `512Mi`, `1.5Gi`. */
export function formatBytes(count: number): string {
  if (count < 0) return `-${formatBytes(-count)}`
  for (const [suffix, unit] of [
    ['Ti', 2 ** 40],
    ['Gi', 2 ** 30],
    ['Mi', 2 ** 20],
    ['Ki', 2 ** 10],
  ] as const) {
    if (count >= unit) return `${Number((count / unit).toFixed(count / unit < 10 ? 1 : 0))}${suffix}`
  }
  return String(count)
}

/**
 * An IntOrString as a number of `total`. Percentages are rounded up or down as the controller in question does.
 * Undefined when it is absent or neither a number nor a percentage.
 */
export function intOrPercent(value: unknown, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || !/^\d+%$/.test(value)) return undefined
  const exact = (Number(value.slice(0, -1)) * total) / 100
  // strconv.Atoi refuses larger ones.
  if (exact >= most) return undefined
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}

const units: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
}

/** The longest duration of Go, 292 years: an int64 of nanoseconds. */
const longest = most / 1e9

/**
 * A Go duration (`15m`, `1h30m`, `500ms`) or a plain number of seconds, in seconds; undefined for other text, and for what is longer than
 * Go takes. Source: time.ParseDuration.
 */
export function seconds(value: unknown): number | undefined {
  const count = typeof value === 'number' ? value : typeof value === 'string' ? secondsOf(value) : undefined
  return count !== undefined && Math.abs(count) <= longest ? count : undefined
}

function secondsOf(value: string): number | undefined {
  if (value === '') return undefined
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value)
  let rest = value
  let sum = 0
  while (rest) {
    const match = /^(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|ms|s|m|h)/.exec(rest)
    if (!match) return undefined
    sum += Number(match[1]) * (units[match[2] ?? ''] ?? 0)
    rest = rest.slice(match[0].length)
  }
  return sum
}

/** Seconds as people say them: `45 s`, `15 min`, `2 h`, `1 d`. */
export function formatSeconds(count: number): string {
  for (const [name, unit] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
  ] as const) {
    if (count >= unit && count % unit === 0) return `${count / unit} ${name}`
  }
  if (count > 3600) return `${Number((count / 3600).toFixed(1))} h`
  return `${Number(count.toFixed(1))} s`
}

/** How long something has lasted, in whole units of which there are at least two: `90 s`, `4 min`, `30 h`, `5 days`. */
export function formatSpan(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`
}

/** A time between two events, to stand after "every": `minute`, `15 min`, `hour`. */
export function formatInterval(count: number): string {
  return { 60: 'minute', 3600: 'hour', 86400: 'day' }[count] ?? formatSeconds(count)
}
