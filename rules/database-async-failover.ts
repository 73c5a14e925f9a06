import {
  type Agreement,
  ageOf,
  agreementOf,
  atMost,
  counted,
  type Graph,
  imageNamed,
  imageParts,
  instancesOfCluster,
  isWorkload,
  type KubernetesObject,
  type Live,
  laggardsAmong,
  leaderAmong,
  membersIn,
  numberAt,
  objectAt,
  objectsAt,
  type Pod,
  quantity,
  rule,
  valueAt,
  type Workload,
} from '../src/rule.js'

const cloudNative = 'postgresql.cnpg.io/Cluster'
const zalando = 'acid.zalan.do/postgresql'
const crunchy = 'postgres-operator.crunchydata.com/PostgresCluster'

export default rule({
  title: 'A failover of the database may lose committed data',
  category: 'storage',
  severity: 'warning',
  why: `A replica that follows asynchronously is some transactions behind. When the primary is lost, the operator
promotes it: what had been committed and not yet copied is gone, and an old primary that comes back has to be
thrown away. From \`maximum_lag_on_failover\` on (1 MiB by default) Patroni promotes no replica: then the database
stays down. Synchronous replication closes that gap, for slower writes and, where it is strict, writes that wait when
no replica is there.`,
  remedy:
    'Bring back the replicas that do not keep up, and decide what the data can bear: synchronous replication, or a small maximal lag.',
  decides: `In a cluster it reports what a failover would meet now. Of databases that Patroni keeps (with the
operators of Zalando and Crunchy, or a StatefulSet of its own) it reads what each member writes into an annotation
of its pod. Reported are a database without any replica, and a replica that

- is more than \`maxLagBytes\` of the write-ahead log behind the leader;
- follows another timeline;
- has not run for two minutes (\`creating replica\`, \`start failed\`), or whose pod has not been ready for as long.

The members do not write at one instant: a lag counts where the replica wrote after the leader did, or where it has
not moved for a minute while the leader has. Nothing is said while the leader changes, when it has stopped writing,
of replicas that are never promoted (\`nofailover\`) and of clusters that follow one elsewhere. Where commits are to
wait for a replica (\`synchronous_mode\`), only that none is up to date, or that the ConfigMap \`<cluster>-sync\`
names none. Endpoints are not read: what is kept in them is not known.

Of a Cluster of CloudNativePG it reads the status: replicas that are not ready, or that minutes after a promotion
have not followed to the primary's timeline. It does not tell how far they are behind.

Where it is asked for by name or with the preset \`all\`, it also reports what makes that possible, as an info: a
Cluster of CloudNativePG with more than one instance and neither \`postgresql.synchronous\` nor \`minSyncReplicas\`,
or a postgresql of Zalando's operator or a PostgresCluster of Crunchy without \`synchronous_mode\`. Those that set
\`maximum_lag_on_failover\` are exempt: somebody has decided. A StatefulSet of the plain \`postgres\`, \`mysql\` or
\`mariadb\` image with several replicas is then a warning: nobody copies anything, they are independent databases
behind one name.`,
  falsePositives: `A replica that is being made anew, or catches up after maintenance, is reported until it is done: until
then it can't take over. Most owners decide for speed: that is why asynchronous replication alone is reported only where
somebody asks.`,
  sources: [
    'patroni/dcs/kubernetes.py (touch_member), patroni/ha.py (touch_member, is_lagging), patroni/global_config.py',
    'cloudnative-pg/api/v1/cluster_types.go (ClusterStatus), base_funcs.go (ListStatusPods)',
    'CloudNativePG documentation, replication',
    'postgres-operator (Zalando) documentation, cluster manifest reference',
    'PGO documentation, PostgresCluster (patroni.dynamicConfiguration)',
    'k8s.io/apimachinery/pkg/util/managedfields (when a client has changed a field)',
  ],
  stories: ['gravitational-postgres'],
  params: {
    maxLagBytes: {
      type: 'integer',
      minimum: 0,
      default: 1_048_576,
      about:
        'A replica that is further behind is reported; `maximum_lag_on_failover` counts where it is larger.',
    },
  },
  for: [cloudNative, zalando, crunchy, 'Workload'],
  check(subject, { graph, params, report }) {
    if (isWorkload(subject)) {
      const { scale, name, kind, object } = subject
      const pods = graph.fewestPods(subject)?.pods ?? 1
      if (!scale || pods < 2) return
      if (isPlain(subject))
        report(
          scale.node,
          'replicas',
          `Each of the ${pods} pods of ${name} has data of its own: the plain ${imageParts(subject.running[0]?.image ?? '').name} image copies nothing.`,
          { recommended: false },
        )
      else if (graph.live && kind === 'StatefulSet' && !graph.find(zalando, name, object)) {
        const found = ofPatroni(object, graph.live.podsOf(object), {
          name,
          live: graph.live,
          maxLag: params.maxLagBytes,
          agreed: () => agreementOf(scopeOf(subject), graph.namespaceOf(object), graph),
        })
        if (found) report(scale.node, 'replicas', found.message, found)
      }
      return
    }
    const spec = objectAt(subject, 'spec')
    const count = spec && instancesOf(subject.kind, spec)
    if (!spec || count === undefined || count < 2) return
    const field = subject.kind === 'postgresql' ? 'numberOfInstances' : 'instances'
    const found = graph.live && shortfall(subject, spec, params.maxLagBytes, graph, graph.live)
    if (found) report(spec, field, found.message, found)
    else if (!isDecided(subject.kind, spec))
      report(
        spec,
        field,
        `A failover of ${nameOf(subject)} may lose transactions that were committed: its ${count} instances replicate asynchronously.`,
        { severity: 'info', recommended: false },
      )
  },
})

/** What of a database would be lost now with its leader. */
interface Shortfall {
  readonly message: string
  readonly evidence: readonly string[]
}

function shortfall(
  subject: KubernetesObject,
  spec: object,
  maxLag: number,
  graph: Graph,
  live: Live,
): Shortfall | undefined {
  if (subject.kind === 'Cluster') return isDecided('Cluster', spec) ? undefined : ofCloudNative(subject, live)
  const name = nameOf(subject)
  const set = subject.kind === 'postgresql' ? graph.find('StatefulSet', name, subject) : undefined
  const chosen = chosenIn(subject.kind, spec)
  return ofPatroni(subject, live.podsOf(set ?? subject), {
    name,
    live,
    maxLag,
    agreed: () => {
      const agreed = agreementOf(name, graph.namespaceOf(subject), graph)
      return {
        maximumLag: chosen.maximumLag ?? agreed.maximumLag,
        isSynchronous: chosen.isSynchronous || agreed.isSynchronous,
        unsynchronized: agreed.unsynchronized,
      }
    },
  })
}

interface Question {
  readonly name: string
  readonly live: Live
  readonly maxLag: number
  readonly agreed: () => Agreement
}

/** What the pods of a cluster of Patroni say; undefined where all is well, or nobody can tell. */
function ofPatroni(
  subject: KubernetesObject,
  pods: readonly Pod[],
  { name, live, maxLag, agreed }: Question,
): Shortfall | undefined {
  const members = membersIn(pods)
  const leader = leaderAmong(members, live)
  if (!leader || ageOf(subject, live) < settling) return undefined
  const replicas = members.filter((one) => one !== leader && !one.isPassive)
  const { maximumLag = 0, isSynchronous, unsynchronized } = agreed()
  const laggards = laggardsAmong(replicas, leader, Math.max(maxLag, maximumLag), live)
  const at = leader.pod.metadata?.name ?? ''
  // Others are on their way, or were told not to take over.
  if (replicas.length === 0 && pods.some((pod) => pod !== leader.pod)) return undefined
  const standing: Standing = {
    name,
    leader: at,
    replicas: replicas.length,
    unfit: laggards.length,
    wanted: 'up to date',
    evidence: laggards,
  }
  if (laggards.length === replicas.length) return shortfallOf(standing)
  if (unsynchronized !== undefined)
    return {
      message: `Losing ${at} now loses transactions of ${name}: commits wait for no replica, although replication is to be synchronous.`,
      evidence: [`ConfigMap ${unsynchronized}: no sync_standby`, ...atMost(3, laggards)],
    }
  // Commits wait for one of the others.
  if (laggards.length === 0 || isSynchronous) return undefined
  return shortfallOf(standing)
}

/** The official image in a StatefulSet, with nothing that would set up replication. */
function isPlain({ kind, running, containers, pod }: Workload): boolean {
  return (
    kind === 'StatefulSet' &&
    running.some(
      ({ image, spec }) =>
        /^(docker\.io\/)?(library\/)?(postgres|mysql|mariadb)(:|@|$)/.test(image ?? '') &&
        !spec.command &&
        !spec.args,
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
      // Source: postgrescluster_types.go of PGO (PostgresInstanceSetSpec): 1 where none is written.
      return objectsAt(spec, 'instances').reduce((sum, one) => sum + (numberAt(one, 'replicas') ?? 1), 0)
  }
}

function isDecided(kind: string | undefined, spec: object): boolean {
  if (kind === 'Cluster')
    return (
      valueAt(spec, 'postgresql', 'synchronous') !== undefined || (numberAt(spec, 'minSyncReplicas') ?? 0) > 0
    )
  const { isSynchronous, maximumLag } = chosenIn(kind, spec)
  return isSynchronous || maximumLag !== undefined
}

/** What the operator is to tell Patroni. */
function chosenIn(kind: string | undefined, spec: object) {
  const patroni =
    kind === 'postgresql' ? objectAt(spec, 'patroni') : objectAt(spec, 'patroni', 'dynamicConfiguration')
  return {
    isSynchronous: ['true', 'quorum'].includes(String(valueAt(patroni, 'synchronous_mode'))),
    maximumLag: quantity(valueAt(patroni, 'maximum_lag_on_failover')),
  }
}

/** Seconds that a database may take to come up, and to find its members after that. */
const settling = 600

/** How many replicas of a database could take over from its leader. */
interface Standing {
  readonly name: string
  /** The pod of the leader. */
  readonly leader: string
  readonly replicas: number
  /** Those of them that could not. */
  readonly unfit: number
  /** What those are not. */
  readonly wanted: 'ready' | 'up to date'
  readonly evidence: readonly string[]
}

/** That all replicas, or some, could not take over. */
function shortfallOf({ name, leader, replicas, unfit, wanted, evidence }: Standing): Shortfall {
  const fit = replicas - unfit
  return {
    message:
      fit === 0
        ? `Losing ${leader} now stops ${name} or loses transactions that were committed: ${noneOf(replicas, wanted)}.`
        : `${name} has less to fail over to than it seems: ${fit} of its ${counted(replicas, 'replica')} ${fit === 1 ? 'is' : 'are'} ${wanted}.`,
    evidence: atMost(4, evidence),
  }
}

function noneOf(replicas: number, wanted: string): string {
  if (replicas === 0) return 'it has no replica'
  return replicas === 1 ? `its one replica is not ${wanted}` : `none of its ${replicas} replicas is ${wanted}`
}

/** How far they are behind the operator does not tell. */
function ofCloudNative(subject: KubernetesObject, live: Live): Shortfall | undefined {
  const standing = ageOf(subject, live) < settling ? undefined : instancesOfCluster(subject, live)
  if (!standing || standing.good >= standing.replicas) return undefined
  const { primary, replicas, good, said } = standing
  return shortfallOf({
    name: nameOf(subject),
    leader: primary,
    replicas,
    unfit: replicas - good,
    wanted: 'ready',
    evidence: said,
  })
}

function nameOf({ metadata }: KubernetesObject): string {
  return metadata?.name ?? 'this database'
}

/** The name of a cluster of Patroni. Source: patroni/dcs/kubernetes.py (scope_label), docs/ENVIRONMENT.rst (PATRONI_SCOPE). */
function scopeOf({ labels, running, name }: Workload): string {
  const [set] = running.flatMap(({ spec }) => (spec.env ?? []).filter((one) => one.name === 'PATRONI_SCOPE'))
  return set?.value ?? labels['cluster-name'] ?? name
}
