/** How often pods of a workload came and went lately: how often it matters that one ends, or starts, badly. */
import {
  type Event,
  type HorizontalPodAutoscaler,
  type KubernetesObject,
  madeAt,
  type ReplicaSet,
} from '../kubernetes.js'
import { counted, firstOf, times } from '../values/enumerate.js'
import { formatSpan } from '../values/quantity.js'
import { evictionsOf } from './eviction.js'
import type { Graph } from './graph.js'
import { ageOf, countOf, firstTimeOf, type Live, revisionOf, timeOf } from './live.js'
import { isGone } from './pod.js'
import type { Scaling } from './scaling.js'
import type { Workload } from './workload.js'
import { controllerOf } from './workload.js'

/** Days in which rollouts count, and pods that were made after one. */
const days = 7
const recent = days * 86_400_000
/** Milliseconds after which a rollout has made its pods. */
const rolling = 3_600_000

/** What came and went, as far as the cluster still tells. Times are milliseconds since 1970. */
export interface Turnover {
  /** In the last seven days: at least so many, and when the last one began. Of Deployments alone. */
  readonly rollouts: Happening | undefined
  /** Those of the last hour, and those that their events continue. */
  readonly scaleDowns: (Happening & { readonly autoscaler: string; readonly since: number }) | undefined
  /** By kubelets, in the last day. */
  readonly evictions: (Happening & { readonly pods: readonly string[] }) | undefined
  /**
   * Pods that were made in the last seven days, and after the last rollout where that is known: new ones for those
   * that a drain, an eviction or a hand took away, or more of them. Unknown where an autoscaler makes some.
   */
  readonly made: (Happening & { readonly of: number; readonly sinceRollout: boolean }) | undefined
}

interface Happening {
  readonly count: number
  /** When it happened last; undefined where nothing says. */
  readonly last: number | undefined
}

/** A kind of it. */
export type TurnoverPart = keyof Turnover

/** Looks at what is left of rollouts, at the events of the autoscaler and at the ages of pods. */
export function turnover(
  workload: Workload,
  { autoscalerOf, scaledObjectOf }: Pick<Scaling, 'autoscalerOf' | 'scaledObjectOf'>,
  live: Live,
): Turnover {
  const autoscaler = autoscalerOf(workload)
  const isScaled = autoscaler !== undefined || scaledObjectOf(workload) !== undefined
  const sets = live.replicaSetsOf(workload)
  return {
    rollouts: rolloutsIn(sets, workload.object, live),
    scaleDowns: autoscaler && scaleDownsOf(autoscaler, live),
    evictions: evictionsIn(workload, live),
    made: isScaled ? undefined : madeIn(workload, sets, live),
  }
}

/**
 * A line for each kind, those that happen most often first: `rolled out 6 times in the last 7 days, the last 3 h ago`,
 * `autoscaler web removed pods 4 times in the last hour`. None for manifests.
 */
export function formatTurnover(
  workload: Workload,
  { live, turnoverOf }: Pick<Graph, 'live' | 'turnoverOf'>,
  parts: readonly TurnoverPart[],
): string[] {
  const turnover = turnoverOf(workload)
  if (!live || !turnover) return []
  const { now } = live
  const { scaleDowns, rollouts, evictions, made } = turnover
  const last = ({ count, last }: Happening) =>
    last ? `, ${count > 1 ? 'the last ' : ''}${formatSpan((now - last) / 1000)} ago` : ''
  const lines: Record<TurnoverPart, string | undefined> = {
    scaleDowns:
      scaleDowns &&
      `autoscaler ${scaleDowns.autoscaler} removed pods ${times(scaleDowns.count)} in the last ${hours((now - scaleDowns.since) / 3_600_000)}${last(scaleDowns)}`,
    rollouts: rollouts && `rolled out ${times(rollouts.count)} in the last ${days} days${last(rollouts)}`,
    evictions: evictions && `evicted in the last day: ${firstOf(evictions.pods)}${last(evictions)}`,
    made:
      made &&
      `${made.count} of ${counted(made.of, 'pod')} made ${made.sinceRollout ? 'since its last rollout' : `in the last ${days} days`}${last(made)}`,
  }
  return (['scaleDowns', 'rollouts', 'evictions', 'made'] as const).flatMap((part) =>
    parts.includes(part) ? (lines[part] ?? []) : [],
  )
}

/**
 * Each change of the template makes a ReplicaSet, or takes an old one again, and gives it the next revision.
 * Source: kubernetes/pkg/controller/deployment/sync.go.
 */
function rolloutsIn(sets: readonly ReplicaSet[], owner: KubernetesObject, live: Live): Turnover['rollouts'] {
  const [newest] = sets
  const young = sets.filter((set) => live.now - madeAt(set) < recent)
  if (!newest || young.length === 0) return undefined
  const isTakenAgain = !young.includes(newest)
  const before = sets.filter((set) => set !== newest && !young.includes(set)).map(revisionOf)
  const revision = revisionOf(newest)
  const seen = isTakenAgain ? young.length + 1 : young.length
  const isNew = ageOf(owner, live) * 1000 < recent
  // The first one takes nothing away. Old sets are removed, so that no more than this is sure.
  const count = isNew
    ? Math.max(seen, revision) - 1
    : Math.max(seen, before.length > 0 ? revision - Math.max(...before) : 0)
  return count > 0 ? { count, last: isTakenAgain ? undefined : Math.max(...young.map(madeAt)) } : undefined
}

function scaleDownsOf(autoscaler: HorizontalPodAutoscaler, live: Live): Turnover['scaleDowns'] {
  const downs = rescalesOf(autoscaler, live).filter((event) => !isScaleUp(event))
  if (downs.length === 0) return undefined
  return {
    autoscaler: autoscaler.metadata?.name ?? '',
    count: downs.reduce((sum, event) => sum + countOf(event), 0),
    last: Math.max(...downs.map(timeOf)),
    since: Math.min(...downs.map(firstTimeOf)),
  }
}

/** The changes of the last hour, and those that their events continue. Of both directions together some tell nothing. */
export function rescalesOf(autoscaler: HorizontalPodAutoscaler, live: Live): readonly Event[] {
  return live
    .eventsOf(autoscaler)
    .filter(
      (event) =>
        event.reason === 'SuccessfulRescale' &&
        live.now - timeOf(event) < 3_600_000 &&
        !event.message?.startsWith('(combined'),
    )
}

/** Whether the event tells of more pods. Source: kubernetes/pkg/controller/podautoscaler/horizontal.go. */
export function isScaleUp({ message }: Event): boolean {
  return / above target| below Spec\.MinReplicas/.test(message ?? '')
}

function evictionsIn(workload: Workload, live: Live): Turnover['evictions'] {
  const found = (['memory', 'disk'] as const).flatMap((resource) => evictionsOf(workload, live, resource))
  if (found.length === 0) return undefined
  const pods = [...new Set(found.map(({ pod }) => pod))].sort()
  return { count: pods.length, last: Math.max(...found.map(({ time }) => time)), pods }
}

/** Of DaemonSets nothing: a node that comes has a pod that is new. */
function madeIn(workload: Workload, sets: readonly ReplicaSet[], live: Live): Turnover['made'] {
  const [newest] = sets
  const isOld = ageOf(workload.object, live) * 1000 >= recent
  if (workload.kind === 'StatefulSet' ? !isOld : !newest) return undefined
  // An old set that was taken again does not say when.
  if (newest && sets.some((set) => madeAt(set) > madeAt(newest))) return undefined
  const since = Math.max(live.now - recent, newest ? madeAt(newest) + rolling : 0)
  const pods = live.podsOf(workload).filter((pod) => !isGone(pod) && controllerOf(pod))
  const made = pods.map(madeAt).filter((time) => time > since)
  if (made.length === 0) return undefined
  return { count: made.length, last: Math.max(...made), of: pods.length, sinceRollout: newest !== undefined }
}

/** A whole number of hours in which it has happened. */
function hours(count: number): string {
  return count <= 1 ? 'hour' : `${Math.ceil(count)} h`
}
