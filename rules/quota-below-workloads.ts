import {
  at,
  counted,
  firstOf,
  formatBytes,
  type Graph,
  limitOf,
  objectAt,
  ownValue,
  quantity,
  quotasFor,
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
Deployment that starts one before it stops one. Quotas that name no namespace, or \`default\`, are held against what stands in
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
    for (const key in hard) {
      const most = quantity(ownValue(hard, key))
      const amountOf = measureOf(key)
      if (most === undefined || !amountOf) continue
      const shares = sharesOf(workloads, amountOf, graph)
      const fault = tooMuch(shares, most, key) ?? noRoomForRollout(shares, most, key)
      if (!fault) continue
      const { message, of } = fault
      report(hard, key, message, {
        see: of
          .slice(0, 3)
          .map(({ workload, pods, each }) =>
            at(workload, workload.pod, 'containers', takes(pods, each, key)),
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

/** The workloads whose pods the quota counts, of variants of one name the first. */
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
        nearestQuotas(one, quota, graph).includes(quota),
    )
}

/** Of quotas that have one name, as in a repository for several clusters, those that stand nearest. */
function nearestQuotas(
  workload: Workload,
  { metadata }: ResourceQuota,
  graph: Graph,
): readonly ResourceQuota[] {
  const alike = quotasFor(workload, graph)
    .map(({ quota }) => quota)
    .filter((one) => one.metadata?.name === metadata?.name)
  const least = Math.min(...alike.map((one) => graph.apart(one, workload.object)))
  return alike.filter((one) => graph.apart(one, workload.object) === least)
}

/** What a workload takes of a quota. */
interface Share {
  readonly workload: Workload
  readonly pods: number
  /** Of one pod. */
  readonly each: number
}

function sharesOf(
  workloads: readonly Workload[],
  amountOf: (one: Workload) => number,
  graph: Graph,
): readonly Share[] {
  const least = new Map<string, Share>()
  for (const workload of workloads) {
    const pods = workload.scale ? graph.fewestPods(workload)?.pods : 1
    if (!pods) continue
    const share = { workload, pods, each: amountOf(workload) }
    const key = `${workload.kind} ${workload.name}`
    const known = least.get(key)
    if (!known || share.pods * share.each < known.pods * known.each) least.set(key, share)
  }
  return [...least.values()].filter(({ each }) => each > 0).sort((a, b) => b.pods * b.each - a.pods * a.each)
}

interface Shortage {
  readonly message: string
  readonly of: readonly Share[]
}

/** That not all pods fit. */
function tooMuch(shares: readonly Share[], most: number, key: string): Shortage | undefined {
  const [first] = shares
  const sum = sumOf(shares)
  if (!first || first.each > most || sum <= most) return undefined
  const names = firstOf(shares.map(({ workload }) => workload.name))
  return {
    message: `Not all pods of ${names} are made: together they ${asked(sum, key)}, and this quota allows ${show(most, key)}.`,
    of: shares,
  }
}

/** That the extra pod of a rollout does not fit, without which it does not go on. */
function noRoomForRollout(shares: readonly Share[], most: number, key: string): Shortage | undefined {
  const sum = sumOf(shares)
  const stuck = shares.find(({ workload, pods, each }) => startsFirst(workload, pods) && sum + each > most)
  if (!stuck || sum > most) return undefined
  const { workload, each } = stuck
  return {
    message: `A rollout of ${workload.name} hangs: it starts a new pod before it stops one, and with that the pods here ${asked(sum + each, key)}, where this quota allows ${show(most, key)}.`,
    of: [stuck],
  }
}

/** Whether a rollout starts a new pod before it stops an old one. */
function startsFirst({ kind, object }: Workload, pods: number): boolean {
  if (kind !== 'Deployment') return false
  const strategy = objectAt(object, 'spec', 'strategy')
  if ((ownValue(strategy, 'type') ?? 'RollingUpdate') !== 'RollingUpdate') return false
  return surgeBeforeStop(objectAt(strategy, 'rollingUpdate'), pods) > 0
}

const sumOf = (shares: readonly Share[]): number =>
  shares.reduce((sum, { pods, each }) => sum + pods * each, 0)

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
