import {
  type CronJob,
  conditionOf,
  durationPattern,
  formatInterval,
  holds,
  type Job,
  type Live,
  rule,
  schedule,
  seconds,
  spanSince,
  startOf,
  troubles,
} from '../src/rule.js'

export default rule({
  title: 'A CronJob has not succeeded for a long time',
  category: 'batch',
  severity: 'error',
  why: `A CronJob starts its next run whether or not the last one failed, and nothing on it turns red. The
failed Job and its pods are cleaned away with the next one. Backups and cleanups die like this, and are
missed weeks later.`,
  remedy: 'Repair the run, and alert on the time of the last success (`.status.lastSuccessfulTime`).',
  decides: `The last success, or the creation when there was none, is longer ago than \`starts\` times the
schedule's longest interval and than \`atLeast\`, and a run has been started since. What the failed runs and
their pods said stands below the finding.

Exempt: suspended CronJobs, and those whose only run since then is still going, for less than one interval.
A run that hangs without a deadline is \`job-without-deadline\`.`,
  falsePositives:
    'A Job that is deleted within a second of its end, by `ttlSecondsAfterFinished: 0`, may be gone before its success is written down.',
  versions: '`lastSuccessfulTime` is written from 1.21 on; older servers are left alone.',
  sources: [
    'kubernetes/pkg/controller/cronjob/cronjob_controllerv2.go (syncCronJob)',
    'k8s.io/api/batch/v1/types.go (CronJobStatus)',
  ],
  stories: ['athenabot-cronjob', 'lyft-cronjobs', 'zalando-etcd-delete', 'airbnb-weird-ways'],
  needs: 'cluster',
  unless: ['etcd-backup-stale', 'image-unavailable'],
  params: {
    starts: {
      type: 'integer',
      minimum: 1,
      default: 3,
      about: 'How many starts in a row may go without a success.',
    },
    atLeast: {
      type: 'string',
      pattern: durationPattern,
      default: '1h',
      about: 'How long, in any case, there may be no success (a Go duration).',
    },
  },
  for: 'CronJob',
  check(cronJob, { graph, params, minor, report }) {
    const { spec, status, metadata } = cronJob
    const { live } = graph
    const plan = schedule(spec?.schedule ?? '')
    const started = Date.parse(status?.lastScheduleTime ?? '')
    if (!live || !spec || !status || !plan || spec.suspend || minor < 21) return
    const succeeded = Date.parse(status.lastSuccessfulTime ?? '')
    const since = Number.isNaN(succeeded) ? Date.parse(metadata?.creationTimestamp ?? '') : succeeded
    if (!(started > since)) return
    const allowed = Math.max(params.starts * plan.longestInterval, seconds(params.atLeast) ?? 0)
    if (live.now - since < allowed * 1000) return
    const jobs = live.jobsOf(cronJob)
    const failed = jobs.filter(hasFailed).sort((a, b) => startOf(b) - startOf(a))
    const going = jobs.filter((job) => !isOver(job)).sort((a, b) => startOf(a) - startOf(b))
    const [oldest] = going
    if (failed.length === 0 && (status.active?.length ?? going.length) > 0) {
      const isNew = !oldest || live.now - startOf(oldest) < plan.longestInterval * 1000
      if (isNew || spec.jobTemplate?.spec?.activeDeadlineSeconds === undefined) return
    }
    const every = plan.interval === plan.longestInterval ? `, every ${formatInterval(plan.interval)} one` : ''
    report(
      status,
      Number.isNaN(succeeded) ? 'lastScheduleTime' : 'lastSuccessfulTime',
      Number.isNaN(succeeded)
        ? `${metadata?.name ?? ''} has never done its work: no run has succeeded since it was created ${spanSince(since, live)} ago${every && `, and every ${formatInterval(plan.interval)} one starts`}.`
        : `${metadata?.name ?? ''} has not done its work for ${spanSince(since, live)}: no run has succeeded since, and runs start as ever.`,
      { evidence: evidenceOf(cronJob, failed, oldest, live) },
    )
  },
})

function evidenceOf(cronJob: CronJob, failed: readonly Job[], oldest: Job | undefined, live: Live): string[] {
  const [last] = failed
  const pods = live.podsOf(cronJob)
  const seen = troubles(pods, live)
  const hidden =
    failed.length === 0 && cronJob.spec?.failedJobsHistoryLimit === 0
      ? ['failedJobsHistoryLimit is 0: failed runs leave nothing to look at']
      : []
  return [
    ...(last
      ? [
          `job ${last.metadata?.name ?? ''} failed ${spanSince(startOf(last), live)} ago: ${conditionOf(last, 'Failed')?.reason ?? 'Failed'}`,
        ]
      : []),
    ...(oldest
      ? [`job ${oldest.metadata?.name ?? ''} has been running for ${spanSince(startOf(oldest), live)}`]
      : []),
    ...seen,
    ...hidden,
  ]
}

const hasFailed = (job: Job) => holds(job, 'Failed')
const isOver = (job: Job) => holds(job, 'Complete') || hasFailed(job)
