/**
 * What Patroni tells of the databases in its pods. With Kubernetes as its store it writes the state of a member into an annotation of
 * its pod, in each of its loops in which something has changed: every ten seconds where the database is in use.
 * Sources: patroni/dcs/kubernetes.py (touch_member, member), patroni/ha.py (touch_member), patroni/postgresql/misc.py.
 */
import type { Pod, Untyped } from '../kubernetes.js'
import { formatBytes, formatSpan } from '../values/quantity.js'
import { isObject, numberAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { isGone, isReady, unreadyFor } from './pod.js'

/** The annotation of a pod. */
export const memberAnnotation = 'status'

/** How the API server names Patroni in managedFields: the beginning of its User-Agent. Source: patroni/utils.py (USER_AGENT). */
const patroni = 'Patroni'

/** Characters from which an annotation is none of Patroni's: it writes some hundreds. */
const longest = 16_384

/** A database as its Patroni has described it. */
export interface Member {
  readonly pod: Pod
  /** `primary` (`master` before Patroni 4.0), `standby_leader`, `replica`, `promoted`, `demoted`, `uninitialized`. */
  readonly role: string
  /** `running`, `creating replica`, `starting`, `stopped`, `start failed`, `crashed`… */
  readonly state: string
  /** How far its write-ahead log goes, in bytes; of a replica what it has received or replayed. */
  readonly position: number | undefined
  readonly timeline: number | undefined
  /** `streaming`, `in archive recovery`; undefined for a leader, and where Patroni is older than 3.1. */
  readonly replication: string | undefined
  /** It is never promoted. */
  readonly isPassive: boolean
  /** When it has last described itself otherwise than before, in milliseconds since 1970, by the API server's clock. */
  readonly writtenAt: number
}

/**
 * What is kept of the annotation, as JSON again: no addresses and nothing that is not known. Undefined when it is not Patroni's. Anybody
 * who may write to a pod may have written it.
 */
export function memberText(text: string): string | undefined {
  const found = parsed(text)
  const role = wordAt(found, 'role')
  const state = wordAt(found, 'state')
  if (role === undefined || state === undefined) return undefined
  return JSON.stringify({
    role,
    state,
    xlog_location: countAt(found, 'xlog_location'),
    timeline: countAt(found, 'timeline'),
    replication_state: wordAt(found, 'replication_state'),
    tags: valueAt(found, 'tags', 'nofailover') === true ? { nofailover: true } : undefined,
  })
}

/** The entries of managedFields that say when Patroni has written to the object. */
export function writesOfPatroni(metadata: unknown): readonly Untyped[] {
  return objectsAt(metadata, 'managedFields')
    .filter(({ manager }) => manager === patroni)
    .map(({ apiVersion, manager, operation, time }) => ({ apiVersion, manager, operation, time }))
}

/** What the members of a cluster have agreed on, as far as it is kept in ConfigMaps; nobody reads the Endpoints of a cluster. */
export interface Agreement {
  /** Bytes behind the leader from which Patroni promotes no replica; undefined where nobody has set it. */
  readonly maximumLag: number | undefined
  /** Commits wait for a replica, as long as there is one. */
  readonly isSynchronous: boolean
  /** The ConfigMap that names no replica that commits wait for, although they are to. */
  readonly unsynchronized: string | undefined
}

/**
 * Source: patroni/dcs/__init__.py (SyncState), patroni/global_config.py.
 * @param scope the name of the cluster
 */
export function agreementOf(scope: string, namespace: string, graph: Graph): Agreement {
  const annotationsOf = (name: string) =>
    graph.seen('ConfigMap').find((one) => one.metadata?.name === name && graph.namespaceOf(one) === namespace)
      ?.metadata?.annotations
  const config = parsed(annotationsOf(`${scope}-config`)?.config ?? '')
  const isSet = (field: string) => /^(true|on|yes|1|quorum)$/i.test(String(valueAt(config, field)))
  const isSynchronous = isSet('synchronous_mode') && valueAt(config, 'standby_cluster') === undefined
  const sync = `${scope}-sync`
  const state = annotationsOf(sync)
  // In strict mode commits wait until there is one.
  const isAlone =
    isSynchronous && !isSet('synchronous_mode_strict') && state !== undefined && !state.sync_standby
  return {
    maximumLag: numberAt(config, 'maximum_lag_on_failover'),
    isSynchronous,
    unsynchronized: isAlone ? sync : undefined,
  }
}

/** The databases in these pods that are not being deleted. */
export function membersIn(pods: readonly Pod[]): readonly Member[] {
  return pods.flatMap((pod) => (isGone(pod) ? [] : (memberIn(pod) ?? [])))
}

function memberIn(pod: Pod): Member | undefined {
  const text = pod.metadata?.annotations?.[memberAnnotation]
  if (typeof text !== 'string') return undefined
  const found = parsed(text)
  const role = wordAt(found, 'role')
  const state = wordAt(found, 'state')
  const times = writesOfPatroni(pod.metadata).map(({ time }) => Date.parse(String(time)) || 0)
  const writtenAt = Math.max(0, ...times)
  if (role === undefined || state === undefined || writtenAt === 0) return undefined
  return {
    pod,
    role,
    state,
    position: countAt(found, 'xlog_location'),
    timeline: countAt(found, 'timeline'),
    replication: wordAt(found, 'replication_state'),
    isPassive: valueAt(found, 'tags', 'nofailover') === true,
    writtenAt,
  }
}

/** Seconds that a state may last which is passed through at every start. */
const passing = 120
/** Milliseconds from which a replica that writes nothing has not moved: it is woken when its leader writes. */
const quiet = 60_000

/** The one that serves writes; undefined while that changes, where several say so, and where the writes come from elsewhere. */
export function leaderAmong(members: readonly Member[], live: Live): Member | undefined {
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

/** What is wrong with replicas that could not take over as they should, a line each, the worst first. */
export function laggardsAmong(
  replicas: readonly Member[],
  leader: Member,
  maxLag: number,
  live: Live,
): readonly string[] {
  return replicas
    .flatMap((one) => laggardOf(one, leader, maxLag, live) ?? [])
    .sort((a, b) => b.rank - a.rank || (a.line < b.line ? -1 : 1))
    .map(({ line }) => line)
}

/** A replica that could not take over as it should. */
interface Laggard {
  readonly line: string
  /** The worst has the highest. */
  readonly rank: number
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

function parsed(text: string): Untyped | undefined {
  if (text.length > longest) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A few words as Patroni writes them; undefined for all that could do harm in a terminal. */
function wordAt(value: unknown, field: string): string | undefined {
  const found = stringAt(value, field)
  return found !== undefined && /^[a-z_ ]{1,60}$/.test(found) ? found : undefined
}

function countAt(value: unknown, field: string): number | undefined {
  const found = numberAt(value, field)
  return found !== undefined && Number.isSafeInteger(found) && found > 0 ? found : undefined
}
