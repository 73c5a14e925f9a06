/** What a graph tells about what was asked of it, and how findings that rest on unread kinds are left out. */
import { describe, expect, it } from 'vitest'
import { liveDocument } from '../src/cluster/live.js'
import { buildGraph } from '../src/graph/graph.js'
import { liveState } from '../src/graph/live.js'
import { watched } from '../src/graph/watched.js'
import type { KindName, KubernetesObject } from '../src/kubernetes.js'

const options = { complete: true, externals: [], workloadKinds: [], kustomizations: [] }
const empty = buildGraph([], options)
const without = (...kinds: KindName[]) =>
  watched(empty, { unreadKinds: new Set(kinds), partialKinds: new Set(), namespace: undefined })

/** A graph of one object of a cluster. */
function graphOf(value: KubernetesObject & { readonly kind: KindName }) {
  const document = liveDocument({ ...value })
  const { apiVersion = '', kind, metadata } = value
  const { name = '', namespace = '' } = metadata ?? {}
  return buildGraph(
    [
      {
        value,
        document,
        path: [],
        kindName: kind,
        apiVersion,
        kind,
        name,
        namespace,
        folders: [],
        problems: [],
      },
    ],
    options,
  )
}

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

  it('decides nothing about a Service whose slices it has not read', () => {
    const live = liveState([], { now: 0 })
    const gaps = {
      unreadKinds: new Set<KindName>(['EndpointSlice']),
      partialKinds: new Set<KindName>(),
      namespace: undefined,
    }
    const { graph, asked } = watched(buildGraph([], { ...options, live: () => live }), gaps)
    expect(graph.live?.slicesOf({ kind: 'Service' })).toBeUndefined()
    expect(asked()).toEqual(['EndpointSlice'])
  })

  it('does not note pods that are evidence only', () => {
    const live = buildGraph([], { ...options, live: () => liveState([], { now: 0 }) })
    const gaps = {
      unreadKinds: new Set<KindName>(['Pod']),
      partialKinds: new Set<KindName>(),
      namespace: undefined,
    }
    const { graph, asked } = watched(live, gaps)
    expect(graph.live?.seen.pods).toEqual([])
    expect(asked()).toEqual([])
    expect(graph.live?.pods).toEqual([])
    expect(asked()).toEqual(['Pod'])
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

  it('notes of a single namespace what is asked of all of them, or of another', () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
    } as const
    const { graph, asked } = watched(graphOf(service), {
      unreadKinds: new Set(['Node']),
      partialKinds: new Set(['Service', 'Deployment']),
      namespace: 'shop',
    })
    graph.all('Service')
    expect(asked()).toEqual(['Service'])
    graph.find('Service', 'web', service, 'other')
    expect(asked()).toEqual(['Service'])
    expect(graph.workloads).toEqual([])
    expect(asked()).toEqual(['Deployment'])
    graph.find('Service', 'web', service)
    graph.find('Service', 'web', service, 'shop')
    graph.siblings('Service', service)
    graph.nearby(service)
    graph.backendsOf(service)
    expect(graph.exists('Service', 'none', service)).toBe(false)
    expect(asked()).toEqual([])
    graph.find('Node', 'n1', service, '')
    expect(asked()).toEqual(['Node'])
  })

  it('takes objects of unread kinds to exist', () => {
    const { graph, asked } = without('Secret')
    expect(graph.exists('Secret', 'a', {})).toBe(true)
    expect(graph.isFilledElsewhere('Secret', 'a')).toBe(true)
    expect(asked()).toEqual([])
  })
})
