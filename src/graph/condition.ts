/** What controllers say of an object in `status.conditions`, in the form that all of Kubernetes shares. */
import type { KubernetesObject, Untyped } from '../kubernetes.js'
import type { Live } from './live.js'
import { numberAt, stringAt } from './untyped.js'

/** A condition that does not hold. */
export interface Unmet {
  readonly status: string
  readonly reason: string
  readonly message: string
}

/** Milliseconds that a controller may take. */
const patience = 300_000

/**
 * A condition of that type which has not held for five minutes, and is about the object as it is now. Undefined also when
 * no such condition is written. The default of an API, from 1970, counts from the object's creation.
 * Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (Condition).
 * @param conditions `status.conditions` of the object, or of a part of it
 */
export function unmet(
  of: KubernetesObject,
  conditions: readonly Untyped[],
  type: string,
  live: Live,
): Unmet | undefined {
  const { generation, creationTimestamp } = of.metadata ?? {}
  const found = conditions.find((one) => one.type === type)
  const status = stringAt(found, 'status')
  if (!found || !status || status === 'True') return undefined
  const observed = numberAt(found, 'observedGeneration')
  if (observed !== undefined && generation !== undefined && observed < generation) return undefined
  const since = Math.max(
    Date.parse(creationTimestamp ?? '') || 0,
    Date.parse(stringAt(found, 'lastTransitionTime') ?? '') || 0,
  )
  if (live.now - since < patience) return undefined
  const reason = stringAt(found, 'reason') ?? `${type} is ${status}`
  return { status, reason, message: stringAt(found, 'message') || reason }
}
