import {
  advise,
  at,
  type CronJob,
  formatStarts,
  type Job,
  rule,
  schedule,
  seconds,
  set,
} from '../src/rule.js'

export default rule({
  title: 'A Job run may hang for ever',
  category: 'batch',
  severity: 'warning',
  why: `A Job without \`activeDeadlineSeconds\` has no limit in time: a run that waits for a lock, a socket
or a database that never answers keeps its pod, its memory and its place in the quota until somebody deletes
it. Under a CronJob that allows overlapping runs every start adds one more; under \`Forbid\` no other run
starts until then.`,
  remedy: 'Set `activeDeadlineSeconds` on the Job to a few times the longest run that you have seen.',
  decides: `Looks at \`.spec.jobTemplate.spec.activeDeadlineSeconds\` of CronJobs and with \`bareJobs\` at
\`.spec.activeDeadlineSeconds\` of other Jobs, which hang once (an info). A deadline in the pod template
counts, too: it ends each attempt, and \`backoffLimit\` bounds their number. An error when the CronJob
starts more often than \`errorBelowInterval\` and lets runs overlap.

Exempt: suspended Jobs and CronJobs, CronJobs with \`concurrencyPolicy: Replace\` (the next start ends the
run), Jobs that another object controls, and Jobs with \`managedBy\`.`,
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
    bareJobs: { type: 'boolean', default: false, about: 'Look at Jobs that no CronJob makes, too.' },
  },
  for: ['CronJob', 'Job'],
  check(subject, { graph, params, report }) {
    const job = jobSpec(subject)
    const pod = job?.template?.spec
    if (!job || !pod || job.suspend || job.managedBy !== undefined) return
    if (job.activeDeadlineSeconds !== undefined || pod.activeDeadlineSeconds !== undefined) return
    if (!isCronJob(subject)) {
      if (!params.bareJobs || graph.workload(subject)?.controlled) return
      report(job, 'activeDeadlineSeconds', 'A run that hangs is never ended: the Job has no deadline.', {
        severity: 'info',
        fix: advise('activeDeadlineSeconds: a few times the longest run'),
      })
      return
    }
    const { spec } = subject
    const policy = spec?.concurrencyPolicy ?? 'Allow'
    if (!spec || spec.suspend || policy === 'Replace') return
    const starts = schedule(spec.schedule ?? '')
    const interval = starts?.interval
    const often =
      policy === 'Allow' && interval !== undefined && interval < (seconds(params.errorBelowInterval) ?? 0)
    const then =
      policy === 'Forbid'
        ? 'no other one starts until somebody deletes it'
        : starts === undefined
          ? 'others start beside it'
          : `${formatStarts(starts)} another one starts beside it`
    report(job, 'activeDeadlineSeconds', `A run that hangs is never ended, and ${then}.`, {
      severity: often ? 'error' : 'warning',
      see: [interval === undefined ? undefined : at(subject, spec, 'schedule')],
      fix:
        interval === undefined
          ? advise('activeDeadlineSeconds: a few times the longest run')
          : set(job, 'activeDeadlineSeconds', Math.max(60, Math.min(interval, 86400))),
    })
  },
})

function isCronJob(subject: CronJob | Job): subject is CronJob {
  return subject.kind === 'CronJob'
}

function jobSpec(subject: CronJob | Job) {
  return isCronJob(subject) ? subject.spec?.jobTemplate?.spec : subject.spec
}
