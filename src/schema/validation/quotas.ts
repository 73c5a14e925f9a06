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

export const quotas: Checks = {
  'core.LimitRangeItem': [
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
