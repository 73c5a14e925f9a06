/** What a graph tells about what was asked of it, and how findings that rest on unread kinds are left out. */
import { describe, expect, it } from 'vitest'
import { buildGraph } from '../src/graph/graph.js'
import { watched } from '../src/graph/watched.js'
import type { KindName } from '../src/kubernetes.js'

const empty = buildGraph([], {
  complete: true,
  namespace: undefined,
  externals: [],
  workloadKinds: [],
  kustomizations: [],
})
const without = (...kinds: KindName[]) => watched(empty, new Set(kinds))

describe('a watched graph', () => {
  it('notes unread kinds only, until they are asked for', () => {
    const { graph, asked } = without('Node', 'ResourceQuota')
    graph.all('Service')
    graph.all('Node')
    graph.all('Node')
    expect(asked()).toEqual(['Node'])
    expect(asked()).toEqual([])
  })

  it('does not note what is evidence only', () => {
    const { graph, asked } = without('Node')
    expect(graph.seen('Node')).toEqual([])
    expect(asked()).toEqual([])
  })

  it('knows what answers about other kinds rest on', () => {
    const { graph, asked } = without('Deployment')
    expect(graph.workloads).toEqual([])
    expect(asked()).toEqual(['Deployment'])
  })

  it('remembers what was asked for what is computed once', () => {
    const { graph, asked } = without('Node')
    const count = () => graph.once('nodes', () => graph.all('Node').length)
    for (let i = 0; i < 2; i++) {
      expect(count()).toBe(0)
      expect(asked()).toEqual(['Node'])
    }
  })

  it('takes objects of unread kinds to exist', () => {
    const { graph, asked } = without('Secret')
    expect(graph.exists('Secret', 'a', {})).toBe(true)
    expect(graph.isFilledElsewhere('Secret', 'a')).toBe(true)
    expect(asked()).toEqual([])
  })
})
