import {
  arrayAt,
  atMost,
  type CronJob,
  type Custom,
  changedAt,
  conditionOf,
  counted,
  durationPattern,
  type Fault,
  firstOf,
  formatSeconds,
  type Graph,
  isKind,
  type Live,
  neverStarts,
  objectAt,
  type ReportOptions,
  rule,
  schedule,
  seconds,
  set,
  spanSince,
  stringAt,
  troubles,
  type VeleroBackup,
  valueAt,
  veleroBackups,
  veleroLocation,
  type Workload,
  wordsOf,
} from '../src/rule.js'

const backup = /etcd(ctl|utl)\b[\s\S]*\bsnapshot\s+save|etcd-?backup|etcd-?snapshot/i
/** Commands that take the file to another machine. */
const upload =
  /\b(aws\s+s3|s3cmd|gsutil|gcloud\s+storage|rclone|az\s+storage|azcopy|mc\s+(cp|mirror)|restic|scp|rsync|curl|ossutil|obsutil|swift\s+upload)\b/

export default rule({
  title: 'The etcd backup does not run, or keeps nothing',
  category: 'control-plane',
  severity: 'error',
  why: 'A backup that stopped is found on the day it is needed. A suspended schedule, a snapshot on an emptyDir that ends with its pod, or one snapshot a week all look like a backup in every list.',
  remedy:
    'Run it at least daily, write to storage outside the pod and the node, and alert on the age of the newest snapshot.',
  decides: `CronJobs that take etcd snapshots (\`etcdctl snapshot save\`, or etcd-backup in name or image). An error
when all volumes of the container are emptyDirs and no command uploads the file; a warning when one is suspended or its schedule is 30 or 31 February (an error
in a cluster), or starts less often than \`maxInterval\`. Where the rule is asked for, \`failedJobsHistoryLimit: 0\` is an
info. One finding, the gravest.

Schedules of Velero, which saves what the API server holds, are a warning when they are paused and no other one
saves their namespaces.

In a cluster an error, too:

- no run has succeeded for the longer of \`maxInterval\` and one and a half intervals of the schedule, although runs
  were started;
- Velero does not accept a schedule, or none of its backups has succeeded for as long (a warning when all were
  incomplete, \`PartiallyFailed\`);
- Velero cannot use a storage location of such schedules, and has refused a backup for it (else a warning).`,
  versions: '`lastSuccessfulTime` is written from 1.21 on; older servers are left alone.',
  falsePositives: 'The upload may be done by a program that is not recognised here.',
  sources: [
    'etcd documentation, disaster recovery',
    'velero/pkg/apis/velero/v1 (schedule_types.go, backup_types.go, backupstoragelocation_types.go)',
    'velero/pkg/controller/backup_controller.go (refuses a backup whose location is unavailable)',
  ],
  stories: ['zalando-etcd-delete', 'athenabot-cronjob'],
  params: {
    maxInterval: {
      type: 'string',
      pattern: durationPattern,
      default: '24h',
      about: 'The longest time between two backups (a Go duration).',
    },
  },
  for: ['CronJob', 'velero.io/Schedule', 'velero.io/BackupStorageLocation'],
  check(subject, { graph, params, minor, report }) {
    const maxInterval = seconds(params.maxInterval) ?? 0
    const fault = isKind(subject, 'CronJob')
      ? faultOfCronJob(subject, graph, maxInterval, minor)
      : subject.kind === 'Schedule'
        ? faultOfSchedule(subject, graph, maxInterval)
        : faultOfLocation(subject, graph)
    if (fault) report(...fault)
  },
})

function faultOfCronJob(
  cronJob: CronJob,
  graph: Graph,
  maxInterval: number,
  minor: number,
): Fault | undefined {
  const workload = graph.workload(cronJob)
  const { spec } = cronJob
  if (!workload || !spec) return undefined
  const words = workload.containers.map(({ spec: one }) => [one.image, ...wordsOf(one)].join(' '))
  if (!backup.test([workload.name, ...words].join('\n'))) return undefined
  if (spec.suspend)
    return [
      spec,
      'suspend',
      `${workload.name} saves no snapshots of etcd: it is suspended.`,
      // Where it is written down, a program or somebody may well resume it.
      { fix: set(spec, 'suspend', false), ...(!graph.live && { severity: 'warning' }) },
    ]
  // Of other days that do not exist cronjob-missed-start-freeze tells by itself.
  if (neverStarts(spec.schedule ?? '')?.isMeant)
    return [
      spec,
      'schedule',
      `${workload.name} saves no snapshots of etcd: no day fits its schedule.`,
      { ...(!graph.live && { severity: 'warning' }) },
    ]
  if (keepsNothing(workload, words))
    return [
      workload.pod,
      'volumes',
      `The snapshot is gone with its pod: ${workload.name} writes to no volume that outlives it and uploads nothing.`,
    ]
  const { live } = graph
  const interval = schedule(spec.schedule ?? '')?.longestInterval
  const most = Math.max(maxInterval, 1.5 * (interval ?? 0))
  const since = live && minor >= 21 ? lastSuccess(cronJob) : undefined
  if (live && since !== undefined && live.now - since > most * 1000)
    return [
      cronJob.status ?? spec,
      'lastSuccessfulTime',
      `A restore loses ${spanSince(since, live)} of changes: no run of ${workload.name} has succeeded ${cronJob.status?.lastSuccessfulTime ? 'since' : 'since it was created'}.`,
      { evidence: evidenceOf(cronJob, live.seen) },
    ]
  if (interval !== undefined && interval > maxInterval)
    return [
      spec,
      'schedule',
      `A restore may lose ${formatSeconds(interval)} of changes: that is the time between two snapshots of ${workload.name}.`,
      { severity: 'warning' },
    ]
  if (spec.failedJobsHistoryLimit !== 0) return undefined
  return [
    spec,
    'failedJobsHistoryLimit',
    `Nobody can tell why a snapshot of ${workload.name} failed: a failed run is deleted with its pod and log.`,
    { severity: 'info', recommended: false },
  ]
}

/** Whether the snapshot is lost when the pod ends, for all that its volumes and the words of its containers tell. */
function keepsNothing({ pod, containers }: Workload, words: readonly string[]): boolean {
  const kept = pod.volumes?.some(
    (volume) =>
      !volume.emptyDir && !volume.secret && !volume.configMap && !volume.projected && !volume.downwardAPI,
  )
  return (
    // A single hostPath is both where certificates come from and where snapshots may go: it gets the
    // benefit of the doubt.
    !kept &&
    !words.some((text) => upload.test(text)) &&
    containers.length === 1 &&
    words.some((text) => /snapshot\s+save/.test(text))
  )
}

/**
 * When a run last succeeded, or the CronJob was made if none ever did; undefined when no run was started since then.
 */
function lastSuccess({ metadata, status }: CronJob): number | undefined {
  const since = Date.parse(status?.lastSuccessfulTime ?? metadata?.creationTimestamp ?? '')
  return Date.parse(status?.lastScheduleTime ?? '') > since ? since : undefined
}

function evidenceOf(cronJob: CronJob, live: Live): string[] {
  const [last] = live
    .jobsOf(cronJob)
    .flatMap((job) => {
      const failed = conditionOf(job, 'Failed')
      return failed?.status === 'True' ? [{ name: job.metadata?.name ?? '', failed }] : []
    })
    .sort((a, b) => changedAt(b.failed) - changedAt(a.failed))
  return [
    ...(last ? [`job ${last.name} failed: ${last.failed.message ?? last.failed.reason ?? 'Failed'}`] : []),
    ...troubles(live.podsOf(cronJob), live),
  ]
}

/** Source: velero/pkg/apis/velero/v1/schedule_types.go. */
function faultOfSchedule(subject: Custom, graph: Graph, maxInterval: number): Fault | undefined {
  const spec = objectAt(subject, 'spec')
  const status = objectAt(subject, 'status')
  const name = subject.metadata?.name ?? 'this schedule'
  if (spec?.paused === true)
    return isReplaced(subject, graph)
      ? undefined
      : [spec, 'paused', `Velero takes no new backups for ${name}: it is paused.`, { severity: 'warning' }]
  if (status && stringAt(status, 'phase') === 'FailedValidation')
    return [
      status,
      'phase',
      `Velero takes no backups: it does not accept schedule ${name}.`,
      { severity: 'error' },
    ]
  return faultOfBackups(subject, graph, maxInterval)
}

/** Whether another schedule, that is not paused, saves all namespaces that this one saves. */
function isReplaced(schedule: Custom, graph: Graph): boolean {
  const namespacesOf = (one: Custom) => {
    const named = arrayAt(one, 'spec', 'template', 'includedNamespaces')
    return named.length > 0 ? named : ['*']
  }
  return graph
    .siblings('velero.io/Schedule', schedule)
    .filter((one) => valueAt(one, 'spec', 'paused') !== true)
    .map(namespacesOf)
    .some((saved) => saved.includes('*') || namespacesOf(schedule).every((one) => saved.includes(one)))
}

/** That no backup of a schedule has succeeded, or been whole, for too long. */
function faultOfBackups(subject: Custom, graph: Graph, maxInterval: number): Fault | undefined {
  const { live } = graph
  const status = objectAt(subject, 'status')
  const name = subject.metadata?.name ?? 'this schedule'
  const interval = schedule(stringAt(subject, 'spec', 'schedule') ?? '')?.longestInterval
  const made = Date.parse(subject.metadata?.creationTimestamp ?? '')
  if (!live || interval === undefined || !(made > 0)) return undefined
  const backups = veleroBackups(subject, graph)
  const last = (...phases: string[]) => backups.find(({ phase }) => phases.includes(phase))?.at
  const isLate = (at: number) => live.now - at > 1000 * Math.max(maxInterval, 1.5 * interval)
  const usable = last('Completed', 'PartiallyFailed')
  const whole = last('Completed') ?? made
  const options = (since: number): ReportOptions => {
    const location = veleroLocation(subject, graph)
    return {
      evidence: atMost(3, backups.filter(({ at }) => at > since).map(lineOf)),
      symptomOf: location && { rules: ['etcd-backup-stale'], objects: [location] },
    }
  }
  if (isLate(usable ?? made))
    return [
      status ?? subject,
      status && 'lastBackup',
      `A restore ${usable === undefined ? 'finds nothing' : `loses ${spanSince(usable, live)} of changes`}: no backup of Velero's schedule ${name} has succeeded since${usable === undefined ? ` it was created ${spanSince(made, live)} ago` : ''}.`,
      options(usable ?? made),
    ]
  if (usable !== undefined && isLate(whole))
    return [
      status ?? subject,
      status && 'lastBackup',
      `A restore lacks what could not be saved: no backup of Velero's schedule ${name} has been complete for ${spanSince(whole, live)}.`,
      { ...options(whole), severity: 'warning' },
    ]
  return undefined
}

function lineOf({ name, phase, errors, reason }: VeleroBackup): string {
  const why = reason?.trim().split('\n')[0]?.slice(0, 140) ?? (errors > 0 ? counted(errors, 'error') : '')
  return `backup ${name}: ${phase}${why && `, ${why}`}`
}

/** Velero asks each location every minute whether it may write there. Source: backupstoragelocation_types.go. */
function faultOfLocation(location: Custom, graph: Graph): Fault | undefined {
  const status = objectAt(location, 'status')
  if (!graph.live || stringAt(status, 'phase') !== 'Unavailable' || !status?.lastValidationTime)
    return undefined
  const schedules = graph
    .siblings('velero.io/Schedule', location)
    .filter((one) => valueAt(one, 'spec', 'paused') !== true && veleroLocation(one, graph) === location)
  if (schedules.length === 0) return undefined
  const names = schedules.map(({ metadata }) => metadata?.name ?? '')
  const why = stringAt(status, 'message')?.trim().split('\n')[0]?.slice(0, 140)
  // A moment without an answer costs nothing while no backup is due.
  const hasCost = schedules.some((one) => veleroBackups(one, graph)[0]?.phase === 'FailedValidation')
  return [
    status,
    'phase',
    `Velero can neither back up nor restore: its storage location ${location.metadata?.name} is unavailable.`,
    {
      severity: hasCost ? 'error' : 'warning',
      evidence: [...(why ? [why] : []), `used by ${firstOf(names.sort())}`],
    },
  ]
}
