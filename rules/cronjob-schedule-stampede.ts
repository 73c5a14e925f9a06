import { type CronJob, type Graph, rule, schedule } from '../src/rule.js'

export default rule({
  title: 'Many CronJobs start in the same minute',
  category: 'batch',
  severity: 'info',
  why: `Almost everybody writes round minutes: 0, 15, 30, 45, every five or ten. All those Jobs start in the same second, and the scheduler, the API server, the image registry and whatever the Jobs call see a spike several times an hour
while the minutes between are idle.`,
  remedy: 'Spread the minutes, for example by a hash of the name: `7,22,37,52` instead of `*/15`.',
  decides: `The starts of all CronJobs of the input in one week, weighted by \`parallelism\`. A warning on each CronJob that takes part in a minute with more than \`maxStartsPerMinute\` starts. An info (\`reportSingle\`) on a CronJob that starts more than once a day
and only at quarter hours, or every 5, 10, 15, 20 or 30 minutes from 0.

Exempt: suspended CronJobs. Time zones are taken as equal unless \`timeZone\` differs by name.`,
  falsePositives: 'Some runs must start at the full hour: reports of that hour, trading times.',
  versions: '`timeZone` is GA from 1.27.',
  sources: ['kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go'],
  stories: ['zalando-cronjob-apiserver', 'lyft-cronjobs', 'dfds-agent-system-oom'],
  params: {
    maxStartsPerMinute: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Pods that may start in one minute.',
    },
    reportSingle: { type: 'boolean', default: true, about: 'Mention single CronJobs with round minutes.' },
  },
  for: 'CronJob',
  check(cronJob, { graph, params, report }) {
    const { spec } = cronJob
    if (!spec?.schedule || spec.suspend) return
    const read = schedule(spec.schedule)
    if (!read || read.minutes.length === 0) return
    const { busiest, starts } = graph.once('stampede', () => histogram(graph)).get(cronJob) ?? {
      busiest: 0,
      starts: 0,
    }
    if (starts > params.maxStartsPerMinute) {
      report(
        spec,
        'schedule',
        `${starts} pods start in the same minute (${clock(busiest)}), and a spike hits scheduler, API server and registry: this CronJob is one of them.`,
        { severity: 'warning' },
      )
    } else if (
      params.reportSingle &&
      read.longestInterval < 86400 &&
      read.minutes.length > 0 &&
      isRound(read.minutes)
    ) {
      report(
        spec,
        'schedule',
        `Starts when everybody else's jobs start: at ${read.minutes.map((one) => `:${String(one).padStart(2, '0')}`).join(' ')}.`,
      )
    }
  },
})

/** Quarter hours, or an even step from 0 that divides the hour. */
function isRound(minutes: readonly number[]): boolean {
  if (minutes.every((one) => one % 15 === 0)) return true
  const step = 60 / minutes.length
  return [5, 10, 20].includes(step) && minutes.every((one, i) => one === i * step)
}

/** For each CronJob the busiest minute of the week in which it starts, and the number of pods that start then. */
function histogram(graph: Graph): ReadonlyMap<CronJob, { busiest: number; starts: number }> {
  const jobs = graph.all('CronJob').filter((one) => one.spec?.schedule && !one.spec.suspend)
  const counts = new Map<string, number>()
  const weeks = jobs.map((one) => ({
    one,
    zone: one.spec?.timeZone ?? '',
    week: schedule(one.spec?.schedule ?? '')?.week() ?? [],
  }))
  for (const { one, zone, week } of weeks) {
    const pods = one.spec?.jobTemplate?.spec?.parallelism ?? 1
    for (const minute of week) counts.set(`${zone} ${minute}`, (counts.get(`${zone} ${minute}`) ?? 0) + pods)
  }
  return new Map(
    weeks.map(({ one, zone, week }) => {
      let busiest = 0
      let starts = 0
      for (const minute of week) {
        const count = counts.get(`${zone} ${minute}`) ?? 0
        if (count > starts) {
          starts = count
          busiest = minute
        }
      }
      return [one, { busiest, starts }]
    }),
  )
}

function clock(minute: number): string {
  const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][Math.floor(minute / 1440)]
  return `${day} ${String(Math.floor(minute / 60) % 24).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}
