/**
 * Cron schedules as the CronJob controller reads them: `ParseStandard` of robfig/cron v3, which differs from other
 * crons. Sunday is 0 only, `N/step` runs to the end of the field, and `?` is `*`.
 */
import { lazy, memo } from './lazy.js'
import { formatInterval, seconds } from './quantity.js'

/** When a cron schedule starts something. */
export interface Schedule {
  /** The minutes of the hour at which it starts, ascending; empty for `@every`. */
  readonly minutes: readonly number[]
  /** The shortest time between two starts, in seconds. */
  readonly interval: number
  /** The longest time between two starts, in seconds. */
  readonly longestInterval: number
  /** The name in a `TZ=` or `CRON_TZ=` prefix. */
  readonly timeZone: string | undefined
  /**
   * The starts of a month of 31 days that begins on a Monday (January 2024), in minutes since it began, ascending.
   * Empty for `@every`, whose starts depend on when it was created.
   */
  starts(): readonly number[]
}

const day = 86400

/**
 * Reads a schedule; undefined when it is refused, and when no day fits (30 February). The time zone does not change its
 * intervals.
 */
export const schedule: (text: string) => Schedule | undefined = memo(parse)

/** Whether the API server takes the text, without a time zone, as a schedule. It does not ask whether a day fits. */
export function isSchedule(text: string): boolean {
  return schedule(text) !== undefined || fieldsOf(plainOf(text)) !== undefined
}

/** A schedule that the API server takes, and that never starts anything. */
export interface NoStart {
  /** How many days a month would have to have; undefined where a field has no value at all (`,`). */
  readonly days: number | undefined
  /** February alone: how owners write that a job is only started by hand. Nobody takes it for a month of 30 days. */
  readonly isMeant: boolean
}

/**
 * Why a schedule never starts anything; undefined when it does, and when it is refused. The controller finds no next start
 * within five years and tells so in an event, InvalidSchedule. Sources: robfig/cron/v3/spec.go (Next),
 * kubernetes/pkg/controller/cronjob/utils.go (mostRecentScheduleTime).
 */
export function neverStarts(text: string): NoStart | undefined {
  if (schedule(text) !== undefined) return undefined
  const fields = fieldsOf(plainOf(text))
  if (!fields) return undefined
  const { date, month, minute, hour, weekday } = fields
  const isEmpty = [minute, hour, date, month, weekday].some(({ values }) => values.length === 0)
  return {
    days: isEmpty ? undefined : date.values[0],
    isMeant: month.values.length === 1 && month.values[0] === 2,
  }
}

/** Whether a CronJob starts nothing by itself: it is suspended, or no day fits its schedule. */
export function isIdle(spec: {
  readonly suspend?: boolean | undefined
  readonly schedule?: string | undefined
}): boolean {
  return spec.suspend === true || neverStarts(spec.schedule ?? '') !== undefined
}

/** A schedule without its time zone. Spaces around fields are nothing, those around a word such as `@daily` make it another one. */
function plainOf(text: string): string {
  const own = text.slice(zoneOf(text)?.[0].length ?? 0)
  const trimmed = own.trim()
  return trimmed.startsWith('@') ? own : trimmed
}

/** The time zone that a schedule begins with. */
const zoneOf = (text: string) => /^(?:CRON_)?TZ=(\S*) /.exec(text)

/**
 * How often it starts, for messages: `every 15 min`, or `as often as every minute` where the
 * time between starts varies.
 */
export function formatStarts({ interval, longestInterval }: Schedule): string {
  return `${longestInterval > interval ? 'as often as ' : ''}every ${formatInterval(interval)}`
}

const descriptors: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
])

function parse(text: string): Schedule | undefined {
  const zone = zoneOf(text)
  const plain = plainOf(text)
  const timeZone = zone?.[1]
  if (plain.startsWith('@every ')) {
    const interval = /^\d+(\.\d+)?$/.test(plain.slice(7)) ? undefined : seconds(plain.slice(7))
    if (interval === undefined) return undefined
    const whole = Math.max(1, Math.floor(interval))
    return { minutes: [], interval: whole, longestInterval: whole, timeZone, starts: () => [] }
  }
  const fields = fieldsOf(plain)
  if (!fields) return undefined
  const { minute, hour, date, month, weekday } = fields
  const times = hour.values.flatMap((h) => minute.values.map((m) => h * 60 + m))
  // Both restricted: either is enough. One of them `*`: both must fit, which leaves the other to decide.
  const either = !date.star && !weekday.star
  const runsOn = (at: Day) => {
    if (!month.has[at.month]) return false
    const byDate = date.has[at.date] ?? false
    const byWeekday = weekday.has[at.weekday] ?? false
    return either ? byDate || byWeekday : byDate && byWeekday
  }
  const weekly = date.star && month.values.length === 12
  const gaps = gapsOf(times, dayGaps(runsOn, weekly ? january() : calendar()))
  if (!gaps) return undefined
  return {
    minutes: minute.values,
    interval: gaps.least,
    longestInterval: gaps.most,
    timeZone,
    starts: () => january().flatMap((at, i) => (runsOn(at) ? times.map((time) => i * 1440 + time) : [])),
  }
}

/** The five fields; undefined where one is refused. */
function fieldsOf(plain: string) {
  const fields = (plain.startsWith('@') ? (descriptors.get(plain) ?? '') : plain).split(/\s+/)
  if (fields.length !== 5) return undefined
  const [minute, hour, date, month, weekday] = bounds.map((bound, i) => field(fields[i] ?? '', bound))
  return minute && hour && date && month && weekday ? { minute, hour, date, month, weekday } : undefined
}

interface Day {
  readonly date: number
  readonly month: number
  readonly weekday: number
}

/** The 31 days of January 2024, from a Monday on: enough for what is the same every week. */
function january(): readonly Day[] {
  return Array.from({ length: 31 }, (_, i) => ({ date: i + 1, month: 1, weekday: (i + 1) % 7 }))
}

/** The days from Monday, 1 January 2024, on. 29 February falls on each day of the week once in 28 years. */
const calendar = lazy((): readonly Day[] => [...daysFrom(2024, 28)])

/** The days of some years from a first one on that starts with a Monday. */
function* daysFrom(first: number, years: number): Generator<Day> {
  let weekday = 1
  for (let year = first; year < first + years; year++) {
    const lengths = [31, year % 4 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for (const [index, length] of lengths.entries())
      for (let date = 1; date <= length; date++, weekday = (weekday + 1) % 7)
        yield { date, month: index + 1, weekday }
  }
}

/** The numbers of days between two of the days that have starts, each once; undefined when none has (30 February). */
function dayGaps(runsOn: (day: Day) => boolean, days: readonly Day[]): readonly number[] | undefined {
  const gaps = new Set<number>()
  let before: number | undefined
  days.forEach((at, i) => {
    if (!runsOn(at)) return
    if (before !== undefined) gaps.add(i - before)
    before = i
  })
  return before === undefined ? undefined : [...gaps]
}

/** The shortest and longest time between two starts, in seconds. */
function gapsOf(times: readonly number[], days: readonly number[] | undefined) {
  const first = times[0]
  const last = times.at(-1)
  if (first === undefined || last === undefined || !days) return undefined
  const gaps = [
    ...times.slice(1).map((time, i) => (time - (times[i] ?? 0)) * 60),
    ...days.map((count) => count * day - (last - first) * 60),
  ]
  if (gaps.length === 0) return { least: Number.POSITIVE_INFINITY, most: Number.POSITIVE_INFINITY }
  return { least: Math.min(...gaps), most: Math.max(...gaps) }
}

interface Bounds {
  readonly min: number
  readonly max: number
  readonly names: readonly string[]
}

const bounds: readonly Bounds[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  {
    min: 1,
    max: 12,
    names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
]

/** The values of one field, ascending, and whether it is unrestricted as far as dates and weekdays are concerned. */
/** As Go's strconv.Atoi, below zero apart. */
const numberIn = (text: string) => (/^\+?\d+$/.test(text) ? Number(text) : Number.NaN)

function field(text: string, { min, max, names }: Bounds) {
  const number = (word: string) => {
    const named = word === '' ? -1 : names.indexOf(word.toLowerCase())
    return named >= 0 ? named : numberIn(word)
  }
  const values = new Set<number>()
  let star = false
  for (const part of text.split(',').filter((one) => one !== '')) {
    const [range = '', stepText, ...tooMany] = part.split('/')
    const [lowText = '', highText, ...more] = range.split('-')
    const all = lowText === '*' || lowText === '?'
    const low = all ? min : number(lowText)
    const step = stepText === undefined ? 1 : numberIn(stepText)
    const open = all || (highText === undefined && stepText !== undefined)
    const high = open ? max : highText === undefined ? low : number(highText)
    // Written so that NaN fails, too.
    if (tooMany.length > 0 || more.length > 0 || !(low >= min && low <= high && high <= max && step > 0))
      return undefined
    for (let value = low; value <= high; value += step) values.add(value)
    star ||= all && step === 1
  }
  const has = Array.from({ length: max + 1 }, (_, value) => values.has(value))
  return { values: [...values].sort((a, b) => a - b), has, star }
}
