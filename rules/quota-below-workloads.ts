import {
  at,
  counted,
  exact,
  firstOf,
  formatBytes,
  type Graph,
  limitOf,
  objectAt,
  ownValue,
  quantity,
  quotasFor,
  type ReportOptions,
  type ResourceQuota,
  requestOf,
  rule,
  surgeBeforeStop,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A quota has no room for the workloads of its own namespace',
  category: 'resources',
  severity: 'warning',
  why: `The API server refuses each pod that would take a namespace above its ResourceQuota. What is applied last gets fewer pods than it
wants, or none, and nothing is Pending: only events of the ReplicaSet tell. A quota that holds just what runs has no room for the extra
pod of a rollout. With \`maxUnavailable\` 0, which 25 % comes to for up to three replicas, the rollout then waits for ever.`,
  remedy:
    'Raise the quota to what runs and one pod more of the largest Deployment, or lower requests or replicas.',
  decides: `In manifests: a ResourceQuota without scopes on pods, CPU, memory or ephemeral storage, against the sum of the pods that the
workloads of its namespace run with at least: their replicas, or \`minReplicas\` of an autoscaler, times what each pod asks for. A DaemonSet counts as
one pod, Jobs and CronJobs as none, and of variants that have one name the smallest counts. Beyond the sum, the extra pod of a
Deployment that starts one before it stops one; and, as an info, the pods that a HorizontalPodAutoscaler may make and has no room for. Quotas that name no namespace, or \`default\`, are held against what stands in
their own folder.

Exempt: quotas and workloads that a patch changes, pods that alone are above the quota (\`request-exceeds-node\`), and clusters, in which
\`quota-exhausted\` tells what is used.`,
  sources: [
    'kubernetes/pkg/quota/v1/evaluator/core/pods.go (podComputeUsageHelper, QuotaV1Pod)',
    'kubernetes/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts)',
  ],
  stories: [],
  unless: ['request-exceeds-node'],
  for: 'ResourceQuota',
  check(quota, { graph, report }) {
    const { hard } = quota.spec ?? {}
    if (graph.live || !hard || graph.patched(quota)) return
    const workloads = boundBy(quota, graph)
    if (workloads.length === 0) return
    const uses = Object.keys(hard).flatMap((key) => useOf(key, hard, workloads, graph) ?? [])
    for (const check of [tooMuch, noRoomForRollout, beyondReach])
      for (const use of uses) {
        const fault = check(use, graph)
        if (!fault) continue
        const [message, of, options] = fault
        report(hard, use.key, message, {
          ...options,
          see: of
            .slice(0, 3)
            .map(({ workload, pods, each }) =>
              at(workload, workload.pod, 'containers', takes(pods, each, use.key)),
            ),
        })
        return
      }
  },
})

/** What a quota counts of one pod under a key; undefined for keys that are not about pods. */
function measureOf(key: string): ((workload: Workload) => number) | undefined {
  if (isCount(key)) return () => 1
  const [, of, resource = ''] = /^(?:(requests|limits)\.)?(cpu|memory|ephemeral-storage)$/.exec(key) ?? []
  if (resource === '') return undefined
  return (workload) => (of === 'limits' ? limitOf : requestOf)(workload, resource)
}

/** The workloads whose pods the quota counts. */
function boundBy(quota: ResourceQuota, graph: Graph): readonly Workload[] {
  const namespace = graph.namespaceOf(quota)
  const isOpen = namespace === '' || namespace === 'default'
  return graph
    .nearby(quota)
    .filter(
      (one) =>
        !one.batch &&
        !one.controlled &&
        !graph.patched(one.object) &&
        graph.together(one.object, quota) &&
        (!isOpen || graph.apart(one.object, quota) === 0) &&
        quotasFor(one, graph).some((found) => found.quota === quota),
    )
}

/** What a workload takes of a quota. */
interface Share {
  readonly workload: Workload
  readonly pods: number
  /** Of one pod. */
  readonly each: number
}

/** What is allowed under a key of a quota, and what takes of it. */
interface Use {
  readonly key: string
  readonly most: number
  readonly sum: number
  /** The largest first. */
  readonly shares: readonly Share[]
}

function useOf(
  key: string,
  hard: Readonly<Record<string, string>>,
  workloads: readonly Workload[],
  graph: Graph,
): Use | undefined {
  const most = quantity(hard[key])
  const amountOf = measureOf(key)
  if (most === undefined || !amountOf) return undefined
  const least = new Map<string, Share>()
  for (const workload of workloads) {
    const pods = workload.scale ? graph.fewestPods(workload)?.pods : 1
    const share = { workload, pods: pods ?? 0, each: amountOf(workload) }
    const name = `${workload.kind} ${workload.name}`
    const known = least.get(name)
    if (!known || sizeOf(share) < sizeOf(known)) least.set(name, share)
  }
  const shares = [...least.values()]
    .filter((share) => sizeOf(share) > 0)
    .sort((a, b) => sizeOf(b) - sizeOf(a))
  return { key, most, shares, sum: exact(shares.reduce((sum, share) => sum + sizeOf(share), 0)) }
}

function sizeOf({ pods, each }: Share): number {
  return pods * each
}

type Shortage = readonly [message: string, of: readonly Share[], options?: ReportOptions]

/** That not all pods fit. */
function tooMuch({ key, most, sum, shares }: Use): Shortage | undefined {
  if (sum <= most || shares.some(({ each }) => each > most)) return undefined
  const names = firstOf(shares.map(({ workload }) => workload.name))
  return [
    `Not all pods of ${names} are made: together they ${asked(sum, key)}, and this quota allows ${show(most, key)}.`,
    shares,
  ]
}

/** That the extra pod of a rollout does not fit, without which it does not go on. */
function noRoomForRollout({ key, most, sum, shares }: Use): Shortage | undefined {
  const isStuck = ({ workload, pods, each }: Share) => exact(sum + each) > most && startsFirst(workload, pods)
  const stuck = sum > most ? undefined : shares.find(isStuck)
  if (!stuck) return undefined
  return [
    `A rollout of ${stuck.workload.name} hangs: it starts a new pod before it stops one, and with that the pods here ${asked(exact(sum + stuck.each), key)}, where this quota allows ${show(most, key)}.`,
    [stuck],
  ]
}

/** That an autoscaler has no room for as many pods as it may make, while all others run with the fewest. */
function beyondReach({ key, most, sum, shares }: Use, graph: Graph): Shortage | undefined {
  for (const share of sum > most ? [] : shares) {
    const { workload, pods, each } = share
    const autoscaler = graph.autoscalerOf(workload)
    const { maxReplicas } = autoscaler?.spec ?? {}
    if (!autoscaler || maxReplicas === undefined || maxReplicas <= pods) continue
    const wanted = exact(sum + (maxReplicas - pods) * each)
    if (wanted <= most) continue
    return [
      `${graph.describe(autoscaler)} never makes the ${maxReplicas} pods of ${workload.name} that it may: with them the pods here ${asked(wanted, key)}, where this quota allows ${show(most, key)}.`,
      [{ ...share, pods: maxReplicas }],
      { severity: 'info' },
    ]
  }
  return undefined
}

/** Whether a rollout starts a new pod before it stops an old one. */
function startsFirst({ kind, object }: Workload, pods: number): boolean {
  if (kind !== 'Deployment') return false
  const strategy = objectAt(object, 'spec', 'strategy')
  if ((ownValue(strategy, 'type') ?? 'RollingUpdate') !== 'RollingUpdate') return false
  return surgeBeforeStop(objectAt(strategy, 'rollingUpdate'), pods) > 0
}

/** `ask for 6 CPU`, `have limits of 8 GiB memory`, `are 12`. */
function asked(sum: number, key: string): string {
  if (isCount(key)) return `are ${sum}`
  return `${key.startsWith('limits.') ? 'have limits of' : 'ask for'} ${show(sum, key)} ${nameOf(key)}`
}

/** `3 × 500Mi memory`, `3 pods`. */
function takes(pods: number, each: number, key: string): string {
  return isCount(key) ? counted(pods, 'pod') : `${pods} × ${show(each, key)} ${nameOf(key)}`
}

function isCount(key: string): boolean {
  return key === 'pods' || key === 'count/pods'
}

function nameOf(key: string): string {
  const resource = key.slice(key.indexOf('.') + 1)
  return resource === 'cpu' ? 'CPU' : resource.replace('-', ' ')
}

function show(amount: number, key: string): string {
  return /memory|storage/.test(key) ? formatBytes(amount) : String(Number(amount.toFixed(3)))
}
