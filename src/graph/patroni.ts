/**
 * What Patroni tells of the databases in its pods. With Kubernetes as its store it writes the state of a member into an annotation of
 * its pod, in each of its loops in which something has changed: every ten seconds where the database is in use.
 * Sources: patroni/dcs/kubernetes.py (touch_member, member), patroni/ha.py (touch_member), patroni/postgresql/misc.py.
 */
import type { Pod, Untyped } from '../kubernetes.js'
import type { Graph } from './graph.js'
import { isGone } from './pod.js'
import { isObject, numberAt, objectsAt, stringAt, valueAt } from './untyped.js'

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
