/** What a LimitRange writes into containers that don't say it themselves. */
import type { ContainerSpec, LimitRange } from '../kubernetes.js'
import { quantity } from '../values/quantity.js'
import { ownValue } from '../values/untyped.js'

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
  return inOrder.find((amounts) => ownValue(amounts, resource) !== undefined)
}

/** Whether one of the LimitRanges gives every container a limit or request of the resource. */
export function hasDefault(
  ranges: readonly LimitRange[],
  of: 'limit' | 'request',
  resource: string,
): boolean {
  return ranges.some((range) => range.spec?.limits?.some((item) => defaultsIn(item, of, resource)))
}

/** An amount of a container as the API server has it in the end: written, or from a LimitRange, whose mapping it is then. */
export interface Given {
  readonly amount: number
  readonly from: { readonly range: LimitRange; readonly amounts: Amounts } | undefined
}

/**
 * The limit or request that a container gets: its own, for a request its own limit, or what the first LimitRange with any gives it.
 * Sources: kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Pod), plugin/pkg/admission/limitranger/admission.go
 * (defaultContainerResourceRequirements, mergeContainerResources).
 */
export function givenTo(
  { resources }: ContainerSpec,
  of: 'limit' | 'request',
  resource: string,
  ranges: readonly LimitRange[],
): Given | undefined {
  const limit = ownValue(resources?.limits, resource)
  const own = quantity(of === 'limit' ? limit : (ownValue(resources?.requests, resource) ?? limit))
  if (own !== undefined) return { amount: own, from: undefined }
  for (const range of ranges) {
    let amounts: Amounts | undefined
    // Of several items the last one counts.
    for (const item of range.spec?.limits ?? []) amounts = defaultsIn(item, of, resource) ?? amounts
    const amount = quantity(ownValue(amounts, resource))
    if (amounts && amount !== undefined) return { amount, from: { range, amounts } }
  }
  return undefined
}
