import {
  advise,
  at,
  counted,
  formatSpan,
  type Graph,
  isFor,
  type Live,
  linesOf,
  matchesSelector,
  mayGrow,
  type ObjectOf,
  type Pending,
  type PodAffinityTerm,
  pendingPods,
  type RuleFix,
  rule,
  set,
  surgeBeforeStop,
  type Workload,
} from '../src/rule.js'

/** Seconds in which a node that is added is there. */
const nodeArrival = 600

export default rule({
  title: 'A rollout needs one node more than there are',
  category: 'scheduling',
  severity: 'warning',
  why: `Required anti-affinity by hostname lets one pod of the workload stand on each node. With
\`maxUnavailable: 0\` the rollout starts the new pod before it stops an old one: that takes a node without
any pod of the workload. When there is none the new pod stays Pending and the rollout never ends.`,
  remedy:
    'Use `maxSurge: 0` with `maxUnavailable: 1`, or make the anti-affinity preferred (of a single pod always).',
  decides: `A Deployment with required podAntiAffinity on \`kubernetes.io/hostname\` that matches its own
pods, and a rollout that resolves to maxUnavailable 0 with maxSurge 1 or more (25 % of fewer than four
replicas does). Reported when the nodes are known and replicas (with an autoscaler its maximum) plus surge
exceed them: \`nodeCount\`, or the Nodes of the input that are schedulable, are chosen by node selector and
affinity and have no taint that the pods don't tolerate. In a cluster an error when a pod is Pending and the
scheduler names the anti-affinity. Asked for, the rule says as an info how many nodes it takes where they are not known.

Exempt: \`matchLabelKeys\` with \`pod-template-hash\`, which lets old and new pods share a node; and, where something may
add nodes (Karpenter, the cluster autoscaler, a provider), rollouts of which no pod has been Pending for ten minutes.`,
  versions:
    'Percentages are resolved against replicas: maxSurge up, maxUnavailable down. `matchLabelKeys` of pod anti-affinity: beta 1.31, GA 1.33.',
  sources: [
    'kubernetes/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts)',
    'kubernetes/pkg/features/kube_features.go (MatchLabelKeysInPodAffinity)',
  ],
  stories: ['oneandone-open-issues', 'loveholidays-gke-ips'],
  params: {
    nodeCount: {
      type: 'integer',
      minimum: 0,
      default: 0,
      about: 'Nodes that the pods may run on; 0 takes the Nodes of the input.',
    },
  },
  for: 'Deployment',
  check(deployment, { graph, params, report }) {
    const workload = graph.workload(deployment)
    const { spec } = deployment
    const term = workload && termForOwnPods(workload)
    if (!workload || !spec || !term || (spec.strategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return
    const hpa = graph.autoscalerOf(workload)
    const replicas = hpa?.spec?.maxReplicas ?? spec.replicas ?? 1
    const rolling = spec.strategy?.rollingUpdate
    const surge = surgeBeforeStop(rolling, replicas)
    if (surge < 1) return
    const nodes = params.nodeCount || nodesFor(workload, graph)
    // Most clusters have nodes enough: without their number there is no evidence.
    const isUnknown = nodes === 0
    if (isUnknown && graph.live) return
    const waiting = graph.live ? keptWaiting(workload, graph, graph.live) : []
    const [first] = waiting
    // Whether nodes come is only asked where it counts: the scan of a namespace does not see what adds them.
    const areTooFew = () => replicas + surge > nodes && (params.nodeCount > 0 || !mayGrow(graph))
    if (!first && !areTooFew()) return
    report(
      term,
      'topologyKey',
      first
        ? `A pod of ${workload.name} has been Pending for ${formatSpan(first.since)}: each needs a node of its own, ${thereAre(nodes)}, and a rollout starts the new pod first.`
        : `${hpa ? 'At maxReplicas every rollout' : 'Every rollout'} ${hangs(replicas, surge, nodes)}`,
      {
        severity: first ? 'error' : isUnknown ? 'info' : 'warning',
        recommended: !isUnknown,
        evidence: linesOf(waiting, 1),
        see: [
          rolling ? at(deployment, rolling, 'maxUnavailable') : at(deployment, spec, 'replicas'),
          hpa && at(hpa, hpa.spec ?? hpa, 'maxReplicas'),
        ],
        fix: fixOf(spec, replicas),
      },
    )
  },
})

type Spec = NonNullable<ObjectOf<'Deployment'>['spec']>

/** The term that keeps the pods of a workload, old and new ones, on different nodes. */
function termForOwnPods({ pod, labels, namespace }: Workload): PodAffinityTerm | undefined {
  return pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.find(
    (one) =>
      one.topologyKey === 'kubernetes.io/hostname' &&
      matchesSelector(one.labelSelector, labels) &&
      looksAtHome(one, namespace) &&
      !one.matchLabelKeys?.includes('pod-template-hash'),
  )
}

const thereAre = (nodes: number) => `there ${nodes === 1 ? 'is' : 'are'} ${nodes}`

/** @param nodes 0 where their number is not known. */
function hangs(replicas: number, surge: number, nodes: number): string {
  const need = `${counted(replicas, 'pod')} and ${surge} more for the rollout need a node each`
  return nodes === 0
    ? `hangs on fewer than ${replicas + surge} nodes: ${need}.`
    : `hangs: ${need}, and ${thereAre(nodes)}.`
}

function fixOf(spec: Spec, replicas: number): RuleFix {
  // The only pod would be away in each rollout.
  if (replicas < 2) return advise('preferredDuringSchedulingIgnoredDuringExecution in place of required')
  return set(
    spec,
    'strategy',
    { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    'maxSurge: 0, maxUnavailable: 1',
  )
}

/** Whether a term is about pods of the workload's own namespace, as it is unless it names others. */
function looksAtHome({ namespaces = [], namespaceSelector }: PodAffinityTerm, own: string): boolean {
  return namespaceSelector !== undefined || namespaces.length === 0 || namespaces.includes(own)
}

/** The pods that the scheduler keeps Pending for the anti-affinity. Where nodes are added, a pod waits for one some minutes. */
function keptWaiting(workload: Workload, graph: Graph, live: Live): readonly Pending[] {
  const kept = pendingPods(live, workload).filter(isKeptApart)
  return kept.some(({ since }) => since >= nodeArrival) || !mayGrow(graph) ? kept : []
}

/** Whether the scheduler names anti-affinity as a reason. */
function isKeptApart({ message }: Pending): boolean {
  return message.includes("didn't match pod anti-affinity rules")
}

/** The Nodes of the input that would take a pod of the workload, as far as labels and taints tell. */
function nodesFor({ pod }: Workload, graph: Graph): number {
  return graph.all('Node').filter((node) => !node.spec?.unschedulable && isFor(node, pod)).length
}
