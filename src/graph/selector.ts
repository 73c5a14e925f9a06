/** Label selectors, as k8s.io/apimachinery/pkg/labels and metav1.LabelSelectorAsSelector decide. */
import type { LabelSelector } from '../kubernetes.js'

export type Labels = Readonly<Record<string, string>>

const none: Labels = {}

/** Whether the labels hold every pair. An empty map matches everything; the caller decides what absence means. */
export function matchesLabels(pairs: Labels, labels: Labels | undefined): boolean {
  const have = labels ?? none
  for (const key in pairs) if (!Object.hasOwn(have, key) || have[key] !== pairs[key]) return false
  return true
}

/**
 * Whether a LabelSelector matches. No selector matches nothing, an empty one everything.
 * An unknown operator matches nothing (the API server refuses it).
 */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (!selector) return false
  if (!matchesLabels(selector.matchLabels ?? none, labels)) return false
  const have = labels ?? none
  return (selector.matchExpressions ?? []).every(({ key = '', operator, values = [] }) => {
    const value = Object.hasOwn(have, key) ? have[key] : undefined
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
  })
}

/** Whether the selector is present and has no condition. */
export function selectsAll(selector: LabelSelector | undefined): boolean {
  return (
    selector !== undefined &&
    Object.keys(selector.matchLabels ?? none).length === 0 &&
    (selector.matchExpressions ?? []).length === 0
  )
}

/** A plain label map as a LabelSelector. */
export function selectorOfLabels(labels: Labels): LabelSelector {
  return { matchLabels: labels }
}
