/** A real Kubernetes control plane on free ports of loopback, which ends with the process that started it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import { binary } from './binary.js'
import { argumentsOf, type Component, components, type Layout, readiness, users } from './components.js'
import { type Connection, connect } from './connection.js'
import { creator } from './resources.js'

export interface Options {
  /** What runs beside etcd and kube-apiserver; nothing by default. */
  readonly components?: readonly Component[]
  /** The folder for certificates, logs and data, which is kept; a temporary one by default. */
  readonly state?: string
}

export interface Cluster {
  /** Of the API server: `https://127.0.0.1:6443`. */
  readonly url: string
  readonly state: string
  /** The path of the kubeconfig of a user. What each may do is in `rbac.yaml`; an admin may do everything. */
  kubeconfig(user: 'admin' | 'viewer' | 'podlister' | 'nobody'): string
  /** With the rights of an admin. */
  readonly connection: Connection
  /** Ends all processes, and removes the folder if it is temporary. */
  stop(): Promise<void>
}

/** How long each component may take to become ready. On two idle cores all together take 5 seconds. */
const longestStart = 120_000
/** The API server drains its connections for a minute, for which nobody here has to wait. */
const longestStop = 3_000

/**
 * Starts a control plane and waits until it is ready. Rejects, with the end of the log, when it is not; then nothing runs.
 *
 * Without a kube-controller-manager there is one service account, `default` in the namespace `default`.
 */
export async function startCluster({ components: wanted = [], state }: Options = {}): Promise<Cluster> {
  const program = binary(wanted.every((one) => one === 'etcd' || one === 'kube-apiserver'))
  const folder = state ?? mkdtempSync(join(tmpdir(), 'k8s-af-cluster-'))
  const layout: Layout = { state: folder, ports: await freePorts() }
  const url = `https://127.0.0.1:${layout.ports['kube-apiserver']}`
  const running = new Map<Component, ChildProcess>()
  const kill = () => {
    for (const child of running.values()) child.kill('SIGKILL')
  }
  // Where a process ends without waiting; when it is killed, the components see the end of their input.
  process.once('exit', kill)
  let connection: Connection | undefined
  const stop = async () => {
    connection?.close()
    for (const child of [...running.values()].reverse()) await end(child)
    process.removeListener('exit', kill)
    if (state === undefined) rmSync(folder, { recursive: true, force: true })
  }
  try {
    prepare(program, folder, url)
    for (const component of components) {
      if (component !== 'etcd' && component !== 'kube-apiserver' && !wanted.includes(component)) continue
      running.set(component, start(program, component, layout))
      // What comes next speaks to them; the others start side by side.
      if (component === 'etcd' || component === 'kube-apiserver') await ready(component, running, layout)
    }
    await Promise.all([...running.keys()].map((component) => ready(component, running, layout)))
    connection = connect(kubeconfigIn(folder, 'admin'))
    await furnish(connection)
    await allowed(kubeconfigIn(folder, 'viewer'), '/apis/apps/v1/deployments')
    await allowed(kubeconfigIn(folder, 'podlister'), '/api/v1/namespaces/team-a/pods')
    return { url, state: folder, connection, stop, kubeconfig: (user) => kubeconfigIn(folder, user) }
  } catch (error) {
    await stop()
    throw error
  }
}

const kubeconfigIn = (state: string, user: string) => join(state, 'pki', `${user}.kubeconfig`)

/** Certificates, and the logs that kwok gives out as those of every container. */
function prepare(program: string, state: string, url: string): void {
  const pki = join(state, 'pki')
  const made = spawnSync(program, ['pki', pki, url, ...users], { encoding: 'utf8', timeout: 30_000 })
  if (made.status !== 0) throw new Error(`no certificates: ${made.error?.message ?? made.stderr}`)
  writeFileSync(join(pki, 'tokens.csv'), 'viewer-token,viewer,viewer\n', { mode: 0o600 })
  const line = (stream: string, text: string) => `2026-01-01T00:00:00.000000000Z ${stream} F ${text}\n`
  mkdirSync(join(state, 'logs'), { recursive: true })
  writeFileSync(join(state, 'logs', 'current.log'), line('stdout', 'starting'))
  writeFileSync(join(state, 'logs', 'previous.log'), line('stderr', 'panic: connection refused'))
}

function start(program: string, component: Component, layout: Layout): ChildProcess {
  const log = openSync(logOf(component, layout), 'w')
  const child = spawn(program, [component, ...argumentsOf(component, layout)], {
    cwd: layout.state,
    // Nothing is written to the input: it tells a component that this process is there.
    stdio: ['pipe', log, log],
    // kwok would read a configuration from the home folder, and the API server call webhooks through a proxy.
    env: {
      ...process.env,
      HOME: layout.state,
      NO_PROXY: '*',
      no_proxy: '*',
      TESTCLUSTER_ENDS_WITH_STDIN: '1',
    },
  })
  closeSync(log)
  child.on('error', () => {})
  return child
}

const logOf = (component: Component, { state }: Layout) => join(state, `${component}.log`)

async function ready(
  component: Component,
  running: ReadonlyMap<Component, ChildProcess>,
  layout: Layout,
): Promise<void> {
  const child = running.get(component)
  const tls = {
    ca: readFileSync(join(layout.state, 'pki', 'ca.crt')),
    cert: readFileSync(join(layout.state, 'pki', 'admin.crt')),
    key: readFileSync(join(layout.state, 'pki', 'admin.key')),
  }
  const last = Date.now() + longestStart
  while (Date.now() < last && child && isRunning(child)) {
    if ((await statusOf(readiness(component, layout), tls)) === 200) return
    await sleep(100)
  }
  const log = readFileSync(logOf(component, layout), 'utf8').trimEnd().split('\n')
  throw new Error(`${component} did not become ready:\n${log.slice(-20).join('\n')}`)
}

function statusOf(url: string, tls: object): Promise<number> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? getSecure : getPlain
    const call = get(url, { ...tls, timeout: 2_000 }, (response) => {
      response.resume()
      response.on('close', () => resolve(response.statusCode ?? 0))
    })
    call.on('error', () => resolve(0))
    call.on('timeout', () => call.destroy())
  })
}

const isRunning = ({ pid, exitCode, signalCode }: ChildProcess) =>
  pid !== undefined && exitCode === null && signalCode === null

async function end(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await Promise.race([ended, sleep(longestStop)])
  if (isRunning(child)) child.kill('SIGKILL')
  await ended
}

/** Creates what every cluster has and what the kubeconfigs promise. */
async function furnish({ call }: Connection): Promise<void> {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'default' },
  }
  const create = await creator(call)
  for (const object of [account, ...loadAll(readFileSync(join(__dirname, 'rbac.yaml'), 'utf8'))]) {
    const answer = await create(object)
    // 409: the controller manager was faster.
    if (!answer || (answer.status >= 300 && answer.status !== 409))
      throw new Error(`${JSON.stringify(object)}: ${answer?.json.message ?? 'no such kind'}`)
  }
}

/** Waits until the API server has noticed the rights of a user. */
async function allowed(kubeconfig: string, path: string): Promise<void> {
  const { call, close } = connect(kubeconfig)
  const last = Date.now() + 20_000
  while ((await call('GET', path)).status !== 200) {
    if (Date.now() > last) throw new Error(`${kubeconfig} may not get ${path}`)
    await sleep(50)
  }
  close()
}

async function freePorts(): Promise<Layout['ports']> {
  // All are open at the same time, so that no two are the same.
  const servers = await Promise.all(
    Array.from(
      { length: components.length + 1 },
      () =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer().once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const [etcd = 0, peer = 0, apiServer = 0, controllerManager = 0, scheduler = 0, kwok = 0] = servers.map(
    (server) => {
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    },
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return {
    etcd,
    'etcd-peer': peer,
    'kube-apiserver': apiServer,
    'kube-controller-manager': controllerManager,
    'kube-scheduler': scheduler,
    kwok,
  }
}
