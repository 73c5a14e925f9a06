import {
  type Custom,
  conditionOf,
  counted,
  firstOf,
  formatSpan,
  type Graph,
  type KubernetesObject,
  type Live,
  push,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

const machines = [
  'karpenter.sh/NodeClaim',
  'cluster.x-k8s.io/Machine',
  'machine.openshift.io/Machine',
] as const

export default rule({
  title: 'Machines run and do not become nodes',
  category: 'node',
  severity: 'error',
  why: `A bootstrap that fails leaves a machine that is paid for and takes no pods. Groups of the cloud
provider and autoscalers count it as capacity, so nothing complains until old nodes go; with spot machines
that is within days. Then pods stay Pending.`,
  remedy:
    "Read the machine's boot log (cloud-init, kubelet): a package that moved, a certificate, a role, or no way to the API server.",
  decides: `Machines that are older than \`minutes\` and no node yet:

- Karpenter's NodeClaims whose condition \`Registered\` is not true (or \`Launched\`: the machine was never made);
- Machines of Cluster API and OpenShift without \`status.nodeRef\` whose phase is \`Provisioned\` (the provider has
  made them) or \`Failed\`;
- \`longUnregistered\` above 0 in the ConfigMap cluster-autoscaler-status.

Machines of one pool with the same message are one finding.`,
  falsePositives: 'Bare metal takes long to boot: raise `minutes`.',
  versions:
    'Karpenter deletes a claim that has not registered for 15 minutes, and newer releases one that was not launched for 5, and tries again.',
  sources: [
    'Karpenter documentation, NodeClaims',
    'karpenter/pkg/controllers/nodeclaim/lifecycle/liveness.go (registrationTimeout, LaunchTimeout)',
    'Cluster API documentation, Machine',
    'autoscaler/cluster-autoscaler/clusterstate/api/types.go, since July 2026 in sigs.k8s.io/cluster-autoscaler',
  ],
  stories: ['freenow-node-join', 'heureka-gatekeeper', 'zalando-misc-races'],
  needs: 'cluster',
  params: {
    minutes: { type: 'integer', minimum: 1, default: 10, about: 'How long a machine may take to join.' },
  },
  for: [...machines, 'ConfigMap'],
  check(subject, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    if (subject.kind === 'ConfigMap') {
      const lost = unregistered(subject)
      const data = valueAt(subject, 'data')
      if (lost > 0 && typeof data === 'object' && data !== null)
        report(
          data,
          'status',
          `Capacity is missing that the cloud provider counts: Cluster Autoscaler has given up on ${counted(lost, 'machine')} without a node.`,
        )
      return
    }
    const stuck = graph.once('machines without a node', () => stuckIn(graph, live, params.minutes * 60))
    const together = stuck.find(([first]) => first?.machine === subject)
    const [first] = together ?? []
    if (!together || !first) return
    report(
      first.node,
      undefined,
      first.isMade
        ? `Pods may stay Pending: ${counted(together.length, 'machine')} could not join as a node for ${formatSpan(first.seconds)}.`
        : `Pods may stay Pending: ${counted(together.length, 'machine')} could not be made for ${formatSpan(first.seconds)}.`,
      {
        evidence: [
          ...(first.message ? [first.message] : []),
          ...(together.length > 1
            ? [firstOf(together.map(({ machine }) => machine.metadata?.name ?? ''))]
            : []),
        ],
      },
    )
  },
})

interface Stuck {
  readonly machine: Custom
  readonly node: object
  /** How long it has been there. */
  readonly seconds: number
  /** Whether the cloud provider has made it. */
  readonly isMade: boolean
  readonly message: string | undefined
}

/**
 * The machines that are too old to be no node, those of one pool with the same message together, the oldest
 * first.
 */
function stuckIn(graph: Graph, live: Live, patience: number): readonly (readonly Stuck[])[] {
  const groups = new Map<string, Stuck[]>()
  for (const kind of machines)
    for (const machine of graph.seen(kind)) {
      const seconds = (live.now - Date.parse(machine.metadata?.creationTimestamp ?? '')) / 1000
      const found = machine.metadata?.deletionTimestamp ? undefined : stateOf(machine)
      if (!found || !(seconds >= patience)) continue
      const [event] = live.eventsOf(machine)
      const message = found.message ?? event?.message
      const labels = machine.metadata?.labels ?? {}
      const pool =
        labels['karpenter.sh/nodepool'] ??
        labels['cluster.x-k8s.io/deployment-name'] ??
        labels['machine.openshift.io/cluster-api-machineset']
      const key = JSON.stringify([kind, pool ?? machine.metadata?.name, found.isMade, message])
      push(groups, key, { ...found, machine, seconds, message })
    }
  return [...groups.values()].map((group) => group.sort((a, b) => b.seconds - a.seconds))
}

/** How far a machine is that is no node; undefined for nodes, and where there is nothing to tell it by. */
function stateOf(machine: Custom): Pick<Stuck, 'node' | 'isMade' | 'message'> | undefined {
  const status = valueAt(machine, 'status')
  const node = typeof status === 'object' && status !== null ? status : machine
  if (machine.kind === 'NodeClaim') {
    const registered = conditionOf(machine, 'Registered')
    if (!registered || registered.status === 'True') return undefined
    const launched = conditionOf(machine, 'Launched')
    const isMade = launched?.status === 'True'
    const told = isMade ? registered : (launched ?? registered)
    return { node, isMade, message: told.message || told.reason }
  }
  if (valueAt(machine, 'status', 'nodeRef') !== undefined) return undefined
  const phase = stringAt(machine, 'status', 'phase')
  // A machine that the provider failed to make says so; one that waits for its turn (its control
  // plane, its cluster) is not stuck.
  if (phase === 'Failed') {
    const message =
      stringAt(machine, 'status', 'failureMessage') ?? stringAt(machine, 'status', 'errorMessage')
    return { node, isMade: false, message }
  }
  if (phase !== 'Provisioned') return undefined
  const told = ['NodeHealthy', 'NodeReady']
    .map((type) => conditionOf(machine, type))
    .find((one) => one !== undefined && one.status !== 'True')
  return { node, isMade: true, message: told?.message }
}

/**
 * The nodes that Cluster Autoscaler has waited for too long, of the cluster as a whole: the first number of
 * its report.
 */
function unregistered(object: KubernetesObject): number {
  if (object.metadata?.name !== 'cluster-autoscaler-status') return 0
  const text = stringAt(object, 'data', 'status') ?? ''
  return Number(/\blongUnregistered[=:]\s*(\d{1,9})\b/.exec(text)?.[1] ?? 0)
}
