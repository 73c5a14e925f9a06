/** What a LimitRange writes into containers that don't say it themselves. */
import type { LimitRange } from '../kubernetes.js'

type Item = NonNullable<NonNullable<NonNullable<LimitRange['spec']>['limits']>[number]>
type Amounts = NonNullable<Item['default']>

/**
 * The mapping of the item that decides a container's limit or request where the container has none: `max`
 * stands in for an absent `default`, and for an absent `defaultRequest` the default limit, else `min`.
 * Undefined when nothing does.
 * Source: pkg/apis/core/v1/defaults.go (SetDefaults_LimitRangeItem), plugin/pkg/admission/limitranger.
 */
export function defaultsIn(item: Item, of: 'limit' | 'request', resource: string): Amounts | undefined {
  if (item.type !== 'Container') return undefined
  const limits = [item.default, item.max]
  const inOrder = of === 'limit' ? limits : [item.defaultRequest, ...limits, item.min]
  return inOrder.find((amounts) => amounts?.[resource] !== undefined)
}

/** Whether one of the LimitRanges gives every container a limit or request of the resource. */
export function hasDefault(
  ranges: readonly LimitRange[],
  of: 'limit' | 'request',
  resource: string,
): boolean {
  return ranges.some((range) => range.spec?.limits?.some((item) => defaultsIn(item, of, resource)))
}
