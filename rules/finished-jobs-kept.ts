import {
  advise,
  type CronJob,
  conditionOf,
  controllerOf,
  enumerate,
  type Fault,
  formatSeconds,
  type Graph,
  grouped,
  hasEnded,
  heldFor,
  isKind,
  type Job,
  type Live,
  type ObjectOf,
  rule,
  set,
} from '../src/rule.js'

/** How long something has to be over before it counts, in seconds. */
const rest = 3600

export default rule({
  title: 'Finished Jobs and their pods are kept',
  category: 'batch',
  severity: 'info',
  why: `A finished Job stays, with its pods, until somebody deletes it; only a CronJob cleans up after itself, and
\`ttlSecondsAfterFinished\` does for others. Each pod is an object that the API server holds in memory and sends
to all that list pods, counts in a quota of objects, and keeps its directories on the node. The garbage
collector of pods starts at 12,500.`,
  remedy: 'Set `ttlSecondsAfterFinished` on Jobs, a day for instance, and small history limits on CronJobs.',
  decides: `A CronJob that keeps more than \`maxHistory\` runs, successful or failed; with \`bareJobs\` also a Job
of its own without \`ttlSecondsAfterFinished\`.

A warning in a cluster for a namespace with more than \`maxJobs\` Jobs that ended more than an hour ago and have
no such time, or with more than \`maxPods\` pods that have ended.

Exempt: Jobs with \`managedBy\`, and hooks that Helm or Argo CD delete.`,
  sources: [
    'kubernetes/pkg/apis/batch/v1/defaults.go',
    'kubernetes/pkg/controller/podgc/config/v1alpha1/defaults.go',
    'kubernetes/pkg/controller/ttlafterfinished/ttlafterfinished_controller.go',
  ],
  stories: ['algolia-jobs', 'zalando-cronjob-apiserver', 'github-network-stalls'],
  params: {
    maxHistory: { type: 'integer', minimum: 1, default: 10, about: 'Runs that a CronJob may keep.' },
    bareJobs: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Look at Jobs that no CronJob makes, too.',
    },
    maxJobs: { type: 'integer', minimum: 1, default: 100, about: 'Finished Jobs of a namespace.' },
    maxPods: { type: 'integer', minimum: 1, default: 500, about: 'Pods of a namespace that have ended.' },
  },
  for: ['CronJob', 'Job', 'Namespace'],
  check(subject, { graph, params, report }) {
    const fault = isKind(subject, 'Namespace')
      ? manyEnded(subject, params, graph)
      : isKind(subject, 'CronJob')
        ? longHistory(subject, params.maxHistory)
        : params.bareJobs
          ? keptForEver(subject)
          : undefined
    if (fault) report(...fault)
  },
})

/** That a namespace of a cluster is full of what has ended. */
function manyEnded(
  namespace: ObjectOf<'Namespace'>,
  { maxJobs, maxPods }: { readonly maxJobs: number; readonly maxPods: number },
  graph: Graph,
): Fault | undefined {
  const { live } = graph
  if (!live) return undefined
  const name = namespace.metadata?.name ?? ''
  const jobs = graph.allIn('Job', name).filter((job) => isKept(job, live)).length
  const pods = live.podsIn(name).filter(hasEnded).length
  if (jobs <= maxJobs && pods <= maxPods) return undefined
  const what = [
    ...(jobs > 0 ? [`${grouped(jobs)} finished ${jobs === 1 ? 'Job' : 'Jobs'}`] : []),
    ...(pods > 0 ? [`${grouped(pods)} ${pods === 1 ? 'pod that has' : 'pods that have'} ended`] : []),
  ]
  return [
    namespace,
    undefined,
    `Nothing cleans up in namespace ${name}: it keeps ${enumerate(what, 'and')}.`,
    {
      severity: 'warning',
      fix: advise(
        jobs > 0
          ? 'ttlSecondsAfterFinished on what makes these Jobs'
          : `look why they ended, then kubectl delete pods -n ${name} --field-selector=status.phase=Failed`,
      ),
    },
  ]
}

/** That a CronJob keeps many runs. */
function longHistory({ metadata, spec }: CronJob, most: number): Fault | undefined {
  const fields = ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const
  const field = fields.find((one) => (spec?.[one] ?? 0) > most)
  if (!spec || !field) return undefined
  return [
    spec,
    field,
    `${spec[field]} runs of ${metadata?.name ?? ''} are kept, each with its Job and its pods.`,
    { fix: set(spec, field, 3) },
  ]
}

/** That nothing deletes a Job that somebody has made by hand. */
function keptForEver(job: Job): Fault | undefined {
  const { metadata, spec } = job
  if (!spec || controllerOf(job) || isHook(job)) return undefined
  if (spec.ttlSecondsAfterFinished !== undefined || spec.managedBy !== undefined) return undefined
  const day = 86400
  return [
    spec,
    'ttlSecondsAfterFinished',
    `${metadata?.name ?? metadata?.generateName ?? 'The Job'} and its pods stay after its end until somebody deletes them.`,
    {
      fix: set(
        spec,
        'ttlSecondsAfterFinished',
        day,
        `ttlSecondsAfterFinished: ${day} (${formatSeconds(day)})`,
      ),
    },
  ]
}

/** Whether Helm or Argo CD delete it. */
function isHook({ metadata }: Job): boolean {
  return ['helm.sh/hook', 'argocd.argoproj.io/hook', 'argocd.argoproj.io/hook-delete-policy'].some(
    (name) => metadata?.annotations?.[name] !== undefined,
  )
}

/** Whether a Job is over for an hour, and kept for ever. */
function isKept(job: Job, live: Live): boolean {
  if (job.spec?.ttlSecondsAfterFinished !== undefined) return false
  const end = ['Complete', 'Failed']
    .map((type) => conditionOf(job, type))
    .find((one) => one?.status === 'True')
  return heldFor(end, live) > rest
}
