/** What nearly matches is found in long lists, too, where few of them are looked at. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearlyMatching } from '../src/graph/nearly.js'
import type { Workload } from '../src/graph/workload.js'
import { asksForOwner, pairsOf, slipIn } from '../src/values/selector.js'
import { nearestName } from '../src/values/similar.js'
import { ownValue, stringAt } from '../src/values/untyped.js'
import './seed.js'

const word = fc.constantFrom(
  'web',
  'webb',
  'Web',
  'shop',
  'shpo',
  'cart',
  'carts',
  'billing',
  'biling',
  'web-1',
  'web-2',
  'api',
)
const labels = fc.dictionary(fc.constantFrom('app', 'tier', 'name', 'apps'), word, { maxKeys: 3 })
const workload = fc
  .record({ labels, own: labels, name: word, serviceName: word })
  .map(
    ({ labels, own, name, serviceName }) =>
      ({ labels, object: { metadata: { name, labels: own }, spec: { serviceName } } }) as unknown as Workload,
  )

describe('of a long list of workloads', () => {
  it('all are found that a selector may mean, in their order', () => {
    const check = (
      workloads: readonly Workload[],
      wanted: Readonly<Record<string, string>>,
      name: string,
    ) => {
      const selector = { matchLabels: wanted }
      const pairs = pairsOf(selector)
      const found = nearlyMatching(workloads, pairs, name)
      expect(found).toEqual(workloads.filter((one) => found.includes(one)))
      const isMeant = (one: Workload) => {
        const wrong = pairs.filter(([key, value]) => ownValue(one.labels, key) !== value)
        const [[key, value] = ['', '']] = wrong
        const own = ownValue(one.labels, key)
        return (
          slipIn(selector, one.labels) !== undefined ||
          asksForOwner(selector, one.labels, one.object.metadata?.labels) ||
          one.object.metadata?.name === name ||
          stringAt(one.object, 'spec', 'serviceName') === name ||
          (wrong.length === 1 && own !== undefined && nearestName(value, [own]) !== undefined) ||
          (pairs.length === 1 && Object.values(one.labels).includes(value))
        )
      }
      expect(workloads.filter((one) => isMeant(one) && !found.includes(one))).toEqual([])
    }
    const list = fc.array(workload, { minLength: 65, maxLength: 90 })
    const wanted = labels.filter((one) => Object.keys(one).length > 0)
    fc.assert(fc.property(list, wanted, word, check), { numRuns: 200 })
  })
  it('few others are', () => {
    const many = Array.from({ length: 400 }, (_, i) => ({
      labels: { app: `app-${i}`, part: 'shop' },
      object: { metadata: { name: `app-${i}` } },
    })) as unknown as readonly Workload[]
    expect(nearlyMatching(many, Object.entries({ app: 'none-7', part: 'shop' }))).toEqual([])
    expect(nearlyMatching(many, Object.entries({ app: 'apq-7', part: 'shop' })).length).toBeLessThan(60)
  })
})
