/** What guards the pods of a workload: a budget against evictions, a policy against connections. */
import type { NetworkPolicy, PodDisruptionBudget } from '../kubernetes.js'
import { selectsAll } from '../values/selector.js'
import type { Resource } from './resource.js'
import type { Selection } from './selection.js'
import type { Workload } from './workload.js'

/** The workloads whose pods a budget selects. */
export function guardedByBudget(
  { spec }: PodDisruptionBudget,
  near: Resource,
  { selected }: Selection,
): readonly Workload[] {
  // An empty selector matched nothing in policy/v1beta1, and matches everything in policy/v1.
  if (near.apiVersion === 'policy/v1beta1' && selectsAll(spec?.selector)) return []
  return selected(spec?.selector, near)
}

/** The workloads whose pods a policy selects: all of its namespace when it says nothing. */
export function guardedByPolicy(
  { spec }: NetworkPolicy,
  near: Resource,
  { selected }: Selection,
): readonly Workload[] {
  return selected(spec?.podSelector ?? {}, near)
}
