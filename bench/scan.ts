/**
 * Measures `scan` against a real API server with a large cluster in it: `npm run bench:scan`. Needs Go (docs/testing.md).
 *
 *     npm run bench:scan -- --pods 10000 --nodes 500 --deployments 1000 --rounds 3
 *     npm run bench:scan -- --popeye FILE     the popeye to measure beside it (default: found on PATH, and none if there is none)
 *
 * It is compared with a program that fetches the same lists and parses them, and with popeye, in turn (A B C A B C …); a ratio is
 * the median of the ratios round by round. Then the findings are compared at several page sizes.
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { discover } from '../src/cluster/discover.js'
import { scannedKinds } from '../src/cluster/kinds.js'
import { pathOf } from '../src/cluster/list.js'
import { type Cluster, startCluster } from '../tests/cluster/cluster.js'
import type { Call } from '../tests/cluster/connection.js'
import { type Cost, find, median, type Run, run } from './measure.js'
import { commandOf, type Report, reportIn, versionOf } from './popeye.js'

const { values: flags } = parseArgs({
  options: {
    pods: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '500' },
    deployments: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    popeye: { type: 'string' },
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
/** Ends what hangs; in milliseconds. */
const longestRun = 15 * 60_000

async function main(): Promise<void> {
  const popeye = popeyeFile()
  const cluster = await startCluster()
  try {
    await load(cluster.connection.call)
    await compare(cluster, popeye)
  } finally {
    await cluster.stop()
  }
}

/** The one of the flag, or one on PATH. Throws when the one of the flag is no popeye. */
function popeyeFile(): string | undefined {
  const file = flags.popeye === undefined ? find('popeye') : resolve(flags.popeye)
  const version = file && versionOf(file)
  if (!version && flags.popeye !== undefined)
    throw new Error(`${file} is no popeye: it does not tell its version`)
  console.log(
    version ? `  popeye ${version}: ${file}` : '  no popeye to measure: none on PATH, and no --popeye FILE',
  )
  return version && file
}

/** An object that a controller has brought to what its specification says. */
interface Ready {
  readonly metadata: { readonly name: string; readonly ownerReferences?: readonly object[] }
  readonly spec: object
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
  const createReady = async (path: string, object: Ready, status: object) => {
    const uid = await create(path, object)
    await sent('PUT', `${path}/${object.metadata.name}/status`, { ...object, status })
    return uid
  }
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
  const replicas = size.pods / size.deployments
  const status = { observedGeneration: 1, replicas, readyReplicas: replicas, availableReplicas: replicas }
  await each(size.deployments, async (i) => {
    const name = `app-${i}`
    const template = { metadata: { labels: { app: name } }, spec: { containers: [container] } }
    const spec = { replicas, selector: { matchLabels: { app: name } }, template }
    const apps = `/apis/apps/v1/namespaces/${namespace(i)}`
    const owner = await createReady(
      `${apps}/deployments`,
      { metadata: { name }, spec },
      {
        ...status,
        updatedReplicas: replicas,
        conditions: [{ type: 'Available', status: 'True', lastUpdateTime: since, lastTransitionTime: since }],
      },
    )
    sets[i] = await createReady(
      `${apps}/replicasets`,
      {
        metadata: { name: `${name}-1`, ownerReferences: [ownedBy('apps/v1', 'Deployment', name, owner)] },
        spec,
      },
      status,
    )
    const core = `/api/v1/namespaces/${namespace(i)}`
    await create(`${core}/services`, {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    })
    const endpoints = Array.from({ length: replicas }, (_, pod) => {
      const index = i + pod * size.deployments
      return {
        addresses: [addressOf(index)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: `node-${index % size.nodes}`,
        targetRef: { kind: 'Pod', namespace: namespace(i), name: `${name}-1-${index}` },
      }
    })
    await create(`/apis/discovery.k8s.io/v1/namespaces/${namespace(i)}/endpointslices`, {
      metadata: {
        name,
        labels: {
          'kubernetes.io/service-name': name,
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
      },
      addressType: 'IPv4',
      endpoints,
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    })
    // popeye looks for these, we for EndpointSlices.
    const addresses = Array.from({ length: replicas }, (_, pod) => ({
      ip: addressOf(i + pod * size.deployments),
    }))
    await create(`${core}/endpoints`, {
      metadata: { name },
      subsets: [{ addresses, ports: [{ port: 8080 }] }],
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

const addressOf = (pod: number) => `10.${pod >> 14}.${(pod >> 7) & 127}.${pod & 127}`

function running(i: number): object {
  const ip = addressOf(i)
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

interface Measured extends Run {
  /** Those that the API server has answered meanwhile. */
  readonly requests: number
}

interface Round {
  readonly lists: Measured
  readonly own: Measured
  readonly other: (Measured & Report) | undefined
}

async function compare(cluster: Cluster, popeye: string | undefined): Promise<void> {
  const kubeconfig = cluster.kubeconfig('admin')
  const { call } = cluster.connection
  const { resources } = await discover(async (path) => (await call('GET', path)).json, scannedKinds([]))
  const paths = resources.map((resource) => pathOf(resource, undefined))
  const scan = (page: number) => [
    ...[process.execPath, program, 'scan', '--kubeconfig', kubeconfig],
    ...['--isolated', '--chunk-size', String(page), '-o', 'json', '--timings'],
  ]
  let beside = popeye && commandOf(popeye, kubeconfig, join(cluster.state, 'popeye.log'))
  const rounds: Round[] = []
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const lists = await measured([process.execPath, plain, kubeconfig, '500', ...paths], cluster)
    const own = await measured(scan(500), cluster)
    console.log(
      `  scan ${costs(own)}; the same lists alone ${lists.seconds.toFixed(2)} s; ${/\d+ requests[^\n]*/.exec(own.stderr)?.[0]}`,
    )
    const other = beside ? await measuredPopeye(beside, cluster) : undefined
    if (!other) beside = undefined
    // The first round warms the caches of the server, and the one that popeye has of the kinds that are served.
    if (round > 0) rounds.push({ lists, own, other })
  }
  const findings = withoutTime(rounds.at(-1)?.own.stdout ?? '')
  const ratio = median(rounds.map(({ own, lists }) => own.seconds / lists.seconds))
  console.log(`  ${ratio.toFixed(2)} × fetching and parsing (target 1.5)`)
  console.log(`  ${highest(rounds.map(({ own }) => own))} MB at most (target 350)`)
  for (const page of [100, 1000]) {
    const same = withoutTime((await measured(scan(page), cluster)).stdout) === findings
    console.log(`  the findings with pages of ${page} are ${same ? 'the same' : 'DIFFERENT'}`)
  }
  showPopeye(rounds)
}

/** Undefined, and said, when popeye fails: the figures of `scan` are worth having without it. */
async function measuredPopeye(command: readonly string[], cluster: Cluster): Promise<Round['other']> {
  try {
    const other = await measured(command, cluster)
    const report = reportIn(other.stdout)
    console.log(`  popeye ${costs(other)}${report.gaveUp ? `; some linters gave up: ${report.gaveUp}` : ''}`)
    return { ...other, ...report }
  } catch (error) {
    console.log(`  popeye failed, and is not run again: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

function showPopeye(rounds: readonly Round[]): void {
  const pairs = rounds.flatMap(({ own, other }) => (other ? [{ own, other }] : []))
  const last = pairs.at(-1)
  if (!last) return
  const ratio = median(pairs.map(({ own, other }) => other.seconds / own.seconds))
  const { own, other } = last
  const { findings }: { findings: { severity: string; rule: string }[] } = JSON.parse(own.stdout)
  console.log(
    `  popeye takes ${ratio.toFixed(2)} × the time of scan, ${highest(pairs.map((pair) => pair.other))} MB at most`,
  )
  console.log(`  requests that the server answered: scan ${own.requests}, popeye ${other.requests}`)
  console.log(`  findings of scan: ${tally(findings.map(({ severity }) => severity))}`)
  console.log(`  by rule: ${tally(findings.map(({ rule }) => rule))}`)
  console.log(`  findings of popeye: ${tally(other.findings.map(({ level }) => level))}`)
  console.log(`  by code: ${tally(other.findings.map(({ code }) => code))}`)
}

/** As in `3: error 2, info 1`. */
function tally(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return `${names.length}: ${sorted.map(([name, count]) => `${name} ${count}`).join(', ')}`
}

const costs = ({ seconds, megabytes }: Cost) => `${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB`
const highest = (runs: readonly Cost[]) => Math.max(...runs.map(({ megabytes }) => megabytes)).toFixed(0)

async function measured(command: readonly string[], { connection, state }: Cluster): Promise<Measured> {
  const before = await answered(connection.call)
  const ended = await run(command, {
    // popeye keeps a cache in the home folder.
    env: { ...process.env, K8S_AF_DIST: '1', NO_COLOR: '1', HOME: state },
    timeout: longestRun,
  })
  return { ...ended, requests: (await answered(connection.call)) - before }
}

/**
 * How many requests the API server has answered. What readers do not send, the server sends itself: it renews its lease and
 * watches. It does not count `/version`.
 */
async function answered(call: Call): Promise<number> {
  const { text } = await call('GET', '/metrics')
  const counts = text.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)
  return [...counts]
    .filter(
      ([, labels = '']) => /component="apiserver"/.test(labels) && /verb="(GET|LIST|POST)"/.test(labels),
    )
    .reduce((sum, [, , count]) => sum + Number(count), 0)
}

function withoutTime(json: string): string {
  return json.replace(/"milliseconds": *[\d.]+/, '').replace(/Seen: [^"]* ago/g, '')
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
