import {
  firstOf,
  type Graph,
  isGone,
  isMirror,
  type Pod,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

const annotations: Readonly<Record<string, string>> = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
  'karpenter.sh/do-not-evict': 'true',
}

export default rule({
  title: 'A pod keeps its node from ever being removed',
  category: 'autoscaling',
  severity: 'info',
  recommended: false,
  why: `The cluster autoscaler does not remove a node with such a pod to save it, and neither does Karpenter. Nor does
Karpenter replace the node for an update, unless its \`terminationGracePeriod\` is set. A node that has reached its
\`expireAfter\` Karpenter begins to drain, and then waits for the pod: as long as \`terminationGracePeriod\` lets it, and
without one for ever. Each replica holds one node: half empty nodes stay,
and old ones are the last without patches. A budget protects the application without holding the nodes.`,
  remedy: 'Remove the annotation from workloads with several replicas, and give them a PodDisruptionBudget.',
  decides: `\`cluster-autoscaler.kubernetes.io/safe-to-evict: "false"\` or \`karpenter.sh/do-not-disrupt: "true"\`
on the pod template of a workload with two pods or more. A single pod, and batch work, may have good reason.
In a cluster the nodes that are held stand below, the oldest first.

Asked for, the rule also names what the cluster autoscaler leaves alone by default: workloads of kube-system without a
PodDisruptionBudget, and in a cluster Pods of their own with \`restartPolicy: Always\` that are more than a day old. In a
manifest such a Pod is a test or a tool more often than not, and says nothing of how long it is to run.`,
  versions: '`karpenter.sh/do-not-evict` is the name before Karpenter 0.32.',
  sources: [
    'autoscaler/cluster-autoscaler/FAQ.md (What types of pods can prevent CA from removing a node)',
    'Karpenter documentation, Disruption (Pod-Level Controls, Expiration, TerminationGracePeriod)',
  ],
  stories: ['betz-gke-upgrade', 'datadog-10-ways', 'nordstrom-101-ways'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const { name, batch, template } = workload
    const key = Object.keys(annotations).find((one) => workload.annotations[one] === annotations[one])
    const written = template.metadata?.annotations
    const fewest = graph.fewestPods(workload)
    if (!key && !batch && !workload.controlled) {
      const why = whyHeld(workload, graph)
      if (why)
        report(
          workload.object,
          undefined,
          `The cluster autoscaler removes no node that has a pod of ${name}: ${why}.`,
          { recommended: false, evidence: heldEvidence(workload, graph) },
        )
    }
    if (!key || !written || batch || !fewest || fewest.pods < 2) return
    const effect = key.startsWith('karpenter')
      ? `Karpenter does not empty the nodes of ${name}, nor renew them without a terminationGracePeriod`
      : `The cluster autoscaler empties none of the nodes of ${name}`
    report(written, key, `${effect}: each of its ${fewest.pods} pods holds the one that it is on.`, {
      evidence: heldEvidence(workload, graph),
    })
  },
})

/**
 * Why the cluster autoscaler lets pods be, as it does by default. Source: autoscaler/cluster-autoscaler/FAQ.md (What types of pods
 * can prevent CA from removing a node).
 */
function whyHeld(workload: Workload, graph: Graph): string | undefined {
  const { kind, namespace, annotations: own, object, pod } = workload
  if (own['cluster-autoscaler.kubernetes.io/safe-to-evict'] === 'true') return undefined
  if (kind === 'Pod') {
    const { live } = graph
    const isOld = live && live.now - Date.parse(object.metadata?.creationTimestamp ?? '') > day
    return isOld &&
      (pod.restartPolicy ?? 'Always') === 'Always' &&
      !isMirror(workload) &&
      !isGone(object as Pod)
      ? 'nothing would make it anew elsewhere'
      : undefined
  }
  return namespace === 'kube-system' &&
    kind !== 'DaemonSet' &&
    graph.fewestPods(workload)?.pods !== 0 &&
    graph.budgetsOf(workload).length === 0
    ? `it is in kube-system, and no PodDisruptionBudget${graph.complete ? '' : ` of ${graph.source}`} lets it go`
    : undefined
}

/** Milliseconds. */
const day = 86_400_000

function heldEvidence(workload: Workload, graph: Graph): readonly string[] | undefined {
  const held = heldBy(workload, graph)
  return held.length > 0 ? [`holds ${firstOf(held, 4)}`] : undefined
}

/** The nodes of the workload's pods with their ages where they are known, the oldest first. */
function heldBy(workload: Workload, graph: Graph): readonly string[] {
  const live = graph.live?.seen
  if (!live) return []
  const names = new Set(live.podsOf(workload).flatMap(({ spec }) => spec?.nodeName ?? []))
  const made = new Map(
    graph
      .seen('Node')
      .map(({ metadata }) => [metadata?.name ?? '', Date.parse(metadata?.creationTimestamp ?? '')]),
  )
  return [...names]
    .map((name) => ({ name, time: made.get(name) || live.now }))
    .sort((a, b) => a.time - b.time || (a.name < b.name ? -1 : 1))
    .map(({ name, time }) => (time < live.now ? `${name} (${spanSince(time, live)} old)` : name))
}
