/** How many objects there are of what is not read: asked once, taken from metrics where they tell, and never taken for none. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { RequestError } from '../src/cluster/request.js'
import { scan } from '../src/cluster/scan.js'
import { inputOf, loadSnapshot, type Snapshot, saveSnapshot } from '../src/cluster/snapshot.js'
import { examine } from '../src/engine/lint.js'
import type { KindName } from '../src/kubernetes.js'
import { loadStories } from '../src/registry.js'
import { folderWith } from './folders.js'
import { activeRule, allRules, rulesById, settings } from './harness.js'

beforeAll(async () => void (await allRules()))

const kind: KindName = 'dex.coreos.com/AuthRequest'
const name = 'authrequests.dex.coreos.com'
const list = '/apis/dex.coreos.com/v1/authrequests?limit=1'

const resource = (resource: string, kind: string, scope: string) => ({
  resource,
  responseKind: { kind },
  scope,
  verbs: ['list'],
})
const group = (name: string, ...resources: readonly object[]) => ({
  metadata: { name },
  versions: [{ version: 'v1', resources }],
})
/** What a server answers besides the count: one CustomResourceDefinition. */
const answers: Readonly<Record<string, object>> = {
  '/version': { gitVersion: 'v1.37.0' },
  '/api': { kind: 'APIGroupDiscoveryList', items: [] },
  '/apis': {
    kind: 'APIGroupDiscoveryList',
    items: [
      group(
        'apiextensions.k8s.io',
        resource('customresourcedefinitions', 'CustomResourceDefinition', 'Cluster'),
      ),
      group('dex.coreos.com', resource('authrequests', 'AuthRequest', 'Namespaced')),
    ],
  },
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500': {
    items: [{ metadata: { name, uid: 'crd' }, spec: { group: 'dex.coreos.com' } }],
  },
}

interface Case {
  readonly counted: () => unknown
  readonly metrics?: readonly string[]
  readonly namespace?: string
}

async function counted({ counted, metrics = [], namespace }: Case) {
  const asked: string[] = []
  const found = await scan(
    async (path, accept) => {
      asked.push(path)
      if (!path.includes('authrequests')) return answers[path] ?? { items: [] }
      expect(accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')
      return counted()
    },
    {
      kinds: new Set<KindName>(['CustomResourceDefinition']),
      counted: new Set([kind]),
      namespace,
      chunk: 500,
      concurrency: 4,
      getLines: async (_, onLine) => metrics.forEach(onLine),
    },
  )
  return { ...found, context: 'prod', asked: asked.filter((path) => path.includes('dex')) }
}

function look(snapshot: Snapshot) {
  const { graph, report } = examine(inputOf(snapshot), {
    settings: settings([activeRule('session-state-in-apiserver')]),
    rules: rulesById(),
    stories: loadStories,
  })
  return {
    count: graph.live?.countOf(name),
    findings: report.findings.map(({ severity, subject }) => [severity, subject?.name]),
    notEvaluated: report.summary.notEvaluated,
  }
}

const item = { metadata: { name: 'a', namespace: 'auth' } }
const many = { metadata: { continue: 'on', remainingItemCount: 61_233 }, items: [item] }

describe('a count', () => {
  it('is asked for with one request, and gives the same findings from a snapshot', async () => {
    const { asked, ...snapshot } = await counted({ counted: () => many })
    expect(asked).toEqual([list])
    const file = join(folderWith(), 'prod.gz')
    await saveSnapshot(file, snapshot)
    for (const one of [snapshot, loadSnapshot(file)])
      expect(look(one)).toEqual({ count: 61_234, findings: [['error', name]], notEvaluated: [] })
  })

  it('is that of the items when there are no more, or none', async () => {
    for (const [items, count] of [[[item], 1] as const, [null, 0] as const])
      expect(look(await counted({ counted: () => ({ metadata: {}, items }) })).count).toBe(count)
  })

  it('is not asked for when the metrics tell it', async () => {
    for (const [metrics, count] of [
      [[`apiserver_storage_objects{resource="${name}"} 7`], 7],
      [['apiserver_resource_objects{group="dex.coreos.com",resource="authrequests"} 0'], 0],
    ] as const) {
      const found = await counted({ counted: () => many, metrics })
      expect([found.asked, look(found).count]).toEqual([[], count])
    }
    // The API server could not count.
    const failed = [`apiserver_storage_objects{resource="${name}"} -1`]
    expect((await counted({ counted: () => many, metrics: failed })).asked).toEqual([list])
  })

  it('is that of one namespace where one is read', async () => {
    const { asked } = await counted({ counted: () => many, namespace: 'auth' })
    expect(asked).toEqual(['/apis/dex.coreos.com/v1/namespaces/auth/authrequests?limit=1'])
  })

  it('is not known, and no zero, when nobody tells it', async () => {
    const refused = () => {
      throw new RequestError(403, 'forbidden: no')
    }
    const silent = () => ({ metadata: { continue: 'on' }, items: [item] })
    for (const [answer, reason] of [[refused, 'forbidden'] as const, [silent, 'failed'] as const]) {
      const found = await counted({ counted: answer })
      expect(found.unread).toMatchObject([{ resource: name, reason }])
      const { count, findings, notEvaluated } = look(found)
      expect([count, findings]).toEqual([undefined, []])
      expect(notEvaluated).toEqual([{ rule: 'session-state-in-apiserver', needs: kind }])
    }
  })
})
