import { formatSeconds, rule, schedule, seconds, set } from '../src/rule.js'

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
  decides: `CronJobs that take etcd snapshots (\`etcdctl snapshot save\`, or etcd-backup in name or image).
An error when it is suspended, or when all volumes of the container are emptyDirs and no command uploads the
file; a warning when it starts less often than \`maxInterval\`. One finding, the gravest. \`scan\` looks at
the last success.`,
  falsePositives: 'The upload may be done by a program that is not recognised here.',
  sources: ['etcd documentation, disaster recovery'],
  stories: ['zalando-etcd-delete', 'athenabot-cronjob'],
  params: {
    maxInterval: {
      type: 'string',
      default: '24h',
      about: 'The longest time between two backups (a Go duration).',
    },
  },
  for: 'CronJob',
  check(cronJob, { graph, params, report }) {
    const workload = graph.workload(cronJob)
    const { spec } = cronJob
    if (!workload || !spec) return
    const words = workload.containers.map(({ spec: one }) =>
      [one.image, ...(one.command ?? []), ...(one.args ?? [])].join(' '),
    )
    if (!backup.test([workload.name, ...words].join('\n'))) return
    if (spec.suspend) {
      report(spec, 'suspend', `There is no backup of etcd: ${workload.name} is suspended.`, {
        fix: set(spec, 'suspend', false),
      })
      return
    }
    const { volumes } = workload.pod
    const kept = volumes?.some(
      (volume) =>
        !volume.emptyDir && !volume.secret && !volume.configMap && !volume.projected && !volume.downwardAPI,
    )
    // A single hostPath is both where certificates come from and where snapshots may go: it gets the benefit of the doubt.
    if (
      !kept &&
      !words.some((text) => upload.test(text)) &&
      workload.containers.length === 1 &&
      words.some((text) => /snapshot\s+save/.test(text))
    ) {
      report(
        workload.pod,
        'volumes',
        `The snapshot is gone with its pod: ${workload.name} writes to no volume that outlives it and uploads nothing.`,
      )
      return
    }
    const interval = schedule(spec.schedule ?? '')?.longestInterval
    if (interval !== undefined && interval > (seconds(params.maxInterval) ?? 0)) {
      report(
        spec,
        'schedule',
        `A restore may lose ${formatSeconds(interval)} of changes: that is the time between two snapshots of ${workload.name}.`,
        { severity: 'warning' },
      )
    }
  },
})
