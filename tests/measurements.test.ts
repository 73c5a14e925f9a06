/** What a cluster has measured of itself: read when it is there, and never taken for nothing when it is not. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { scannedKinds } from '../src/cluster/kinds.js'
import { type Get, type GetLines, RequestError } from '../src/cluster/request.js'
import { scan } from '../src/cluster/scan.js'
import { inputOf, loadSnapshot, type Snapshot, saveSnapshot } from '../src/cluster/snapshot.js'
import { examine } from '../src/engine/lint.js'
import type { Pod } from '../src/kubernetes.js'
import { loadStories } from '../src/registry.js'
import { folderWith } from './folders.js'
import { activeRule, allRules, root, rulesById, runOf, settings } from './harness.js'
import { lintLive } from './live.js'

beforeAll(async () => void (await allRules()))

const options = { kinds: scannedKinds([]), namespace: undefined, chunk: 500, concurrency: 4 }
const readAt = Date.parse('2026-11-21T12:00:00Z')
const web = { namespace: 'shop', name: 'web' }

/** What an API server with one pod, one page at a time, answers to a path. */
function answer(path: string, usage: object | undefined): unknown {
  const { pathname } = new URL(path, 'http://localhost')
  const group = (name: string, version: string, kind: string) => ({
    metadata: { name },
    versions: [{ version, resources: [{ resource: 'pods', responseKind: { kind }, verbs: ['list'] }] }],
  })
  if (pathname === '/api') return { kind: 'APIGroupDiscoveryList', items: [group('', 'v1', 'Pod')] }
  if (pathname === '/apis')
    return {
      kind: 'APIGroupDiscoveryList',
      items: usage ? [group('metrics.k8s.io', 'v1beta1', 'PodMetrics')] : [],
    }
  if (pathname === '/version') return { gitVersion: 'v1.37.0' }
  if (pathname === '/apis/metrics.k8s.io/v1beta1/pods') return { metadata: {}, items: [usage] }
  return {
    items: [
      {
        metadata: { ...web, uid: 'web' },
        spec: { nodeName: 'n1', containers: [{ name: 'web', resources: { requests: { memory: '1Gi' } } }] },
        status: { phase: 'Running', startTime: '2026-11-20T12:00:00Z' },
      },
    ],
  }
}

const measured = (containers: unknown) => ({ metadata: { ...web, labels: { app: 'web' } }, containers })

async function read(get: Get): Promise<Snapshot> {
  const getLines: GetLines = async (_, onLine) =>
    onLine('apiserver_admission_webhook_fail_open_count{name="a\\"b"} 7')
  return { ...(await scan(get, { ...options, getLines })), context: 'prod', readAt }
}

function look(snapshot: Snapshot) {
  const { graph, report } = examine(inputOf(snapshot), {
    settings: settings([activeRule('usage-request-gap')]),
    rules: rulesById(),
    stories: loadStories,
  })
  const [pod] = graph.all('Pod')
  return { report, usage: graph.live?.usageOf(pod ?? ({} satisfies Pod)) }
}

describe('what pods use', () => {
  const usage = measured([{ name: 'web', usage: { cpu: '1234567890n', memory: '4Gi' } }])

  it('is kept as numbers, and gives the same findings from a snapshot', async () => {
    const snapshot = await read(async (path) => answer(path, usage))
    expect(snapshot.made).toEqual([
      {
        apiVersion: 'metrics.k8s.io/v1beta1',
        kind: 'PodMetrics',
        metadata: web,
        containers: [{ name: 'web', usage: { cpu: 1.23456789, memory: 4294967296 } }],
      },
    ])
    const folder = folderWith()
    await saveSnapshot(join(folder, 'prod.gz'), snapshot)
    const loaded = loadSnapshot(join(folder, 'prod.gz'))
    const again = look(loaded)
    const { report, usage: own } = look(snapshot)
    expect(own).toEqual([{ container: 'web', cpu: 1.23456789, memory: 4294967296 }])
    expect(again.usage).toEqual(own)
    expect(loaded.samples).toEqual([
      { name: 'apiserver_admission_webhook_fail_open_count', labels: { name: 'a"b' }, value: 7 },
    ])
    expect(loaded.samples).toEqual(snapshot.samples)
    expect(report.findings).toMatchObject([{ rule: 'usage-request-gap', severity: 'info' }])
    expect(again.report.findings).toEqual(report.findings)
  })

  it('is not known without the metrics API, or the right to ask it', async () => {
    const undecided = [{ rule: 'usage-request-gap', needs: 'metrics.k8s.io/PodMetrics' }]
    const absent = await read(async (path) => answer(path, undefined))
    expect(absent.unread).toEqual([])
    expect(look(absent).report.summary.notEvaluated).toEqual(undecided)
    const forbidden = await read(async (path) => {
      if (path.startsWith('/apis/metrics.k8s.io/')) throw new RequestError(403, 'no')
      return answer(path, usage)
    })
    expect(forbidden.unread).toMatchObject([{ resource: 'pods.metrics.k8s.io', reason: 'forbidden' }])
    expect(look(forbidden)).toMatchObject({
      usage: undefined,
      report: { findings: [], summary: { notEvaluated: undecided } },
    })
  })

  it.each([
    ['no list', 'many'],
    ['no objects', [null, 3]],
    ['no quantities', [{ name: 'web', usage: { cpu: 'NaN', memory: '-' } }]],
    ['half of it', [{ name: 'web', usage: { memory: '4Gi' } }]],
  ])('is nothing where the server sends %s', async (_, containers) => {
    const snapshot = await read(async (path) => answer(path, measured(containers)))
    expect(look(snapshot)).toMatchObject({ usage: [], report: { findings: [] } })
  })
})

const findings = async (id: string, name: string) => {
  const file = `fixtures/${id}/${name}.yaml`
  const { findings } = await lintLive(join(root, file), [activeRule(id)], runOf(file))
  return findings.map(({ message, evidence }) => [message, evidence])
}

const evidenceOf = async (id: string, name: string) =>
  (await findings(id, name)).map(([, evidence]) => evidence)

describe('what pods use at the moment', () => {
  it.each([
    ['resource-requests-missing', 'live-heavy', ['pod web-1-a uses 6Gi of the 16Gi of node n1 now']],
    ['telemetry-agent-unbounded', 'live-heavy', ['pod logs-a uses 4Gi of the 16Gi of node n1 now']],
    [
      'persistent-connections-pinned',
      'live-uneven',
      ['pod web-1-b uses 900m CPU now', 'pod web-1-c uses 35m CPU now', 'pod web-1-a uses 20m CPU now'],
    ],
    [
      'usage-request-gap',
      'live-deployment',
      [
        'node n1: pods use 14Gi of 16Gi allocatable',
        'pod web-1-a: 2.1Gi used, 256Mi requested',
        'pod web-1-b: 1.9Gi used, 256Mi requested',
        'VerticalPodAutoscaler: 2Gi for container web',
      ],
    ],
    [
      'cpu-limit-throttling',
      'live-throttled',
      [
        'pod web-1-a: stopped in 5,300 of 10,000 periods since its start',
        'pod web-1-b: stopped in 2,100 of 10,000 periods since its start',
      ],
    ],
  ])('is evidence of %s', async (id, name, lines) => {
    expect(await evidenceOf(id, name)).toEqual([lines])
  })
})

describe('what the API server has counted', () => {
  it('of the calls of a webhook stands below what is said of it', async () => {
    expect(await findings('webhook-timeout-long', 'live-calls')).toEqual([
      [
        expect.stringContaining('waits up to 30 s'),
        ['since the API server started 135 of 1,295 calls took longer than 1 s, 12 writes passed without it'],
      ],
    ])
  })

  it('of requests for deprecated APIs is told once for each of them', async () => {
    expect(await findings('deprecated-api-version', 'live-requested')).toEqual([
      [
        'The upgrade to 1.25 breaks a client that asks for poddisruptionbudgets of policy/v1beta1: that release stops serving this version.',
        ['requested from this API server since it started'],
      ],
    ])
    expect(await findings('removed-api-version', 'live-requested')).toEqual([
      [
        'A client that asked for poddisruptionbudgets of policy/v1beta1 fails with Kubernetes 1.25: that version was removed in 1.25.',
        ['requested from this API server since it started'],
      ],
    ])
  })
})

it('says what the cluster autoscaler tells of a pod for which it adds no node', async () => {
  expect(await findings('cluster-scale-up-blocked', 'at-maximum')).toEqual([
    [
      'No pod of web runs: one has been Pending for 45 min and no node has taken it.',
      [
        'web-1-a: 0/3 nodes are available: 3 Insufficient cpu',
        "cluster-autoscaler: pod didn't trigger scale-up: 1 max node group size reached",
      ],
    ],
  ])
})
