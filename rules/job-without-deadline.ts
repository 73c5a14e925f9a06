import { at, type CronJob, formatSeconds, type Job, rule, schedule, seconds, set } from '../src/rule.js'

export default rule({
  title: 'A Job run may hang for ever',
  category: 'batch',
  severity: 'warning',
  why: `A Job without \`activeDeadlineSeconds\` has no limit in time: a run that waits for a lock, a socket or a
database that never answers keeps its pod, its memory and its place in the quota until somebody deletes it. Under a
CronJob that allows overlapping runs every start adds one more.`,
  remedy: 'Set `activeDeadlineSeconds` on the Job to a few times the longest run that you have seen.',
  decides: `Looks at \`.spec.jobTemplate.spec.activeDeadlineSeconds\` of CronJobs and \`.spec.activeDeadlineSeconds\` of Jobs. The
field of the same name in the pod template bounds one pod only, and the Job starts the next; it counts where
\`backoffLimit\` is 0. An error when the CronJob starts more often than \`errorBelowInterval\` and lets runs overlap.

Exempt: suspended Jobs and CronJobs, Jobs that another object controls, Jobs with \`managedBy\`, Indexed work queues of
controllers, and Helm or Argo CD hooks when \`bareJobs\` is off.`,
  falsePositives:
    'Workers that are meant to run until their queue is empty: give them a generous deadline, or suppress with that reason.',
  versions: '`activeDeadlineSeconds` is in `batch/v1` in all supported releases and has no default.',
  sources: [
    'kubernetes/pkg/apis/batch/v1/defaults.go',
    'kubernetes/staging/src/k8s.io/api/batch/v1/types.go',
  ],
  stories: ['zalando-cronjob-apiserver', 'zalando-skipper-oom', 'zalando-fallacies-2017', 'lyft-cronjobs'],
  params: {
    errorBelowInterval: {
      type: 'string',
      default: '1h',
      about: 'An error for overlapping CronJobs that start more often than this (a Go duration).',
    },
    bareJobs: { type: 'boolean', default: true, about: 'Look at Jobs that no CronJob makes, too.' },
  },
  for: ['CronJob', 'Job'],
  check(subject, { graph, params, report }) {
    const job = jobSpec(subject)
    const pod = job?.template?.spec
    if (!job || !pod || job.activeDeadlineSeconds !== undefined || job.suspend || job.managedBy !== undefined)
      return
    if (pod.activeDeadlineSeconds !== undefined && job.backoffLimit === 0) return
    if (!isCronJob(subject)) {
      if (!params.bareJobs || graph.workload(subject)?.controlled) return
      report(job, 'activeDeadlineSeconds', 'A run that hangs is never ended: the Job has no deadline.', {
        severity: 'info',
        fix: set(job, 'activeDeadlineSeconds', 3600),
      })
      return
    }
    const spec = subject.spec
    if (!spec || spec.suspend) return
    const interval = schedule(spec.schedule ?? '')?.interval
    const piles =
      (spec.concurrencyPolicy ?? 'Allow') === 'Allow' &&
      interval !== undefined &&
      interval < (seconds(params.errorBelowInterval) ?? 0)
    report(
      job,
      'activeDeadlineSeconds',
      piles
        ? `A run that hangs is never ended, and every ${formatSeconds(interval)} another one joins it.`
        : 'A run that hangs is never ended: the CronJob sets no deadline.',
      {
        severity: piles ? 'error' : 'warning',
        see: [
          interval === undefined
            ? undefined
            : at(subject, spec, 'schedule', `starts every ${formatSeconds(interval)}`),
        ],
        fix: set(
          job,
          'activeDeadlineSeconds',
          interval === undefined || interval > 3600 ? 3600 : Math.max(60, Math.floor(interval)),
        ),
      },
    )
  },
})

function isCronJob(subject: CronJob | Job): subject is CronJob {
  return subject.kind === 'CronJob'
}

function jobSpec(subject: CronJob | Job) {
  return isCronJob(subject) ? subject.spec?.jobTemplate?.spec : subject.spec
}
