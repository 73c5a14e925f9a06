import {
  at,
  counted,
  enumerate,
  formatSpan,
  type Graph,
  isChosen,
  isFor,
  linesOf,
  type NodeSelectorTerm,
  nearestName,
  type ObjectOf,
  ownValue,
  type Pending,
  type PodSpec,
  pendingPods,
  rule,
  type Workload,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'No node has what the pods ask for',
  category: 'scheduling',
  severity: 'error',
  why: `A pod goes only to a node with every label of \`nodeSelector\` that also meets the required node
affinity and whose taints it tolerates. When there is none it stays Pending. A DaemonSet has no pods at all
then: nothing is Pending, and nothing fails.`,
  remedy: 'Correct the label, label the nodes, or add a pool that has it.',
  decides: `In manifests contradictions alone: a label of \`nodeSelector\` that every term of the required
node affinity excludes, or terms each of which asks of one label what no
value is. In a cluster all Nodes are held against \`nodeSelector\`, required node affinity and
taints (those that tell a passing state, such as not-ready, aside): a finding when none fits and pods of the
workload have been Pending for \`minutes\`, in which an autoscaler would have brought a node. A DaemonSet
without a node is reported only when a node has nearly the label that it asks for: agents for GPUs or
Windows wait for nodes that there may never be.`,
  sources: [
    'k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go',
    'k8s.io/api/core/v1/toleration.go',
    'kubernetes/pkg/controller/daemon/daemon_controller.go (NodeShouldRunDaemonPod)',
  ],
  stories: ['reddit-pi-day', 'loveholidays-gke-ips', 'dfds-node-deletion'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      diagnosed: 0,
      about: 'How long pods may wait for a node that an autoscaler brings.',
    },
  },
  unless: ['removed-node-label-selector'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod } = workload
    if (workload.controlled) return
    const clash = clashIn(pod)
    if (clash) {
      const { key, value, of } = clash
      report(
        pod.nodeSelector ?? pod,
        key,
        `${whatFollows(workload)}: nodeSelector asks for ${key}=${value}, and the node affinity excludes it.`,
        { see: [at(workload.object, of, 'nodeSelectorTerms')] },
      )
      return
    }
    const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const terms = required?.nodeSelectorTerms ?? []
    const keys = terms.flatMap((term) => contradictionIn(term) ?? [])
    if (required && keys.length > 0 && keys.length === terms.length) {
      report(
        required,
        'nodeSelectorTerms',
        `${whatFollows(workload)}: what the node affinity asks of ${enumerate([...new Set(keys)], 'and')} contradicts itself, and all of a term has to hold.`,
      )
      return
    }
    const { live } = graph
    const nodes = graph.all('Node')
    if (!live || nodes.length === 0 || nodes.some((node) => isFor(node, pod))) return
    const pending = pendingPods(live, workload)
    const [longest] = pending
    const near = nearLabel(pod, nodes)
    if (workload.kind === 'DaemonSet' ? !near : !longest || longest.since < params.minutes * 60) return
    const [field, asked] = askedOf(pod)
    const chosen = nodes.filter((node) => isChosen(node, pod)).length
    report(
      pod,
      field,
      `${whatWaits(workload, pending)}: ${chosen > 0 ? `${chosen === 1 ? `the only node that ${asked} allows has` : `all ${chosen} nodes that ${asked} allows have`} taints that they do not tolerate` : `0 of ${counted(nodes.length, 'node')} ${nodes.length === 1 ? 'has' : 'have'} what ${asked} asks for`}.`,
      { evidence: evidenceOf(pod, nodes, pending, near), see: poolsIn(graph) },
    )
  },
})

/** A label that nodeSelector asks for and that every term of the required affinity excludes. */
function clashIn({ nodeSelector, affinity }: PodSpec) {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const terms = required?.nodeSelectorTerms ?? []
  for (const [key, value] of Object.entries(nodeSelector ?? {})) {
    const excluded = terms.every((term) =>
      term.matchExpressions?.some(
        (one) =>
          one.key === key &&
          ((one.operator === 'In' && !one.values?.includes(value)) ||
            (one.operator === 'NotIn' && one.values?.includes(value) === true) ||
            one.operator === 'DoesNotExist'),
      ),
    )
    if (required && terms.length > 0 && excluded) return { key, value, of: required }
  }
  return undefined
}

/** A label of which a term asks what no value is. */
function contradictionIn({ matchExpressions = [] }: NodeSelectorTerm): string | undefined {
  const keys = new Set(matchExpressions.map(({ key }) => key))
  return [...keys].find((key) => {
    const own = matchExpressions.filter((one) => one.key === key)
    const valuesOf = (operator: string) =>
      own.filter((one) => one.operator === operator).map(({ values = [] }) => values)
    const needed = own.some(({ operator }) => operator !== 'DoesNotExist' && operator !== 'NotIn')
    if (needed && own.some(({ operator }) => operator === 'DoesNotExist')) return true
    const excluded = valuesOf('NotIn').flat()
    const above = Math.max(...valuesOf('Gt').map(([value]) => Number(value)))
    const below = Math.min(...valuesOf('Lt').map(([value]) => Number(value)))
    const fits = (value: string) =>
      !excluded.includes(value) &&
      (above === Number.NEGATIVE_INFINITY || Number(value) > above) &&
      (below === Number.POSITIVE_INFINITY || Number(value) < below)
    const [allowed, ...others] = valuesOf('In')
    return allowed
      ? !allowed.some((value) => fits(value) && others.every((values) => values.includes(value)))
      : below - above < 2
  })
}

/** What pods choose their nodes by: the field, and how to call it. */
function askedOf({ nodeSelector, affinity }: PodSpec): readonly [string | undefined, string] {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const labels = Object.entries(nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`)
  if (labels.length > 0)
    return [
      'nodeSelector',
      `nodeSelector ${enumerate(labels, 'and')}${required ? ' with the node affinity' : ''}`,
    ]
  return required ? ['affinity', 'the required node affinity'] : ['tolerations', 'the pod']
}

/** A DaemonSet makes pods for the nodes that they may go to. Source: kubernetes/pkg/controller/daemon/daemon_controller.go. */
function whatFollows({ kind, name }: Workload): string {
  return kind === 'DaemonSet' ? `DaemonSet ${name} has no pods at all` : `Pods of ${name} stay Pending`
}

function whatWaits(workload: Workload, pending: readonly Pending[]): string {
  const { name } = workload
  const [longest] = pending
  if (!longest) return whatFollows(workload)
  const count = pending.length === 1 ? 'A pod' : `${pending.length} pods`
  return `${count} of ${name} ${pending.length === 1 ? 'has' : 'have'} been Pending for ${formatSpan(longest.since)}`
}

/** A label of some node that is nearly one that the pods ask for: another spelling of the key, or of the value. */
function nearLabel({ nodeSelector }: PodSpec, nodes: readonly Node[]): string | undefined {
  for (const [key, value] of Object.entries(nodeSelector ?? {})) {
    const values = [...new Set(nodes.flatMap(({ metadata }) => ownValue(metadata?.labels, key) ?? []))]
    if (values.includes(value)) continue
    if (values.length > 0) {
      const nearest = nearestName(value, values)
      return nearest === undefined ? undefined : `${key}=${nearest}`
    }
    const keys = [...new Set(nodes.flatMap(({ metadata }) => Object.keys(metadata?.labels ?? {})))]
    const nearest = nearestName(key, keys)
    const node = nodes.find(
      ({ metadata }) => nearest !== undefined && ownValue(metadata?.labels, nearest) === value,
    )
    if (node) return `${nearest}=${value}`
  }
  return undefined
}

function evidenceOf(
  { nodeSelector }: PodSpec,
  nodes: readonly Node[],
  pending: readonly Pending[],
  near: string | undefined,
): string[] {
  const lacking = Object.entries(nodeSelector ?? {}).flatMap(([key, value]) => {
    const values = [...new Set(nodes.flatMap(({ metadata }) => ownValue(metadata?.labels, key) ?? []))].sort()
    if (values.includes(value)) return []
    const known = values.slice(0, 4).join(', ') + (values.length > 4 ? ' …' : '')
    return [values.length > 0 ? `nodes have ${key}: ${known}` : `no node has a label ${key}`]
  })
  return [...(near ? [`a node has ${near}`] : lacking), ...linesOf(pending, 1)]
}

/** The pools that might bring such a node, for the reader to look at. */
function poolsIn(graph: Graph) {
  return graph
    .seen('karpenter.sh/NodePool')
    .slice(0, 2)
    .map((pool) => at(pool, pool, 'spec'))
}
