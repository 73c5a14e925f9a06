import { at, type Graph, type Namespace, rule } from '../src/rule.js'

export default rule({
  title: 'Nothing limits the number of pods in a namespace that starts Jobs',
  category: 'resources',
  severity: 'warning',
  why: `A CronJob that goes wrong, or a controller that retries without end, makes pods until something
stops it. Without a quota on their number that is the API server's memory, and then it is an outage of the
whole cluster instead of one namespace.`,
  remedy: 'Add a ResourceQuota with `pods` and `count/jobs.batch`.',
  decides: `A Namespace of the input with CronJobs (or KEDA ScaledJobs) in it (with \`onlyWithJobs\` off:
any workload) and no ResourceQuota without scopes that counts \`pods\`, \`count/pods\` or
\`count/jobs.batch\`. As the Namespace itself is part of the input its quotas are expected there, too; other
namespaces are silent unless the input is complete.

Exempt: kube-system, kube-public, kube-node-lease.`,
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
      about: 'Leave namespaces without CronJobs alone.',
    },
  },
  for: 'Namespace',
  check(namespace, { graph, params, report }) {
    const name = namespace.metadata?.name
    if (!name || name.startsWith('kube-')) return
    const quotas = graph.all('ResourceQuota').filter((quota) => graph.namespaceOf(quota) === name)
    const counts = quotas.some(
      ({ spec }) =>
        !spec?.scopes && !spec?.scopeSelector && params.keys.some((key) => spec?.hard?.[key] !== undefined),
    )
    if (counts || graph.exists('ResourceQuota', name, namespace)) return
    const job = jobIn(name, graph, params.onlyWithJobs)
    if (!job) return
    const [quota] = quotas
    report(
      namespace,
      undefined,
      `Pods of ${graph.describe(job)} can pile up until the API server runs out of memory: ${quota ? 'the quota of this namespace does not count pods' : 'this namespace has no pod quota'}.`,
      {
        see: [at(job, job), quota ? at(quota, quota.spec ?? quota, 'hard') : undefined],
        fix: { title: 'a ResourceQuota with hard: {pods: …, count/jobs.batch: …}', safe: false, edits: [] },
      },
    )
  },
})

/** An object of the namespace that makes pods over and over. */
function jobIn(namespace: string, graph: Graph, onlyJobs: boolean): Namespace | undefined {
  const found = graph.workloads.filter((one) => one.namespace === namespace && !one.controlled)
  return (
    found.find((one) => one.kind === 'CronJob' || one.kind === 'ScaledJob') ??
    (onlyJobs ? undefined : found[0])
  )?.object as Namespace | undefined
}
