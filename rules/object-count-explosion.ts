import {
  atMost,
  type DaemonSet,
  type Deployment,
  durationPattern,
  type Fault,
  flagOf,
  type Graph,
  grouped,
  groupOf,
  imageNamed,
  isKind,
  isWorkload,
  type KubernetesObject,
  type Live,
  mostFirst,
  numberAt,
  objectAt,
  rule,
  type StatefulSet,
  seconds,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Objects of one kind can pile up in etcd',
  category: 'control-plane',
  severity: 'warning',
  why: `Every object costs memory in etcd and in each cache that lists it. Kinds that grow with every
deployment or every request make lists slow, then time out, and with them namespace deletion, controllers
and the API server's own start.`,
  remedy:
    'Keep few revisions (of Helm, too: `--history-max`), keep events for hours, and put a quota on kinds that users or traffic create.',
  decides: `A Deployment, StatefulSet, DaemonSet or Rollout that keeps more than \`maxRevisions\` old revisions
(default 10); a kube-apiserver whose \`--event-ttl\` is above \`maxEventTtl\` (default 1h). \`scan\` counts what it
reads, and takes the API server's own count of the rest: a kind with more than \`maxObjects\` objects is a warning,
with five times as many an error, at its CustomResourceDefinition or at the Namespace with most of them. Secrets and
ConfigMaps count half, Events a fifth; pods, nodes, endpoints, Leases, and custom kinds with no more than two
objects for each pod grow with the cluster and are not counted. A release of Helm with more than
\`maxHelmRevisions\` revisions, each an object of up to 1 MiB, is an info at its Namespace. What Dex keeps is left
to \`session-state-in-apiserver\`.`,
  sources: [
    'k8s.io/api/apps/v1/types.go (RevisionHistoryLimit)',
    'kube-apiserver documentation (--event-ttl)',
    'helm/pkg/storage/storage.go (makeKey), helm/pkg/cli/environment.go (defaultMaxHistory)',
    'k8s.io/apiserver/pkg/storage/etcd3/metrics/metrics.go (apiserver_resource_objects)',
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
    maxHelmRevisions: {
      type: 'integer',
      minimum: 0,
      default: 50,
      about: 'Revisions of one Helm release that may be kept (Helm itself keeps 10).',
    },
    maxEventTtl: {
      type: 'string',
      pattern: durationPattern,
      default: '24h',
      about: 'The longest time that events may be kept (a Go duration).',
    },
  },
  for: ['Deployment', 'StatefulSet', 'DaemonSet', 'Workload', 'Namespace', 'CustomResourceDefinition'],
  reads: [
    'Event',
    'acme.cert-manager.io/Order',
    'cert-manager.io/CertificateRequest',
    'kyverno.io/UpdateRequest',
    'reports.kyverno.io/EphemeralReport',
    'wgpolicyk8s.io/PolicyReport',
  ],
  check(subject, { graph, params, report }) {
    const faults = isWorkload(subject)
      ? [
          ...ofServers(subject, seconds(params.maxEventTtl) ?? 0),
          ...ofCustomRevisions(subject, params.maxRevisions),
        ]
      : isKind(subject, 'CustomResourceDefinition')
        ? ofCounts(subject, graph, params.maxObjects)
        : isKind(subject, 'Namespace')
          ? [
              ...ofCounts(subject, graph, params.maxObjects),
              ...ofReleases(subject, graph, params.maxHelmRevisions),
            ]
          : ofRevisions(subject, params.maxRevisions)
    for (const fault of faults) report(...fault)
  },
})

/** API servers that keep events for long. */
function ofServers({ running }: Workload, maxEventTtl: number): readonly Fault[] {
  return running
    .filter(({ image }) => imageNamed(image, ['kube-apiserver']))
    .flatMap((container): Fault[] => {
      const ttl = flagOf(container, 'event-ttl')
      if ((seconds(ttl) ?? 0) <= maxEventTtl) return []
      const message = `Events pile up in etcd until lists time out: they are kept for ${ttl} (default 1h).`
      return [[container.spec, container.spec.command ? 'command' : 'args', message]]
    })
}

/** Kinds with too many objects that are reported at a definition or namespace. */
function ofCounts(subject: KubernetesObject, graph: Graph, maxObjects: number): readonly Fault[] {
  const { live } = graph
  if (!live) return []
  const all = graph.once('object-count-explosion: object-counts', () => tallies(graph, live))
  return all
    .filter((tally) => isAt(subject, tally) && tally.count * tally.share > maxObjects)
    .filter(
      ({ definition, count }) =>
        // Reports and addresses of pods, one or two for each.
        definition === undefined || count > 2 * live.pods.length,
    )
    .map(({ kind, count, share, names }) => [
      subject,
      'metadata',
      `Lists of ${kind} become slow, then time out, and with them controllers: the cluster has ${grouped(count)} of them.`,
      {
        severity: count * share > 5 * maxObjects ? 'error' : 'warning',
        evidence: names.slice(0, 3),
      },
    ])
}

/** Releases of Helm with too many revisions in a namespace, one finding. */
function ofReleases(namespace: KubernetesObject, graph: Graph, maxRevisions: number): readonly Fault[] {
  const [worst, ...others] = helmReleases(graph, maxRevisions).get(namespace.metadata?.name ?? '') ?? []
  if (!worst) return []
  const lines = others.map(({ release, revisions }) => `${grouped(revisions)} of release ${release}`)
  return [
    [
      namespace,
      'metadata',
      `Helm fills etcd with ${grouped(worst.revisions)} revisions of release ${worst.release}, each with its whole chart: it keeps 10 unless it's told otherwise.`,
      { severity: 'info', evidence: atMost(3, lines) },
    ],
  ]
}

/** Workloads that keep many revisions of their own. */
function ofRevisions(
  { kind, metadata, spec }: Deployment | StatefulSet | DaemonSet,
  maxRevisions: number,
): readonly Fault[] {
  const kept = spec?.revisionHistoryLimit
  if (!spec || kept === undefined || kept <= maxRevisions) return []
  const what = kind === 'Deployment' ? 'ReplicaSets' : 'ControllerRevisions'
  return [
    [spec, 'revisionHistoryLimit', ...tooManyRevisions(kept, what, metadata?.name ?? 'this workload', spec)],
  ]
}

/** The same of workloads that a controller of somebody else rolls out, such as Argo Rollouts: of ReplicaSets. */
function ofCustomRevisions({ object, kind, name }: Workload, maxRevisions: number): readonly Fault[] {
  const spec = objectAt(object, 'spec')
  const kept = numberAt(spec, 'revisionHistoryLimit')
  if (kind !== 'Rollout' || !spec || kept === undefined || kept <= maxRevisions) return []
  return [[spec, 'revisionHistoryLimit', ...tooManyRevisions(kept, 'ReplicaSets', name, spec)]]
}

function tooManyRevisions(kept: number, what: string, name: string, spec: object) {
  return [
    `Up to ${kept} old ${what} of ${name} stay in etcd and in every controller's cache (default 10).`,
    { fix: set(spec, 'revisionHistoryLimit', 10) },
  ] as const
}

/** Kinds that grow with nodes and pods. */
const proportional = new Set(['Pod', 'Node', 'Lease', 'Endpoints', 'EndpointSlice', 'Namespace'])
/** What an object costs against others: small ones, and those that end by themselves. */
const shares: ReadonlyMap<string, number> = new Map([
  ['Secret', 0.5],
  ['ConfigMap', 0.5],
  ['Event', 0.2],
])

interface Release {
  readonly release: string
  readonly revisions: number
}

/** The releases of Helm with more revisions than that, by namespace, those with most first. */
function helmReleases(graph: Graph, most: number): ReadonlyMap<string, readonly Release[]> {
  return graph.once(`object-count-explosion: helm ${most}`, () => {
    const found = new Map<string, Map<string, number>>()
    // Where Secrets may not be listed nothing follows from that.
    for (const { metadata } of [...graph.seen('Secret'), ...graph.seen('ConfigMap')]) {
      const release = /^sh\.helm\.release\.v1\.(.+)\.v\d+$/.exec(metadata?.name ?? '')?.[1]
      if (release === undefined) continue
      const { namespace = '' } = metadata ?? {}
      const own = found.get(namespace) ?? new Map<string, number>()
      found.set(namespace, own.set(release, (own.get(release) ?? 0) + 1))
    }
    return new Map(
      [...found].map(([namespace, releases]) => [
        namespace,
        [...releases]
          .map(([release, revisions]) => ({ release, revisions }))
          .filter(({ revisions }) => revisions > most)
          .sort((a, b) => b.revisions - a.revisions || (a.release < b.release ? -1 : 1)),
      ]),
    )
  })
}

interface Tally {
  /** Its name, if it is a custom kind. */
  readonly definition: string | undefined
  /** In the plural. */
  readonly kind: string
  readonly count: number
  readonly share: number
  /** The namespace with most of them. */
  readonly most: string
  /** The namespaces with most of them, with their numbers; none when not all were read. */
  readonly names: readonly string[]
}

/** Whether the objects are reported at a subject. */
function isAt(subject: KubernetesObject, { definition, most }: Tally): boolean {
  const name = subject.metadata?.name
  return isKind(subject, 'CustomResourceDefinition')
    ? definition !== undefined && definition === name
    : definition === undefined && most === name
}

/** How many objects there are of each kind, and where most of them are. */
function tallies(graph: Graph, live: Live): readonly Tally[] {
  const counts = new Map<string, Map<string, number>>()
  /** The names of definitions, by kind and group. */
  const definitions = new Map(
    graph
      .seen('CustomResourceDefinition')
      .filter(({ spec }) => spec?.group !== 'dex.coreos.com')
      .map(({ metadata, spec }) => [`${spec?.names?.kind}.${spec?.group}`, metadata?.name ?? '']),
  )
  for (const name of definitions.values()) counts.set(name, new Map())
  const add = (kind: string, namespace: string, count = 1) => {
    const own = counts.get(kind) ?? new Map<string, number>()
    if (own.size === 0) counts.set(kind, own)
    own.set(namespace, (own.get(namespace) ?? 0) + count)
  }
  for (const one of graph.objects) {
    const { apiVersion = '', kind = '', metadata } = one
    if (proportional.has(kind)) continue
    const namespace = metadata?.namespace ?? ''
    add(definitions.get(`${kind}.${groupOf(apiVersion)}`) ?? kind, namespace)
    if (kind === 'CronJob') add('Job', namespace, live.jobsOf(one).length)
    if (kind === 'Deployment') add('ReplicaSet', namespace, live.replicaSetsOf(one).length)
  }
  for (const { involvedObject } of live.events) add('Event', involvedObject?.namespace ?? '')
  const custom = new Set(definitions.values())
  return [...counts].map(([kind, own]) => {
    const isCustom = custom.has(kind)
    const read = [...own.values()].reduce((sum, count) => sum + count, 0)
    const count = live.countOf(kind === 'Event' ? 'events' : kind) ?? read
    const sorted = mostFirst(own)
    return {
      definition: isCustom ? kind : undefined,
      kind: isCustom ? kind : `${kind}s`,
      count,
      share: shares.get(kind) ?? 1,
      most: sorted.find(([namespace]) => namespace !== '' && namespace !== 'kube-system')?.[0] ?? '',
      // Where the others are is not known.
      names: (count > read ? [] : sorted).map(
        ([namespace, count]) => `${grouped(count)} in ${namespace || 'no namespace'}`,
      ),
    }
  })
}
