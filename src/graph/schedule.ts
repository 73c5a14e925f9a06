/** Cron schedules as the CronJob controller reads them (robfig/cron v3, standard parser). */
import { Cron } from 'croner'
import { seconds } from './quantity.js'

export interface Schedule {
  /** The minutes of the hour at which it starts, ascending; empty for `@every`. */
  readonly minutes: readonly number[]
  /** The shortest time between two starts, in seconds. */
  readonly interval: number
  /** The longest time between two of the next starts, in seconds. */
  readonly longestInterval: number
  /** The starts of one week, as minutes since Monday 00:00 in the schedule's own time zone. */
  readonly week: () => readonly number[]
}

/** A Monday, so that weeks are whole; any fixed date will do. */
const monday = new Date('2024-01-01T00:00:00Z')
const minute = 60_000
const known = new Map<string, Schedule | undefined>()

/**
 * Reads a schedule; undefined when the controller would refuse it.
 * `CRON_TZ=`/`TZ=` prefixes are dropped: intervals do not depend on them.
 */
export function schedule(text: string): Schedule | undefined {
  if (!known.has(text)) known.set(text, parse(text))
  return known.get(text)
}

function parse(text: string): Schedule | undefined {
  const plain = text.trim().replace(/^(CRON_)?TZ=\S+\s+/, '')
  if (plain.startsWith('@every ')) {
    const interval = seconds(plain.slice(7).trim())
    // robfig/cron rounds @every up to whole seconds, at least one.
    return interval === undefined ? undefined : every(Math.max(1, Math.floor(interval)))
  }
  const fields = plain.split(/\s+/)
  if (!plain.startsWith('@') && fields.length !== 5) return undefined
  // robfig/cron knows no 7 for Sunday, no L, W, # and no @reboot.
  if (
    plain === '@reboot' ||
    (!plain.startsWith('@') && (/[LW#]/.test(fields.slice(2, 3).join()) || /[7L#]/.test(fields[4] ?? '')))
  )
    return undefined
  let cron: Cron
  try {
    cron = new Cron(plain, { utcOffset: 0 })
  } catch {
    return undefined
  }
  const runs = cron.nextRuns(61, new Date(monday.getTime() - 1000)).map((run) => run.getTime())
  if (runs.length === 0) return undefined
  const gaps = runs.slice(1).map((run, i) => (run - (runs[i] ?? 0)) / 1000)
  return {
    minutes: [...new Set(runs.map((run) => new Date(run).getUTCMinutes()))].sort((a, b) => a - b),
    interval: gaps.length ? Math.min(...gaps) : Number.POSITIVE_INFINITY,
    longestInterval: gaps.length ? Math.max(...gaps) : Number.POSITIVE_INFINITY,
    week: () => {
      const starts: number[] = []
      let at: Date | null = new Date(monday.getTime() - 1000)
      for (;;) {
        at = cron.nextRun(at)
        if (!at) return starts
        const since = (at.getTime() - monday.getTime()) / minute
        if (since >= 7 * 24 * 60) return starts
        starts.push(since)
      }
    },
  }
}

function every(interval: number): Schedule {
  return {
    minutes: [],
    interval,
    longestInterval: interval,
    week: () => [],
  }
}
