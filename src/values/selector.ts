/** Label selectors, as k8s.io/apimachinery/pkg/labels and metav1.LabelSelectorAsSelector decide. */
import type { LabelSelector } from '../kubernetes.js'
import { editDistance, inSeries } from './similar.js'
import { ownValue } from './untyped.js'

/** Labels or annotations, or the pairs that a selector asks for. */
export type Labels = Readonly<Record<string, string>>

const none: Labels = {}

/** Whether the labels hold every pair. An empty map matches everything; the caller decides what absence means. */
export function matchesLabels(pairs: Labels, labels: Labels | undefined): boolean {
  const have = labels ?? none
  for (const key in pairs) if (!Object.hasOwn(have, key) || have[key] !== pairs[key]) return false
  return true
}

/** The pairs of a selector with what is written over them, by key; undefined where that changes nothing. */
export function writtenOver(pairs: Labels, labels: Labels | undefined): Labels | undefined {
  let built: Record<string, string> | undefined
  for (const key in labels) {
    const [own, value] = [ownValue(pairs, key), ownValue(labels, key)]
    if (own === undefined || value === undefined || own === value) continue
    built ??= { ...pairs }
    built[key] = value
  }
  return built
}

/**
 * Whether a LabelSelector matches. No selector matches nothing, an empty one everything.
 * An unknown operator matches nothing (the API server refuses it).
 */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (!selector) return false
  if (!matchesLabels(selector.matchLabels ?? none, labels)) return false
  return (selector.matchExpressions ?? []).every((one) => meets(one, labels ?? none))
}

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number]

/** Whether labels meet one expression of a selector. An unknown operator is met by nothing. */
export function meets({ key = '', operator, values = [] }: Requirement, labels: Labels): boolean {
  const value = ownValue(labels, key)
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return false
  }
}

/** Whether the selector is present and has no condition. */
export function selectsAll(selector: LabelSelector | undefined): boolean {
  return (
    selector !== undefined &&
    Object.keys(selector.matchLabels ?? none).length === 0 &&
    (selector.matchExpressions ?? []).length === 0
  )
}

/**
 * The one pair that keeps a selector from matching the labels and differs by a letter or two: the key, and the value
 * that the labels have. Undefined when more is different, or the values are members of a series.
 */
export function slipIn(
  selector: LabelSelector,
  labels: Labels,
): { readonly key: string; readonly value: string; readonly own: string } | undefined {
  const expressions = selector.matchExpressions ?? []
  const wrong = pairsOf(selector).filter(([key, value]) => ownValue(labels, key) !== value)
  const [[key = '', value = ''] = []] = wrong
  const own = ownValue(labels, key)
  const most = value.length > 4 ? 2 : 1
  return wrong.length === 1 &&
    own !== undefined &&
    expressions.every((one) => pairOf(one).length > 0 || meets(one, labels)) &&
    editDistance(own, value, most) <= most &&
    !inSeries(own, value)
    ? { key, value, own }
    : undefined
}

/**
 * Whether a selector misses pods by labels that were given to the workload instead of its pods: the workload has all that it asks
 * for.
 */
export function asksForOwner(selector: LabelSelector, labels: Labels, owners: Labels | undefined): boolean {
  const pairs = pairsOf(selector)
  const others = (selector.matchExpressions ?? []).filter((one) => pairOf(one).length === 0)
  return (
    pairs.some(([key, value]) => ownValue(labels, key) !== value) &&
    pairs.every(([key, value]) => ownValue(owners, key) === value) &&
    others.every((one) => meets(one, labels))
  )
}

/** The labels that a selector asks for; an expression with one value asks for one. */
export function pairsOf({ matchLabels, matchExpressions = [] }: LabelSelector): readonly Pair[] {
  return [...Object.entries(matchLabels ?? none), ...matchExpressions.flatMap(pairOf)]
}

type Pair = readonly [key: string, value: string]

/** The one pair that an expression asks for: `app in (web)` is `app: web`. */
function pairOf({ key, operator, values = [] }: Requirement): Pair[] {
  const [value, ...others] = values
  return operator === 'In' && key && value !== undefined && others.length === 0 ? [[key, value]] : []
}
