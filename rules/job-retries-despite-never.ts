import {
  advise,
  atMost,
  type CronJob,
  hasDefault,
  type Job,
  jobSpecOf,
  type Live,
  memoryKillsOf,
  type Pod,
  rule,
  spanSince,
} from '../src/rule.js'

/** The API server's default. Source: kubernetes/pkg/apis/batch/v1/defaults.go. */
const defaultRetries = 6

export default rule({
  title: 'A Job that is never to restart is retried, on other nodes, too',
  category: 'batch',
  severity: 'info',
  why: `\`restartPolicy: Never\` is about containers: the kubelet does not start them again. The Job controller
makes a new pod instead, ${defaultRetries} times unless \`backoffLimit\` says otherwise, on any node that has
room. Work that takes the memory of a node takes it from one node after the other; work that must not be done
twice is.`,
  remedy:
    'Write `backoffLimit` (0 for work that must not be repeated), and limit the memory of the containers.',
  decides: `A Job or CronJob with \`restartPolicy: Never\`, without \`backoffLimit\`, \`backoffLimitPerIndex\` and
\`podFailurePolicy\`, and with a container that has no memory limit.

In a cluster pods of one Job that were killed for memory, or evicted, on two nodes or more: an error without
a limit, which is the memory of the nodes, and a warning with one.`,
  versions:
    '`podFailurePolicy` is stable from 1.31 on. From 1.35 on a container may have a `restartPolicy` of its own, which the kubelet then follows (ContainerRestartRules).',
  sources: ['kubernetes/pkg/apis/batch/v1/defaults.go', 'kubernetes/pkg/controller/job/job_controller.go'],
  stories: ['universe-job-restart', 'algolia-jobs'],
  for: ['Job', 'CronJob'],
  check(subject, { graph, report }) {
    const workload = graph.workload(subject)
    const job = jobSpecOf(subject)
    if (!workload || !job || workload.controlled || workload.pod.restartPolicy !== 'Never') return
    const bare = workload.containers.find(
      ({ spec }) => spec.resources?.limits?.memory === undefined && !workload.pod.resources?.limits?.memory,
    )
    const { live } = graph
    const killed = live ? killedOnNodes(subject, live) : []
    const nodes = new Set(killed.map(({ pod }) => pod.spec?.nodeName)).size
    if (live && nodes > 1 && job.backoffLimit !== 0) {
      report(
        job,
        'backoffLimit',
        `${workload.name} was killed for its memory on ${nodes} nodes, one after the other: each failed pod is made anew.`,
        {
          severity: bare ? 'error' : 'warning',
          evidence: atMost(
            3,
            killed.map(
              ({ pod, why, at }) =>
                `pod ${pod.metadata?.name ?? ''} on node ${pod.spec?.nodeName ?? ''}: ${why}${at > 0 ? ` ${spanSince(at, live)} ago` : ''}`,
            ),
          ),
          fix: advise('backoffLimit: 0, and a memory limit'),
        },
      )
      return
    }
    const bounded =
      job.backoffLimit !== undefined || job.backoffLimitPerIndex !== undefined || job.podFailurePolicy
    if (
      !bare ||
      bounded ||
      job.suspend ||
      hasDefault(graph.siblings('LimitRange', subject), 'limit', 'memory')
    )
      return
    report(
      job,
      'backoffLimit',
      `A failing run of ${workload.name} is made anew up to ${defaultRetries} times, on any node that fits, and nothing limits its memory.`,
      { fix: advise('backoffLimit: 0 for work that must not be repeated') },
    )
  },
})

/** The pods of a Job with most of them on different nodes that were killed for memory, the latest first. */
function killedOnNodes(subject: CronJob | Job, live: Live) {
  const killed = (pod: Pod) => {
    const [kill] = memoryKillsOf(pod)
    if (kill) return [{ pod, why: 'OOMKilled', at: kill.at }]
    const evicted = pod.status?.reason === 'Evicted' && /memory/.test(pod.status.message ?? '')
    return evicted ? [{ pod, why: 'evicted for memory', at: 0 }] : []
  }
  const [most = []] = live
    .jobsOf(subject)
    .map((job) =>
      live
        .podsOf(job)
        .filter(({ spec }) => spec?.nodeName !== undefined)
        .flatMap(killed),
    )
    .sort((a, b) => b.length - a.length)
  return most.sort((a, b) => b.at - a.at)
}
