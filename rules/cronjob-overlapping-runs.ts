import {
  at,
  atMost,
  type CronJob,
  counted,
  durationPattern,
  formatSeconds,
  formatStarts,
  isIdle,
  type Job,
  type Live,
  rule,
  schedule,
  seconds,
  secondsOfRun,
  set,
  spanSince,
  startOf,
} from '../src/rule.js'

export default rule({
  title: 'Runs of a CronJob may overlap',
  category: 'batch',
  severity: 'warning',
  why: `\`concurrencyPolicy\` is Allow unless it is set: the controller starts the next Job whether or not
the last one has ended. When runs get slow, because a database or the cluster itself is slow, they pile up
and make everything slower still.`,
  remedy: 'Set `concurrencyPolicy: Forbid` (skip a start while one runs) or `Replace` (end the old run).',
  decides: `\`.spec.concurrencyPolicy\` is absent or Allow. Runs that can't overlap are left alone: their deadline
(\`activeDeadlineSeconds\`) is not longer than the shortest time between two starts, or they only print something or
wait for a shorter time that is written (\`date; echo hello\`). Suspended CronJobs and those whose schedule no day fits (30 February) are exempt, and those that start
only every \`minInterval\` or less often, as a run that long is rare (asked for, the rule names those of them that
have no deadline). Left out where \`job-without-deadline\` reports the same CronJob: a deadline below the interval
cures both.

In a cluster the runs that overlap are counted: an error for three or more active Jobs at the same time.`,
  falsePositives: 'Runs that are independent of each other and short may overlap: say so in a suppression.',
  versions: 'The default is Allow in all releases of `batch/v1`.',
  sources: [
    'kubernetes/pkg/apis/batch/v1/defaults.go',
    'kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go',
  ],
  stories: ['zalando-cronjob-apiserver', 'datadog-10-ways', 'lyft-cronjobs', 'dfds-agent-system-oom'],
  params: {
    minInterval: {
      type: 'string',
      pattern: durationPattern,
      default: '24h',
      about: 'CronJobs that start this seldom, or less often, are left alone (a Go duration).',
    },
  },
  unless: ['job-without-deadline'],
  for: 'CronJob',
  check(cronJob, { graph, params, report }) {
    const { spec } = cronJob
    const job = spec?.jobTemplate?.spec
    if (!spec || !job || isIdle(spec) || (spec.concurrencyPolicy ?? 'Allow') !== 'Allow') return
    const active = graph.live ? activeRuns(cronJob, graph.live) : []
    const [oldest] = active
    if (graph.live && oldest && active.length > 1) {
      const { live } = graph
      report(
        spec,
        'concurrencyPolicy',
        `${active.length} runs of ${cronJob.metadata?.name ?? ''} go on at the same time, the oldest for ${spanSince(startOf(oldest), live)}, and the next start adds one.`,
        {
          severity: active.length > 2 ? 'error' : 'warning',
          evidence: runsIn(active, live),
          fix: set(spec, 'concurrencyPolicy', 'Forbid'),
        },
      )
      return
    }
    const starts = schedule(spec.schedule ?? '')
    const interval = starts?.interval
    const deadline = job.activeDeadlineSeconds
    if (interval !== undefined && deadline !== undefined && deadline <= interval) return
    const run = secondsOfRun(job.template?.spec ?? {})
    if (interval !== undefined && run !== undefined && run < interval) return
    const isSeldom = interval !== undefined && interval >= (seconds(params.minInterval) ?? 0)
    if (isSeldom && deadline !== undefined) return
    const every = starts === undefined ? 'the next one' : `${formatStarts(starts)} another one`
    report(
      spec,
      'concurrencyPolicy',
      `Slow runs pile up: ${every} starts while ${deadline === undefined ? 'the last still runs' : `a run may take ${formatSeconds(deadline)}`}.`,
      {
        recommended: !isSeldom,
        see: [deadline === undefined ? undefined : at(cronJob, job, 'activeDeadlineSeconds')],
        fix: set(spec, 'concurrencyPolicy', 'Forbid'),
      },
    )
  },
})

/** The Jobs that have not ended, the oldest first. */
function activeRuns(cronJob: CronJob, live: Live): readonly Job[] {
  return live
    .jobsOf(cronJob)
    .filter(({ status, spec }) => (status?.active ?? 0) > 0 && !spec?.suspend)
    .sort((a, b) => startOf(a) - startOf(b))
}

function runsIn(jobs: readonly Job[], live: Live): string[] {
  return atMost(
    3,
    jobs.map((job) => {
      const pods = job.status?.active ?? 0
      return `job ${job.metadata?.name ?? ''}: ${counted(pods, 'pod')} for ${spanSince(startOf(job), live)}`
    }),
  )
}
