import {
  type Agreement,
  ageOf,
  agreementOf,
  arrayAt,
  atMost,
  conditionOf,
  counted,
  formatBytes,
  formatSpan,
  type Graph,
  heldFor,
  imageNamed,
  isReady,
  isWorkload,
  type KubernetesObject,
  type Live,
  type Member,
  membersIn,
  numberAt,
  objectAt,
  objectsAt,
  type Pod,
  quantity,
  rule,
  stringAt,
  unreadyFor,
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
stays down. Synchronous replication closes that gap, for slower writes and writes that wait when no replica is
there.`,
  remedy:
    'Bring back the replicas that do not keep up, and decide what the data can bear: synchronous replication, or a small maximal lag.',
  decides: `In a cluster it reports what a failover would meet now. Of databases that Patroni keeps (with the operators of
Zalando and Crunchy, or a StatefulSet of its own) it reads what each member writes into an annotation of its pod:
a replica that is more than \`maxLagBytes\` of the write-ahead log behind the leader, follows another timeline, has not
run for two minutes (\`creating replica\`, \`start failed\`), or whose pod has not been ready for as long; no replica at
all. The members do not write at one instant: a lag counts where the replica wrote after the leader did, or where it has
not moved for a minute while the leader has. Nothing is said while the leader changes, when it has stopped writing, of
replicas that are never promoted (\`nofailover\`) and of clusters that follow one elsewhere. Where commits are to wait
for a replica (\`synchronous_mode\`), only that none is up to date, or that the ConfigMap \`<cluster>-sync\`
names none. Endpoints are not read: what is kept in them is not known.

Of a Cluster of CloudNativePG it reads the status: replicas that are not ready, or that minutes after a promotion have not
followed to the primary's timeline. It does not tell how far they are behind.

Where it is asked for by name or with the preset \`all\`, it also reports what makes that possible, as an info: a
Cluster of CloudNativePG with more than one instance and neither \`postgresql.synchronous\` nor \`minSyncReplicas\`,
a postgresql of Zalando's operator or a PostgresCluster of Crunchy without \`synchronous_mode\`; those that set
\`maximum_lag_on_failover\` are exempt: somebody has decided. And, as a warning, a StatefulSet of the plain
\`postgres\` image with several replicas: nobody copies anything, they are independent databases behind one name.`,
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
          `Each of the ${pods} pods of ${name} has data of its own: the plain postgres image copies nothing.`,
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
  if (subject.kind === 'Cluster')
    return isDecided('Cluster', spec) ? undefined : ofCloudNative(subject, spec, live)
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

/** A replica that could not take over as it should. */
interface Laggard {
  readonly line: string
  /** The worst has the highest. */
  readonly rank: number
}

/** What the pods of a cluster of Patroni say; undefined where all is well, or nobody can tell. */
function ofPatroni(
  subject: KubernetesObject,
  pods: readonly Pod[],
  { name, live, maxLag, agreed }: Question,
): Shortfall | undefined {
  const members = membersIn(pods)
  const leader = leaderOf(members, live)
  if (!leader || ageOf(subject, live) < settling) return undefined
  const replicas = members.filter((one) => one !== leader && !one.isPassive)
  const { maximumLag = 0, isSynchronous, unsynchronized } = agreed()
  const laggards = replicas
    .flatMap((one) => laggardOf(one, leader, Math.max(maxLag, maximumLag), live) ?? [])
    .sort((a, b) => b.rank - a.rank || (a.line < b.line ? -1 : 1))
    .map(({ line }) => line)
  const at = leader.pod.metadata?.name ?? ''
  // Others are on their way, or were told not to take over.
  if (replicas.length === 0 && pods.some((pod) => pod !== leader.pod)) return undefined
  if (laggards.length === replicas.length) return inAll(name, at, replicas.length, 'up to date', laggards)
  if (unsynchronized !== undefined)
    return {
      message: `Losing ${at} now loses transactions of ${name}: commits wait for no replica, although replication is to be synchronous.`,
      evidence: [`ConfigMap ${unsynchronized}: no sync_standby`, ...atMost(3, laggards)],
    }
  // Commits wait for one of the others.
  if (laggards.length === 0 || isSynchronous) return undefined
  return inPart(name, replicas.length, laggards.length, 'up to date', laggards)
}

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
/** Seconds that a state may last which is passed through at every start. */
const passing = 120
/** Milliseconds from which a replica that writes nothing has not moved: it is woken when its leader writes. */
const quiet = 60_000

function inAll(name: string, leader: string, count: number, wanted: string, evidence: readonly string[]) {
  const replicas =
    count === 0
      ? 'it has no replica'
      : count === 1
        ? `its one replica is not ${wanted}`
        : `none of its ${count} replicas is ${wanted}`
  return {
    message: `Losing ${leader} now stops ${name} or loses transactions that were committed: ${replicas}.`,
    evidence: atMost(4, evidence),
  }
}

function inPart(name: string, count: number, bad: number, wanted: string, evidence: readonly string[]) {
  const good = count - bad
  return {
    message: `${name} has less to fail over to than it seems: ${good} of its ${counted(count, 'replica')} ${good === 1 ? 'is' : 'are'} ${wanted}.`,
    evidence: atMost(4, evidence),
  }
}

/** The one that serves writes; undefined while that changes, where several say so, and where the writes come from elsewhere. */
function leaderOf(members: readonly Member[], live: Live): Member | undefined {
  if (members.some(({ role }) => role === 'promoted')) return undefined
  const [leader, ...others] = members.filter(
    ({ role, state, pod }) =>
      (role === 'primary' || role === 'master') && state === 'running' && !isDown(pod, live),
  )
  return others.length === 0 ? leader : undefined
}

function isDown(pod: Pod, live: Live): boolean {
  return !isReady(pod) && unreadyFor(pod, live) >= passing
}

function laggardOf(replica: Member, leader: Member, most: number, live: Live): Laggard | undefined {
  const { pod, state, position, timeline, replication, writtenAt } = replica
  const laggard = (text: string, rank = Number.MAX_SAFE_INTEGER): Laggard => ({
    line: `pod ${pod.metadata?.name}: ${text}`,
    rank,
  })
  if (isDown(pod, live)) return laggard(`not ready for ${formatSpan(unreadyFor(pod, live))}`)
  const seconds = (live.now - writtenAt) / 1000
  if (state !== 'running')
    return seconds >= passing ? laggard(`${state} for ${formatSpan(seconds)}`) : undefined
  // What was written before the leader wrote may have been made good; what was written after it is behind by so much at least.
  const late = leader.writtenAt - writtenAt
  const hasStopped = late > quiet
  if ((late > 0 && !hasStopped) || late < -quiet) return undefined
  const since = hasStopped ? `, unchanged for ${formatSpan(late / 1000)}` : ''
  if (timeline !== undefined && leader.timeline !== undefined && timeline !== leader.timeline)
    return hasStopped
      ? laggard(`timeline ${timeline}, the leader ${leader.pod.metadata?.name} ${leader.timeline}${since}`)
      : undefined
  if (position === undefined || leader.position === undefined) return undefined
  const lag = leader.position - position
  if (lag <= most) return undefined
  const on = timeline === undefined ? '' : `, timeline ${timeline}`
  const how = replication === undefined || replication === 'streaming' ? '' : `, ${replication}`
  return laggard(`${formatBytes(lag)} behind the leader ${leader.pod.metadata?.name}${on}${how}${since}`, lag)
}

/**
 * What the operator says of the instances. How far they are behind it does not tell.
 * Source: cloudnative-pg/api/v1/cluster_types.go (ClusterStatus), base_funcs.go (ListStatusPods).
 */
function ofCloudNative(subject: KubernetesObject, spec: object, live: Live): Shortfall | undefined {
  const status = objectAt(subject, 'status')
  const count = numberAt(spec, 'instances') ?? 1
  const ready = numberAt(status, 'readyInstances')
  const primary = stringAt(status, 'currentPrimary')
  const isMoving = primary !== stringAt(status, 'targetPrimary')
  const isAsleep = subject.metadata?.annotations?.['cnpg.io/hibernation'] === 'on'
  if (ready === undefined || isMoving || isAsleep || valueAt(spec, 'replica', 'enabled') === true)
    return undefined
  const unready = conditionOf(subject, 'Ready')
  const isBrief = unready?.status === 'False' && heldFor(unready, live) < passing
  if (isBrief || ageOf(subject, live) < settling) return undefined
  const parted = partedFrom(primary, status, live)
  const named = (how: string) =>
    arrayAt(status, 'instancesStatus', how).filter((pod) => typeof pod === 'string' && pod !== primary)
  const good =
    valueAt(status, 'instancesStatus') === undefined
      ? Math.max(0, ready - 1)
      : named('healthy').filter((pod) => !parted.some(([other]) => other === pod)).length
  if (good >= count - 1) return undefined
  const evidence = [
    `${ready} of ${count} instances are ready: ${stringAt(status, 'phase') ?? 'no phase'}`,
    ...named('failed').map((pod) => `pod ${pod}: failed`),
    ...named('replicating').map((pod) => `pod ${pod}: not ready`),
    ...parted.map(([pod, timeline]) => `pod ${pod}: ${timeline}`),
  ]
  const name = nameOf(subject)
  return good === 0
    ? inAll(name, primary ?? 'the primary', count - 1, 'ready', evidence)
    : inPart(name, count - 1, count - 1 - good, 'ready', evidence)
}

/** The instances that have not followed the primary to its timeline, minutes after it was promoted, and how they are. */
function partedFrom(primary: string | undefined, status: object | undefined, live: Live): [string, string][] {
  const promoted = Date.parse(stringAt(status, 'currentPrimaryTimestamp') ?? '')
  const states = objectAt(status, 'instancesReportedState')
  if (primary === undefined || !states || !(live.now - promoted >= settling * 1000)) return []
  const current = numberAt(states, primary, 'timeLineID') ?? 0
  return Object.keys(states).flatMap((pod): [string, string][] => {
    const timeline = numberAt(states, pod, 'timeLineID') ?? 0
    return timeline > 0 && timeline < current
      ? [[pod, `timeline ${timeline}, the primary ${primary} ${current}`]]
      : []
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
