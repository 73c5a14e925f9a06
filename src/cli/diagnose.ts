/** `k8s-af diagnose` */
import { scannedKinds } from '../cluster/kinds.js'
import type { Snapshot } from '../cluster/snapshot.js'
import { UsageError } from '../config/usage.js'
import { diagnose } from '../diagnose/diagnose.js'
import { render } from '../diagnose/render.js'
import type { Graph } from '../graph/graph.js'
import type { KubernetesObject } from '../kubernetes.js'
import { loadRules, loadStories } from '../registry.js'
import { escapeJson } from '../reporters/escape.js'
import { unreadNotes } from '../reporters/gaps.js'
import { lookOf } from '../reporters/look.js'
import { clock } from '../values/clock.js'
import { didYouMean } from '../values/similar.js'
import { aimOf, type ClusterFlags, examineSnapshot, readCluster } from './live.js'
import type { ReportFlags } from './present.js'
import { type SettingsFlags, settingsFor } from './settings.js'
import { terminalOf, write } from './streams.js'

export interface DiagnoseFlags extends SettingsFlags, ClusterFlags, Pick<ReportFlags, 'color'> {
  readonly context?: string
  readonly namespace?: string
  readonly symptom?: string
  readonly output: 'text' | 'json'
}

/** kubectl's short names of the kinds that people ask about. */
const shortNames: ReadonlyMap<string, string> = new Map([
  ['cj', 'cronjob'],
  ['cm', 'configmap'],
  ['deploy', 'deployment'],
  ['ds', 'daemonset'],
  ['hpa', 'horizontalpodautoscaler'],
  ['ing', 'ingress'],
  ['netpol', 'networkpolicy'],
  ['no', 'node'],
  ['ns', 'namespace'],
  ['pdb', 'poddisruptionbudget'],
  ['po', 'pod'],
  ['pvc', 'persistentvolumeclaim'],
  ['rs', 'replicaset'],
  ['sts', 'statefulset'],
  ['svc', 'service'],
])

/** Reads the cluster, and tells what may be wrong with one object; gives the exit code. */
export async function diagnoseCommand(words: readonly string[], flags: DiagnoseFlags): Promise<number> {
  const started = clock()
  const wanted = objectIn(words, flags.namespace)
  const rules = await loadRules()
  const { settings } = await settingsFor(
    { ...flags, preset: flags.preset ?? 'all', namespace: undefined, isDiagnosis: true },
    process.cwd(),
    rules,
  )
  // What is around the object may stand in other namespaces, and be of no namespace at all.
  const { context, namespace: _, ...where } = flags
  const snapshot = await readCluster(context, where, settings)
  const options = { settings, rules, stories: loadStories, started }
  const aim = aimOf(context, flags, snapshot)
  const { report, graph } = examineSnapshot(snapshot, flags, options, aim)
  const object = objectNamed(wanted, graph, snapshot)
  const diagnosis = diagnose(object, graph, report, flags.symptom, aim)
  const look = lookOf(terminalOf('stdout'), process.env, { color: flags.color, showSuppressed: false })
  write(
    flags.output === 'json'
      ? `${escapeJson(JSON.stringify(diagnosis, null, 2))}\n`
      : render(diagnosis, report, look),
  )
  return 0
}

interface Wanted {
  readonly kind: string
  readonly name: string
  /** Any when absent. */
  readonly namespace: string | undefined
}

/** `deployment/web`, or `deployment/shop/web` as reports have it, or the parts as words. */
function objectIn(words: readonly string[], flag: string | undefined): Wanted {
  const parts = words.flatMap((word) => word.split('/'))
  const [kind = '', name = ''] = parts.length === 3 ? [parts[0], parts[2]] : parts
  const namespace = parts.length === 3 ? parts[1] : flag
  if (parts.length > 3 || [kind, name, namespace].includes(''))
    throw new UsageError(
      `${JSON.stringify(words.join(' '))} names no object. Write KIND/NAME: k8s-af diagnose deployment/web -n shop`,
    )
  if (flag !== undefined && namespace !== flag)
    throw new UsageError(`${JSON.stringify(words.join(' '))} is not in the namespace ${flag}.`)
  return { kind, name, namespace }
}

/** The object; of a pod that a workload made, the workload. */
function objectNamed(
  { kind, name, namespace }: Wanted,
  graph: Graph,
  { unread, unreadKinds }: Snapshot,
): KubernetesObject {
  const type = singular(kind.toLowerCase())
  const isInPlace = (one: KubernetesObject) =>
    namespace === undefined || (one.metadata?.namespace ?? namespace) === namespace
  if (type === 'pod') {
    const pod = graph.live?.pods.find((one) => one.metadata?.name === name && isInPlace(one))
    const owner = pod && graph.workloads.find((one) => graph.live?.podsOf(one).includes(pod))
    if (owner) return owner.object
  }
  const isOfType = (read: string | undefined) => read?.replace(/^.*\//, '').toLowerCase() === type
  const ofKind = graph.objects.filter((one) => isOfType(one.kind) && isInPlace(one))
  const found = ofKind.filter(({ metadata }) => metadata?.name === name)
  const [first, second] = found
  if (first && second)
    throw new UsageError(
      `there is more than one ${kind} ${name}: in ${found.map((one) => graph.namespaceOf(one)).join(', ')}. Choose with -n.`,
    )
  if (first) return first
  if (![...scannedKinds([])].some(isOfType) && !graph.objects.some((one) => isOfType(one.kind))) {
    const known = [...new Set([...scannedKinds([])].map((one) => one.replace(/^.*\//, '').toLowerCase()))]
    throw new UsageError(
      `a scan reads no objects of the kind ${kind}. ${didYouMean(type, known) || 'Ask about its workload, Service, claim or node.'}`,
    )
  }
  // What could not be read may be there.
  if ([...unreadKinds].some(isOfType))
    throw new UsageError(
      `not all of the kind ${kind} could be read, and ${JSON.stringify(name)} is not among what was.`,
      ...unreadNotes(unread),
    )
  const names = ofKind.flatMap(({ metadata }) => metadata?.name ?? [])
  const where = namespace === undefined ? '' : ` in the namespace ${namespace}`
  throw new UsageError(
    `there is no ${kind} ${JSON.stringify(name)}${where}. ${didYouMean(name, names) || `kubectl get ${kind} -A lists them.`}`,
  )
}

/** `deploy`, `deployments` and `deployments.apps` as `deployment`. */
function singular(kind: string): string {
  const [type = ''] = kind.split('.')
  const known = shortNames.get(type) ?? type
  if (known === 'ingresses') return 'ingress'
  if (known === 'networkpolicies') return 'networkpolicy'
  return known.endsWith('s') && known !== 'ingress' ? known.slice(0, -1) : known
}
