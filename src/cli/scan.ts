/** `k8s-af scan` */
import { type Connection, connect } from '../cluster/connect.js'
import { scannedKinds } from '../cluster/kinds.js'
import { type Get, RequestError, reader } from '../cluster/request.js'
import { type Scan, scan } from '../cluster/scan.js'
import { loadSnapshot, type Snapshot, saveSnapshot as writeSnapshot } from '../cluster/snapshot.js'
import type { Settings } from '../config/settings.js'
import { UsageError } from '../config/usage.js'
import { nearestMinor } from '../config/version.js'
import { lint } from '../engine/lint.js'
import type { Summary } from '../finding.js'
import { nearestName } from '../graph/similar.js'
import { objectsAt, stringAt } from '../graph/untyped.js'
import type { Unread } from '../reader/input.js'
import { loadRules, loadStories } from '../registry.js'
import { formatNames } from '../reporters/reporter.js'
import { printable } from '../reporters/text.js'
import { checkOutputs, outputsOf } from './output.js'
import { present, type ReportFlags } from './present.js'
import { type SettingsFlags, settingsFor } from './settings.js'

export interface ScanFlags extends SettingsFlags, ReportFlags {
  readonly context?: string
  readonly kubeconfig?: string
  readonly allNamespaces?: boolean
  readonly fromSnapshot?: string
  readonly saveSnapshot?: string
  readonly chunkSize: number
  /** Milliseconds. */
  readonly requestTimeout: number
  /** Milliseconds. */
  readonly timeout: number
}

/** Lists at once. */
const concurrency = 4

/** Reads the cluster and reports; gives the exit code. */
export async function scanCommand(flags: ScanFlags): Promise<number> {
  const started = performance.now()
  if (flags.allNamespaces && flags.namespace !== undefined)
    throw new UsageError('-A and -n contradict each other. Keep one.')
  const rules = await loadRules()
  const { settings, config } = await settingsFor({ ...flags, namespace: undefined }, process.cwd(), rules)
  const outputs = outputsOf(flags.output ?? config?.output ?? ['pretty'], formatNames)
  checkOutputs(outputs)

  const { saveSnapshot } = flags
  const { documents, ...cluster } = await readCluster(flags, settings)
  if (saveSnapshot !== undefined) await writeSnapshot(saveSnapshot, { documents, ...cluster })
  const minor = flags.k8sVersion === undefined && cluster.version ? nearestMinor(cluster.version) : undefined
  const report = lint(
    {
      documents,
      kustomizations: [],
      problems: [],
      skips: [],
      files: 0,
      missing: [],
      cluster,
    },
    {
      settings: { ...settings, minor: minor ?? settings.minor },
      rules,
      stories: loadStories,
      timings: flags.timings ?? false,
      started,
    },
  )
  const code = await present(report, outputs, flags, settings.failOn)
  for (const line of notes(report.summary)) process.stderr.write(`k8s-af: ${printable(line)}\n`)
  return code
}

/** The cluster that the flags name, or the file that holds one. */
export async function readCluster(flags: ScanFlags, settings: Settings): Promise<Snapshot> {
  return flags.fromSnapshot === undefined
    ? await readLive(flags, settings)
    : fromFile(flags.fromSnapshot, flags)
}

function fromFile(file: string, flags: ScanFlags): Snapshot {
  const other = (['context', 'kubeconfig', 'namespace', 'saveSnapshot'] as const).find(
    (name) => flags[name] !== undefined,
  )
  if (other !== undefined)
    throw new UsageError(
      `--from-snapshot reads no cluster: it does not go with --${other === 'saveSnapshot' ? 'save-snapshot' : other}.`,
    )
  return loadSnapshot(file)
}

/** Connects, and reads all that rules look at. */
async function readLive(flags: ScanFlags, { workloadKinds }: Settings): Promise<Snapshot> {
  const { context, kubeconfig, namespace, saveSnapshot } = flags
  if (saveSnapshot !== undefined) checkOutputs([{ format: 'snapshot', file: saveSnapshot }])
  const started = performance.now()
  let requests = 0
  const connection = await connect({ context, kubeconfig, sockets: concurrency, env: process.env })
  const get = reader(connection, {
    timeout: flags.requestTimeout,
    signal: AbortSignal.timeout(flags.timeout),
    onRequest: () => void requests++,
  })
  const found = await explained(connection, async () => {
    if (namespace !== undefined) await checkNamespace(get, namespace)
    return scan(get, {
      kinds: scannedKinds(workloadKinds),
      namespace,
      chunk: flags.chunkSize,
      concurrency,
      onProgress: (done, all) => progress(`${done} of ${all} kinds of ${printable(connection.context)} read`),
    })
  })
  connection.agent.destroy()
  progress('')
  if (flags.timings) {
    const seconds = ((performance.now() - started) / 1000).toFixed(2)
    process.stderr.write(`${requests} requests in ${seconds} s, ${found.documents.length} objects kept\n`)
  }
  if (found.documents.length === 0)
    throw new UsageError(
      `there are no objects to look at in ${namespace === undefined ? `the cluster of the context ${JSON.stringify(connection.context)}` : `the namespace ${namespace}`}.`,
      ...unreadNotes(found.unread),
    )
  return { ...found, context: connection.context }
}

/** A line that comes and goes, for people who wait at a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** @throws UsageError for everything that keeps the cluster from being read at all */
async function explained({ context, server }: Connection, work: () => Promise<Scan>): Promise<Scan> {
  try {
    return await work()
  } catch (error) {
    progress('')
    if (!(error instanceof RequestError)) throw error
    const where = `the cluster of the context ${JSON.stringify(context)} (${server.origin})`
    switch (error.status) {
      case 401:
        throw new UsageError(
          `${where} does not know these credentials: ${error.message}. They may have expired.`,
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

/** A namespace that is not there is empty, too: that must not look like a good one. */
async function checkNamespace(get: Get, name: string): Promise<void> {
  try {
    await get(`/api/v1/namespaces/${encodeURIComponent(name)}`)
  } catch (error) {
    if (!(error instanceof RequestError) || error.status === 401 || error.status === 0) throw error
    // Who may read one namespace only need not be able to look at the namespace itself.
    if (error.status !== 404) return
    const near = nearestName(name, await namespaces(get))
    throw new UsageError(
      `there is no namespace ${JSON.stringify(name)}. ${near === undefined ? 'kubectl get namespaces lists them.' : `Did you mean ${JSON.stringify(near)}?`}`,
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

/** What was not read, and what that means. */
function notes({ cluster, notEvaluated }: Summary): string[] {
  const rules = notEvaluated.map(({ rule }) => rule)
  return [
    ...unreadNotes(cluster?.unread ?? []),
    ...(rules.length > 0 ? [`some cases could not be decided without them: ${some(rules)}`] : []),
  ]
}

function unreadNotes(unread: readonly Unread[]): string[] {
  const forbidden = unread.filter(({ reason }) => reason === 'forbidden').map(({ resource }) => resource)
  return [
    ...(forbidden.length > 0
      ? [
          // The role for a scan leaves Secrets out, too.
          `not read, forbidden: ${some(forbidden)}${forbidden.join() === 'secrets' ? '' : '. k8s-af rbac prints the role that allows it'}`,
        ]
      : []),
    ...unread
      .filter(({ reason }) => reason === 'failed')
      .map(({ resource, message }) => `not read: ${resource}: ${message}`),
  ]
}

function some(names: readonly string[]): string {
  const most = 8
  return names.length > most + 1
    ? `${names.slice(0, most).join(', ')} and ${names.length - most} more`
    : names.join(', ')
}
