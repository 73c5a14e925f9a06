import {
  at,
  type Container,
  formatBytes,
  type Graph,
  isBoundOfOthers,
  isFor,
  limitOf,
  linesOf,
  type Node,
  ownValue,
  type PodSpec,
  pendingPods,
  quantity,
  quantityPattern,
  quotasFor,
  requested,
  requestOf,
  rule,
  type Workload,
} from '../src/rule.js'

/** `cpu`, `memory`, `ephemeral-storage` or the name of an extended resource, `nvidia.com/gpu`. */
type Resource = string

export default rule({
  title: 'A pod asks for more than any node has',
  category: 'resources',
  severity: 'error',
  why: `The scheduler places a pod only where its whole request fits. When it is larger than what the
largest node offers the pod stays Pending for ever, and adding nodes of the same size changes nothing. A
request above the namespace's LimitRange or ResourceQuota is refused when the pod is created, and only the
ReplicaSet's events tell.`,
  remedy: 'Lower the request, or add larger nodes.',
  decides: `The request of a pod is the sum of its ordinary containers and native sidecars, or its largest init
container and the sidecars that start before it, plus overhead; or what the pod itself asks for. CPU, memory, ephemeral storage and what devices give (\`nvidia.com/gpu\`) are compared
with

- the largest \`status.allocatable\` of the Nodes that are open to the pod by their labels and taints, or with the
  parameters;
- \`max\` of a LimitRange of the namespace, per container and pod, which bounds the limits, too, and does not count the overhead;
- \`hard\` of a ResourceQuota of the namespace without scopes, which may bound the limits, too.

A LimitRange or quota that names no namespace and stands in a folder with workloads counts for that folder alone.
Nodes count only where no Karpenter NodePool may bring larger ones. In a cluster, workloads whose pods run are left
alone, and those that have waited less than ten minutes, in which a node autoscaler may bring a larger node.`,
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/noderesources/fit.go',
    'kubernetes/pkg/apis/core/v1/defaults.go (defaultPodRequests: a limit of the pod and requests of its containers)',
    'kubernetes/plugin/pkg/admission/limitranger/admission.go',
  ],
  stories: ['betz-resource-limits', 'grafana-pod-priorities'],
  params: {
    largestCpu: {
      type: 'string',
      pattern: `^$|${quantityPattern}`,
      default: '',
      about:
        'CPU that the largest node offers to pods, such as `15800m`; empty takes the Nodes of the input.',
    },
    largestMemory: {
      type: 'string',
      pattern: `^$|${quantityPattern}`,
      default: '',
      about:
        'Memory that the largest node offers to pods, such as `58Gi`; empty takes the Nodes of the input.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    for (const resource of ['cpu', 'memory', ...othersOf(workload)]) {
      const total = requestOf(workload, resource)
      const node =
        total === 0 || mayFindNode(workload, graph) ? undefined : nodeBound(workload, graph, resource, params)
      const isTooLarge = node !== undefined && total > node.most
      const bound = isTooLarge ? node : namespaceBound(workload, graph, resource)
      const fault = bound
        ? aboveBound(bound, workload, resource, total)
        : aboveBoundOfLimits(workload, resource, graph)
      if (!fault) continue
      const [place, field, message, see] = fault
      report(place, field, message, {
        see: [see],
        evidence: graph.live && isTooLarge ? linesOf(pendingPods(graph.live, workload), 1) : undefined,
      })
      return
    }
  },
})

/** Where a finding stands, what it says, and the bound beside it. */
type Excess = readonly [place: Node, field: string, message: string, see: Bound['see']]

/** That the limits of a pod are above a LimitRange for pods, or the whole quota. */
function aboveBoundOfLimits(workload: Workload, resource: Resource, graph: Graph): Excess | undefined {
  const limit = limitInRange(workload, graph, resource) ?? limitBound(workload, graph, resource)
  if (!limit) return undefined
  const limits = limitsWith(workload, resource)
  return [
    limits ?? workload.pod,
    limits ? resource : 'resources',
    `${podsOf(workload)} ${refused(workload)}: ${workload.kind === 'Pod' ? 'its' : 'their'} limits are ${show(limit.asked, resource)} ${ownValue(names, resource) ?? resource}, ${limit.what} ${show(limit.most, resource)}.`,
    limit.see,
  ]
}

/** That a container or the whole pod asks for more than there is: at the request that says so, or the limit that stands for it. */
function aboveBound(bound: Bound, workload: Workload, resource: Resource, total: number): Excess {
  const { container, asked = total } = bound
  const [largest] = [...decisive(workload, asked, resource)].sort(
    (a, b) => requested(b, resource) - requested(a, resource),
  )
  const { requests, limits } = (container ?? largest)?.spec.resources ?? {}
  const byLimit = container && mostOf(container, resource) > requested(container, resource)
  const own = (byLimit || ownValue(requests, resource) === undefined ? limits : requests) ?? workload.pod
  const whole = container ? undefined : workload.pod.resources?.requests
  const place = whole && ownValue(whole, resource) !== undefined ? whole : own
  const what = ownValue(names, resource) ?? resource
  return [
    place,
    place === workload.pod ? 'resources' : resource,
    container
      ? `${podsOf(workload)} ${refused(workload)}: container ${container.name} ${byLimit ? 'has a limit of' : 'asks for'} ${show(mostOf(container, resource), resource)} ${what}, the LimitRange allows ${show(bound.most, resource)}.`
      : `${podsOf(workload)} ${bound.isRefusal ? refused(workload) : waits(workload)}: ${workload.kind === 'Pod' ? 'it asks' : 'they ask'} for ${show(asked, resource)} ${what}, ${bound.what} ${show(bound.most, resource)}.`,
    bound.see,
  ]
}

/** A pod of its own is one. */
const podsOf = ({ kind, name }: Workload): string => (kind === 'Pod' ? `Pod ${name}` : `Pods of ${name}`)
const refused = ({ kind }: Workload): string => (kind === 'Pod' ? 'is refused' : 'are refused')
const waits = ({ kind }: Workload): string => (kind === 'Pod' ? 'stays Pending' : 'stay Pending')

/** A LimitRange holds its maximum against both. */
const mostOf = (container: Container, resource: Resource): number =>
  Math.max(
    requested(container, resource),
    quantity(ownValue(container.spec.resources?.limits, resource)) ?? 0,
  )
const show = (amount: number, resource: Resource): string =>
  resource === 'memory' || resource === 'ephemeral-storage'
    ? formatBytes(amount)
    : String(Number(amount.toFixed(3)))

/** The limits of the pod, or else the largest of a container. */
function limitsWith({ pod, containers }: Workload, resource: Resource) {
  const own = pod.resources?.limits
  if (ownValue(own, resource) !== undefined) return own
  const amount = ({ spec }: Container) => quantity(ownValue(spec.resources?.limits, resource)) ?? 0
  const [largest] = [...containers].sort((a, b) => amount(b) - amount(a))
  return largest?.spec.resources?.limits
}

/** The containers that the request of a pod comes from: those that run, or its init containers where one needs more than they. */
function decisive(
  { pod, running, containers }: Workload,
  total: number,
  resource: Resource,
): readonly Container[] {
  const isEnough = requestOf({ pod, containers: running }, resource) >= total
  return isEnough ? running : containers.filter(({ role }) => role === 'init')
}

const names: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  memory: 'memory',
  'ephemeral-storage': 'ephemeral storage',
}

/** What else its containers ask for that nodes have a number of. Most ask for nothing else: no list is made for them. */
function othersOf({ containers }: Workload): readonly Resource[] {
  let others: readonly Resource[] = none
  for (const { spec } of containers)
    for (const amounts of [spec.resources?.requests, spec.resources?.limits])
      for (const key in amounts)
        if ((key === 'ephemeral-storage' || key.includes('/')) && !others.includes(key))
          others = [...others, key]
  return others
}

const none: readonly Resource[] = []

/**
 * Whether pods of the workload run in the cluster, or a node autoscaler has had no time or
 * cause to bring a larger node.
 */
function mayFindNode(workload: Workload, { live, all }: Graph): boolean {
  if (!live) return false
  const [longest] = pendingPods(live, workload)
  if (longest) return longest.since < 600
  return (
    live.podsOf(workload).some(({ spec }) => spec?.nodeName !== undefined) ||
    all('ConfigMap').some(({ metadata }) => metadata?.name === 'cluster-autoscaler-status')
  )
}

interface Bound {
  readonly most: number
  readonly what: string
  /** Whether the API server refuses the pods; else they wait for a node. */
  readonly isRefusal: boolean
  readonly see: ReturnType<typeof at> | undefined
  /** What the pod asks for by this count, where it is another one than the scheduler's. */
  readonly asked?: number
  /** The container that alone is above it. */
  readonly container?: Container
}

function nodeBound(
  { kind, pod }: Workload,
  graph: Graph,
  resource: Resource,
  params: { readonly largestCpu: string; readonly largestMemory: string },
): Bound | undefined {
  const set = resource === 'cpu' ? params.largestCpu : resource === 'memory' ? params.largestMemory : ''
  const given = set === '' ? undefined : quantity(set)
  if (given !== undefined)
    return { most: given, what: 'the largest node offers', isRefusal: false, see: undefined }
  if (graph.all('karpenter.sh/NodePool').length > 0) return undefined
  // Most workloads of a cluster may run on the same nodes.
  const { eligible, largest } = graph.once(
    `largest ${resource} for ${JSON.stringify([pod.nodeSelector, pod.affinity?.nodeAffinity, pod.tolerations])}`,
    () => largestFor(pod, resource, graph),
  )
  return (
    largest && {
      most: largest.size,
      what: `${largestOf(eligible, graph.all('Node').length, kind === 'Pod' ? 'it' : 'they')} offers`,
      isRefusal: false,
      see: at(largest.node, largest.allocatable, resource),
    }
  )
}

/** On how many nodes a pod may run, and which of them offers most of a resource, where all of them tell. */
function largestFor(pod: PodSpec, resource: Resource, graph: Graph) {
  // Of what only devices give, nodes without one have none.
  const absent = resource.includes('/') ? '0' : undefined
  const eligible = graph.all('Node').filter((node) => isFor(node, pod))
  const sizes = eligible.flatMap((node) => {
    const { allocatable } = node.status ?? {}
    if (!allocatable) return []
    const size = quantity(ownValue(allocatable, resource) ?? absent)
    return size === undefined ? [] : [{ node, allocatable, size }]
  })
  // Without a node that fits otherwise there is no largest one: node-selector-unsatisfiable tells.
  const isKnown = sizes.length === eligible.length
  return {
    eligible: eligible.length,
    largest: isKnown ? sizes.sort((a, b) => b.size - a.size)[0] : undefined,
  }
}

/** What a LimitRange or quota of the namespace allows, where the pods exceed it. */
function namespaceBound(workload: Workload, graph: Graph, resource: Resource): Bound | undefined {
  return rangeBound(workload, graph, resource) ?? quotaBound(workload, graph, resource)
}

function rangeBound(workload: Workload, graph: Graph, resource: Resource): Bound | undefined {
  for (const { type, ...bound } of maximaFor(workload, graph, resource)) {
    const asked = type === 'Pod' ? requestOf(withoutOverhead(workload), resource) : 0
    if (asked > bound.most) return { ...bound, asked, isRefusal: true }
    const container =
      type === 'Container' ? workload.containers.find((one) => mostOf(one, resource) > bound.most) : undefined
    if (container) return { ...bound, container, isRefusal: true }
  }
  return undefined
}

/** A LimitRange of the namespace for pods whose maximum the limits of one exceed. */
function limitInRange(workload: Workload, graph: Graph, resource: Resource) {
  const asked = limitOf(withoutOverhead(workload), resource)
  if (asked === 0) return undefined
  const found = maximaFor(workload, graph, resource).find(({ type, most }) => type === 'Pod' && asked > most)
  return found && { ...found, asked }
}

/** What the LimitRanges of the namespace say of most of a resource. */
function maximaFor(workload: Workload, graph: Graph, resource: Resource) {
  const ranges = graph
    .siblings('LimitRange', workload.object)
    .filter((range) => !isBoundOfOthers(range, workload, graph))
  return ranges.flatMap((range) =>
    (range.spec?.limits ?? []).flatMap(({ type, max }) => {
      const most = quantity(ownValue(max, resource))
      return max && most !== undefined
        ? [{ type, most, what: 'the LimitRange allows', see: at(range, max, resource) }]
        : []
    }),
  )
}

/** A LimitRange does not count the overhead. Source: limitranger/admission.go (podRequests, podLimits). */
function withoutOverhead({ pod: { overhead: _, ...pod }, containers }: Workload) {
  return { pod, containers }
}

function quotaBound(workload: Workload, graph: Graph, resource: Resource): Bound | undefined {
  for (const { quota, hard } of quotasFor(workload, graph)) {
    const key = [`requests.${resource}`, resource].find((one) => ownValue(hard, one) !== undefined)
    const most = key === undefined ? undefined : quantity(ownValue(hard, key))
    if (key !== undefined && most !== undefined && requestOf(workload, resource) > most)
      return { most, what: 'the whole quota is', isRefusal: true, see: at(quota, hard, key) }
  }
  return undefined
}

/** A quota of the namespace for limits that those of one pod exceed. */
function limitBound(workload: Workload, graph: Graph, resource: Resource) {
  const key = `limits.${resource}`
  const asked = limitOf(workload, resource)
  for (const { quota, hard } of asked > 0 ? quotasFor(workload, graph) : []) {
    const most = quantity(ownValue(hard, key))
    if (most !== undefined && asked > most)
      return { asked, most, what: 'the whole quota is', see: at(quota, hard, key) }
  }
  return undefined
}

/** The node that offers most, of so many that the pods may run on. */
function largestOf(eligible: number, nodes: number, who: 'it' | 'they'): string {
  if (eligible === nodes) return 'the largest node'
  return eligible === 1
    ? `the only node that ${who} may run on`
    : `the largest of the ${eligible} nodes that ${who} may run on`
}
