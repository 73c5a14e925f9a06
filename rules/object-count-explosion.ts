import {
  flagOf,
  type Graph,
  grouped,
  imageNamed,
  isKind,
  isWorkload,
  type Live,
  rule,
  seconds,
  set,
} from '../src/rule.js'

export default rule({
  title: 'Objects of one kind can pile up in etcd',
  category: 'control-plane',
  severity: 'warning',
  why: `Every object costs memory in etcd and in each cache that lists it. Kinds that grow with every
deployment or every request make lists slow, then time out, and with them namespace deletion, controllers
and the API server's own start.`,
  remedy: 'Keep few revisions, keep events for hours, and put a quota on kinds that users or traffic create.',
  decides: `A Deployment, StatefulSet or DaemonSet that keeps more than \`maxRevisions\` old revisions
(default 10); a kube-apiserver whose \`--event-ttl\` is above \`maxEventTtl\` (default 1h). \`scan\` counts
what it reads: a kind with more than \`maxObjects\` objects is a warning, with five times as many an error, at
the Namespace with most of them. Secrets and ConfigMaps count half, Events a fifth; pods, nodes, endpoints and
Leases grow with the cluster and are not counted.`,
  sources: [
    'k8s.io/api/apps/v1/types.go (RevisionHistoryLimit)',
    'kube-apiserver documentation (--event-ttl)',
  ],
  stories: [
    'fullstaq-dex-crs',
    'swade-sso-authrequests',
    'algolia-jobs',
    'zalando-cronjob-apiserver',
    'target-cascading',
  ],
  params: {
    maxRevisions: {
      type: 'integer',
      minimum: 0,
      default: 20,
      about: 'Old revisions of a workload that are fine to keep.',
    },
    maxObjects: {
      type: 'integer',
      minimum: 1,
      default: 10_000,
      about: 'Objects of one kind that a cluster may hold.',
    },
    maxEventTtl: {
      type: 'string',
      default: '24h',
      about: 'The longest time that events may be kept (a Go duration).',
    },
  },
  for: ['Deployment', 'StatefulSet', 'DaemonSet', 'Workload', 'Namespace'],
  check(subject, { graph, params, report }) {
    if (isWorkload(subject)) {
      for (const container of subject.running) {
        if (!imageNamed(container.image, ['kube-apiserver'])) continue
        const ttl = flagOf(container, 'event-ttl')
        if ((seconds(ttl) ?? 0) > (seconds(params.maxEventTtl) ?? 0))
          report(
            container.spec,
            container.spec.command ? 'command' : 'args',
            `Events pile up in etcd until lists time out: they are kept for ${ttl} (default 1h).`,
          )
      }
      return
    }
    if (isKind(subject, 'Namespace')) {
      const { live } = graph
      if (!live) return
      for (const { kind, count, share, most, names } of graph.once(
        'object-count-explosion: object-counts',
        () => tallies(graph, live),
      )) {
        if (most !== subject.metadata?.name || count * share <= params.maxObjects) continue
        report(
          subject,
          'metadata',
          `Lists of ${kind} become slow, then time out, and with them controllers: the cluster has ${grouped(count)} of them.`,
          {
            severity: count * share > 5 * params.maxObjects ? 'error' : 'warning',
            evidence: names.slice(0, 3),
          },
        )
      }
      return
    }
    const { spec } = subject
    const kept = spec?.revisionHistoryLimit
    if (!spec || kept === undefined || kept <= params.maxRevisions) return
    const what = subject.kind === 'Deployment' ? 'ReplicaSets' : 'ControllerRevisions'
    report(
      spec,
      'revisionHistoryLimit',
      `Up to ${kept} old ${what} of ${subject.metadata?.name ?? 'this workload'} stay in etcd and in every controller's cache (default 10).`,
      { fix: set(spec, 'revisionHistoryLimit', 10) },
    )
  },
})

/** Kinds that grow with nodes and pods. */
const proportional = new Set(['Pod', 'Node', 'Lease', 'Endpoints', 'EndpointSlice', 'Namespace'])
/** What an object costs against others: small ones, and those that end by themselves. */
const shares: Readonly<Record<string, number>> = { Secret: 0.5, ConfigMap: 0.5, Event: 0.2 }

interface Tally {
  readonly kind: string
  readonly count: number
  readonly share: number
  /** The namespace with most of them. */
  readonly most: string
  /** The namespaces with most of them, with their numbers. */
  readonly names: readonly string[]
}

/** How many objects of each kind were read, and where most of them are. */
function tallies(graph: Graph, live: Live): readonly Tally[] {
  const counts = new Map<string, Map<string, number>>()
  const add = (kind: string, namespace: string, count = 1) => {
    const own = counts.get(kind) ?? new Map<string, number>()
    if (own.size === 0) counts.set(kind, own)
    own.set(namespace, (own.get(namespace) ?? 0) + count)
  }
  for (const one of graph.objects) {
    const { kind = '', metadata } = one
    if (proportional.has(kind)) continue
    const namespace = metadata?.namespace ?? ''
    add(kind, namespace)
    if (kind === 'CronJob') add('Job', namespace, live.jobsOf(one).length)
    if (kind === 'Deployment') add('ReplicaSet', namespace, live.replicaSetsOf(one).length)
  }
  for (const { involvedObject } of live.events) add('Event', involvedObject?.namespace ?? '')
  return [...counts].map(([kind, own]) => {
    const sorted = [...own].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    return {
      kind: `${kind}s`,
      count: sorted.reduce((sum, [, count]) => sum + count, 0),
      share: shares[kind] ?? 1,
      most: sorted.find(([namespace]) => namespace !== '' && namespace !== 'kube-system')?.[0] ?? '',
      names: sorted.map(([namespace, count]) => `${grouped(count)} in ${namespace || 'no namespace'}`),
    }
  })
}
