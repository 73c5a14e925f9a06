import {
  conditionsOf,
  countOf,
  type Event,
  enumerate,
  firstOf,
  formatBytes,
  type Graph,
  type KubernetesObject,
  numberAt,
  ownValue,
  quantity,
  rule,
  timeOf,
  times,
} from '../src/rule.js'

export default rule({
  title: 'A quota refuses pods, or soon will',
  category: 'resources',
  severity: 'error',
  why: `The API server refuses a pod that would exceed a ResourceQuota of its namespace, or that does not say
what the quota counts. The Deployment exists, its autoscaler has raised the number of replicas, and no pod
comes: nothing is Pending, and only events of the ReplicaSet or Job tell. Rollouts need room for their extra
pods, too, so a full quota stops them first.`,
  remedy: 'Raise the quota, or remove what uses it.',
  decides: `An error when pods of the namespace were refused in the last \`minutes\` with this quota's name in the
event, and what makes them still lacks some. Else \`status.used\` against \`status.hard\`: a warning when a quota on
CPU, memory, pods or Jobs is used up, an info from \`percent\` on. Quotas on other things (load balancers, claims)
are often meant to be full, as are those of less than three pieces; they are reported only when pods were refused.`,
  falsePositives: 'Quotas that are made to be full, as for batch queues.',
  sources: [
    'k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go',
    'kubernetes/pkg/quota/v1/evaluator/core/pods.go',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    percent: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 90,
      about: 'Use from which there is an info.',
    },
    minutes: { type: 'integer', minimum: 1, default: 30, about: 'How long a refusal counts.' },
  },
  for: 'ResourceQuota',
  check(quota, { graph, params, report }) {
    const { live } = graph
    const { hard, used } = quota.status ?? {}
    if (!live || !hard) return
    const refused = refusals(quota, graph, live.now - params.minutes * 60_000)
    const [last] = refused
    const full = Object.entries(hard)
      .flatMap(([key, most]) => {
        const limit = quantity(most) ?? 0
        const share = limit > 0 ? (quantity(ownValue(used, key)) ?? 0) / limit : 0
        return isCounted(key, limit)
          ? [{ key, share, text: `${amount(key, ownValue(used, key))} of ${amount(key, most)}` }]
          : []
      })
      .filter(({ share }) => share * 100 >= params.percent)
      .sort((a, b) => b.share - a.share)
    const evidence = full.slice(0, 3).map(({ key, text }) => `${key}: ${text} used`)
    if (last) {
      const unsaid = unsaidIn(last.message ?? '')
      const names = [...new Set(refused.map(nameOf))].sort()
      report(
        quota.spec ?? quota,
        'hard',
        unsaid.length > 0
          ? `Pods of ${firstOf(names)} are refused: this quota demands that they state ${enumerate(unsaid, 'and')}.`
          : `Pods of ${firstOf(names)} are refused: this quota has no room for them.`,
        { evidence: [...refused.slice(0, 1).map(lineOf), ...evidence] },
      )
      return
    }
    const [first] = full
    if (!first) return
    const rest =
      first.share >= 1 ? 'the next pod is refused' : 'the next rollout may be refused its extra pods'
    report(
      quota.spec?.hard ?? quota,
      first.key,
      `${first.share >= 1 ? 'Nothing more fits' : 'Little more fits'} into ${graph.namespaceOf(quota)}: ${first.text} ${first.key} are used, and ${rest}.`,
      { severity: first.share >= 1 ? 'warning' : 'info', evidence: full.length > 1 ? evidence : undefined },
    )
  },
})

/**
 * What a pod must state and does not: `limits.cpu for: app; limits.memory for: app`, or `limits.cpu,limits.memory` of older
 * API servers. Source: kubernetes/pkg/quota/v1/evaluator/core/pods.go (Constraints).
 */
function unsaidIn(message: string): readonly string[] {
  const list = /must specify (.+)/s.exec(message)?.[1] ?? ''
  return list.includes(' for: ')
    ? [...list.matchAll(/([\w./-]+) for: /g)].map(([, resource = '']) => resource)
    : (/^[\w./,-]+/.exec(list)?.[0].split(',') ?? [])
}

/** Whether a quota on it keeps pods out when it is full, and is no mere cap. */
function isCounted(key: string, limit: number): boolean {
  if (/^(count\/)?(pods|jobs\.batch)$/.test(key)) return limit > 2
  return /^((requests|limits)\.)?(cpu|memory|ephemeral-storage)$/.test(key)
}

/** The warnings about pods that this quota kept out since then, the newest first, one for each owner. */
function refusals(quota: object, graph: Graph, since: number): readonly Event[] {
  const namespace = graph.namespaceOf(quota)
  const name = graph.describe(quota).split('/').at(-1) ?? ''
  const events = (graph.live?.events ?? []).filter(
    (event) =>
      (event.reason === 'FailedCreate' || event.reason === 'ReplicaSetCreateError') &&
      event.involvedObject?.namespace === namespace &&
      /(exceeded|failed) quota: /.test(event.message ?? '') &&
      (event.message ?? '').split(/quota: /)[1]?.split(/[,:]/)[0] === name &&
      timeOf(event) >= since &&
      lacksPods(graph.live?.subjectOf(event)),
  )
  return [...new Map([...events].reverse().map((event) => [nameOf(event), event])).values()].reverse()
}

/**
 * Whether what made pods still has fewer than it wants: an event lives on for an hour, the
 * quota may have been raised.
 */
function lacksPods(maker: KubernetesObject | undefined): boolean {
  const count = (...path: readonly string[]) => numberAt(maker, ...path) ?? 0
  switch (maker?.kind) {
    case undefined:
      return false
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'StatefulSet':
      return count('status', 'replicas') < (numberAt(maker, 'spec', 'replicas') ?? 1)
    case 'DaemonSet':
      return count('status', 'currentNumberScheduled') < count('status', 'desiredNumberScheduled')
    case 'Job': {
      const left =
        (numberAt(maker, 'spec', 'completions') ?? Number.POSITIVE_INFINITY) - count('status', 'succeeded')
      const wanted = Math.min(numberAt(maker, 'spec', 'parallelism') ?? 1, left)
      return conditionsOf(maker).length === 0 && count('status', 'active') < wanted
    }
    default:
      return true
  }
}

function nameOf({ involvedObject }: Event): string {
  return `${involvedObject?.kind ?? ''} ${involvedObject?.name ?? ''}`
}

function lineOf(event: Event): string {
  const text = (event.message ?? '').replace(/^.*?is forbidden: /s, '')
  return `${nameOf(event)}, ${times(countOf(event))}: ${text.slice(0, 240)}`
}

function amount(key: string, value: unknown): string {
  const number = quantity(value)
  if (number === undefined) return String(value ?? 0)
  return /memory|storage/.test(key) ? formatBytes(number) : String(Number(number.toFixed(3)))
}
