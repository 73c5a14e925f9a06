/**
 * Measures `scan` against a real API server with a large cluster in it: `npm run bench:scan`. Needs Go (docs/testing.md).
 *
 *     npm run bench:scan -- --pods 10000 --nodes 500 --deployments 1000 --rounds 3
 *
 * It is compared with a program that fetches the same lists and parses them, in turn (A B A B …); the ratio is the median of the
 * ratios pair by pair. Then the findings are compared at several page sizes.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { discover } from '../src/cluster/discover.js'
import { scannedKinds } from '../src/cluster/kinds.js'
import { pathOf } from '../src/cluster/list.js'
import { type Cluster, startCluster } from '../tests/cluster/cluster.js'
import type { Call } from '../tests/cluster/connection.js'

const { values: flags } = parseArgs({
  options: {
    pods: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '500' },
    deployments: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
  },
})
const size = {
  pods: Number(flags.pods),
  nodes: Number(flags.nodes),
  deployments: Number(flags.deployments),
  namespaces: 20,
}

const program = join(__dirname, '..', 'bin', 'k8s-af')
const plain = join(__dirname, 'plain-list.cjs')
const since = '2026-01-01T00:00:00Z'

async function main(): Promise<void> {
  const cluster = await startCluster()
  try {
    await load(cluster.connection.call)
    await compare(cluster)
  } finally {
    await cluster.stop()
  }
}

/** Creates everything as the controllers would have: pods with their status, owned by ReplicaSets, owned by Deployments. */
async function load(call: Call): Promise<void> {
  const sent = async (method: 'POST' | 'PUT', path: string, object: object) => {
    const { status, json } = await call(method, path, object)
    if (status >= 300 && status !== 409) throw new Error(`${path}: ${status} ${json.message}`)
    return json
  }
  const create = async (path: string, object: object) =>
    String(((await sent('POST', path, object)).metadata as { uid?: unknown } | undefined)?.uid)
  const namespace = (i: number) => `load-${i % size.namespaces}`
  await each(size.namespaces, async (i) => {
    await create('/api/v1/namespaces', { metadata: { name: namespace(i) } })
    await create(`/api/v1/namespaces/${namespace(i)}/serviceaccounts`, { metadata: { name: 'default' } })
  })
  await each(size.nodes, (i) =>
    create('/api/v1/nodes', {
      metadata: { name: `node-${i}`, labels: { 'topology.kubernetes.io/zone': `zone-${i % 3}` } },
      status: {
        allocatable: { cpu: '32', memory: '128Gi', pods: '110' },
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      },
    }),
  )
  const sets: string[] = []
  await each(size.deployments, async (i) => {
    const name = `app-${i}`
    const template = { metadata: { labels: { app: name } }, spec: { containers: [container] } }
    const spec = {
      replicas: size.pods / size.deployments,
      selector: { matchLabels: { app: name } },
      template,
    }
    const apps = `/apis/apps/v1/namespaces/${namespace(i)}`
    const owner = await create(`${apps}/deployments`, { metadata: { name }, spec })
    sets[i] = await create(`${apps}/replicasets`, {
      metadata: { name: `${name}-1`, ownerReferences: [ownedBy('apps/v1', 'Deployment', name, owner)] },
      spec,
    })
    await create(`/api/v1/namespaces/${namespace(i)}/services`, {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    })
  })
  await each(size.pods, async (i) => {
    const app = i % size.deployments
    const name = `app-${app}-1-${i}`
    const pods = `/api/v1/namespaces/${namespace(app)}/pods`
    const pod = await sent('POST', pods, {
      metadata: {
        name,
        labels: { app: `app-${app}` },
        ownerReferences: [ownedBy('apps/v1', 'ReplicaSet', `app-${app}-1`, sets[app] ?? '')],
      },
      spec: { nodeName: `node-${i % size.nodes}`, containers: [container] },
    })
    await sent('PUT', `${pods}/${name}/status`, { ...pod, status: running(i) })
  })
}

function running(i: number): object {
  const ip = `10.${i >> 14}.${(i >> 7) & 127}.${i & 127}`
  const types = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']
  return {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    hostIP: '10.255.0.1',
    startTime: since,
    qosClass: 'Burstable',
    conditions: types.map((type) => ({ type, status: 'True', lastTransitionTime: since })),
    containerStatuses: [
      {
        name: 'app',
        image: container.image,
        imageID: `registry.example.org/shop/app@sha256:${'0'.repeat(64)}`,
        containerID: `containerd://${'0'.repeat(64)}`,
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: since } },
      },
    ],
  }
}

const container = {
  name: 'app',
  image: 'registry.example.org/shop/app:1.2.3',
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
  ports: [{ containerPort: 8080 }],
  env: [{ name: 'LOG_LEVEL', value: 'info' }],
  readinessProbe: { httpGet: { path: '/healthz', port: 8080 } },
}

function ownedBy(apiVersion: string, kind: string, name: string, uid: string): object {
  return { apiVersion, kind, name, uid, controller: true }
}

async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

async function compare(cluster: Cluster): Promise<void> {
  const kubeconfig = cluster.kubeconfig('admin')
  const get = async (path: string) => (await cluster.connection.call('GET', path)).json
  const { resources } = await discover(get, scannedKinds([]))
  const paths = resources.map((resource) => pathOf(resource, undefined))
  const scan = (page: number) => [
    program,
    'scan',
    '--kubeconfig',
    kubeconfig,
    '--isolated',
    '--chunk-size',
    String(page),
    ...['-o', 'json', '--timings'],
  ]
  const ratios: number[] = []
  let megabytes = 0
  let findings = ''
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const floor = await run([plain, kubeconfig, '500', ...paths])
    const own = await run(scan(500))
    // The first pair warms the server's caches.
    if (round > 0) ratios.push(own.seconds / floor.seconds)
    megabytes = Math.max(megabytes, own.megabytes)
    findings = withoutTime(own.stdout)
    console.log(
      `  scan ${own.seconds.toFixed(2)} s, ${own.megabytes.toFixed(0)} MB; the same lists alone ${floor.seconds.toFixed(2)} s; ${/\d+ requests[^\n]*/.exec(own.stderr)?.[0]}`,
    )
  }
  ratios.sort((a, b) => a - b)
  console.log(`  ${ratios[ratios.length >> 1]?.toFixed(2)} × fetching and parsing (target 1.5)`)
  console.log(`  ${megabytes.toFixed(0)} MB at most (target 350)`)
  for (const page of [100, 1000]) {
    const same = withoutTime((await run(scan(page))).stdout) === findings
    console.log(`  the findings with pages of ${page} are ${same ? 'the same' : 'DIFFERENT'}`)
  }
}

function withoutTime(json: string): string {
  return json.replace(/"milliseconds": *[\d.]+/, '').replace(/Seen: [^"]* ago/g, '')
}

interface Run {
  readonly seconds: number
  /** Peak resident memory of the process, in MB. */
  readonly megabytes: number
  readonly stdout: string
  readonly stderr: string
}

function run(args: readonly string[]): Promise<Run> {
  return new Promise((done, fail) => {
    const begun = process.hrtime.bigint()
    const child = spawn(process.execPath, args, {
      env: { ...process.env, K8S_AF_DIST: '1', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const texts = { stdout: '', stderr: '' }
    let megabytes = 0
    const timer = setInterval(() => {
      try {
        const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
        if (match) megabytes = Math.max(megabytes, Number(match[1]) / 1024)
      } catch {
        // The process is gone, or this is not Linux: no figure for memory then.
      }
    }, 10)
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text
      })
    child.on('error', fail)
    child.on('close', (code) => {
      clearInterval(timer)
      if (code !== 0 && code !== 1) fail(new Error(`${args.join(' ')}: ${texts.stderr}`))
      else done({ seconds: Number(process.hrtime.bigint() - begun) / 1e9, megabytes, ...texts })
    })
  })
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
