import {
  at,
  countBy,
  durationPattern,
  type Graph,
  grouped,
  isGone,
  isIdle,
  isKind,
  isNamespaceOf,
  type Live,
  quantity,
  quotaCompute,
  rule,
  schedule,
  seconds,
  stringAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Nothing limits the number of pods in a namespace that starts Jobs',
  category: 'resources',
  severity: 'warning',
  why: `A CronJob that goes wrong, or a controller that retries without end, makes pods until something
stops it. Without a quota on their number that is the API server's memory, and then it is an outage of the
whole cluster instead of one namespace.`,
  remedy: 'Add a ResourceQuota with `pods` and `count/jobs.batch`.',
  decides: `A Namespace of the input with CronJobs (or KEDA ScaledJobs) whose Jobs may run side by side (no
deadline ends each before the next start) and that start at least once in \`startsWithin\` and are not suspended, and no ResourceQuota without scopes that counts \`pods\`, \`count/pods\` or
\`count/jobs.batch\`, or the CPU or memory that its pods request or may use: each pod that has not ended takes a
part of that. With \`onlyWithJobs\` off, an info for any workload. As the Namespace itself is part of the input its
quotas are expected there, too; other namespaces are silent unless the input is complete.

In a cluster an error when it has come so far: most pods of the cluster are of this namespace, and all of them take
more than \`share\` of the pods that the nodes may have. How many there are stands below every finding.

Exempt: namespaces whose names begin with \`kube-\`.`,
  falsePositives:
    'Quotas that another repository or a policy engine creates: name them in `externals`, kind ResourceQuota.',
  versions: '`pods` counts pods that have not ended, `count/pods` all of them.',
  sources: ['Kubernetes documentation, Resource Quotas'],
  stories: ['zalando-cronjob-apiserver', 'algolia-jobs', 'saltside-first-outage', 'civis-large-cluster'],
  params: {
    keys: {
      type: 'array',
      items: { type: 'string' },
      default: ['pods', 'count/pods', 'count/jobs.batch'],
      about: 'Quota entries of which one is enough.',
    },
    onlyWithJobs: {
      type: 'boolean',
      default: true,
      asked: false,
      about: 'Leave namespaces without CronJobs alone.',
    },
    startsWithin: {
      type: 'string',
      pattern: durationPattern,
      default: '1h',
      about: 'CronJobs that start less often make no crowd of pods, and are left alone (a Go duration).',
    },
    share: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.8,
      about: 'The part of the pods that all nodes may have above which there is no room left.',
    },
  },
  for: 'Namespace',
  check(namespace, { graph, params, report }) {
    const name = namespace.metadata?.name
    if (!name || name.startsWith('kube-')) return
    const quotas = graph.allIn('ResourceQuota', name)
    const counts = quotas.some(
      ({ spec }) =>
        !spec?.scopes &&
        !spec?.scopeSelector &&
        [...params.keys, ...quotaCompute].some((key) => spec?.hard?.[key] !== undefined),
    )
    if (counts || graph.exists('ResourceQuota', name, namespace)) return
    const count = graph.live && countIn(name, graph, graph.live.seen)
    const isFull = count && count.own > count.all / 2 && count.all > count.most * params.share
    const makers = makersIn(name, graph, params.onlyWithJobs)
    const most = seconds(params.startsWithin) ?? 0
    const isOwn = ({ object }: Workload) => isNamespaceOf(namespace, object, graph)
    const piling = makers.find((one) => pilesUp(one, most) && isOwn(one))
    const isJob = piling?.kind === 'CronJob' || piling?.kind === 'ScaledJob'
    const maker = (piling ?? makers.find((one) => isFull || isOwn(one)))?.object
    if (!maker) return
    const [quota] = quotas
    const none = quota ? 'the quota of this namespace does not count pods' : 'this namespace has no pod quota'
    report(
      namespace,
      undefined,
      isFull
        ? `Soon no pod starts on any node: ${grouped(count.all)} of ${grouped(count.most)} places for pods are taken, ${grouped(count.own)} of them here, and ${none}.`
        : isJob
          ? `Pods of ${graph.describe(maker)} can pile up until the API server runs out of memory: ${none}.`
          : `A mistake in ${name} can fill all nodes with its pods: ${none}.`,
      {
        severity: isFull ? 'error' : isJob ? 'warning' : 'info',
        recommended: isFull || isJob || !params.onlyWithJobs,
        evidence: count && [
          `${grouped(count.own)} ${count.own === 1 ? 'pod' : 'pods'} now${graph.hasRead('Pod') ? `, of ${grouped(count.all)} in the cluster` : ''}`,
        ],
        see: [at(maker, maker), quota ? at(quota, quota.spec ?? quota, 'hard') : undefined],
        fix: { title: 'a ResourceQuota with hard: {pods: …, count/jobs.batch: …}', safe: false, edits: [] },
      },
    )
  },
})

/** What makes pods over and over in the namespace. */
function makersIn(namespace: string, graph: Graph, onlyJobs: boolean): readonly Workload[] {
  const found = graph.workloadsIn(namespace).filter(({ controlled }) => !controlled)
  const jobs = found.filter(({ kind }) => kind === 'CronJob' || kind === 'ScaledJob')
  return onlyJobs || jobs.some((one) => !runsOneByOne(one)) ? jobs : found
}

/** Whether its pods can become many in a day: those of a CronJob that starts once in a while, or not by itself, do not. */
function pilesUp(one: Workload, interval: number): boolean {
  if (runsOneByOne(one)) return false
  if (!isKind(one.object, 'CronJob')) return true
  const { spec = {} } = one.object
  const starts = schedule(spec.schedule ?? '')
  if (isIdle(spec)) return false
  // A run that ends before the next one starts leaves it no company.
  const deadline = spec.jobTemplate?.spec?.activeDeadlineSeconds
  if (starts && deadline !== undefined && deadline <= starts.interval) return false
  return starts === undefined || starts.interval <= interval
}

/** Whether a CronJob waits for its last Job or ends it: then only those of the history stay. Source: k8s.io/api/batch/v1. */
function runsOneByOne({ kind, object }: Workload): boolean {
  const policy = stringAt(object, 'spec', 'concurrencyPolicy')
  return kind === 'CronJob' && (policy === 'Forbid' || policy === 'Replace')
}

/**
 * The pods that have not ended, of the namespace and of all, and how many the nodes may have
 * (none where no node is known).
 */
function countIn(namespace: string, graph: Graph, live: Live) {
  const counts = graph.once('pods of namespaces', () =>
    countBy(live.pods, (pod) => (isGone(pod) ? undefined : (pod.metadata?.namespace ?? ''))),
  )
  const places = graph.seen('Node').map(({ status }) => quantity(status?.allocatable?.pods) ?? 0)
  const most = places.reduce((sum, one) => sum + one, 0)
  return {
    own: counts.get(namespace) ?? 0,
    all: [...counts.values()].reduce((sum, one) => sum + one, 0),
    most: most > 0 ? most : Number.POSITIVE_INFINITY,
  }
}
