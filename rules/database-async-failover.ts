import {
  imageNamed,
  isWorkload,
  numberAt,
  objectAt,
  rule,
  stringAt,
  valueAt,
  type Workload,
} from '../src/rule.js'

const cloudNative = 'postgresql.cnpg.io/Cluster'
const zalando = 'acid.zalan.do/postgresql'
const crunchy = 'postgres-operator.crunchydata.com/PostgresCluster'

export default rule({
  title: 'A failover of the database may lose committed data',
  category: 'storage',
  severity: 'info',
  recommended: false,
  why: `A replica that follows asynchronously is some transactions behind. When the primary is lost, the operator
promotes it: what had been committed and not yet copied is gone, and an old primary that comes back has to be
thrown away. Synchronous replication closes that gap, for slower writes and writes that wait when no replica is
there.`,
  remedy:
    'Decide which of the two the data can bear, and write it down: synchronous replication, or a small maximal lag.',
  decides: `A CloudNativePG Cluster with more than one instance and neither \`postgresql.synchronous\` nor
\`minSyncReplicas\`, a postgresql of Zalando's operator without \`patroni.synchronous_mode\`, a PostgresCluster
of Crunchy without \`synchronous_mode\`. A warning for a StatefulSet of the plain \`postgres\` image with several
replicas: no operator copies anything, they are independent databases behind one name.

In a cluster a warning for a Cluster of CloudNativePG whose replicas are not all ready: what a failover would
promote is behind already, or alone.

Exempt: clusters that set \`maximum_lag_on_failover\`: somebody has decided.`,
  falsePositives: 'Most owners decide for speed: this is a reminder, off unless asked for.',
  sources: [
    'CloudNativePG documentation, replication',
    'postgres-operator (Zalando) documentation, cluster manifest reference',
    'PGO documentation, PostgresCluster (patroni.dynamicConfiguration)',
  ],
  stories: ['gravitational-postgres'],
  for: [cloudNative, zalando, crunchy, 'Workload'],
  check(subject, { graph, report }) {
    if (isWorkload(subject)) {
      const pods = graph.fewestPods(subject)?.pods ?? 1
      if (subject.scale && pods > 1 && isPlain(subject))
        report(
          subject.scale.node,
          'replicas',
          `Each of the ${pods} pods of ${subject.name} has data of its own: the plain postgres image copies nothing.`,
          { severity: 'warning' },
        )
      return
    }
    const spec = objectAt(subject, 'spec')
    const count = spec && instancesOf(subject.kind, spec)
    if (!spec || count === undefined || count < 2 || isDecided(subject.kind, spec)) return
    const ready = subject.kind === 'Cluster' ? numberAt(subject, 'status', 'readyInstances') : undefined
    const lacks = ready !== undefined && ready < count
    report(
      spec,
      subject.kind === 'Cluster'
        ? 'instances'
        : subject.kind === 'postgresql'
          ? 'numberOfInstances'
          : 'instances',
      `A failover of ${subject.metadata?.name ?? 'this database'} may lose transactions that were committed: its ${count} instances replicate asynchronously.`,
      {
        severity: lacks ? 'warning' : 'info',
        evidence: lacks
          ? [
              `${ready} of ${count} instances are ready: ${stringAt(subject, 'status', 'phase') ?? 'no phase'}`,
            ]
          : undefined,
      },
    )
  },
})

/** The official image in a StatefulSet, with nothing that would set up replication. */
function isPlain({ kind, running, containers, pod }: Workload): boolean {
  return (
    kind === 'StatefulSet' &&
    running.some(
      ({ image, spec }) =>
        /^(docker\.io\/)?(library\/)?postgres(:|@|$)/.test(image ?? '') && !spec.command && !spec.args,
    ) &&
    containers.length === 1 &&
    // Scripts or a configuration of their own.
    !(pod.volumes ?? []).some(({ configMap }) => configMap) &&
    !running.some(({ image }) => imageNamed(image, ['patroni', 'repmgr', 'stolon']))
  )
}

function instancesOf(kind: string | undefined, spec: object): number | undefined {
  switch (kind) {
    case 'Cluster':
      return numberAt(spec, 'instances')
    case 'postgresql':
      return numberAt(spec, 'numberOfInstances')
    default:
      return numberAt(spec, 'instances', 0, 'replicas')
  }
}

function isDecided(kind: string | undefined, spec: object): boolean {
  switch (kind) {
    case 'Cluster':
      return (
        valueAt(spec, 'postgresql', 'synchronous') !== undefined ||
        (numberAt(spec, 'minSyncReplicas') ?? 0) > 0
      )
    case 'postgresql':
      return (
        valueAt(spec, 'patroni', 'synchronous_mode') === true ||
        valueAt(spec, 'patroni', 'maximum_lag_on_failover') !== undefined
      )
    default: {
      const patroni = objectAt(spec, 'patroni', 'dynamicConfiguration')
      const mode = valueAt(patroni, 'synchronous_mode')
      return (
        mode === true ||
        stringAt(patroni, 'synchronous_mode') === 'true' ||
        valueAt(patroni, 'maximum_lag_on_failover') !== undefined
      )
    }
  }
}
