import {
  atMost,
  conditionOf,
  cordonedSince,
  formatSpan,
  type Graph,
  heldFor,
  isAway,
  isGone,
  type Live,
  remove,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Pods tolerate broken nodes and never leave them',
  category: 'scheduling',
  severity: 'warning',
  why: `Kubernetes taints a node that is broken, cordoned or out of memory, and evicts pods from one that has
been away for 300 s. A toleration without key and effect covers all of these taints: pods are placed on such
nodes, on control planes and in pools that are others', and are never evicted from a dead node. The
controller counts them as running, so nothing replaces them.`,
  remedy: 'Name the taints that are meant, with key and effect.',
  decides: `A toleration with \`operator: Exists\`, no \`key\`, no \`tolerationSeconds\`, and no effect or
NoExecute; or one for \`node.kubernetes.io/not-ready\` or \`unreachable\` without \`tolerationSeconds\` in a
workload that is no StatefulSet. An error in a cluster with pods of it on a node that has not been ready for
\`minutes\`.

Exempt: DaemonSets, which want to be everywhere, pods of the host network (network plugins and their
operators start before nodes are ready), the pods of control planes and of kube-system, and bare Pods.`,
  sources: [
    'kubernetes/pkg/controller/tainteviction/taint_eviction.go',
    'kubernetes/plugin/pkg/admission/defaulttolerationseconds/admission.go',
  ],
  stories: ['datadog-10-ways'],
  params: {
    minutes: { type: 'integer', minimum: 0, default: 6, about: 'How long a node must have been away.' },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod, kind, namespace } = workload
    if (kind === 'DaemonSet' || kind === 'Pod' || pod.hostNetwork || namespace === 'kube-system') return
    if (Object.keys(pod.nodeSelector ?? {}).some((key) => key.startsWith('node-role.kubernetes.io/'))) return
    const tolerations = pod.tolerations ?? []
    const everything = tolerations.findIndex(
      ({ key, operator, effect, tolerationSeconds }) =>
        !key &&
        operator === 'Exists' &&
        tolerationSeconds === undefined &&
        (!effect || effect === 'NoExecute'),
    )
    const away = tolerations.findIndex(
      ({ key = '', effect, tolerationSeconds }) =>
        /^node\.kubernetes\.io\/(not-ready|unreachable)$/.test(key) &&
        (!effect || effect === 'NoExecute') &&
        tolerationSeconds === undefined,
    )
    const meant = kind === 'StatefulSet' ? -1 : away
    const index = everything >= 0 ? everything : meant
    const found = tolerations[index]
    if (!found) return
    const fix = remove(tolerations, index, 'remove the toleration')
    const stuck = graph.live ? stuckPods(workload, graph, graph.live, params.minutes * 60) : []
    if (stuck.length > 0) {
      report(tolerations, index, stuckMessage(workload, stuck.length), {
        severity: 'error',
        evidence: stuck
          .slice(0, 3)
          .map(({ name, node, seconds }) => `${name} on ${node}, not ready for ${formatSpan(seconds)}`),
        fix,
      })
      return
    }
    const goesAnywhere = everything >= 0 && found.effect !== 'NoExecute'
    report(
      tolerations,
      index,
      goesAnywhere
        ? `Pods of ${workload.name} go to broken, cordoned and control plane nodes, and are never evicted from a dead one.`
        : `Pods of ${workload.name} are never evicted from a dead node, and nothing replaces them.`,
      {
        severity: 'warning',
        evidence: everything >= 0 && graph.live ? cameAfterCordon(workload, graph, graph.live.seen) : [],
        fix,
      },
    )
  },
})

function stuckMessage({ name }: Workload, count: number): string {
  return count === 1
    ? `A pod of ${name} stays on a dead node, and nothing replaces it: this toleration stops the eviction.`
    : `${count} pods of ${name} stay on a dead node, and nothing replaces them: this toleration stops the eviction.`
}

/** Pods on nodes that have been away longer than an eviction takes. */
function stuckPods(workload: Workload, graph: Graph, live: Live, least: number) {
  const away = new Map(
    graph.seen('Node').flatMap((node) => {
      const seconds = heldFor(conditionOf(node, 'Ready'), live)
      return isAway(node) && seconds >= least ? [[node.metadata?.name, seconds] as const] : []
    }),
  )
  return live
    .podsOf(workload)
    .flatMap((pod) => {
      const { metadata, spec } = pod
      const seconds = away.get(spec?.nodeName)
      if (seconds === undefined || isGone(pod)) return []
      return [{ name: metadata?.name ?? 'a pod', node: spec?.nodeName ?? '', seconds }]
    })
    .sort((a, b) => b.seconds - a.seconds)
}

/** Pods that were made when their node was cordoned already, in lines for evidence. */
function cameAfterCordon(workload: Workload, graph: Graph, live: Live): readonly string[] {
  const cordons = graph.once(
    'when nodes were cordoned',
    () => new Map(graph.seen('Node').map((node) => [node.metadata?.name, cordonedSince(node)] as const)),
  )
  return atMost(
    3,
    live.podsOf(workload).flatMap((pod) => {
      const since = cordons.get(pod.spec?.nodeName)
      const made = Date.parse(pod.metadata?.creationTimestamp ?? '')
      return since !== undefined && made > since && !isGone(pod)
        ? [
            `pod ${pod.metadata?.name ?? ''} came to node ${pod.spec?.nodeName ?? ''} ${formatSpan((made - since) / 1000)} after its cordon`,
          ]
        : []
    }),
  )
}
