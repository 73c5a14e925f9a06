import {
  atMost,
  conditionOf,
  counted,
  countOf,
  endOf,
  firstOf,
  formatCondition,
  formatSpan,
  type Graph,
  groupBy,
  isAway,
  isForOneNode,
  isLeaving,
  type Live,
  type ObjectOf,
  placeOfCondition,
  poolLabels,
  rule,
  silenceAllowed,
  silentFor,
  spanSince,
  turnedAt,
  turnedTogether,
  type Workload,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'A node is not ready',
  category: 'node',
  severity: 'error',
  why: `Services send nothing to the pods of such a node. The node controller taints it at once, and pods
are evicted after another 300 s unless they tolerate it longer: of many such nodes those of one in ten seconds, of fewer
or none where more than half of a zone is gone. A pod that a dead kubelet cannot end stays
in the API: its volumes remain attached, and a StatefulSet makes no replacement.`,
  remedy:
    'Look at the kubelet and the container runtime of the node; drain or delete it when it does not come back.',
  decides: `The condition \`Ready\` is \`False\` or \`Unknown\`, for longer than \`seconds\`. Nodes that are
being deleted or scaled away are left alone. Nodes that went within a minute of each other are one finding.
What the kubelet said last and pressure stand below it, and how many other nodes of the pool and the zone
are affected: one node is a node, a pool is its image, all of them are the network or the API server's
address. So do the pods there that should have ended while their StatefulSet waits for their name, or another pod for
their volume.

A node that is ready, and whose pods have \`flaps\` warnings \`NodeNotReady\` or more, is a warning. Where the rule
is asked for, so is one whose Lease has not been renewed for its duration and a minute: the node controller itself
may be gone.`,
  versions: 'The condition turns Unknown 50 s after the last heartbeat (40 s before 1.32).',
  sources: [
    'kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go (ReducedQPSFunc), config/v1alpha1/defaults.go',
    'kubernetes/pkg/kubelet/nodestatus/setters.go',
  ],
  stories: [
    'airmap-pleg',
    'xing-moving',
    'nunl-elastalert-oom',
    'target-cascading',
    'dfds-ami-latest',
    'dfds-agent-system-oom',
    'nordstrom-101-ways',
    'zalando-fallacies-2017',
    'oath-101-ways',
  ],
  needs: 'cluster',
  params: {
    seconds: {
      type: 'integer',
      minimum: 0,
      default: 60,
      diagnosed: 0,
      about: 'How long a node may be without readiness.',
    },
    flaps: {
      type: 'integer',
      minimum: 1,
      default: 3,
      about: 'How often within the life of events (an hour) a node that is ready now may have been lost.',
    },
  },
  for: 'Node',
  unless: ['kubelet-stale-apiserver-connection'],
  check(node, { graph, params, isAsked, report }) {
    const { live } = graph
    if (!live) return
    const place = placeOfCondition(node, 'Ready')
    if (!isAway(node)) {
      const flaps = graph.once('flaps', () => flapsIn(live)).get(node.metadata?.name ?? '') ?? 0
      if (isLeaving(node)) return
      const silence = isAsked && flaps < params.flaps ? silenceOf(node, graph, live) : undefined
      if (silence !== undefined)
        report(
          ...place,
          `Nobody knows the state of this node, although it is called ready: its Lease has not been renewed for ${formatSpan(silence)}.`,
          { severity: 'warning', recommended: false },
        )
      if (flaps < params.flaps) return
      report(
        ...place,
        `Services drop and take back the pods of this node again and again: it was not ready ${flaps} times lately, and is now.`,
        { severity: 'warning', evidence: evidenceOf(node) },
      )
      return
    }
    const away = graph.once('nodes that are away', () =>
      turnedTogether(graph.all('Node').filter((one) => isAway(one) && !isLeaving(one))),
    )
    const together = away.find(([first]) => first === node)
    const since = (live.now - turnedAt(node)) / 1000
    if (!together || since < params.seconds) return
    const names = new Set(together.map(({ metadata }) => metadata?.name))
    const pods = live.pods.filter(
      ({ spec, status }) => names.has(spec?.nodeName) && status?.phase === 'Running',
    ).length
    const one = together.length === 1
    const many = one ? 'the node' : counted(together.length, 'node')
    const affected = counted(pods, 'running pod')
    const consequence =
      pods === 0
        ? 'New pods find less room'
        : conditionOf(node, 'Ready')?.status === 'Unknown'
          ? `Nobody knows the state of ${affected}`
          : `No Service sends anything to ${affected}`
    const cause =
      conditionOf(node, 'Ready')?.status === 'Unknown'
        ? `nothing was heard of ${many} for`
        : `${many} ${one ? 'has' : 'have'} not been ready for`
    report(...place, `${consequence}: ${cause} ${formatSpan(since)}.`, {
      evidence: [
        ...(one ? [] : [firstOf([...names].map((name) => name ?? ''))]),
        ...evidenceOf(node),
        ...companyOf(node, graph.all('Node')),
        ...atMost(3, hangsOn(names, graph, live)),
      ],
    })
  },
})

/**
 * The pods on these nodes that should have ended, where something waits for them: another pod of the same name, or of the
 * same claim. Sources: kubernetes/pkg/controller/statefulset/stateful_set_control.go (isTerminating),
 * pkg/volume/util/util.go (IsPodTerminated: their volumes are not detached while containers count as running).
 */
function hangsOn(nodes: ReadonlySet<string | undefined>, graph: Graph, live: Live): readonly string[] {
  return graph.workloads
    .flatMap((workload) => {
      const pods = live
        .troubledPodsOf(workload)
        .filter((pod) => nodes.has(pod.spec?.nodeName) && live.now - endOf(pod) >= 60_000)
      const effect = pods.length > 0 ? effectOn(workload, graph) : undefined
      return effect === undefined
        ? []
        : pods.map(
            (pod) =>
              `pod ${pod.metadata?.namespace}/${pod.metadata?.name} should have ended ${spanSince(endOf(pod), live)} ago: ${effect}`,
          )
    })
    .sort()
}

/** What waits until a pod of the workload is gone. */
function effectOn({ kind, name, pod, object }: Workload, graph: Graph): string | undefined {
  if (kind === 'StatefulSet') return `StatefulSet ${name} makes no other until it is gone`
  const claim = (pod.volumes ?? [])
    .flatMap(({ persistentVolumeClaim: source }) =>
      source ? (graph.find('PersistentVolumeClaim', source.claimName, object) ?? []) : [],
    )
    .find(isForOneNode)
  return claim && `claim ${claim.metadata?.name} stays attached here`
}

/**
 * How often each node was lost lately, by name. The events about nodes themselves are no warnings; each of
 * their pods gets one. Source: MarkPodsNotReady, kubernetes/pkg/controller/util/node/controller_utils.go.
 */
function flapsIn({ pods, eventsOf }: Live): ReadonlyMap<string, number> {
  const flaps = new Map<string, number>()
  for (const pod of pods) {
    const node = pod.spec?.nodeName ?? ''
    for (const event of eventsOf(pod))
      if (event.reason === 'NodeNotReady') flaps.set(node, Math.max(flaps.get(node) ?? 0, countOf(event)))
  }
  return flaps
}

/** The seconds since the kubelet renewed the node's Lease, where the node controller should have said so by now. */
function silenceOf(node: Node, graph: Graph, live: Live): number | undefined {
  const leases = graph.once('leases of nodes', () =>
    groupBy(
      graph.seen('Lease').filter(({ metadata }) => metadata?.namespace === 'kube-node-lease'),
      ({ metadata }) => metadata?.name,
    ),
  )
  const [lease] = leases.get(node.metadata?.name ?? '') ?? []
  const silent = lease && silentFor(lease, live)
  // The clocks of nodes differ.
  return lease && silent !== undefined && silent > 60 + silenceAllowed(lease, 1) ? silent : undefined
}

/** What the kubelet said last, and pressure. */
function evidenceOf(node: Node): string[] {
  const ready = conditionOf(node, 'Ready')
  const pressure = (node.status?.conditions ?? [])
    .filter(({ type, status }) => type !== 'Ready' && status === 'True')
    .map(({ type, message }) => `${type}${message ? `: ${message}` : ''}`)
  return [...(ready?.message && ready.status !== 'True' ? [formatCondition(ready)] : []), ...pressure]
}

/** How many of the nodes that have something in common with this one are away, too. */
function companyOf(node: Node, nodes: readonly Node[]): string[] {
  const away = nodes.filter(isAway)
  if (away.length < 2) return []
  const shares = (label: string) => {
    const value = node.metadata?.labels?.[label]
    const same = nodes.filter((one) => value !== undefined && one.metadata?.labels?.[label] === value)
    return { value, all: same.length, away: same.filter(isAway).length }
  }
  const lines = [`${away.length} of ${nodes.length} nodes ${away.length === 1 ? 'is' : 'are'} not ready`]
  for (const label of [...poolLabels, 'topology.kubernetes.io/zone']) {
    const { value, all, away: gone } = shares(label)
    if (gone > 1 && all < nodes.length) lines.push(`${gone} of ${all} with ${label}=${value}`)
  }
  return lines
}
