/** How rolling updates of Deployments, and of what is modelled on them, replace pods. */
import type { IntOrString } from '../kubernetes.js'
import { intOrPercent } from '../values/quantity.js'
import { stringAt } from '../values/untyped.js'
import type { Workload } from './workload.js'

/** The bounds as they are written. */
interface Bounds {
  readonly maxSurge?: IntOrString | undefined
  readonly maxUnavailable?: IntOrString | undefined
}

/**
 * How many pods more than so many may run during an update, and how many of them may be away: a quarter by default, and where both come
 * to nothing one may be away. Source: kubernetes/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts).
 */
export function rollingBounds(
  bounds: Bounds | undefined,
  pods: number,
): { readonly surge: number; readonly unavailable: number } {
  const surge = intOrPercent(bounds?.maxSurge ?? '25%', pods, 'up') ?? 1
  const unavailable = intOrPercent(bounds?.maxUnavailable ?? '25%', pods, 'down') ?? 0
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

/** How many new pods an update starts before it stops an old one; 0 where it may stop one at once. */
export function surgeBeforeStop(bounds: Bounds | undefined, pods: number): number {
  const { surge, unavailable } = rollingBounds(bounds, pods)
  return unavailable > 0 ? 0 : surge
}

/** Whether all pods are stopped before the first new one is started. */
export function recreates({ object }: Pick<Workload, 'object'>): boolean {
  return stringAt(object, 'spec', 'strategy', 'type') === 'Recreate'
}
