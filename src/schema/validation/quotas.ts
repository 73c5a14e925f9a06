/** LimitRanges and ResourceQuotas. */
import { quantity } from '../../values/quantity.js'
import { ownValue } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { type Checks, on } from './say.js'

type Amounts = Readonly<Record<string, string>>

interface LimitRangeItem {
  readonly type?: string
  readonly min?: Amounts
  readonly defaultRequest?: Amounts
  readonly default?: Amounts
  readonly max?: Amounts
  readonly maxLimitRequestRatio?: Amounts
}

/** Of two of them for the same resource, the first may not be larger: ValidateLimitRange. */
const ascending = ['min', 'defaultRequest', 'default', 'max'] as const

const limited = ['Container', 'PersistentVolumeClaim', 'Pod']
// pkg/apis/core/helper: standardResources, standardQuotaResources, standardContainerResources, integerResources.
const counted =
  /^(pods|resourcequotas|services|replicationcontrollers|secrets|configmaps|persistentvolumeclaims|services\.(nodeports|loadbalancers))$/
const computed =
  /^(requests\.|limits\.)?(cpu|memory|ephemeral-storage)$|^(requests\.)?(hugepages-.*|storage)$/
const ofContainers = /^(cpu|memory|ephemeral-storage|hugepages-.*)$/

function isKnown(resource: string, type: string | undefined): boolean {
  if (resource.includes('/') || isPlaceholder(resource)) return true
  if (type === 'Pod' || type === 'Container') return ofContainers.test(resource)
  return counted.test(resource) || computed.test(resource)
}

interface Quota {
  readonly hard?: Amounts
  readonly scopes?: readonly string[]
  readonly scopeSelector?: {
    readonly matchExpressions?: readonly {
      readonly scopeName?: string
      readonly operator?: string
      readonly values?: readonly string[]
    }[]
  }
}

// pkg/apis/core/helper: IsResourceQuotaScopeValidForResource.
const ofPods = /^(?:pods|(?:requests\.|limits\.)?(?:cpu|memory))$/
const ofScope: ReadonlyMap<string, RegExp> = new Map([
  ['BestEffort', /^pods$/],
  ['CrossNamespacePodAffinity', ofPods],
  ['NotBestEffort', ofPods],
  ['NotTerminating', ofPods],
  ['PriorityClass', ofPods],
  ['Terminating', ofPods],
])

const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const

/** What a quota for some of the pods counts. Source: validateResourceQuotaScopes, validateScopedResourceSelectorRequirement. */
const scoped = on<Quota>(({ hard = {}, scopes = [], scopeSelector }, say) => {
  const expressions = scopeSelector?.matchExpressions ?? []
  const named = expressions.flatMap(({ scopeName }) => scopeName ?? [])
  for (const scope of new Set([...scopes, ...named])) {
    const counts = ofScope.get(scope)
    for (const resource in counts ? hard : {})
      if ((counted.test(resource) || computed.test(resource)) && !counts?.test(resource))
        say.conflict(['hard', resource], `cannot be counted in the scope ${scope}`)
  }
  for (const [one, other] of opposites)
    if (scopes.includes(one) && scopes.includes(other))
      say.conflict(['scopes', scopes.indexOf(other)], `is ${other}, and cannot stand beside ${one}`)
    else if (named.includes(one) && named.includes(other))
      say.conflict(
        ['scopeSelector', 'matchExpressions', named.indexOf(other), 'scopeName'],
        `is ${other}, and cannot stand beside ${one}`,
      )
  for (const [i, { scopeName = '', operator, values = [] }] of expressions.entries()) {
    const path = ['scopeSelector', 'matchExpressions', i]
    if (
      ofScope.has(scopeName) &&
      scopeName !== 'PriorityClass' &&
      operator !== 'Exists' &&
      !isPlaceholder(operator)
    )
      say.conflict([...path, 'operator'], `has to be Exists, and scopeName is ${scopeName}`)
    else if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
      say.lacks([...path, 'values'], `and operator is ${operator}`)
    else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
      say.conflict([...path, 'values'], `cannot stand beside operator ${operator}`)
  }
})

/** What a LimitRange says of one type of object and not of others. */
const typed = on<LimitRangeItem>((item, say) => {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = item
  if (type === 'Pod')
    for (const field of ['default', 'defaultRequest'] as const)
      if (Object.keys(item[field] ?? {}).length > 0) say.conflict([field], 'cannot stand beside type Pod')
  if (type === 'PersistentVolumeClaim' && min.storage === undefined && max.storage === undefined)
    say.lacks(['max', 'storage'], 'as is min, and type is PersistentVolumeClaim')
  for (const [resource, ratio] of Object.entries(maxLimitRequestRatio)) {
    const value = quantity(ratio)
    const [least, most] = [quantity(ownValue(min, resource)), quantity(ownValue(max, resource))]
    const path = ['maxLimitRequestRatio', resource]
    if (value === undefined) continue
    if (value < 1) say.conflict(path, `is ${ratio}, and has to be at least 1`)
    else if (least && most !== undefined && value > most / least)
      say.conflict(path, `is ${ratio}, more than max divided by min, ${most / least}`)
  }
})

export const quotas: Checks = {
  'core.LimitRangeItem': [
    typed,
    on<LimitRangeItem>((item, say) => {
      const { type } = item
      if (type && !limited.includes(type) && !type.includes('/') && !isPlaceholder(type))
        say.conflict(['type'], `is ${type}, and has to be Container, Pod or PersistentVolumeClaim`)
      for (const field of [...ascending, 'maxLimitRequestRatio'] as const)
        for (const resource of Object.keys(item[field] ?? {}))
          if (!isKnown(resource, type)) say.conflict([field, resource], 'is no resource')
      for (const [i, high] of ascending.entries())
        for (const [resource, amount] of Object.entries(item[high] ?? {})) {
          const low = ascending.slice(0, i).find((one) => isLarger(ownValue(item[one], resource), amount))
          if (low)
            say.conflict([low, resource], `is ${ownValue(item[low], resource)}, more than ${high}, ${amount}`)
        }
    }),
  ],
  'core.ResourceQuotaSpec': [
    scoped,
    on<{ readonly hard?: Amounts }>(({ hard }, say) => {
      for (const [resource, amount] of Object.entries(hard ?? {})) {
        const value = quantity(amount)
        if (!isKnown(resource, undefined) || resource === 'storage')
          say.conflict(['hard', resource], 'is nothing that a quota counts')
        else if (value !== undefined && value < 0)
          say.conflict(['hard', resource], `is ${amount}, and has to be at least 0`)
        else if (value !== undefined && counted.test(resource) && !Number.isInteger(value))
          say.conflict(['hard', resource], `is ${amount}, and has to be a whole number`)
      }
    }),
  ],
}

function isLarger(low: string | undefined, high: string): boolean {
  const [a, b] = [quantity(low), quantity(high)]
  return a !== undefined && b !== undefined && a > b
}
