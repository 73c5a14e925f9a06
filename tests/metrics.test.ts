/** Metrics of components: texts of any size and shape, of which little is kept. */
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { scannedKinds } from '../src/cluster/kinds.js'
import { sampleIn } from '../src/cluster/metrics.js'
import { clientOf, RequestError } from '../src/cluster/request.js'
import { scan } from '../src/cluster/scan.js'
import { apiServer, connectionTo, send, status } from './api-server.js'

describe('a line', () => {
  const wanted = new Map([
    ['calls_total', () => true],
    ['late', ({ le }: Readonly<Record<string, string>>) => Number(le) === 1],
  ])
  const read = (line: string) => sampleIn(line, wanted)

  it.each([
    ['calls_total 3', {}, 3],
    ['calls_total{} 3e+06 1395066363000', {}, 3_000_000],
    ['calls_total{a="1",b=""} 0.5', { a: '1', b: '' }, 0.5],
    ['calls_total{a="1",} 2', { a: '1' }, 2],
    ['calls_total{path="C:\\\\dir\\n\\"x\\",{y}="} 2', { path: 'C:\\dir\n"x",{y}=' }, 2],
    ['late{le="1"} 2', { le: '1' }, 2],
    ['late{le="1.0"} 2', { le: '1.0' }, 2],
  ])('%s is a number', (line, labels, value) => {
    expect(read(line)).toEqual({ name: line.slice(0, line.search(/[{ ]/)), labels, value })
  })

  it.each([
    '',
    '# TYPE calls_total counter',
    'others_total 3',
    'calls_total',
    'calls_total 0',
    'calls_total -1',
    'calls_total NaN',
    'calls_total +Inf',
    'calls_total 1e999',
    'calls_total 0x10',
    'calls_total 1 2 3',
    'calls_total{a="1"',
    'calls_total{a="1" 3',
    'calls_total{a="1\\"} 3',
    'calls_total{a=1} 3',
    'calls_total{="1"} 3',
    'calls_total{a="1"}3',
    'late{le="+Inf"} 2',
    'late 2',
  ])('%s is none', (line) => expect(read(line)).toBeUndefined())

  it('has labels of its own only', () => {
    const { labels } = read('calls_total{__proto__="x",constructor="y"} 1') ?? {}
    expect(Object.entries(labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  it('may be as long as it likes', () => {
    const value = '\\\\'.repeat(30_000)
    expect(read(`calls_total{a="${value}"} 1`)?.labels.a).toHaveLength(30_000)
    expect(read(`calls_total{a="${value}`)).toBeUndefined()
    expect(read(`calls_total{${'a="",'.repeat(13_000)}`)).toBeUndefined()
  })
})

/** Scans a server that answers so to a request for its metrics. */
async function scanned(
  answer: (response: ServerResponse, request: IncomingMessage) => unknown,
  namespace?: string,
) {
  const server = await apiServer({
    objects: { configmaps: [{ metadata: { name: 'a', namespace: 'shop' } }] },
    answer: (url, response, request) => {
      if (url.pathname !== '/metrics') return false
      answer(response, request)
      return true
    },
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const connection = connectionTo(server, agent)
  const { get, getLines } = clientOf(connection, {
    timeout: 1500,
    signal: AbortSignal.timeout(60_000),
    renewed: async () => ({ ...connection, headers: { authorization: 'Bearer second' } }),
  })
  await get('/version')
  const { samples, unread, documents } = await scan(get, {
    kinds: scannedKinds([]),
    namespace,
    chunk: 500,
    concurrency: 4,
    getLines,
  }).finally(() => agent.destroy())
  expect(documents).toHaveLength(1)
  const asked = server.asked.filter(({ path }) => path.startsWith('/metrics'))
  return { values: samples?.map(({ value }) => value), unread, asked }
}

const sample = (value: number) => `apiserver_admission_webhook_fail_open_count{name="a"} ${value}\n`
const line = `rest_client_requests_total{code="200",host="${'x'.repeat(900)}"} 1\n`
const plain = { 'content-type': 'text/plain' }

describe('what a server has counted', () => {
  it('is asked for once, and read line by line', async () => {
    const text = `# HELP\n${sample(1)}${line.repeat(1000)}${sample(2)}`
    const { values, unread, asked } = await scanned((response) => send(response, 200, text, plain))
    expect([values, unread, asked.length]).toEqual([[1, 2], [], 1])
    const zipped = await scanned((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text))
    })
    expect(zipped.values).toEqual([1, 2])
  })

  it('is of the cluster as a whole', async () => {
    const { asked } = await scanned((response) => send(response, 200, sample(1), plain), 'shop')
    expect(asked).toEqual([])
  })

  it('is split where it is, and a line that is too long is left out', async () => {
    const { values } = await scanned((response) => {
      response.writeHead(200, plain)
      response.write(sample(1).slice(0, 20))
      setTimeout(() => {
        response.write(`${sample(1).slice(20)}${'x'.repeat(200_000)}`)
        setTimeout(() => response.end(`${sample(3)}${sample(2)}`), 20)
      }, 20)
    })
    expect(values).toEqual([1, 2])
  })

  it('is asked for again with other credentials when those that worked have ended', async () => {
    const { values, unread } = await scanned((response, { headers }) =>
      headers.authorization === 'Bearer second'
        ? send(response, 200, sample(1), plain)
        : send(response, 401, status(401, 'Unauthorized')),
    )
    expect([values, unread]).toEqual([[1], []])
  })

  it('is not known where it may not be read, and nobody minds where it is not there', async () => {
    const forbidden = await scanned((response) => send(response, 403, status(403, 'no')))
    expect(forbidden).toMatchObject({ values: [], unread: [{ resource: '/metrics', reason: 'forbidden' }] })
    const absent = await scanned((response) => send(response, 404, '404 page not found', plain))
    expect(absent).toMatchObject({ values: [], unread: [] })
  })

  it.each([
    ['busy', (response: ServerResponse) => send(response, 429, status(429, 'busy')), [], /busy/],
    [
      'cut off',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '9999' }).write(`${sample(1)}${sample(2).slice(0, -1)}`)
        setTimeout(() => response.destroy(), 20)
      },
      [1],
      /broke off|aborted/,
    ],
    [
      'silent',
      (response: ServerResponse) => void response.writeHead(200, plain).write(sample(1)),
      [1],
      /within 1.5 s/,
    ],
    [
      'endless',
      (response: ServerResponse) => {
        const more = () => {
          while (!response.destroyed && response.write(line.repeat(1000)));
          if (!response.destroyed) response.once('drain', more)
        }
        response.writeHead(200, plain).write(sample(1))
        more()
      },
      [1],
      /larger than 64 MiB|within 1.5 s/,
    ],
  ])('counts as far as it came when the server is %s', async (_, answer, values, message) => {
    const found = await scanned(answer)
    expect(found.values).toEqual(values)
    expect(found.unread).toMatchObject([{ resource: '/metrics', reason: 'failed' }])
    expect(found.unread[0]?.message).toMatch(message)
  })
})

describe('what kubelets have counted', () => {
  const pod = (name: string, nodeName: string, resources: object = { limits: { cpu: '1' } }) => ({
    metadata: { name, namespace: 'shop', uid: name },
    spec: { nodeName, containers: [{ name: 'web', resources }] },
    status: { phase: 'Running' },
  })
  const stopped = (name: string, value: number, container = 'web') =>
    `container_cpu_cfs_throttled_periods_total{container="${container}",id="/a",namespace="shop",pod="${name}"} ${value} 17\n`
  const periods = (name: string) => stopped(name, 9).replace('throttled_', '')
  const pods = [
    pod('a', 'n1'),
    pod('b', 'n2'),
    pod('c', 'n2'),
    pod('d', 'n/../3'),
    pod('e', 'n4', { requests: { cpu: '1' } }),
    { ...pod('f', 'n5'), status: { phase: 'Succeeded' } },
  ]

  async function asked(kubelets: number | undefined, answer: (node: string) => string | number) {
    const paths: string[] = []
    const server = await apiServer({ objects: { pods } })
    const agent = new Agent()
    const connection = connectionTo(server, agent)
    const { samples, unread } = await scan(
      clientOf(connection, { timeout: 1500, signal: AbortSignal.timeout(60_000) }).get,
      {
        kinds: scannedKinds([]),
        namespace: undefined,
        chunk: 2,
        concurrency: 1,
        ...(kubelets !== undefined && { kubelets }),
        getLines: async (path, onLine) => {
          if (path === '/metrics') return
          paths.push(path)
          const found = answer(path)
          if (typeof found === 'number') throw new RequestError(found, 'no')
          for (const line of found.split('\n')) onLine(line)
        },
      },
    ).finally(() => agent.destroy())
    return { samples: samples?.map(({ labels, value }) => [labels.pod, value]), unread, paths }
  }

  it('is asked for on request, of the nodes with most pods that have CPU limits', async () => {
    const path = (node: string) => `/api/v1/nodes/${node}/proxy/metrics/cadvisor`
    expect((await asked(undefined, () => '')).paths).toEqual([])
    expect((await asked(2, () => '')).paths).toEqual([path('n2'), path('n%2F..%2F3')])
    expect((await asked(20, () => '')).paths).toHaveLength(3)
  })

  it('is kept of containers that were stopped', async () => {
    const text =
      stopped('a', 5) + periods('a') + stopped('b', 0) + periods('b') + stopped('c', 5, '') + periods('c')
    const { samples, unread } = await asked(1, () => text)
    expect(samples).toEqual([
      ['a', 5],
      ['a', 9],
    ])
    expect(unread).toEqual([])
  })

  it('is not asked for again when it is forbidden, and one kubelet that is away is named', async () => {
    const forbidden = await asked(20, () => 403)
    expect(forbidden.paths).toHaveLength(1)
    expect(forbidden.unread).toEqual([{ resource: 'nodes/proxy', reason: 'forbidden', message: 'no' }])
    const { samples, unread } = await asked(20, (path) =>
      path.includes('/n1/') ? stopped('a', 5) + periods('a') : 503,
    )
    expect(samples).toHaveLength(2)
    expect(unread.map(({ resource }) => resource)).toEqual(['the kubelet of n/../3', 'the kubelet of n2'])
    expect(new Set(unread.map(({ message }) => message)).size).toBe(1)
  })
})

describe('what node-exporter has measured', () => {
  const image = 'quay.io/prometheus/node-exporter:v1.9.1'
  const ports = [{ name: 'metrics', containerPort: 9100 }]
  const pod = (node: string, spec: object = {}, metadata: object = {}) => ({
    metadata: { name: `ne-${node}`, namespace: 'monitoring', uid: `ne-${node}`, ...metadata },
    spec: {
      nodeName: node,
      hostNetwork: true,
      containers: [{ name: 'node-exporter', image, ports }],
      ...spec,
    },
    status: { phase: 'Running' },
  })
  const web = (name: string, nodeName: string) => ({
    metadata: { name, namespace: 'shop', uid: name },
    spec: { nodeName, containers: [{ name: 'web', image: 'a/web:1' }] },
    status: { phase: 'Running' },
  })
  const path = (node: string) => `/api/v1/namespaces/monitoring/pods/ne-${node}:9100/proxy/metrics`
  const text =
    '# HELP node_load1 1m load average.\nnode_load1 0.5\nnode_nf_conntrack_entries 5\nnode_nf_conntrack_entries_limit 10\n'

  /** Scans a server with these pods that answers so behind its proxy. */
  async function asked(
    pods: readonly Record<string, unknown>[],
    exporters: number | undefined,
    answer: (path: string, response: ServerResponse) => unknown = (_, response) =>
      send(response, 200, text, plain),
  ) {
    const paths: string[] = []
    const server = await apiServer({
      objects: { pods },
      answer: ({ pathname }, response) => {
        if (!pathname.endsWith('/metrics') || pathname === '/metrics') return false
        paths.push(pathname)
        answer(pathname, response)
        return true
      },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const connection = connectionTo(server, agent)
    let renewals = 0
    const { get, getLines } = clientOf(connection, {
      timeout: 1500,
      signal: AbortSignal.timeout(60_000),
      renewed: async () => {
        renewals++
        return connection
      },
    })
    const { samples, unread } = await scan(get, {
      kinds: scannedKinds([]),
      namespace: undefined,
      chunk: 2,
      concurrency: 1,
      ...(exporters !== undefined && { exporters }),
      getLines: async (one, onLine) => (one === '/metrics' ? undefined : getLines(one, onLine)),
    }).finally(() => agent.destroy())
    expect(renewals).toBe(0)
    return { samples: samples?.map(({ name, labels, value }) => [name, labels, value]), unread, paths }
  }

  it('is asked for on request, on the nodes with most pods', async () => {
    const pods = [pod('n1'), pod('n2'), pod('n3'), web('a', 'n3'), web('b', 'n3'), web('c', 'n2')]
    expect((await asked(pods, undefined)).paths).toEqual([])
    expect((await asked(pods, 2)).paths).toEqual([path('n3'), path('n2')])
    expect((await asked(pods, 20)).paths).toHaveLength(3)
  })

  it('is a few numbers of a node', async () => {
    const ofDevices = ['eth0"} 3', 'cali1"} 2', 'flannel.1"} 40', 'x"} -1'].map(
      (rest) => `node_arp_entries{device="${rest}\n`,
    )
    const { samples, unread } = await asked([pod('n1')], 20, (_, response) =>
      send(
        response,
        200,
        `${ofDevices.join('')}${text}node_nf_conntrack_entries{device="x"} 9\nnode_nf_conntrack_entries_limit NaN\n`,
        plain,
      ),
    )
    expect(samples).toEqual([
      ['node_arp_entries', { node: 'n1' }, 5],
      ['node_nf_conntrack_entries', { node: 'n1' }, 5],
      ['node_nf_conntrack_entries_limit', { node: 'n1' }, 10],
    ])
    expect(unread).toEqual([])
  })

  const own = (spec: object) => [{ name: 'node-exporter', image, ...spec }]
  const proxy = (args: readonly string[], port: object) => ({
    containers: [
      { name: 'node-exporter', image, args: ['--web.listen-address=127.0.0.1:9101'] },
      { name: 'proxy', image: 'quay.io/brancz/kube-rbac-proxy:v0.19.1', args, ports: [port] },
    ],
  })
  it.each([
    ['its image', pod('n1'), 'ne-n1:9100'],
    [
      'an image of a mirror',
      pod('n1', { containers: [{ image: 'a/mirrored-prometheus-node-exporter@sha256:0' }] }),
      'ne-n1:9100',
    ],
    [
      'its label',
      pod(
        'n1',
        { containers: [{ image: 'a/ne:1' }] },
        { labels: { 'app.kubernetes.io/name': 'prometheus-node-exporter' } },
      ),
      'ne-n1:9100',
    ],
    ['a port of its own', pod('n1', { containers: own({ ports: [{ containerPort: 9796 }] }) }), 'ne-n1:9796'],
    [
      'a port by its name',
      pod('n1', {
        containers: own({ ports: [{ containerPort: 1 }, { name: 'http-metrics', containerPort: 9200 }] }),
      }),
      'ne-n1:9200',
    ],
    [
      'TLS',
      pod('n1', { containers: own({ ports: [{ name: 'https', containerPort: 9100 }] }) }),
      'https:ne-n1:9100',
    ],
    [
      'a proxy in front',
      pod('n1', proxy(['--upstream=http://127.0.0.1:9101/'], { name: 'https', containerPort: 9100 })),
      'https:ne-n1:9100',
    ],
    [
      'a proxy without TLS',
      pod('n1', proxy(['--insecure-listen-address=:9100'], { containerPort: 9100 })),
      'ne-n1:9100',
    ],
    ['a name that is none', pod('n1', {}, { name: 'a/../b?' }), 'a%2F..%2Fb%3F:9100'],
  ])('is found by %s', async (_, one, name) => {
    expect((await asked([one], 20)).paths).toEqual([
      `/api/v1/namespaces/monitoring/pods/${name}/proxy/metrics`,
    ])
  })

  it('is asked for once a node, where nobody stands in front', async () => {
    const guarded = {
      ...pod('n1', proxy([], { containerPort: 9100 })),
      metadata: { ...pod('n1').metadata, name: 'a' },
    }
    for (const pods of [
      [guarded, pod('n1')],
      [pod('n1'), guarded],
    ])
      expect((await asked(pods, 20)).paths).toEqual([path('n1')])
  })

  it.each([
    ['outside the network of the host', pod('n1', { hostNetwork: false })],
    ['not scheduled yet', pod('n1', { nodeName: undefined })],
    ['over', { ...pod('n1'), status: { phase: 'Succeeded' } }],
    ['about to go', pod('n1', {}, { deletionTimestamp: '2026-11-21T12:00:00Z' })],
    ['something else', pod('n1', { containers: [{ image: 'a/dcgm-exporter:1' }] })],
  ])('is not there where the pod is %s', async (_, one) => {
    const { paths, unread } = await asked([one], 20)
    expect(paths).toEqual([])
    expect(unread).toMatchObject([{ resource: 'node-exporter', reason: 'failed' }])
  })

  it('is not asked for again in a namespace that forbids it', async () => {
    const { paths, unread } = await asked(
      [pod('n1'), pod('n2'), pod('n3', {}, { namespace: 'other' })],
      20,
      (one, response) =>
        one.includes('/monitoring/')
          ? send(
              response,
              403,
              status(403, 'pods "x" is forbidden: User "u" cannot get resource "pods/proxy"'),
            )
          : send(response, 200, text, plain),
    )
    expect(paths).toHaveLength(2)
    expect(unread).toMatchObject([{ resource: 'pods/proxy', reason: 'forbidden' }])
  })

  it.each([
    [
      'has another path',
      (response: ServerResponse) => send(response, 404, '404 page not found', plain),
      /^HTTP 404 instead of metrics$/,
    ],
    [
      'leads elsewhere',
      (response: ServerResponse) => send(response, 302, '', { location: 'http://example.org' }),
      /^HTTP 302 instead/,
    ],
    [
      'cannot be reached',
      (response: ServerResponse) => send(response, 503, status(503, 'dial tcp 10.0.0.7:9100')),
      /^the API server does not reach it \(HTTP 503\)$/,
    ],
    [
      'is something else',
      (response: ServerResponse) => send(response, 200, '<html>\u0000'.repeat(9), plain),
      /no numbers of node-exporter/,
    ],
    [
      'says nothing',
      (response: ServerResponse) => void response.writeHead(200, plain).write('node_load1 1\n'),
      /within 1.5 s/,
    ],
    [
      'refuses at length',
      (response: ServerResponse) => {
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(100_000)));
          if (!response.destroyed) response.once('drain', more)
        }
        response.writeHead(500, plain)
        more()
      },
      /larger than 1 MiB/,
    ],
  ])('is named as not read where it %s', async (_, answer, message) => {
    const { samples, unread } = await asked([pod('n1'), pod('n2')], 20, (one, response) =>
      one.includes('ne-n1') ? answer(response) : send(response, 200, text, plain),
    )
    expect(samples).toHaveLength(2)
    expect(unread).toMatchObject([{ resource: 'node-exporter of n1', reason: 'failed' }])
    expect(unread[0]?.message).toMatch(message)
  })

  it.each([
    [401, 'Unauthorized\n'],
    [403, 'Forbidden (\u001b[2Juser=x)'],
  ])('is not asked for again in a namespace where it wants credentials (%i)', async (code, said) => {
    const pods = [pod('n1'), pod('n2'), pod('n3', {}, { namespace: 'other' })]
    const { paths, unread, samples } = await asked(pods, 20, (one, response) =>
      send(response, one.includes('/monitoring/') ? code : 200, one.includes('/other/') ? text : said, plain),
    )
    expect(paths).toHaveLength(2)
    expect(samples).toHaveLength(2)
    expect(unread).toMatchObject([{ resource: 'node-exporter in monitoring', reason: 'failed' }])
    expect(unread[0]?.message).toMatch(new RegExp(`^it wants credentials \\(HTTP ${code}\\)[ -~]+$`))
  })

  it('is kept once, however often it is told', async () => {
    const { samples } = await asked([pod('n1')], 20, (_, response) =>
      send(response, 200, `${text}node_arp_entries{device="x"} 1e308\n`.repeat(10_000), plain),
    )
    expect(samples).toHaveLength(3)
    expect(samples?.every(([, , value]) => Number.isSafeInteger(value))).toBe(true)
  })
})
