import {
  advise,
  at,
  atMost,
  type CronJob,
  causeOf,
  durationPattern,
  type Fault,
  formatStarts,
  type Graph,
  isIdle,
  isKind,
  type Job,
  jobSpecOf,
  type Live,
  patience,
  rule,
  schedule,
  seconds,
  secondsOfRun,
  set,
  spanSince,
  startOf,
  troubles,
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

Exempt: suspended Jobs and CronJobs, CronJobs whose schedule no day fits (30 February), those with \`concurrencyPolicy: Replace\` (the next start ends the
run), Jobs that another object controls, Jobs with \`managedBy\`, and those whose containers only print
something or wait for a time that is written (\`date; echo hello\`).

In a cluster an error, for other Jobs a warning, when a run has been going for longer than \`hungAfter\` and
than three times the longest time between two starts: it hangs. Other Jobs may have work for days, and are
reported when something is wrong with their pods.`,
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
      pattern: durationPattern,
      default: '1h',
      about: 'An error for overlapping CronJobs that start more often than this (a Go duration).',
    },
    hungAfter: {
      type: 'string',
      pattern: durationPattern,
      default: patience.hungRun,
      about: 'How long a run may go on in a cluster, and three intervals of its schedule (a Go duration).',
    },
    bareJobs: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Look at Jobs that no CronJob makes, too.',
    },
  },
  unless: ['job-sidecar-never-completes'],
  for: ['CronJob', 'Job'],
  check(subject, { graph, params, report }) {
    const job = jobSpecOf(subject)
    const pod = job?.template?.spec
    if (!job || !pod || job.suspend || job.managedBy !== undefined) return
    if (job.activeDeadlineSeconds !== undefined || pod.activeDeadlineSeconds !== undefined) return
    const found = hanging(subject, graph, seconds(params.hungAfter) ?? 0, params.bareJobs)
    if (found)
      report(job, 'activeDeadlineSeconds', found.message, {
        severity: isKind(subject, 'CronJob') ? 'error' : 'warning',
        evidence: found.evidence,
        fix: byExperience,
      })
    else if (secondsOfRun(pod) !== undefined) return
    else if (isKind(subject, 'CronJob')) {
      const fault = unbounded(subject, job, graph, seconds(params.errorBelowInterval) ?? 0)
      if (fault) report(...fault)
    } else if (params.bareJobs && !graph.workload(subject)?.controlled)
      report(job, 'activeDeadlineSeconds', 'A run that hangs is never ended: the Job has no deadline.', {
        severity: 'info',
        fix: byExperience,
      })
  },
})

/** Seconds: a shorter interval says nothing about how long runs may take that wait for each other. */
const leastGuess = 3600

const byExperience = advise('activeDeadlineSeconds: a few times the longest run')

/**
 * Runs of a cluster that go on for too long.
 * @param bare whether a Job that no CronJob makes counts for its length alone
 */
function hanging(subject: CronJob | Job, graph: Graph, least: number, bare: boolean) {
  const { live } = graph
  if (!live || graph.workload(subject)?.controlled) return undefined
  const { concurrencyPolicy, schedule: times = '' } = isKind(subject, 'CronJob') ? (subject.spec ?? {}) : {}
  const interval = schedule(times)?.longestInterval ?? 0
  const runs = hungRuns(subject, live, Math.max(least, patience.hungIntervals * interval))
  const [oldest] = runs
  if (!oldest) return undefined
  const evidence = evidenceOf(runs, live)
  // A Job of its own may well have work for days: only what is wrong with its pods tells that it hangs.
  if (!isKind(subject, 'CronJob') && !bare && evidence.length === 0) return undefined
  const span = spanSince(startOf(oldest), live)
  const message =
    runs.length > 1
      ? `${runs.length} runs of ${subject.metadata?.name ?? ''} hang, the oldest for ${span}, and nothing ends them.`
      : `Run ${oldest.metadata?.name ?? ''} has been going for ${span}, and nothing ends it${concurrencyPolicy === 'Forbid' ? ' or starts another one' : ''}.`
  return { message, evidence }
}

/** What becomes of a CronJob whose run hangs. */
function unbounded(cronJob: CronJob, job: object, graph: Graph, errorBelow: number): Fault | undefined {
  const { spec } = cronJob
  const policy = spec?.concurrencyPolicy ?? 'Allow'
  if (!spec || isIdle(spec) || policy === 'Replace') return undefined
  const starts = schedule(spec.schedule ?? '')
  const interval = starts?.interval
  const isFrequent = policy === 'Allow' && interval !== undefined && interval < errorBelow
  const then =
    policy === 'Forbid'
      ? 'no other one starts until somebody deletes it'
      : starts === undefined
        ? 'others start beside it'
        : `${formatStarts(starts)} another one starts beside it`
  return [
    job,
    'activeDeadlineSeconds',
    `A run that hangs is never ended, and ${then}.`,
    {
      severity: isFrequent ? 'error' : 'warning',
      evidence: graph.live && policy === 'Allow' ? overlapOf(cronJob, graph.live) : [],
      see: [interval === undefined ? undefined : at(cronJob, spec, 'schedule')],
      fix:
        // Under Forbid runs may well be longer than the interval: that is what it is for.
        interval === undefined || (policy === 'Forbid' && interval < leastGuess)
          ? byExperience
          : set(job, 'activeDeadlineSeconds', Math.max(60, Math.min(interval, 86400))),
    },
  ]
}

/** The Jobs that have been going for longer than some seconds, the oldest first. */
function hungRuns(subject: CronJob | Job, live: Live, after: number): readonly Job[] {
  return live
    .jobsOf(subject)
    .filter((job) => (job.status?.active ?? 0) > 0 && live.now - (startOf(job) || live.now) > after * 1000)
    .sort((a, b) => startOf(a) - startOf(b))
}

/** How many runs go on at the same time. */
function overlapOf(subject: CronJob, live: Live): string[] {
  const active = hungRuns(subject, live, 0)
  const [oldest] = active
  return oldest && active.length > 1
    ? [`${active.length} runs go on at the same time, the oldest for ${spanSince(startOf(oldest), live)}`]
    : []
}

/** The runs, and what is wrong with their pods. */
function evidenceOf(jobs: readonly Job[], live: Live): string[] {
  const lines = jobs.map((job) => `job ${job.metadata?.name ?? ''}: ${spanSince(startOf(job), live)}`)
  return [
    ...(jobs.length > 1 ? atMost(2, lines) : []),
    ...troubles(
      jobs.flatMap((job) => live.podsOf(job)).filter((pod) => causeOf(pod, live) !== undefined),
      live,
    ).slice(0, 2),
  ]
}
