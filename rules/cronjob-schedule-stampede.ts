import {
  at,
  type CronJob,
  counted,
  firstOf,
  type Graph,
  groupBy,
  type Live,
  podsAtOnce,
  rule,
  schedule,
} from '../src/rule.js'

export default rule({
  title: 'Many CronJobs start in the same minute',
  category: 'batch',
  severity: 'warning',
  why: `Almost everybody writes round minutes: 0, 15, 30, 45, every five or ten. The controller creates all
those Jobs within seconds, and the scheduler, the API server, the registry and whatever the Jobs call
see a spike several times an hour, while the minutes between are idle. Such spikes have exhausted node
memory, DNS and API servers.`,
  remedy: 'Spread the minutes, for example by a hash of the name: `7,22,37,52` instead of `*/15`.',
  decides: `The starts of all CronJobs of the input are laid over one month, minute by minute, each with the
weight of its \`parallelism\` (or fewer \`completions\`). CronJobs whose busiest minute is the same and holds more than
\`maxStartsPerMinute\` pods are one finding, on the first of them. With \`reportSingle\` a CronJob that
starts more than once a day at quarter hours only, or every 5, 10 or 20 minutes from 0, is an info by
itself.

In a cluster the minute stands below the finding in which the most Jobs of these CronJobs were made, as far as they
are still there.

Exempt: suspended CronJobs and \`@every\`, whose minute depends on when it was created. CronJobs with
different time zones are not added up, and variants of one CronJob (same namespace and name) count once.`,
  falsePositives:
    'Runs that must start at the full hour: reports of that hour, trading times. A folder with the manifests of several clusters adds up what never runs together.',
  versions: '`timeZone` is GA from 1.27.',
  sources: [
    'kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go',
    'robfig/cron v3 (parser.go, spec.go)',
  ],
  stories: ['zalando-cronjob-apiserver', 'lyft-cronjobs', 'dfds-agent-system-oom'],
  params: {
    maxStartsPerMinute: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Pods that may start in one minute.',
    },
    reportSingle: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Mention single CronJobs with round minutes.',
    },
  },
  for: 'CronJob',
  check(cronJob, { graph, params, report }) {
    const { spec } = cronJob
    if (!spec?.schedule || spec.suspend) return
    const crowd = graph
      .once('crowds of CronJobs', () => crowdsIn(graph, params.maxStartsPerMinute))
      .get(cronJob)
    if (crowd && crowd.jobs.length > 1 && crowd.pods > params.maxStartsPerMinute) {
      if (crowd.jobs[0] !== cronJob) return
      const own = crowd.jobs.map((one) => one.metadata?.name ?? '')
      // CronJobs of one name are those of several namespaces.
      const names =
        new Set(own).size < own.length
          ? crowd.jobs.map((one) => graph.describe(one).slice('CronJob '.length))
          : own
      report(
        spec,
        'schedule',
        `${crowd.pods} pods start in one minute, at ${clock(crowd.minute)}: CronJobs ${firstOf(names)}.`,
        {
          evidence: graph.live ? busiestMinute(crowd.jobs, graph.live.seen) : [],
          see: crowd.jobs.slice(1, 4).map((one) => at(one, one.spec ?? one, 'schedule', one.spec?.schedule)),
        },
      )
      return
    }
    const read = schedule(spec.schedule)
    if (params.reportSingle && read && read.interval < 86400 && isRound(read.minutes)) {
      report(
        spec,
        'schedule',
        `${cronJob.metadata?.name ?? 'This CronJob'} starts when everybody else's jobs do, at ${read.minutes.map((one) => `:${two(one)}`).join(' ')}.`,
        { severity: 'info' },
      )
    }
  },
})

/** The minute in which the most of the Jobs were made that are still there, and those whose pods found no node. */
function busiestMinute(cronJobs: readonly CronJob[], live: Live): string[] {
  const minutes = groupBy(
    cronJobs.flatMap((one) => live.jobsOf(one)),
    ({ metadata }) => Math.floor(Date.parse(metadata?.creationTimestamp ?? '') / 60_000) || undefined,
  )
  const [busiest] = [...minutes].sort(([a, m], [b, n]) => n.length - m.length || b - a)
  if (!busiest || busiest[1].length < 2) return []
  const [minute, jobs] = busiest
  const late = jobs.filter((job) => live.eventsOf(job).some(({ reason }) => reason === 'FailedScheduling'))
  return [
    `${counted(jobs.length, 'Job')} were made in the minute from ${new Date(minute * 60_000).toISOString().slice(0, 16)}Z`,
    ...(late.length > 0
      ? [`pods of ${firstOf(late.map(({ metadata }) => metadata?.name ?? '').sort())} found no node at first`]
      : []),
  ]
}

/** Quarter hours, or an even step from 0 that divides the hour. */
function isRound(minutes: readonly number[]): boolean {
  if (minutes.length === 0) return false
  if (minutes.every((one) => one % 15 === 0)) return true
  const step = 60 / minutes.length
  return [5, 10, 20].includes(step) && minutes.every((one, i) => one === i * step)
}

/** CronJobs whose busiest minute is the same. */
interface Crowd {
  /** The pods that start in that minute, those of CronJobs with an even busier minute included. */
  readonly pods: number
  /** Since the beginning of the month. */
  readonly minute: number
  readonly jobs: CronJob[]
}

/** @param limit the pods that may start in a minute: smaller crowds may be left out */
function crowdsIn(graph: Graph, limit: number): ReadonlyMap<CronJob, Crowd> {
  const counted = new Set<string>()
  const all = graph.seen('CronJob').flatMap((job) => {
    const read = job.spec?.schedule && !job.spec.suspend ? schedule(job.spec.schedule) : undefined
    const id = `${graph.namespaceOf(job)}/${job.metadata?.name ?? ''}`
    if (!read || counted.has(id)) return []
    counted.add(id)
    const zone = job.spec?.timeZone ?? read.timeZone ?? ''
    return [{ job, zone, read, pods: podsAtOnce(job.spec?.jobTemplate?.spec ?? {}) }]
  })
  // What starts in one minute of the day starts in that minute of the hour: most CronJobs need no closer look.
  const byMinuteOfHour = new Uint32Array(60)
  for (const { read, pods } of all)
    for (const minute of read.minutes) byMinuteOfHour[minute] = (byMinuteOfHour[minute] ?? 0) + pods
  const jobs = all
    .filter(({ read }) => read.minutes.some((minute) => (byMinuteOfHour[minute] ?? 0) > limit))
    .map((one) => ({ ...one, starts: one.read.starts() }))
  const podsByZone = new Map<string, Uint32Array>()
  for (const { zone, starts, pods: own } of jobs) {
    const pods = podsByZone.get(zone) ?? new Uint32Array(31 * 1440)
    podsByZone.set(zone, pods)
    for (const minute of starts) pods[minute] = (pods[minute] ?? 0) + own
  }
  const crowds = new Map<string, Crowd>()
  const crowdOf = new Map<CronJob, Crowd>()
  for (const { job, zone, starts } of jobs) {
    const inZone = podsByZone.get(zone)
    const pods = (minute: number) => inZone?.[minute] ?? 0
    const [first] = starts
    if (first === undefined) continue
    const minute = starts.reduce((busiest, one) => (pods(one) > pods(busiest) ? one : busiest), first)
    const crowd = crowds.get(`${zone} ${minute}`) ?? { pods: pods(minute), minute, jobs: [] }
    crowds.set(`${zone} ${minute}`, crowd)
    crowd.jobs.push(job)
    crowdOf.set(job, crowd)
  }
  return crowdOf
}

const two = (count: number) => String(count).padStart(2, '0')

function clock(minute: number): string {
  return `${two(Math.floor(minute / 60) % 24)}:${two(minute % 60)}`
}
