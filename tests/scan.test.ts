/** Reads clusters through a small API server: what is asked, what is survived, what is said. */
import { readdirSync, readFileSync } from 'node:fs'
import { Agent, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { countedKinds, scannedKinds } from '../src/cluster/kinds.js'
import { proxyFor } from '../src/cluster/proxy.js'
import { clientOf, RequestError } from '../src/cluster/request.js'
import { scan } from '../src/cluster/scan.js'
import { sliceOf } from '../src/graph/slice.js'
import { isObject } from '../src/values/untyped.js'
import { type ApiServerOptions, apiServer, connectionTo, send, status } from './api-server.js'

const object = (name: string, more: object = {}, namespace: string | undefined = 'shop') => ({
  metadata: { name, uid: `uid-${name}`, ...(namespace && { namespace }) },
  ...more,
})

interface Case extends ApiServerOptions {
  readonly namespace?: string
  readonly chunk?: number
  readonly timeout?: number
  /** Milliseconds for everything. */
  readonly whole?: number
}

/** Scans a server without waiting between attempts. */
async function scanned({ namespace, chunk = 500, timeout = 5000, whole = 60_000, ...options }: Case) {
  const server = await apiServer(options)
  const pauses: number[] = []
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const { get } = clientOf(connectionTo(server, agent), {
    timeout,
    signal: AbortSignal.timeout(whole),
    pause: async (milliseconds) => void pauses.push(milliseconds),
  })
  const found = await scan(get, { kinds: scannedKinds([]), namespace, chunk, concurrency: 4 }).finally(() =>
    agent.destroy(),
  )
  const names = found.documents.map(({ file }) => file.name)
  return { ...found, names, pauses, asked: server.asked }
}

const maps = (count: number) => ({
  configmaps: Array.from({ length: count }, (_, i) => object(`c${i}`)),
})
const isList = (url: URL, plural: string) => url.pathname.endsWith(`/${plural}`)

describe('events', () => {
  it('are warnings, what autoscalers did and what probes killed, not what a deletion ends', async () => {
    const event = (name: string, reason: string, message: string) => object(name, { reason, message })
    const { events, asked } = await scanned({
      objects: {
        events: [
          event('probe', 'Killing', 'Container web failed liveness probe, will be restarted'),
          event('deleted', 'Killing', 'Stopping container web'),
          event('warning', 'Unhealthy', 'Liveness probe failed: timeout'),
        ],
      },
    })
    expect(events.map(({ metadata }) => (isObject(metadata) ? metadata.name : undefined))).toEqual([
      'probe',
      'warning',
    ])
    expect(
      asked.flatMap(({ path }) =>
        path.includes('/events?') ? (new URL(path, 'https://a').searchParams.get('fieldSelector') ?? []) : [],
      ),
    ).toEqual([
      'type=Warning',
      'reason=SuccessfulRescale',
      'reason=Killing',
      'reason=Preempted',
      'reason=NotTriggerScaleUp',
      'reason=CIDRNotAvailable',
    ])
  })
})

describe('lists', () => {
  it('are read page by page', async () => {
    const { names, asked, unread } = await scanned({ objects: maps(7), chunk: 3 })
    expect(names).toHaveLength(7)
    expect(asked.filter(({ path }) => path.includes('configmaps')).map(({ path }) => path)).toEqual([
      '/api/v1/configmaps?limit=3',
      '/api/v1/configmaps?limit=3&continue=3',
      '/api/v1/configmaps?limit=3&continue=6',
    ])
    expect(unread).toEqual([])
  })

  it.each(['identity', 'gzip'])(
    'are asked for the next two pages while one arrives: %s',
    async (encoding) => {
      const page = (i: number) => {
        const next = i < 4 ? `,"continue":"${i + 1}"` : ''
        const text = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"${next}},"items":[${JSON.stringify(object(`c${i}`))}]}`
        return encoding === 'gzip' ? gzipSync(text) : Buffer.from(text)
      }
      const asked: number[] = []
      let finish: (() => void) | undefined
      const { names, unread } = await scanned({
        answer: (url, response) => {
          if (!isList(url, 'configmaps')) return false
          const i = Number(url.searchParams.get('continue') ?? 1)
          asked.push(i)
          const bytes = page(i)
          response.setHeader('content-type', 'application/json')
          response.setHeader('content-encoding', encoding)
          response.write(bytes.subarray(0, -10))
          const end = () => response.end(bytes.subarray(-10))
          // Without the request for the third page the first one would never end.
          if (i === 1) finish = end
          else end()
          // Time for the fourth, which shall not come.
          if (i === 3) setTimeout(() => asked.push(0) && finish?.(), 50)
          return true
        },
      })
      expect(unread).toEqual([])
      expect(names).toEqual([
        'configmap/shop/c1',
        'configmap/shop/c2',
        'configmap/shop/c3',
        'configmap/shop/c4',
      ])
      expect(asked).toEqual([1, 2, 3, 0, 4])
    },
  )

  it('are packed, asked for again when they are cut off, and refused when they are damaged', async () => {
    const data = { a: 'ä'.repeat(100_000) }
    const whole = gzipSync(JSON.stringify({ metadata: {}, items: [object('a', { data })] }))
    const damaged = Buffer.from(whole).fill(0xff, 20, 30)
    const read = (...answers: Buffer[]) =>
      scanned({
        answer: (url, response) => {
          if (!isList(url, 'configmaps')) return false
          response.writeHead(200, { 'content-encoding': 'gzip' }).end(answers.shift() ?? whole)
          return true
        },
      })
    const again = await read(whole.subarray(0, -20), whole.subarray(0, 5), Buffer.alloc(0))
    expect([again.unread, again.pauses.length]).toEqual([[], 3])
    expect(again.documents[0]?.value).toMatchObject({ data })
    const { unread } = await read(damaged)
    expect(unread).toMatchObject([{ resource: 'configmaps', reason: 'failed' }])
  })

  it('are asked for in smaller pages when one is too large to be read at once', async () => {
    const large = gzipSync(Buffer.alloc(257 * 1024 * 1024), { level: 1 })
    const { names, unread, asked } = await scanned({
      objects: maps(7),
      chunk: 50,
      answer: (url, response) => {
        if (!isList(url, 'configmaps') || Number(url.searchParams.get('limit')) < 50) return false
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(large)
        return true
      },
    })
    expect([new Set(names).size, unread]).toEqual([7, []])
    const limits = asked.map(({ path }) => /configmaps\?limit=(\d+)/.exec(path)?.[1]).filter((one) => one)
    expect(limits).toEqual(['50', '5', '5'])
  })

  it('that never end are given up', async () => {
    const turns: Readonly<Record<string, string>> = { there: 'back', back: 'there' }
    for (const next of [() => 'again', (token: string | null) => turns[token ?? ''] ?? 'there']) {
      const { unread } = await scanned({
        answer: (url, response) => {
          const metadata = { continue: next(url.searchParams.get('continue')) }
          return isList(url, 'configmaps') && send(response, 200, { metadata, items: [object('a')] })
        },
      })
      expect(unread).toEqual([
        {
          resource: 'configmaps',
          reason: 'failed',
          message: 'the list does not end: a page leads to one that was before it',
        },
      ])
    }
  })

  it('start again, once, when the server has forgotten their beginning', async () => {
    let gone = 0
    const forget = (most: number) => (url: URL, response: ServerResponse) =>
      isList(url, 'configmaps') &&
      url.searchParams.get('continue') === '3' &&
      gone++ < most &&
      send(response, 410, status(410, 'the provided continue parameter is too old'))
    const { names } = await scanned({ objects: maps(7), chunk: 3, answer: forget(1) })
    expect(new Set(names).size).toBe(7)
    expect(names).toHaveLength(7)

    gone = 0
    const { unread, unreadKinds } = await scanned({ objects: maps(7), chunk: 3, answer: forget(9) })
    expect(unread).toMatchObject([{ resource: 'configmaps', reason: 'failed' }])
    expect(unreadKinds.has('ConfigMap')).toBe(true)
    expect(unreadKinds.has('Service')).toBe(false)
  })

  it('are of one namespace when one is asked for, and leave out what has none', async () => {
    const { asked, unreadKinds, partialKinds } = await scanned({ namespace: 'shop' })
    const paths = asked.map(({ path }) => path)
    expect(paths).toContain('/apis/apps/v1/namespaces/shop/deployments?limit=500')
    expect(paths.filter((path) => path.includes('nodes'))).toEqual([])
    expect(unreadKinds.has('Node')).toBe(true)
    expect(unreadKinds.has('Deployment')).toBe(false)
    expect(partialKinds.has('Deployment')).toBe(true)
    expect(partialKinds.has('Node')).toBe(false)
  })
})

describe('objects', () => {
  it('are kept without what no rule reads', async () => {
    const { documents } = await scanned({
      objects: {
        configmaps: [
          object('a', {
            metadata: {
              name: 'a',
              namespace: 'shop',
              managedFields: [{ manager: 'kubectl' }],
              annotations: {
                'kubectl.kubernetes.io/last-applied-configuration': '{}',
                long: 'x'.repeat(1_000_000),
              },
            },
            data: { b: '1', a: 'two\nlines\n' },
          }),
        ],
      },
    })
    const [document] = documents
    expect(document?.value).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { b: '1' } })
    expect(document?.text).not.toMatch(/managedFields|last-applied/)
    expect(document?.text).toContain('data:\n  a: |\n    two\n    lines\n  b: ')
    expect(document?.locate().key(['data', 'b'])).toMatchObject({ line: 6, column: 3 })
  })

  it('of the images of a node are kept when they are large', async () => {
    const image = (name: string, sizeBytes: number) => ({ names: [name], sizeBytes })
    const { documents } = await scanned({
      objects: {
        nodes: [
          object('n1', {
            metadata: { name: 'n1' },
            status: { phase: 'a', images: [image('small:1', 5_000_000), image('large:1', 3_000_000_000)] },
          }),
        ],
      },
    })
    expect(documents[0]?.value).toMatchObject({ status: { images: [image('large:1', 3_000_000_000)] } })
  })

  it('that a workload made are folded into it', async () => {
    const owned = (name: string, owner: string, labels: object = {}) => ({
      metadata: {
        name,
        uid: `uid-${name}`,
        namespace: 'shop',
        labels,
        ownerReferences: [{ uid: `uid-${owner}`, controller: true }],
      },
    })
    const { names } = await scanned({
      objects: {
        nodes: [object('n1', {}, '')],
        services: [
          object('db', { spec: { selector: { app: 'db', role: 'leader' } } }),
          // The controller gives the first label, and the second is asked for in another namespace.
          object('db-1', { spec: { selector: { 'statefulset.kubernetes.io/pod-name': 'db-1' } } }),
          object('billing', { spec: { selector: { mesh: 'on' } } }, 'billing'),
        ],
        deployments: [object('web')],
        replicasets: [owned('web-1', 'web')],
        cronjobs: [object('report')],
        jobs: [owned('report-1', 'report')],
        statefulsets: [object('db', { spec: { template: { metadata: { labels: { app: 'db' } } } } })],
        pods: [
          owned('web-1-a', 'web-1'),
          owned('report-1-a', 'report-1'),
          owned('db-0', 'db', { app: 'db', role: 'leader', mesh: 'on' }),
          owned('db-1', 'db', { app: 'db', role: 'replica', 'statefulset.kubernetes.io/pod-name': 'db-1' }),
          owned('db-2', 'db', {
            app: 'db',
            role: 'replica',
            mesh: 'on',
            'statefulset.kubernetes.io/pod-name': 'db-2',
          }),
          owned('an-operators-own', 'somebody'),
          owned('etcd-n1', 'n1'),
          object('bare'),
        ],
        configmaps: [owned('made', 'web')],
      },
    })
    expect(names.filter((name) => !/^(node|service)/.test(name))).toEqual([
      'configmap/shop/made',
      'cronjob/shop/report',
      'deployment/shop/web',
      'pod/shop/an-operators-own',
      'pod/shop/bare',
      'pod/shop/db-0',
      'pod/shop/db-1',
      'pod/shop/etcd-n1',
      'statefulset/shop/db',
    ])
  })

  it('that say who is behind a Service are kept as names and numbers', async () => {
    const endpoint = (name: string, conditions: object) => ({
      addresses: ['10.0.0.1'],
      conditions,
      targetRef: { kind: 'Pod', name },
    })
    const { made, documents } = await scanned({
      objects: {
        endpointslices: [
          {
            ...object('web-x', {
              metadata: {
                name: 'web-x',
                namespace: 'shop',
                labels: { 'kubernetes.io/service-name': 'web' },
              },
            }),
            addressType: 'IPv6',
            ports: [{ name: 'http', port: 8080 }],
            endpoints: [
              endpoint('web-a', { ready: true }),
              // What says nothing is ready.
              endpoint('web-b', {}),
              endpoint('web-c', { ready: false, serving: true, terminating: true }),
              endpoint('web-d', { ready: false }),
              { addresses: ['192.0.2.1'] },
            ],
          },
        ],
      },
    })
    expect(documents).toEqual([])
    expect(made.map(sliceOf)).toEqual([
      {
        namespace: 'shop',
        service: 'web',
        family: 'IPv6',
        manager: undefined,
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        ready: ['web-a', 'web-b'],
        others: 1,
        ending: 1,
        unready: 1,
      },
    ])
  })

  it('keep their secrets: values are neither asked for nor held', async () => {
    const secret = object('s', {
      metadata: {
        name: 's',
        namespace: 'shop',
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"k":"aHVudGVy"}}' },
      },
      data: { k: 'aHVudGVy' },
      stringData: { k: 'hunter' },
    })
    const { documents, asked } = await scanned({ objects: { secrets: [secret] } })
    const accepted = asked.filter(({ path }) => path.includes('secrets')).map(({ accept }) => accept)
    expect(accepted).toEqual(['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'])
    expect(documents.map(({ value }) => value)).toEqual([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'shop' } },
    ])
  })

  it('of what Patroni says of its databases are kept without addresses, and of others with that annotation as they were', async () => {
    const written = { manager: 'Patroni', operation: 'Update', time: '2026-11-21T11:59:00Z' }
    const pod = (name: string, status: unknown, owner?: string) =>
      object(name, {
        metadata: {
          name,
          uid: `uid-${name}`,
          namespace: 'shop',
          annotations: { status: typeof status === 'string' ? status : JSON.stringify(status) },
          managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: {} }, written],
          ...(owner && { ownerReferences: [{ uid: `uid-${owner}`, controller: true }] }),
        },
      })
    const member = { role: 'replica', state: 'running', xlog_location: 83886080, timeline: 3 }
    const said = { ...member, conn_url: 'postgres://u:hunter2@10.0.0.1/db', tags: { secret: 'hunter2' } }
    const deep = `{"role":"replica","state":"running","x":${'['.repeat(20_000)}`
    const { documents, made } = await scanned({
      objects: {
        statefulsets: [object('db')],
        pods: [
          pod('db-0', said, 'db'),
          pod('db-1', { ...said, role: 'red \u001b[31m', state: ['running'] }, 'db'),
          pod('db-2', deep, 'db'),
          pod('db-3', { ...member, xlog_location: '1e999', timeline: -1, ['__proto__']: said }, 'db'),
          pod('bare', said),
          pod('other', 'all is well'),
        ],
      },
    })
    const metadataOf = (name: string) =>
      [...made, ...documents.map(({ value }) => value)]
        .map((one) => (isObject(one) ? one.metadata : undefined))
        .find((metadata) => isObject(metadata) && metadata.name === name)
    for (const name of ['db-0', 'bare'])
      expect(metadataOf(name)).toMatchObject({
        annotations: { status: JSON.stringify(member) },
        managedFields: [written],
      })
    for (const name of ['db-1', 'db-2']) expect(metadataOf(name)).not.toHaveProperty('annotations')
    expect(metadataOf('db-3')).toMatchObject({
      annotations: { status: '{"role":"replica","state":"running"}' },
    })
    expect(metadataOf('other')).toMatchObject({ annotations: { status: 'all is well' } })
    expect(JSON.stringify([made, documents.map(({ value }) => value)])).not.toContain('hunter2')
  })

  it('that are over, or of Kubernetes itself, are evidence alone', async () => {
    const { documents } = await scanned({
      objects: {
        configmaps: [object('kube-root-ca.crt'), object('mine')],
        namespaces: [object('kube-system', {}, ''), object('shop', {}, '')],
        services: [object('kubernetes', {}, 'default'), object('kubernetes', {}, 'shop')],
        deployments: [
          object('coredns', {
            metadata: {
              name: 'coredns',
              namespace: 'kube-system',
              labels: { 'addonmanager.kubernetes.io/mode': 'Reconcile' },
            },
          }),
        ],
        jobs: [
          object('done', { status: { conditions: [{ type: 'Complete', status: 'True' }] } }),
          object('running', { status: { active: 1 } }),
        ],
        pods: [
          object('evicted', { status: { phase: 'Failed' } }),
          object('up', { status: { phase: 'Running' } }),
        ],
      },
    })
    expect(documents.filter(({ live }) => live?.isSilent).map(({ file }) => file.name)).toEqual([
      'configmap/shop/kube-root-ca.crt',
      'deployment/kube-system/coredns',
      'job/shop/done',
      'namespace/kube-system',
      'pod/shop/evicted',
      'service/default/kubernetes',
    ])
  })

  it('are cut where they are too deep to be followed', async () => {
    const deep = (open: string, close: string) =>
      `{"metadata":{"name":"${open.length}","uid":"${open.length}"},"data":${open.repeat(50_000)}${close.repeat(50_000)}}`
    const { documents, unread } = await scanned({
      answer: (url, response) =>
        isList(url, 'configmaps') &&
        send(
          response,
          200,
          `{"kind":"ConfigMapList","metadata":{},"items":[${deep('{"a":', '}').replace(':}', ':{}}')},${deep('[', ']')}]}`,
        ),
    })
    expect(unread).toEqual([])
    const levels = documents.map(({ value }) => JSON.stringify(value).replace(/[^{[]/g, '').length)
    expect(levels).toHaveLength(2)
    for (const one of levels) expect(one).toBeGreaterThan(250)
    for (const one of levels) expect(one).toBeLessThan(350)
  })

  it('may be anything', async () => {
    const { names, documents } = await scanned({
      objects: {
        configmaps: [
          {},
          { metadata: null },
          { metadata: { name: 7 } },
          object('\u001b[2J: &a *b\n---\n', { data: { '__proto__ ': '\0', 'a: b': '# k8s-af-ignore' } }),
        ],
        pods: [{ metadata: { ownerReferences: 'nobody' }, spec: { containers: [null, 3] } }],
      },
    })
    expect(names).toHaveLength(5)
    for (const { text, locate } of documents)
      expect([text.length > 0, locate().has(['kind'])]).toEqual([true, true])
  })
})

describe('the kinds to read', () => {
  /** Kinds that a rule names and no API server serves: files of components. */
  const filesOnly: ReadonlySet<string> = new Set([
    'apiserver.config.k8s.io/AdmissionConfiguration',
    'apiserver.k8s.io/AdmissionConfiguration',
    'kubeadm.k8s.io/ClusterConfiguration',
    'kubelet.config.k8s.io/KubeletConfiguration',
    'kubeproxy.config.k8s.io/KubeProxyConfiguration',
    'kubescheduler.config.k8s.io/KubeSchedulerConfiguration',
    'skaffold/Config',
    // Named beside kustomizations, which are files.
    'kustomize.toolkit.fluxcd.io/Kustomization',
    // Named for what operators make of them. A cluster has that itself.
    'ceph.rook.io/CephCluster',
    'dragonflydb.io/Dragonfly',
    'elasticsearch.k8s.elastic.co/Elasticsearch',
    'flagger.app/Canary',
    'grafana.integreatly.org/Grafana',
    'helm.cattle.io/HelmChart',
    'jaegertracing.io/Jaeger',
    'k8s.keycloak.org/Keycloak',
    'k8s.mariadb.com/MariaDB',
    'kafka.strimzi.io/Kafka',
    'kafka.strimzi.io/KafkaBridge',
    'kafka.strimzi.io/KafkaConnect',
    'kafka.strimzi.io/KafkaUser',
    'kibana.k8s.elastic.co/Kibana',
    'opentelemetry.io/OpenTelemetryCollector',
    'operators.coreos.com/Subscription',
    'postgresql.cnpg.io/Pooler',
    'rabbitmq.com/RabbitmqCluster',
    'ray.io/RayCluster',
    'ray.io/RayService',
    'serving.kserve.io/InferenceService',
  ])
  const sources = ['rules', 'src/graph'].flatMap((folder) =>
    readdirSync(join(__dirname, '..', folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(__dirname, '..', folder, name), 'utf8')),
  )

  it('are all that rules and the graph name', () => {
    const known = new Set<string>([...scannedKinds([]), ...countedKinds])
    const named = sources.flatMap((text) => [...text.matchAll(/'((?:[a-z0-9-]+\.)*[a-z0-9-]+\/[A-Z]\w+)'/g)])
    const missing = named
      .map(([, kind = '']) => kind)
      .filter((kind) => !filesOnly.has(kind) && !known.has(kind))
    expect(named.length).toBeGreaterThan(100)
    expect(missing).toEqual([])
  })
})

describe('a server in trouble', () => {
  it('is given the time it asks for', async () => {
    let busy = 2
    const { names, pauses } = await scanned({
      objects: maps(1),
      answer: (url, response) =>
        isList(url, 'configmaps') &&
        busy-- > 0 &&
        send(response, 429, status(429, 'too many requests'), { 'retry-after': '7' }),
    })
    expect(names).toEqual(['configmap/shop/c0'])
    expect(pauses).toEqual([7000, 7000])
  })

  it('is asked again after errors, broken answers and answers that are no JSON', async () => {
    const mistakes = [
      (response: ServerResponse) => send(response, 500, 'panic'),
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"items": [')
        setTimeout(() => response.destroy(), 20)
        return true
      },
      (response: ServerResponse) => send(response, 200, '{"items": ['),
    ]
    const { names, unread } = await scanned({
      objects: maps(1),
      answer: (url, response) => isList(url, 'configmaps') && mistakes.shift()?.(response),
    })
    expect(names).toEqual(['configmap/shop/c0'])
    expect(unread).toEqual([])
  })

  it('costs one kind, and not the run, when it never recovers or never answers', async () => {
    const { names, unread } = await scanned({
      objects: maps(1),
      timeout: 1000,
      answer: (url, response) =>
        isList(url, 'pods') || (isList(url, 'services') && send(response, 503, status(503, 'overloaded'))),
    })
    expect(names).toEqual(['configmap/shop/c0'])
    expect(unread).toEqual([
      { resource: 'pods', reason: 'failed', message: 'no answer within 1 s' },
      { resource: 'services', reason: 'failed', message: 'overloaded' },
    ])
  })

  it('takes no longer than it may: what was read until then counts', async () => {
    const { names, unread } = await scanned({
      objects: maps(1),
      whole: 2000,
      answer: (url) => isList(url, 'pods'),
    })
    expect(names).toEqual(['configmap/shop/c0'])
    expect(unread).toEqual([
      { resource: 'pods', reason: 'failed', message: 'the time for the whole run is over' },
    ])
  })

  it('is not taken for an empty one', async () => {
    const refused = scanned({ answer: (_, response) => send(response, 401, status(401, 'Unauthorized')) })
    await expect(refused).rejects.toThrow(RequestError)
    const forbidden = scanned({
      answer: (url, response) =>
        url.searchParams.has('limit') && send(response, 403, status(403, 'forbidden: no')),
    })
    await expect(forbidden).rejects.toMatchObject({ status: 403 })
  })

  it('may have something else answer in its place', async () => {
    const page = { 'content-type': 'text/html; charset=utf-8' }
    const inPlace = (code: number, headers: Record<string, string>, body: unknown = '<html>Log in</html>') =>
      scanned({ answer: (_, response) => send(response, code, body, headers) }).catch(String)
    expect(await Promise.all([inPlace(200, page), inPlace(403, page)])).toEqual([
      'RequestError: a web page answers: a proxy or a login stands in front of the API server',
      'RequestError: a web page answers, HTTP 403: a proxy or a login stands in front of the API server',
    ])
    expect(await inPlace(302, { location: 'https://login.example.com/?to=me' })).toBe(
      'RequestError: HTTP 302: a redirect to https://login.example.com',
    )
    expect(await inPlace(302, { location: '/login' })).toBe('RequestError: HTTP 302: a redirect')
    expect(await inPlace(200, {}, {})).toContain('what answers there is no API server')
  })

  it('is not taken to have nothing when its list is none', async () => {
    const lists = [...['abc', {}, undefined].map((items) => ({ items })), { items: [], next: 7 }]
    for (const { items, next } of lists.map((one) => ({ next: undefined, ...one }))) {
      const { unread } = await scanned({
        answer: (url, response) =>
          isList(url, 'configmaps') && send(response, 200, { metadata: { continue: next }, items }),
      })
      expect(unread).toEqual([{ resource: 'configmaps', reason: 'failed', message: 'the answer is no list' }])
    }
  })

  it('may have kinds that it does not list', async () => {
    const kinds = [
      { resource: 'deployments', responseKind: { kind: 'Deployment' }, verbs: ['create', 'watch'] },
    ]
    const { unread, unreadKinds } = await scanned({
      answer: (url, response) =>
        url.pathname === '/apis' &&
        send(response, 200, {
          kind: 'APIGroupDiscoveryList',
          items: [{ metadata: { name: 'apps' }, versions: [{ version: 'v1', resources: kinds }] }],
        }),
    })
    expect(unread).toEqual([
      { resource: 'deployments.apps', reason: 'failed', message: 'the server does not list them' },
    ])
    expect([unreadKinds.has('Deployment'), unreadKinds.has('StatefulSet')]).toEqual([true, false])
  })

  it('may know no aggregated discovery, and have groups that are down', async () => {
    const { names, unread, unreadKinds } = await scanned({
      objects: { ...maps(1), deployments: [object('web')] },
      plainDiscovery: true,
      answer: (url, response) =>
        url.pathname === '/apis/policy/v1' && send(response, 503, status(503, 'no endpoints')),
    })
    expect(names).toEqual(['configmap/shop/c0', 'deployment/shop/web'])
    expect(unread).toEqual([{ resource: 'policy', reason: 'failed', message: 'no endpoints' }])
    expect(unreadKinds.has('PodDisruptionBudget')).toBe(true)
    expect(unreadKinds.has('Ingress')).toBe(false)
  })
})

describe('the proxy', () => {
  const through = (server: string, env: Readonly<Record<string, string>>) => proxyFor(new URL(server), env)
  it('is the one of the environment', () => {
    expect(through('https://api.example.com', { HTTPS_PROXY: 'http://p:3128' })).toBe('http://p:3128')
    expect(through('https://api.example.com', { https_proxy: 'p:3128' })).toBe('http://p:3128')
    expect(through('https://api.example.com', { HTTP_PROXY: 'http://p:3128' })).toBeUndefined()
    expect(through('https://api.example.com', {})).toBeUndefined()
  })
  it('is left out for this machine and for what NO_PROXY names', () => {
    const env = { HTTPS_PROXY: 'http://p:3128' }
    for (const server of ['https://localhost:6443', 'https://127.0.0.1:6443', 'https://[::1]:6443'])
      expect(through(server, env)).toBeUndefined()
    const excepted: readonly (readonly [string, string])[] = [
      ['https://api.example.com:6443', 'example.com'],
      ['https://api.example.com:6443', 'a.b, .example.com'],
      ['https://api.example.com:6443', 'api.example.com:6443'],
      ['https://10.1.2.3:6443', '10.0.0.0/8'],
      ['https://10.1.2.3', '*'],
    ]
    for (const [server, NO_PROXY] of excepted) expect(through(server, { ...env, NO_PROXY })).toBeUndefined()
    const others: readonly (readonly [string, string])[] = [
      ['https://example.com', '.example.com'],
      ['https://badexample.com', 'example.com'],
      ['https://api.example.com:6443', 'example.com:443'],
      ['https://11.1.2.3', '10.0.0.0/8,fd00::/8'],
    ]
    for (const [server, NO_PROXY] of others)
      expect(through(server, { ...env, NO_PROXY })).toBe('http://p:3128')
  })
})
