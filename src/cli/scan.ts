/** `k8s-af scan` */

import { kubeconfigOf } from '../cluster/kubeconfig.js'
import { each } from '../cluster/list.js'
import { isLeftOut } from '../cluster/role.js'
import { saveSnapshot as writeSnapshot } from '../cluster/snapshot.js'
import { UsageError } from '../config/usage.js'
import { type ClusterReport, contextOf, type DeadCluster, detached, fleet } from '../engine/fleet.js'
import type { LintOptions } from '../engine/lint.js'
import type { Report } from '../engine/report.js'
import type { ClusterSummary } from '../finding.js'
import { loadRules, loadStories } from '../registry.js'
import { gapsOf } from '../reporters/gaps.js'
import { count } from '../reporters/text.js'
import { clock } from '../values/clock.js'
import { didYouMean } from '../values/similar.js'
import { type BaselineFlags, baselineOutput, keepKnown, knownBefore, withoutKnown } from './baseline.js'
import { interruptible } from './interrupt.js'
import { aimOf, type ClusterFlags, examineSnapshot, progress, readCluster, readLive } from './live.js'
import { checkOutputs, outputsFor } from './output.js'
import { present, type ReportFlags } from './present.js'
import { type SettingsFlags, settingsFor } from './settings.js'
import { note } from './streams.js'

export interface ScanFlags extends SettingsFlags, ReportFlags, ClusterFlags, BaselineFlags {
  readonly context?: readonly string[]
  readonly allContexts?: boolean
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly saveSnapshot?: string
  readonly requireComplete?: boolean
  readonly timings?: boolean
}

/** Clusters at once: each holds its objects until they have been looked at. */
const clustersAtOnce = 4

/** Reads the clusters and reports; gives the exit code. */
export async function scanCommand(flags: ScanFlags): Promise<number> {
  const started = clock()
  if (flags.allNamespaces && flags.namespace !== undefined)
    throw new UsageError('-A and -n contradict each other. Keep one.')
  if (flags.kubeletMetrics !== undefined && flags.namespace !== undefined)
    throw new UsageError('--kubelet-metrics is about whole nodes: it does not go with -n.')
  if (flags.nodeMetrics !== undefined && flags.namespace !== undefined)
    throw new UsageError('--node-metrics is about whole nodes: it does not go with -n.')
  const rules = await loadRules()
  const { settings, config } = await settingsFor({ ...flags, namespace: undefined }, process.cwd(), rules)
  const outputs = outputsFor(flags, config)
  checkOutputs([...outputs, ...baselineOutput(flags)])
  const known = knownBefore(flags)
  const contexts = flags.fromSnapshot === undefined ? await contextsOf(flags) : []
  if (contexts.length > 1 && outputs.some(({ format }) => format === 'policyreport'))
    throw new UsageError('-o policyreport is for the cluster that it is applied to: scan one at a time.')
  const options = { settings, rules, stories: loadStories, timings: flags.timings ?? false, started }

  const report =
    contexts.length > 1
      ? await interruptible((signal) => scanAll(contexts, flags, options, signal))
      : await scanOne(contexts[0], flags, options)
  const cwd = process.cwd()
  const left = keepKnown(withoutKnown(report, known, flags, cwd), flags, cwd)
  const code = await present(left, outputs, flags, settings.failOn)
  const { clusters, cluster } = report.summary
  const all = clusters ?? (cluster ? [cluster] : [])
  gapsOf(report.summary).forEach(note)
  const isShort = all.some((one) => one.error !== undefined || (flags.requireComplete && hasGap(one)))
  return code < 2 && isShort ? 3 : code
}

/** The contexts to read: none for the current one. */
async function contextsOf({
  context = [],
  allContexts,
  saveSnapshot,
  kubeconfig,
}: ScanFlags): Promise<readonly string[]> {
  const named = [...new Set(context)]
  if (!allContexts && named.length < 2) return named
  if (allContexts && named.length > 0)
    throw new UsageError('--context and --all-contexts contradict each other. Keep one.')
  if (saveSnapshot !== undefined)
    throw new UsageError('--save-snapshot takes one cluster: it does not go with several contexts.')
  const { client } = await kubeconfigOf({ kubeconfig, env: process.env })
  const all = client.getContexts()
  const names = all.map(({ name }) => name)
  for (const name of named) {
    if (!names.includes(name))
      throw new UsageError(
        `there is no context ${JSON.stringify(name)}. ${didYouMean(name, names) || 'kubectl config get-contexts lists them.'}`,
      )
  }
  if (named.length > 0) return named
  if (all.length === 0) throw new UsageError('--all-contexts: the kubeconfig has no contexts.')
  // Contexts that differ in nothing but their namespace would be one cluster read twice.
  return all
    .filter(
      ({ cluster, user }, i) => all.findIndex((one) => one.cluster === cluster && one.user === user) === i,
    )
    .map(({ name }) => name)
}

async function scanOne(context: string | undefined, flags: ScanFlags, options: LintOptions): Promise<Report> {
  const { saveSnapshot } = flags
  if (saveSnapshot !== undefined) checkOutputs([{ format: 'snapshot', file: saveSnapshot }])
  const snapshot = await readCluster(context, flags, options.settings)
  if (saveSnapshot !== undefined) await writeSnapshot(saveSnapshot, snapshot)
  return examineSnapshot(snapshot, flags, options, aimOf(context, flags, snapshot)).report
}

/** Several clusters at the same time. One that cannot be read is named, and the others are looked at. */
async function scanAll(
  contexts: readonly string[],
  flags: ScanFlags,
  options: LintOptions & { readonly started: number },
  signal: AbortSignal,
): Promise<Report> {
  const read: ClusterReport[] = []
  const dead: DeadCluster[] = []
  const errors: string[] = []
  await each(contexts, clustersAtOnce, async (context) => {
    try {
      if (signal.aborted) throw new UsageError('interrupted')
      const snapshot = await readLive(context, flags, options.settings, signal, () => {})
      const aim = aimOf(context, flags, snapshot)
      read.push(detached(examineSnapshot(snapshot, flags, options, aim).report))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      dead.push({ context, message: error.lines.join(' ') })
      errors.push(...error.lines)
    }
    progress(`${read.length + dead.length} of ${count(contexts.length, 'cluster')} read`)
  })
  progress('')
  const [first, ...others] = read.sort((a, b) => (contextOf(a.report) < contextOf(b.report) ? -1 : 1))
  if (!first) throw new UsageError(...errors)
  return fleet([first, ...others], dead, options.started)
}

/** Whether something could not be read that the role for a scan does not leave out on purpose. */
function hasGap({ unread }: ClusterSummary): boolean {
  return unread.some(({ resource, reason }) => reason !== 'forbidden' || !isLeftOut(resource))
}
