import {
  advise,
  allOf,
  at,
  clientsFirst,
  enumerate,
  type Fault,
  type Graph,
  hasOwnVolumes,
  isAway,
  isFor,
  isForTrial,
  isGone,
  isLeaving,
  isOfOneHost,
  isOfOnePod,
  isReady,
  isScrapedOnly,
  matchesSelector,
  podsBeside,
  type RuleFix,
  rule,
  type Service,
  set,
  spreadTermsOf,
  takesHostPort,
  topologyOf,
  type Workload,
  zoneLabel,
} from '../src/rule.js'

export default rule({
  title: 'All replicas stand on one node, or may',
  category: 'scheduling',
  severity: 'warning',
  why: `Replicas protect against the loss of a node only when they stand on different ones. The scheduler's
own default is a weak preference that other scores outweigh: on a cluster with one empty node, after an
upgrade or a scale-up, all of them may land there, and nothing moves them later.`,
  remedy:
    'Add a topology spread constraint over `kubernetes.io/hostname` with `ScheduleAnyway`, and one over the zone where all nodes have one.',
  decides: `A workload with at least \`minReplicas\` pods (by its autoscaler or \`replicas\`) behind a
Service, with neither podAntiAffinity nor \`topologySpreadConstraints\` over one of the \`topologyKeys\`
(the zone by its old name is the zone) that matches its own labels. An info from six pods on: the scheduler's default spreading rarely puts that
many together. In a cluster the pods that are ready are counted: all of them on one node of several is a
warning whatever the manifest says and however many there are. Spread over nodes of a single zone, while nodes of other
zones would take them, it is an info where clients come in from outside (an Ingress, a route or a balancer) and no volume
holds the pods there. Asked for, the
rule looks at workloads without a Service, too.

Exempt: Services that are named for metrics, or whose ports are all for metrics, profiles or probes, or that are for one pod
of a StatefulSet, DaemonSets,
batch work, pods with ports of their node (they can't share one), pods pinned to one node, clusters of a single
Node, and clusters whose scheduler configuration in the input sets default constraints.`,
  versions:
    'Built-in default constraints: maxSkew 3 by host and 5 by zone, ScheduleAnyway. Constraints of the pod stand in their place, and soft ones count for nothing on nodes that lack the label of one of them.',
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/podtopologyspread/plugin.go, scoring.go (initPreScoreState)',
  ],
  stories: [
    'moonlight-anti-affinity',
    'chiefio-four-stories',
    'loveholidays-gke-upgrade',
    'zalando-kubelet-qps',
    'gke-upgrade-two-replicas',
  ],
  params: {
    minReplicas: { type: 'integer', minimum: 2, default: 2, about: 'Pods from which they must be spread.' },
    topologyKeys: {
      type: 'array',
      items: { type: 'string' },
      default: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'],
      about: 'Node labels over which a spread counts.',
    },
  },
  unless: ['affinity-selector-mismatch', 'rwo-volume-rolling-update'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const fewest = graph.fewestPods(workload)
    const services = clientsFirst(graph.servicesOf(workload)).filter(
      (one) => !isScrapedOnly(one, workload) && !isOfOnePod(one),
    )
    const steady = services.filter((one) => !isForTrial(one, workload))
    const service = steady.find(graph.entranceOf) ?? steady[0] ?? services[0]
    if (!fewest || fewest.pods < params.minReplicas) return
    if (workload.batch || (!service && graph.servicesOf(workload).length > 0)) return
    const stand = graph.live ? whereTheyStand(workload, graph) : undefined
    if (stand && stand.nodes > 1) {
      const fault = faultOfZone(workload, steady.find(graph.entranceOf), graph)
      if (fault) report(...fault)
      return
    }
    const asks = isSpread(workload, new Set(params.topologyKeys))
    if ((asks && !stand) || isPinned(workload) || isMoot(graph)) return
    // Behind a Service with pods of another workload, those go on.
    const isAllOfIt = steady.length > 0 && service && podsBeside(workload, service, graph) === 0
    const whole = graph.describe(isAllOfIt ? service : workload.object)
    report(
      workload.pod,
      'topologySpreadConstraints',
      stand
        ? `${stand.node} takes ${whole} down when it fails: ${allOf(stand.pods, 'pod')} of ${workload.name} stand there.`
        : `One node can take ${whole} down: only a weak preference of the scheduler keeps the ${fewest.pods} pods of ${workload.name} apart.`,
      {
        severity: fewest.pods > 5 && !stand ? 'info' : 'warning',
        recommended: service !== undefined,
        restsOn: [[workload.pod, 'affinity']],
        see: [at(fewest.of, fewest.node, fewest.field, fewest.note)],
        fix: asks ? placeAnew : spreadOver(params.topologyKeys[0] ?? 'kubernetes.io/hostname', workload),
      },
    )
  },
})

const placeAnew = advise('delete one of the pods: the scheduler places it anew')

/** That pods which others from outside use stand in one zone, although they need not. */
function faultOfZone(workload: Workload, entrance: Service | undefined, graph: Graph): Fault | undefined {
  const zone = entrance && whereInZones(workload, graph)
  return (
    zone && [
      workload.pod,
      'topologySpreadConstraints',
      `The outage of zone ${zone.name} takes ${graph.describe(entrance)} down: ${allOf(zone.pods, 'pod')} of ${workload.name} stand there.`,
      {
        severity: 'info',
        evidence: [`they could stand in ${enumerate(zone.others, 'or')}, too`],
        restsOn: [[workload.pod, 'affinity']],
        fix: isSpread(workload, new Set([zoneLabel])) ? placeAnew : spreadOver(zoneLabel, workload),
      },
    ]
  )
}

/** Whether the workload asks for nodes apart, by one of these labels. */
function isSpread({ pod, labels }: Workload, keys: ReadonlySet<string>): boolean {
  return spreadTermsOf(pod).some((term) => {
    const { labelSelector, matchLabelKeys = [] } = term
    // They narrow what the selector finds. The API server refuses them without one: k8s.io/api/core/v1/types.go (TopologySpreadConstraint).
    const isRefused = !labelSelector && matchLabelKeys.length > 0
    return keys.has(topologyOf(term)) && (isRefused || matchesSelector(labelSelector, labels))
  })
}

/** Where there is only one node, or where the scheduler spreads all pods as it is configured. */
function isMoot(graph: Graph): boolean {
  return (
    graph.all('Node').length === 1 ||
    graph
      .all('kubescheduler.config.k8s.io/KubeSchedulerConfiguration')
      .some((one) => JSON.stringify(one).includes('defaultConstraints'))
  )
}

function spreadOver(topologyKey: string, workload: Workload): RuleFix {
  const { pod } = workload
  const constraint = {
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorOf(workload) },
  }
  return set(
    pod,
    'topologySpreadConstraints',
    [...(pod.topologySpreadConstraints ?? []), constraint],
    `topologySpreadConstraints over ${topologyKey}, ScheduleAnyway`,
  )
}

/** The nodes that the workload's ready pods stand on; undefined for fewer than two of them. */
function whereTheyStand(workload: Workload, { live }: Graph) {
  const nodes = new Set<string>()
  let pods = 0
  for (const pod of live?.podsOf(workload) ?? []) {
    if (isGone(pod) || !isReady(pod)) continue
    pods++
    if (pod.spec?.nodeName) nodes.add(pod.spec.nodeName)
    // More than one is all that anybody asks for.
    if (nodes.size > 1) break
  }
  const [node] = nodes
  return pods > 1 && node ? { pods, nodes: nodes.size, node: `Node ${node}` } : undefined
}

/** The zone that all ready pods of the workload stand in, where nodes of other zones would take them. */
function whereInZones(workload: Workload, graph: Graph) {
  const { pod } = workload
  const isHeld = pod.volumes?.some((one) => one.persistentVolumeClaim ?? one.ephemeral)
  if (isHeld || hasOwnVolumes(workload)) return undefined
  const zones = graph.once(
    'zones of nodes',
    () =>
      new Map(
        graph.seen('Node').flatMap(({ metadata }) => {
          const zone = metadata?.labels?.[zoneLabel]
          return zone ? [[metadata?.name ?? '', zone] as const] : []
        }),
      ),
  )
  const ready = (graph.live?.podsOf(workload) ?? []).filter((one) => !isGone(one) && isReady(one))
  const stand = new Set(ready.map(({ spec }) => zones.get(spec?.nodeName ?? '')))
  const [name] = stand
  if (stand.size > 1 || name === undefined) return undefined
  const open = graph.seen('Node').filter((node) => isFor(node, pod) && !isAway(node) && !isLeaving(node))
  const others = new Set(open.flatMap(({ metadata }) => zones.get(metadata?.name ?? '') ?? []))
  others.delete(name)
  return others.size > 0 ? { name, pods: ready.length, others: [...others].sort() } : undefined
}

/** The labels that the workload selects its pods by; all of them when it does not say. */
function selectorOf({ object, labels }: Workload): Readonly<Record<string, string>> {
  const { spec } = object as {
    readonly spec?: { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } }
  }
  return spec?.selector?.matchLabels ?? labels
}

/** Pods that stand on one node by design, or that can't share one. */
function isPinned(workload: Workload): boolean {
  return isOfOneHost(workload.pod) || takesHostPort(workload)
}
