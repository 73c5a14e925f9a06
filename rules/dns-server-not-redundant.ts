import {
  allOf,
  at,
  type ConfigMap,
  type Fault,
  flagOf,
  formatSeconds,
  type Graph,
  imageNamed,
  isKind,
  isObject,
  isReady,
  isWorkload,
  type Live,
  matchesSelector,
  numberAt,
  type ObjectOf,
  presentPods,
  rule,
  servesClusterDns,
  set,
  valueAt,
  type Workload,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'Cluster DNS depends on few pods, or on one node',
  category: 'dns',
  severity: 'warning',
  why: `DNS is the first thing that nearly every request needs. With one pod, or with all pods on one node,
a drain or a crash is an outage of everything; with few pods for many nodes a burst takes them down one after
the other. Each change of their number moves UDP flows of clients, which lose the answers on their way.`,
  remedy: 'Run two DNS pods or more on different nodes and zones, and resize them in large steps only.',
  decides: `A Deployment of CoreDNS or kube-dns that answers the cluster's names (label \`k8s-app: kube-dns\`, a
Service \`kube-dns\`, or marked with \`kubernetes.io/cluster-service\`) and is written with fewer than
\`minReplicas\` replicas and that no autoscaler resizes. The ConfigMap of its cluster-proportional-autoscaler
(\`linear\`): \`min\` below \`minReplicas\` without \`preventSinglePointFailure\`, or so few nodes or cores for each
replica (two, or 16) that the number changes whenever a node or a few come or go. An autoscaler that takes its pods
away after less than a minute. In a cluster of several nodes also: more than \`nodesPerReplica\` nodes for each
ready pod, and ready pods that all stand on one node, or in one of several zones.

DaemonSets are exempt. Spread and budgets of two pods or more are judged by \`replicas-not-spread\` and
\`pdb-missing\`, and here where this rule is asked for and they find nothing, as is an autoscaler with a window
below its default of 300 s.`,
  sources: [
    'kubernetes/cluster/addons/dns-horizontal-autoscaler',
    'cluster-proportional-autoscaler/pkg/autoscaler/controller/linearcontroller',
  ],
  stories: ['preply-dns-conntrack', 'zalando-coredns-oom', 'civis-large-cluster', 'tinder-dns-arp'],
  params: {
    minReplicas: { type: 'integer', minimum: 1, default: 2, about: 'The fewest DNS pods.' },
    nodesPerReplica: {
      type: 'integer',
      minimum: 1,
      default: 50,
      about: 'Nodes of a cluster that one DNS pod may serve.',
    },
  },
  for: ['Workload', 'ConfigMap', 'HorizontalPodAutoscaler'],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'HorizontalPodAutoscaler')) {
      const target = graph.targetOf(subject)
      const scaleDown = subject.spec?.behavior?.scaleDown
      const window = scaleDown?.stabilizationWindowSeconds
      if (
        !target ||
        !servesClusterDns(target, graph) ||
        !scaleDown ||
        window === undefined ||
        window >= defaultWindow
      )
        return
      report(
        scaleDown,
        'stabilizationWindowSeconds',
        `Cluster DNS is resized with every lull: its autoscaler takes pods away after ${formatSeconds(window)}, and clients lose answers on their way.`,
        { recommended: window < 60, severity: window < 60 ? 'warning' : 'info' },
      )
      return
    }
    if (!isWorkload(subject)) {
      const problem = problemOf(subject, params.minReplicas)
      if (problem) report(subject.data ?? subject, 'linear', problem)
      return
    }
    if (!servesClusterDns(subject, graph)) return
    const nodes = graph.live ? graph.all('Node') : []
    const { scale } = subject
    const few = scale?.replicas !== undefined && scale.replicas > 0 && scale.replicas < params.minReplicas
    if (scale && few && nodes.length !== 1 && !isResized(subject, graph)) {
      report(
        scale.node,
        'replicas',
        `No name resolves while ${scale.replicas === 1 ? `the only pod of ${subject.name} is` : `the ${scale.replicas} pods of ${subject.name} are`} away: at a drain, an upgrade or a crash.`,
        {
          fix: set(scale.node, 'replicas', params.minReplicas),
          see: graph
            .servicesOf(subject)
            .slice(0, 1)
            .map((one) => at(one, one)),
        },
      )
      return
    }
    const seen = graph.live && seenOf(subject, graph.live, nodes, params.nodesPerReplica)
    if (seen) report(subject.object, undefined, seen.message, { evidence: seen.evidence })
    else if (!graph.live && scale) for (const fault of unguarded(subject, scale.node, graph)) report(...fault)
  },
})

/** The default of an autoscaler, in seconds. Source: k8s.io/api/autoscaling/v2/types.go. */
const defaultWindow = 300

/** What other rules tell of every workload of several pods, for those who ask for this one alone. */
function unguarded(workload: Workload, node: object, graph: Graph): readonly Fault[] {
  const { pod, labels, object, name } = workload
  const spread = pod.topologySpreadConstraints?.some((one) => matchesSelector(one.labelSelector, labels))
  const told = (rule: string) => ({ rules: [rule], objects: [object] })
  const faults: Fault[] = []
  if (!spread && !pod.affinity?.podAntiAffinity)
    faults.push([
      workload.template,
      'spec',
      `No name resolves when a node goes that holds all pods of ${name}: nothing keeps them apart.`,
      { severity: 'info', recommended: false, symptomOf: told('replicas-not-spread') },
    ])
  if (graph.budgetsOf(workload).length === 0)
    faults.push([
      node,
      'replicas',
      `No name resolves when drains take all pods of ${name} at once: no budget of ${graph.source} holds them.`,
      { severity: 'info', recommended: false, symptomOf: told('pdb-missing') },
    ])
  return faults
}

function isResized(workload: Workload, graph: Graph): boolean {
  const target = `/${workload.name}`.toLowerCase()
  return (
    graph.autoscalerOf(workload) !== undefined ||
    graph
      .nearby(workload)
      .some(({ running }) =>
        running.some(
          (container) =>
            imageNamed(container.image, ['cluster-proportional-autoscaler']) &&
            flagOf(container, 'target')?.toLowerCase().endsWith(target),
        ),
      )
  )
}

/** What is wrong with the configuration of a cluster-proportional-autoscaler for DNS. */
function problemOf({ metadata, data }: ConfigMap, wanted: number): string | undefined {
  if (!/dns.*autoscaler/.test(metadata?.name ?? '') || !data?.linear) return undefined
  const linear = parse(data.linear)
  if (!linear) return undefined
  const least = valueAt(linear, 'preventSinglePointFailure') === true ? 2 : 1
  const min = Math.max(least, numberAt(linear, 'min') ?? 1)
  if (min < wanted)
    return min === 1
      ? 'Cluster DNS may run with a single pod: every drain of its node is an outage of all names.'
      : `Cluster DNS may run with ${min} pods, fewer than the ${wanted} that are asked for.`
  const nodes = numberAt(linear, 'nodesPerReplica') ?? 0
  const cores = numberAt(linear, 'coresPerReplica') ?? 0
  if ((nodes > 0 && nodes <= 2) || (cores > 0 && cores <= 16))
    return `Cluster DNS is resized whenever ${nodes === 1 ? 'a node comes or goes' : 'a node or a few come or go'}: one pod for ${nodes > 0 && nodes <= 2 ? nodesOf(nodes) : `${cores} cores`}.`
  return undefined
}

function parse(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function nodesOf(count: number): string {
  return count === 1 ? 'each node' : `${count} nodes`
}

/** What is wrong with the places and the number of the pods that are ready. */
function seenOf(
  workload: Workload,
  live: Live,
  nodes: readonly Node[],
  most: number,
): { readonly message: string; readonly evidence: readonly string[] } | undefined {
  const pods = presentPods(workload, live).filter(isReady)
  if (pods.length === 0 || nodes.length < 2) return undefined
  const evidence = pods
    .map((pod) => `pod ${pod.metadata?.name} on ${pod.spec?.nodeName}`)
    .sort()
    .slice(0, 4)
  const [node, ...others] = new Set(pods.map(({ spec }) => spec?.nodeName))
  if (pods.length > 1 && others.length === 0)
    return {
      message: `No name resolves when node ${node} goes: ${allOf(pods.length, 'pod')} of ${workload.name} stand on it.`,
      evidence,
    }
  if (nodes.length > most * pods.length) {
    const message = `DNS may not bear a burst of queries: ${pods.length === 1 ? 'one ready pod' : `${pods.length} ready pods`} of ${workload.name} for ${nodes.length} nodes.`
    return { message, evidence }
  }
  const zoneOf = ({ metadata }: Node) => metadata?.labels?.['topology.kubernetes.io/zone']
  const zones = new Set(nodes.map(zoneOf).filter((zone) => zone !== undefined))
  const own = new Set(
    nodes.filter(({ metadata }) => pods.some(({ spec }) => spec?.nodeName === metadata?.name)).map(zoneOf),
  )
  const [zone] = own
  if (pods.length < 2 || zones.size < 2 || own.size !== 1 || zone === undefined) return undefined
  return {
    message: `No name resolves when zone ${zone} fails: ${allOf(pods.length, 'pod')} of ${workload.name} are in it, of ${zones.size} zones.`,
    evidence,
  }
}
