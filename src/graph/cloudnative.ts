/**
 * What CloudNativePG says of the instances of a Cluster.
 * Source: cloudnative-pg/api/v1/cluster_types.go (ClusterStatus), base_funcs.go (ListStatusPods).
 */
import type { KubernetesObject } from '../kubernetes.js'
import { arrayAt, numberAt, objectAt, stringAt, valueAt } from '../values/untyped.js'
import { conditionOf, heldFor } from './condition.js'
import type { Live } from './live.js'

/** How the replicas of a Cluster stand. */
export interface Instances {
  /** The pod that serves writes. */
  readonly primary: string
  /** How many replicas there are to be. */
  readonly replicas: number
  /** How many are ready and follow the primary. */
  readonly good: number
  /** How they are, in lines for the evidence of a finding. */
  readonly said: readonly string[]
}

/** Seconds that a Cluster may not be ready for, as at every start of an instance. */
const passing = 120
/** Milliseconds after a promotion until all instances follow the new primary. */
const following = 600_000

/** Undefined while the primary changes, for a Cluster that sleeps or follows another one, and where nothing is said. */
export function instancesOfCluster(cluster: KubernetesObject, live: Live): Instances | undefined {
  const spec = objectAt(cluster, 'spec')
  const status = objectAt(cluster, 'status')
  const count = numberAt(spec, 'instances') ?? 1
  const ready = numberAt(status, 'readyInstances')
  const primary = stringAt(status, 'currentPrimary')
  const isMoving = primary !== stringAt(status, 'targetPrimary')
  const isAsleep = cluster.metadata?.annotations?.['cnpg.io/hibernation'] === 'on'
  if (ready === undefined || isMoving || isAsleep || valueAt(spec, 'replica', 'enabled') === true)
    return undefined
  const unready = conditionOf(cluster, 'Ready')
  if (unready?.status === 'False' && heldFor(unready, live) < passing) return undefined
  const parted = partedFrom(primary, status, live)
  const named = (how: string) =>
    arrayAt(status, 'instancesStatus', how).filter((pod) => typeof pod === 'string' && pod !== primary)
  const good =
    valueAt(status, 'instancesStatus') === undefined
      ? Math.max(0, ready - 1)
      : named('healthy').filter((pod) => !parted.some(([other]) => other === pod)).length
  return {
    primary: primary ?? 'the primary',
    replicas: count - 1,
    good,
    said: [
      `${ready} of ${count} instances ${ready === 1 ? 'is' : 'are'} ready: ${stringAt(status, 'phase') ?? 'no phase'}`,
      ...named('failed').map((pod) => `pod ${pod}: failed`),
      ...named('replicating').map((pod) => `pod ${pod}: not ready`),
      ...parted.map(([pod, timeline]) => `pod ${pod}: ${timeline}`),
    ],
  }
}

/** The instances that have not followed the primary to its timeline, minutes after it was promoted, and how they are. */
function partedFrom(primary: string | undefined, status: object | undefined, live: Live): [string, string][] {
  const promoted = Date.parse(stringAt(status, 'currentPrimaryTimestamp') ?? '')
  const states = objectAt(status, 'instancesReportedState')
  if (primary === undefined || !states || !(live.now - promoted >= following)) return []
  const current = numberAt(states, primary, 'timeLineID') ?? 0
  return Object.keys(states).flatMap((pod): [string, string][] => {
    const timeline = numberAt(states, pod, 'timeLineID') ?? 0
    return timeline > 0 && timeline < current
      ? [[pod, `timeline ${timeline}, the primary ${primary} ${current}`]]
      : []
  })
}
