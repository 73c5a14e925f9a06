/** Reads a cluster for `k8s-af scan`: connects, and says in plain words what kept it from reading. */
import { type Connection, connect } from '../cluster/connect.js'
import { countedKinds, scannedKinds } from '../cluster/kinds.js'
import { limited } from '../cluster/limit.js'
import { clientOf, type Get, RequestError } from '../cluster/request.js'
import { type Scan, scan } from '../cluster/scan.js'
import { inputOf, loadSnapshot, type Snapshot } from '../cluster/snapshot.js'
import type { Settings } from '../config/settings.js'
import { UsageError } from '../config/usage.js'
import { nearestMinor } from '../config/version.js'
import { examine, type LintOptions } from '../engine/lint.js'
import { type Aim, aimed } from '../engine/patch.js'
import type { Finding } from '../finding.js'
import type { Untyped } from '../kubernetes.js'
import { unreadNotes } from '../reporters/gaps.js'
import { printable } from '../reporters/text.js'
import { clock } from '../values/clock.js'
import { didYouMean } from '../values/similar.js'
import { isObject, objectsAt, stringAt } from '../values/untyped.js'
import { interruptible } from './interrupt.js'
import type { SettingsFlags } from './settings.js'
import { note, tell, terminalOf, write } from './streams.js'

export interface LiveFlags {
  readonly kubeconfig?: string
  readonly namespace?: string | undefined
  readonly as?: string
  readonly asGroup?: readonly string[]
  readonly concurrency: number
  readonly chunkSize: number
  /** Milliseconds. */
  readonly requestTimeout: number
  /** Milliseconds. */
  readonly timeout: number
  /** Nodes whose kubelets are asked, at most; none when absent. */
  readonly kubeletMetrics?: number
  /** Nodes whose node-exporter is asked, at most; none when absent. */
  readonly nodeMetrics?: number
  readonly timings?: boolean
}

export interface ClusterFlags extends LiveFlags {
  readonly fromSnapshot?: string
}

/** The cluster of a context, or that in a file. Ctrl-C ends the reading, and what was read by then counts. */
export async function readCluster(
  context: string | undefined,
  flags: ClusterFlags,
  settings: Settings,
): Promise<Snapshot> {
  if (flags.fromSnapshot !== undefined)
    return fromFile(flags.fromSnapshot, { ...flags, ...(context !== undefined && { context }) })
  return interruptible((signal) =>
    readLive(context, flags, settings, signal, progress).finally(() => progress('')),
  )
}

function fromFile(file: string, flags: ClusterFlags): Snapshot {
  const others = {
    context: '--context',
    allContexts: '--all-contexts',
    kubeconfig: '--kubeconfig',
    namespace: '--namespace',
    as: '--as',
    asGroup: '--as-group',
    saveSnapshot: '--save-snapshot',
    kubeletMetrics: '--kubelet-metrics',
    nodeMetrics: '--node-metrics',
  } as const
  for (const [name, flag] of Object.entries(others)) {
    if (name in flags) throw new UsageError(`--from-snapshot reads no cluster: it does not go with ${flag}.`)
  }
  return loadSnapshot(file)
}

/** A line that comes and goes, for people who wait at a terminal. */
export function progress(text: string): void {
  if (terminalOf('stderr').isTTY) write(`\r\u001b[K${text}`, 'stderr')
}

function warn(text: string): void {
  progress('')
  note(text)
}

/** Where the commands that are shown have to go: to the cluster that was asked for, or that a snapshot is of. */
export function aimOf(
  context: string | undefined,
  { kubeconfig, fromSnapshot }: Pick<ClusterFlags, 'kubeconfig' | 'fromSnapshot'>,
  snapshot: Snapshot,
): Aim {
  return { kubeconfig, context: fromSnapshot === undefined ? context : snapshot.context }
}

/** Runs the rules over a cluster, for its own version unless another one is asked for. */
export function examineSnapshot(
  snapshot: Snapshot,
  { k8sVersion }: Pick<SettingsFlags, 'k8sVersion'>,
  options: LintOptions,
  aim: Aim,
): ReturnType<typeof examine> {
  const { version } = snapshot
  const minor = k8sVersion === undefined && version ? nearestMinor(version) : undefined
  const { report, ...rest } = examine(inputOf(snapshot), {
    ...options,
    settings: { ...options.settings, minor: minor ?? options.settings.minor },
  })
  return { ...rest, report: { ...report, findings: report.findings.map((one) => withAim(one, aim)) } }
}

function withAim(finding: Finding, aim: Aim): Finding {
  const { fix } = finding
  if (fix?.command === undefined) return finding
  return { ...finding, fix: { ...fix, command: aimed(fix.command, aim) } }
}

/** Connects, and reads all that rules look at. */
export async function readLive(
  context: string | undefined,
  flags: LiveFlags,
  { workloadKinds }: Settings,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Snapshot> {
  const { kubeconfig, namespace, as, asGroup, concurrency } = flags
  const started = clock()
  let requests = 0
  // Held until this process ends: what it limits is the whole run.
  const { signal: ending } = limited(flags.timeout, signal)
  const options = {
    context,
    kubeconfig,
    as,
    asGroup,
    sockets: concurrency,
    env: process.env,
    signal: ending,
    warn,
  }
  const connection = await connect(options)
  const { get, getLines } = clientOf(connection, {
    timeout: flags.requestTimeout,
    signal: ending,
    renewed: () => connect(options),
    onRequest: () => void requests++,
  })
  const found = await explained(connection, async () => {
    const own = namespace === undefined ? undefined : await namespaceCalled(namespace, get)
    return scan(get, {
      kinds: scannedKinds(workloadKinds),
      counted: countedKinds,
      namespace,
      own,
      getLines,
      kubelets: flags.kubeletMetrics ?? 0,
      exporters: flags.nodeMetrics ?? 0,
      chunk: flags.chunkSize,
      concurrency,
      onProgress: (done, all) =>
        onProgress(`${done} of ${all} kinds of ${printable(connection.context)} read`),
    })
  }).finally(() => connection.agent.destroy())
  if (flags.timings) {
    const seconds = ((clock() - started) / 1000).toFixed(2)
    const of = printable(connection.context)
    tell(`${of}: ${requests} requests in ${seconds} s, ${found.documents.length} objects kept`)
  }
  // The Namespace itself is none.
  if (found.documents.length === Number(found.partialKinds.has('Namespace')))
    throw new UsageError(
      `there are no objects to look at in ${namespace === undefined ? `the cluster of the context ${JSON.stringify(connection.context)}` : `the namespace ${namespace}`}.`,
      ...unreadNotes(found.unread),
    )
  return { ...found, context: connection.context }
}

/** @throws UsageError for everything that keeps the cluster from being read at all */
async function explained(
  { context, server, proxy, expired }: Connection,
  work: () => Promise<Scan>,
): Promise<Scan> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    const way = proxy === undefined ? '' : `, through the proxy ${proxy}`
    const where = `the cluster of the context ${JSON.stringify(context)} (${server.origin}${way})`
    switch (error.status) {
      case 401:
        throw new UsageError(
          `${where} does not know these credentials: ${error.message}. ${expired === undefined ? 'They may have expired.' : `The client certificate expired on ${expired.toISOString().slice(0, 10)}.`}`,
        )
      case 403:
        throw new UsageError(
          `${where} lets these credentials read nothing: ${error.message}. -n NAMESPACE reads one namespace alone; k8s-af rbac prints the role that a scan needs.`,
        )
      default:
        throw new UsageError(`${where} cannot be read: ${error.message}`)
    }
  }
}

/**
 * The Namespace of that name, or undefined where it may not be read.
 * @throws UsageError where there is none: it is empty, too, and must not look like a good one
 */
async function namespaceCalled(name: string, get: Get): Promise<Untyped | undefined> {
  try {
    const answer = await get(`/api/v1/namespaces/${encodeURIComponent(name)}`)
    return stringAt(answer, 'metadata', 'name') === name && isObject(answer) ? answer : undefined
  } catch (error) {
    if (!(error instanceof RequestError) || error.status === 401 || error.status === 0) throw error
    // Who may read one namespace only need not be able to look at the namespace itself.
    if (error.status !== 404) return undefined
    const meant = didYouMean(name, await namespaces(get))
    throw new UsageError(
      `there is no namespace ${JSON.stringify(name)}. ${meant || 'kubectl get namespaces lists them.'}`,
    )
  }
}

async function namespaces(get: Get): Promise<string[]> {
  try {
    return objectsAt(await get('/api/v1/namespaces?limit=1000'), 'items').flatMap(
      (item) => stringAt(item, 'metadata', 'name') ?? [],
    )
  } catch (error) {
    if (error instanceof RequestError) return []
    throw error
  }
}
