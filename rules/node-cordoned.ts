import {
  atMost,
  cordonedSince,
  counted,
  formatSpan,
  type Graph,
  isAway,
  isControlPlane,
  isGone,
  isLeaving,
  type Live,
  type ObjectOf,
  rule,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'A node stays cordoned',
  category: 'node',
  severity: 'info',
  why: `A cordoned node takes no new pods and is paid for like any other. Nothing takes the mark away: a drain that was
broken off, or maintenance that nobody finished, stays in the cluster until the room is missing, and pods that were
left there move all at once when the node is removed.`,
  remedy: 'Finish the drain and remove the node, or give it back with `kubectl uncordon`.',
  decides: `Nodes with \`unschedulable: true\` for \`hours\`, by the time that the node controller writes at the
taint \`node.kubernetes.io/unschedulable\`; one without a time is left alone. All of a cluster are one finding, with
the pods that are still there; those of DaemonSets and static ones do not count.

Exempt: nodes that are about to be removed by Cluster Autoscaler or Karpenter, that are not ready, and those of the
control plane.`,
  falsePositives: 'Spare nodes that are kept for a purpose: a taint of their own says it better.',
  sources: [
    'kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go (doNoScheduleTaintingPass)',
    'kubernetes/pkg/controller/util/node/controller_utils.go (SwapNodeControllerTaint)',
    'cluster-autoscaler/simulator/clustersnapshot/predicate/plugin_runner.go (cordoned nodes are passed over)',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    hours: { type: 'integer', minimum: 0, default: 12, about: 'How long maintenance of a node may take.' },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const cordoned = graph.once(`nodes cordoned for ${params.hours} h`, () =>
      cordonedFor(params.hours * 3600, graph, live),
    )
    const [first, ...others] = cordoned
    if (first?.node !== node || !node.spec) return
    const all = graph.all('Node').length
    const name = node.metadata?.name ?? ''
    report(
      node.spec,
      'unschedulable',
      others.length === 0
        ? `Node ${name} takes no new pods: it has been cordoned for ${formatSpan(first.seconds)}.`
        : `${cordoned.length} of ${all} nodes take no new pods: they have been cordoned for up to ${formatSpan(first.seconds)}.`,
      {
        evidence: atMost(
          4,
          cordoned.map((one) => lineOf(one, live)),
        ),
      },
    )
  },
})

interface Cordoned {
  readonly node: Node
  readonly seconds: number
}

/** The cordoned nodes that nobody is about to remove, the longest first. */
function cordonedFor(least: number, graph: Graph, live: Live): readonly Cordoned[] {
  return graph
    .all('Node')
    .filter((node) => node.spec?.unschedulable && !isAway(node) && !isLeaving(node) && !isControlPlane(node))
    .flatMap((node) => {
      const seconds = (live.now - (cordonedSince(node) ?? Number.NaN)) / 1000
      return seconds >= least ? [{ node, seconds }] : []
    })
    .sort((a, b) => b.seconds - a.seconds)
}

/** `n7: 3 days, 12 pods are still there`. */
function lineOf({ node, seconds }: Cordoned, live: Live): string {
  const { name = '' } = node.metadata ?? {}
  const pods = live.seen.pods.filter(
    (pod) =>
      pod.spec?.nodeName === name &&
      !isGone(pod) &&
      !pod.metadata?.ownerReferences?.some(({ kind }) => kind === 'DaemonSet' || kind === 'Node'),
  ).length
  return `${name}: ${formatSpan(seconds)}, ${pods === 0 ? 'no pods left' : `${counted(pods, 'pod')} still there`}`
}
