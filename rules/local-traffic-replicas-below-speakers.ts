import {
  announcesServices,
  arrayAt,
  at,
  counted,
  firstOf,
  type Graph,
  imageNamed,
  isExcludedFromBalancers,
  isObject,
  numberAt,
  objectsAt,
  ownValue,
  readyByNode,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'Fewer pods than nodes that announce the address',
  category: 'networking',
  severity: 'warning',
  why: `With \`externalTrafficPolicy: Local\` a node announces the address only while it has a ready pod.
With no more pods than announcing nodes a scale-up, scale-down or rollout can change the set of announcing
nodes; the routers spread connections anew and reset those that end on another node.`,
  remedy:
    'Keep more pods than announcing nodes at all times (the autoscaler minimum counts), or announce from fewer nodes.',
  decides: `A Service of type LoadBalancer with policy Local in a cluster whose input shows BGP announcements of
Services (MetalLB BGPAdvertisement or BGPPeer, Calico \`serviceLoadBalancerIPs\`, a BGP configuration of Cilium that
announces Services).

The fewest pods are compared with the announcing nodes: the parameter, or the Nodes of the input that fit the node
selectors of the advertisements (else of all peers) and of the speaker, and that balancers do not pass over (label
\`node.kubernetes.io/exclude-from-external-load-balancers\`); those in the folder of the announcement or near it. In a cluster these are not more than the pods of the
speaker's DaemonSet, and the nodes that announce now stand below the finding.

Silent for DaemonSets and MetalLB in L2 mode only, and while the number of nodes is unknown, unless the rule is
asked for and no advertisement chooses its nodes.`,
  sources: [
    'MetalLB documentation, usage (traffic policies)',
    'metallb/speaker/bgp_controller.go (ShouldAnnounce), api/v1beta2/bgppeer_types.go',
    'cilium PR 25477 (externalTrafficPolicy Local)',
    'Calico documentation, Advertise Kubernetes service IP addresses',
  ],
  stories: ['oneandone-ecmp-resets'],
  params: {
    speakers: {
      type: 'integer',
      minimum: 0,
      default: 0,
      about: 'Nodes that announce addresses; 0 counts the Nodes of the input.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const { spec } = service
    if (spec?.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return
    const bgp = graph.once('bgp', () => announcer(graph))
    const speakers = params.speakers || (bgp ? graph.once('bgp-speakers', () => speakersIn(graph, bgp)) : 0)
    if (!bgp || speakers === 1) return
    if (speakers === 0) {
      const [workload] = graph.backendsOf(service)
      const fewest = workload && graph.fewestPods(workload)
      // A DaemonSet may run on all of them; that a single pod moves is the matter of other rules.
      if (graph.live || (workload && (fewest?.pods ?? 0) < 2)) return
      // Who chose the speakers has counted them.
      if (selectorsIn(graph).length > 0) return
      report(
        spec,
        'externalTrafficPolicy',
        fewest
          ? `Scale-downs and rollouts reset client connections where ${fewest.pods} or more nodes announce the address by BGP: ${workload?.name} has ${counted(fewest.pods, 'pod')} at least.`
          : 'Scale-downs and rollouts reset client connections unless there are always more pods than nodes that announce the address by BGP.',
        {
          severity: 'info',
          recommended: false,
          see: [fewest && at(fewest.of, fewest.node, fewest.field, fewest.note), at(bgp, bgp)],
        },
      )
      return
    }
    for (const workload of graph.backendsOf(service)) {
      const fewest = graph.fewestPods(workload)
      if (!fewest || fewest.pods === 0 || fewest.pods > speakers) continue
      report(
        spec,
        'externalTrafficPolicy',
        `Scale-downs and rollouts can reset client connections: ${counted(fewest.pods, 'pod')} of ${workload.name} at least, ${speakers} nodes announce the address.`,
        {
          see: [at(fewest.of, fewest.node, fewest.field, `needs more than ${speakers}`), at(bgp, bgp)],
          evidence: graph.live && announcing(readyByNode(graph.live.podsOf(workload)), speakers),
        },
      )
      return
    }
  },
})

/** The nodes that have a ready pod, and so announce the address. */
function announcing(places: readonly (readonly [string, number])[], speakers: number): string[] {
  const names = places.map(([name]) => name).sort()
  return [
    `${names.length} of ${speakers} speakers ${names.length === 1 ? 'has' : 'have'} a ready pod now`,
    ...(names.length > 0 ? [firstOf(names)] : []),
  ]
}

/** An object of the input that shows that addresses are announced by BGP. */
function announcer(graph: Graph): object | undefined {
  const kinds = ['metallb.io/BGPAdvertisement', 'metallb.io/BGPPeer'] as const
  const ciliums = ['cilium.io/CiliumBGPPeeringPolicy', 'cilium.io/CiliumBGPClusterConfig'] as const
  const cilium = ciliums.flatMap((kind) => graph.all(kind)).find((one) => announcesServices(one, graph))
  const calico = [
    ...graph.all('projectcalico.org/BGPConfiguration'),
    ...graph.all('crd.projectcalico.org/BGPConfiguration'),
  ].find((one) => arrayAt(one, 'spec', 'serviceLoadBalancerIPs').length > 0)
  const legacy = graph
    .all('ConfigMap')
    .find((one) => one.metadata?.name === 'config' && /protocol:\s*bgp/.test(one.data?.config ?? ''))
  return (
    kinds.map((kind) => graph.all(kind)[0]).find((found) => found !== undefined) ?? cilium ?? calico ?? legacy
  )
}

/**
 * The Nodes of the input that fit the speaker's node selector and the node selectors of an advertisement. Nodes that are written down far
 * from what announces are of other clusters, or states that tests of a controller start from.
 */
function speakersIn(graph: Graph, bgp: object): number {
  const speaker = graph.workloads.find(
    (one) =>
      one.kind === 'DaemonSet' &&
      one.running.some(({ image }) => imageNamed(image, ['metallb/speaker', 'speaker'])),
  )
  const selectors = selectorsIn(graph)
  const scheduled = graph.live && numberAt(speaker?.object, 'status', 'desiredNumberScheduled')
  const nodes = graph.all('Node').filter((node) => {
    if (!graph.live && !graph.complete && graph.apart(node, bgp) > 2) return false
    const labels = node.metadata?.labels ?? {}
    const fits = Object.entries(speaker?.pod.nodeSelector ?? {}).every(
      ([key, value]) => key === 'kubernetes.io/os' || ownValue(labels, key) === value,
    )
    const chosen =
      selectors.length === 0 ||
      selectors.some((selector) => {
        const pairs = valueAt(selector, 'matchLabels')
        return (
          isObject(pairs) && Object.keys(pairs).every((key) => ownValue(labels, key) === stringAt(pairs, key))
        )
      })
    return fits && chosen && !isExcludedFromBalancers(node)
  }).length
  // Taints keep the speaker off some nodes.
  return Math.min(nodes, scheduled ?? nodes)
}

/** Which nodes announce addresses, where advertisements say it, or all peers. */
function selectorsIn(graph: Graph) {
  const of = (kind: 'BGPAdvertisement' | 'BGPPeer') =>
    graph.all(`metallb.io/${kind}`).map((one) => objectsAt(one, 'spec', 'nodeSelectors'))
  const written = of('BGPAdvertisement').flat()
  const peers = of('BGPPeer')
  // A peer without a selector is one of all nodes.
  return written.length > 0 || peers.some(({ length }) => length === 0) ? written : peers.flat()
}
