/** How often pods came and went, below the findings of rules that ask for it. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { activeRule, allRules, root, runOf } from './harness.js'
import { lintLive } from './live.js'

await allRules()

async function oftenOf(id: string, name: string) {
  const file = `fixtures/${id}/${name}.yaml`
  const { findings } = await lintLive(join(root, file), [activeRule(id)], runOf(file))
  return findings.map(({ often }) => often)
}

describe('pods that came and went lately', () => {
  it.each([
    [
      'after revisions of which one is still there from before',
      'live-rolled-out',
      [
        'rolled out 6 times in the last 7 days, the last 3 h ago',
        '1 of 3 pods made since its last rollout, 50 min ago',
      ],
    ],
    [
      'by an autoscaler, in which nothing tells why pods are new',
      'live-autoscaled',
      ['autoscaler web-scaler removed pods 4 times in the last 3 h, the last 20 min ago'],
    ],
    [
      'by evictions',
      'live-evicted',
      ['evicted in the last day: web-1-old, 3 h ago', '1 of 2 pods made since its last rollout, 2 h ago'],
    ],
    [
      'of a StatefulSet, whose rollouts nothing tells',
      'live-statefulset',
      ['2 of 3 pods made in the last 7 days, the last 30 min ago'],
    ],
    ['not, with the first rollout', 'live-first-rollout', undefined],
    [
      'with a template from before, at a time that nothing tells',
      'live-rolled-back',
      ['rolled out 2 times in the last 7 days'],
    ],
    ['not', 'live-quiet', undefined],
  ])('%s', async (_, name, lines) => {
    expect(await oftenOf('drain-delay-missing', name)).toEqual([lines])
  })
})
