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

/** Creates everything as the controllers would have: pods with their status, owned by ReplicaSets, owned by Deployments. */
async function load(call: Call): Promise<void> {
  await each(size.namespaces, async (i) => {
    await create(call, '/api/v1/namespaces', { metadata: { name: namespace(i) } })
    await create(call, `${core(i)}/serviceaccounts`, { metadata: { name: 'default' } })
  })
  await each(size.nodes, (i) => create(call, '/api/v1/nodes', node(i)))
  const sets: string[] = []
  await each(size.deployments, async (app) => {
    sets[app] = await createWorkload(call, app)
    await createService(call, app)
  })
  await each(size.pods, (i) => createPod(call, i, sets[i % size.deployments] ?? ''))
}

async function sent(call: Call, method: 'POST' | 'PUT', path: string, object: object) {
  const { status, json } = await call(method, path, object)
  if (status >= 300 && status !== 409) throw new Error(`${path}: ${status} ${json.message}`)
  return json
}

/** Returns the object's uid. */
async function create(call: Call, path: string, object: object): Promise<string> {
  const { metadata } = await sent(call, 'POST', path, object)
  return String((metadata as { uid?: unknown } | undefined)?.uid)
}

/** An object that a controller brings to what its specification says. */
interface Controlled {
  readonly metadata: { readonly name: string; readonly ownerReferences?: readonly object[] }
  readonly spec: object
}

/** Creates the object and says in its status that all is done. */
async function createReady(call: Call, path: string, object: Controlled, status: object): Promise<string> {
  const uid = await create(call, path, object)
  await sent(call, 'PUT', `${path}/${object.metadata.name}/status`, { ...object, status })
  return uid
}

const namespace = (app: number) => `load-${app % size.namespaces}`
const core = (app: number) => `/api/v1/namespaces/${namespace(app)}`
const replicas = size.pods / size.deployments

function node(i: number): object {
  return {
    metadata: { name: `node-${i}`, labels: { 'topology.kubernetes.io/zone': `zone-${i % 3}` } },
    status: {
      allocatable: { cpu: '32', memory: '128Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
    },
  }
}

/** A Deployment and its ReplicaSet, whose uid is returned. */
async function createWorkload(call: Call, app: number): Promise<string> {
  const name = `app-${app}`
  const template = { metadata: { labels: { app: name } }, spec: { containers: [container] } }
  const spec = { replicas, selector: { matchLabels: { app: name } }, template }
  const status = { observedGeneration: 1, replicas, readyReplicas: replicas, availableReplicas: replicas }
  const available = { type: 'Available', status: 'True', lastUpdateTime: since, lastTransitionTime: since }
  const apps = `/apis/apps/v1/namespaces/${namespace(app)}`
  const owner = await createReady(
    call,
    `${apps}/deployments`,
    { metadata: { name }, spec },
    { ...status, updatedReplicas: replicas, conditions: [available] },
  )
  const ownerReferences = [ownedBy('Deployment', name, owner)]
  return createReady(
    call,
    `${apps}/replicasets`,
    { metadata: { name: `${name}-1`, ownerReferences }, spec },
    status,
  )
}

/** A Service with all pods of a Deployment behind it. */
async function createService(call: Call, app: number): Promise<void> {
  const name = `app-${app}`
  const pods = Array.from({ length: replicas }, (_, pod) => app + pod * size.deployments)
  await create(call, `${core(app)}/services`, {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  })
  await create(call, `/apis/discovery.k8s.io/v1/namespaces/${namespace(app)}/endpointslices`, {
    metadata: {
      name,
      labels: {
        'kubernetes.io/service-name': name,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    addressType: 'IPv4',
    endpoints: pods.map((pod) => ({
      addresses: [addressOf(pod)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${pod % size.nodes}`,
      targetRef: { kind: 'Pod', namespace: namespace(app), name: `${name}-1-${pod}` },
    })),
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  })
  // popeye looks for these, we for EndpointSlices.
  await create(call, `${core(app)}/endpoints`, {
    metadata: { name },
    subsets: [{ addresses: pods.map((pod) => ({ ip: addressOf(pod) })), ports: [{ port: 8080 }] }],
  })
}

/** @param set the uid of its ReplicaSet */
async function createPod(call: Call, i: number, set: string): Promise<void> {
  const app = i % size.deployments
  const name = `app-${app}-1-${i}`
  const pods = `${core(app)}/pods`
  const pod = await sent(call, 'POST', pods, {
    metadata: {
      name,
      labels: { app: `app-${app}` },
      ownerReferences: [ownedBy('ReplicaSet', `app-${app}-1`, set)],
    },
    spec: { nodeName: `node-${i % size.nodes}`, containers: [container] },
  })
  await sent(call, 'PUT', `${pods}/${name}/status`, { ...pod, status: running(i) })
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

function ownedBy(kind: string, name: string, uid: string): object {
  return { apiVersion: 'apps/v1', kind, name, uid, controller: true }
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
