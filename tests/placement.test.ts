/** Which nodes would take a pod. */
import { describe, expect, it } from 'vitest'
import { isChosen, isFor, taintsAgainst } from '../src/graph/placement.js'
import type { Node, PodSpec } from '../src/kubernetes.js'

const node: Node = {
  metadata: { name: 'n1', labels: { pool: 'general', cores: '8' } },
  spec: {
    taints: [
      { key: 'dedicated', value: 'batch', effect: 'NoSchedule' },
      { key: 'soft', effect: 'PreferNoSchedule' },
      { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
    ],
  },
}
const affinity = (...nodeSelectorTerms: readonly object[]): PodSpec => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
})
const expression = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
})

describe('a node is chosen', () => {
  it.each<[string, PodSpec, boolean]>([
    ['by a pod that asks for nothing', {}, true],
    ['by its labels', { nodeSelector: { pool: 'general' } }, true],
    ['by all of the labels', { nodeSelector: { pool: 'general', disk: 'ssd' } }, false],
    ['by its name', { nodeName: 'n2' }, false],
    ['by one term of several', affinity(expression('pool', 'In', 'gpu'), expression('pool', 'Exists')), true],
    ['by no term', affinity(), false],
    ['by no empty term', affinity({}), false],
    ['by a label that it lacks', affinity(expression('disk', 'NotIn', 'hdd')), true],
    ['by a label that it must lack', affinity(expression('pool', 'DoesNotExist')), false],
    ['by a number', affinity(expression('cores', 'Gt', '4')), true],
    ['by a number that it has', affinity(expression('cores', 'Lt', '8')), false],
    ['by no unknown operator', affinity(expression('pool', 'Like', 'general')), false],
    [
      'by a field',
      affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }),
      true,
    ],
  ])('%s', (_, pod, expected) => {
    expect(isChosen(node, pod)).toBe(expected)
  })
})

describe('taints', () => {
  it.each<[string, NonNullable<PodSpec['tolerations']>, readonly string[]]>([
    ['keep pods away unless they are soft', [], ['dedicated', 'node.kubernetes.io/not-ready']],
    ['are tolerated by value', [{ key: 'dedicated', value: 'batch' }], ['node.kubernetes.io/not-ready']],
    [
      'are not tolerated by another value or effect',
      [
        { key: 'dedicated', value: 'web' },
        { key: 'dedicated', operator: 'Exists', effect: 'NoExecute' },
      ],
      ['dedicated', 'node.kubernetes.io/not-ready'],
    ],
    ['are tolerated by no key at all', [{ operator: 'Exists' }], []],
    ['need Exists for that', [{ value: 'batch' }], ['dedicated', 'node.kubernetes.io/not-ready']],
  ])('%s', (_, tolerations, expected) => {
    expect(taintsAgainst(node, { tolerations }).map(({ key }) => key)).toEqual(expected)
  })

  it('that tell a passing state do not say whom a node is for', () => {
    expect(isFor(node, { tolerations: [{ key: 'dedicated', operator: 'Exists' }] })).toBe(true)
    expect(isFor(node, {})).toBe(false)
  })
})
