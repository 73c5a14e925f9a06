/** What controllers say of an object in `status.conditions`, in the form that all of Kubernetes shares. */
import { type KubernetesObject, madeAt, type Untyped } from '../kubernetes.js'
import { isObject } from '../values/untyped.js'
import type { Live } from './live.js'

/** An object of any kind, custom ones included. */
interface Conditioned extends KubernetesObject {
  readonly status?: unknown
}

/** A condition. Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (Condition). */
export interface Condition {
  /** `True`, `False` or `Unknown`. */
  readonly status?: string | undefined
  /** One word for machines: `MinimumReplicasUnavailable`. */
  readonly reason?: string | undefined
  readonly message?: string | undefined
  /** When the status became what it is, as RFC 3339 has it. Older APIs do not say. */
  readonly lastTransitionTime?: string | undefined
  /** The generation of the object that the controller had seen. Older APIs do not say. */
  readonly observedGeneration?: number | undefined
}

/** A condition that does not hold. */
export interface Unmet {
  readonly status: string
  readonly reason: string
  readonly message: string
}

/** All conditions of an object, as they are written. */
export function conditionsOf({ status }: Conditioned): readonly unknown[] {
  return isObject(status) && Array.isArray(status.conditions) ? status.conditions : []
}

/** The condition of that type; undefined when nobody has written it. */
export function conditionOf(of: Conditioned, type: string): Condition | undefined {
  return conditionIn(conditionsOf(of), type)
}

/** The same among the conditions of a part of an object: of a Gateway's listener, of a route's parent. */
export function conditionIn(conditions: readonly unknown[], type: string): Condition | undefined {
  const found = find(conditions, type)
  if (!found) return undefined
  const { status, reason, message, lastTransitionTime, observedGeneration } = found
  return {
    status: textOf(status),
    reason: textOf(reason),
    message: textOf(message),
    lastTransitionTime: textOf(lastTransitionTime),
    observedGeneration: typeof observedGeneration === 'number' ? observedGeneration : undefined,
  }
}

/** Whether the object has the condition and its status is True. */
export function holds(of: Conditioned, type: string): boolean {
  return find(conditionsOf(of), type)?.status === 'True'
}

function find(conditions: readonly unknown[], type: string): Untyped | undefined {
  for (const one of conditions) if (isObject(one) && one.type === type) return one
  return undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** When the condition became what it is, in milliseconds since 1970; 0 where nothing says. */
export function changedAt(condition: Condition | undefined): number {
  return Date.parse(condition?.lastTransitionTime ?? '') || 0
}

/** The seconds that the condition has been what it is; 0 where nothing says. */
export function heldFor(condition: Condition | undefined, { now }: Pick<Live, 'now'>): number {
  return (now - (changedAt(condition) || now)) / 1000
}

/**
 * Where a report on a condition points: the list and the index in it; the object itself where it has no such condition.
 */
export function placeOfCondition(of: Conditioned, type: string): readonly [object, number | undefined] {
  const conditions = conditionsOf(of)
  const index = conditions.findIndex((one) => isObject(one) && one.type === type)
  return index < 0 ? [of, undefined] : [conditions, index]
}

/** Characters of a condition that are shown. */
const longest = 200

/** A line for evidence, as much as is said: `FailedCreate: pods "web-1" is forbidden: exceeded quota`. */
export function formatCondition({ reason, message }: Condition): string {
  const text = [reason, message && withoutAddress(message)].filter((part) => part).join(': ')
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** What the API server says of a webhook that it could not call, without the address: the network's error stands at the end. */
export function withoutAddress(message: string): string {
  return message
    .replace(/Internal error occurred: (?=failed calling webhook)/, '')
    .replace(/failed to call webhook: \w+ "[^"]*": /, '')
}

/** Seconds that a controller may take. */
const patience = 300

/**
 * A condition of that type which has not held for five minutes (see `waitFor`), and is about the object as it is now. Undefined also
 * when no such condition is written. The default of an API, from 1970, counts from the object's creation.
 * @param conditions those of the object, or of a part of it
 */
export function unmet(
  of: KubernetesObject,
  conditions: readonly unknown[],
  type: string,
  { now, waitFor }: Live,
): Unmet | undefined {
  const { generation } = of.metadata ?? {}
  const found = conditionIn(conditions, type)
  if (!found?.status || found.status === 'True') return undefined
  const { status, observedGeneration } = found
  if (observedGeneration !== undefined && generation !== undefined && observedGeneration < generation)
    return undefined
  const since = Math.max(madeAt(of), changedAt(found))
  if (now - since < waitFor(patience) * 1000) return undefined
  const reason = found.reason ?? `${type} is ${status}`
  return { status, reason, message: found.message || reason }
}
