import {
  announcesServices,
  arrayAt,
  at,
  counted,
  type Fault,
  type Graph,
  imageNamed,
  isExcludedFromBalancers,
  isSecondView,
  type KubernetesObject,
  numberAt,
  objectAt,
  rule,
  stringAt,
  valueAt,
} from '../src/rule.js'

const calicosConfigurations = [
  'projectcalico.org/BGPConfiguration',
  'crd.projectcalico.org/BGPConfiguration',
] as const
const calicosPeers = ['projectcalico.org/BGPPeer', 'crd.projectcalico.org/BGPPeer'] as const
/** The fields whose addresses Calico announces from every node that has a peer. */
const calicosRanges = ['serviceLoadBalancerIPs', 'serviceExternalIPs'] as const

export default rule({
  title: 'Every node announces the service addresses',
  category: 'networking',
  severity: 'info',
  why: `Routers spread connections over all nodes that announce an address. Whenever that set changes, most
routers spread anew, and connections that then reach another node are reset. When every node announces, each
node roll, scale-up or reboot does that to all services.`,
  remedy: 'Let a few stable edge nodes announce, by node selectors.',
  decides: `Reported are

- a MetalLB BGPAdvertisement without \`nodeSelectors\`, while the speaker DaemonSet of the input has no node
  selector or affinity of its own and some BGPPeer has no \`nodeSelectors\` either;
- a CiliumBGPPeeringPolicy with a \`serviceSelector\`, or a CiliumBGPClusterConfig beside a CiliumBGPAdvertisement
  of Services (where the rule is asked for, also without any), with no or an empty node selector;
- a BGPConfiguration of Calico with addresses of Services to announce, and a BGPPeer of all nodes (where the rule is
  asked for, also where the input has no BGPPeer).

Silent when the input holds at most \`maxSpeakers\` Nodes that MetalLB and Calico do not pass over (label
\`node.kubernetes.io/exclude-from-external-load-balancers\`). In a cluster also when the speaker's DaemonSet has no
more pods than that, and when there is no Service of type LoadBalancer, or all have \`externalTrafficPolicy:
Local\`: only nodes with a pod announce those.`,
  sources: [
    'metallb/api/v1beta1/bgpadvertisement_types.go, api/v1beta2/bgppeer_types.go (nodeSelectors)',
    'metallb/speaker/bgp_controller.go (ShouldAnnounce)',
    'cilium/pkg/k8s/apis/cilium.io/v2alpha1 (bgpp_types.go, bgp_cluster_types.go, bgp_advert_types.go)',
    'Calico documentation, Advertise Kubernetes service IP addresses',
  ],
  stories: ['oneandone-ecmp-resets'],
  params: { maxSpeakers: { type: 'integer', minimum: 1, default: 4, about: 'Nodes that may all announce.' } },
  for: [
    'metallb.io/BGPAdvertisement',
    'cilium.io/CiliumBGPPeeringPolicy',
    'cilium.io/CiliumBGPClusterConfig',
    ...calicosConfigurations,
  ],
  check(advertisement, { graph, params, report }) {
    const isCalico = advertisement.kind === 'BGPConfiguration'
    const isCilium = advertisement.kind?.startsWith('Cilium')
    const nodes = graph.all('Node').filter((node) => isCilium || !isExcludedFromBalancers(node)).length
    if (nodes > 0 && nodes <= params.maxSpeakers) return
    const announced =
      graph.live &&
      graph
        .all('Service')
        .filter(({ spec }) => spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy !== 'Local').length
    if (announced === 0) return
    const services = announced === undefined ? 'all services' : counted(announced, 'LoadBalancer Service')
    const say = (speakers: number) =>
      `Every roll of a node may reset connections of ${services}: ${speakers > 0 ? `all ${speakers}` : 'all'} nodes announce their addresses.`
    const fault = isCalico
      ? faultOfCalico(advertisement, graph, say(nodes))
      : isCilium
        ? faultOfCilium(advertisement, graph, say(nodes))
        : faultOfMetalLB(advertisement, graph, { nodes, most: params.maxSpeakers, say })
    if (fault) report(...fault)
  },
})

/** How many nodes may announce, and what is said of more. */
interface Speakers {
  /** All that could. */
  readonly nodes: number
  readonly most: number
  readonly say: (speakers: number) => string
}

function faultOfCalico(configuration: KubernetesObject, graph: Graph, message: string): Fault | undefined {
  const spec = objectAt(configuration, 'spec')
  const field = calicosRanges.find((one) => arrayAt(spec, one).length > 0)
  if (!field || (graph.live && isSecondView(configuration, graph))) return undefined
  const peers = calicosPeers.flatMap((kind): readonly KubernetesObject[] => graph.all(kind))
  const peer = peers.find(isOfAllNodes)
  // Without a peer nobody is told.
  if (!peer && (peers.length > 0 || graph.complete)) return undefined
  return [
    spec ?? configuration,
    field,
    message,
    { recommended: peer !== undefined, see: [peer && at(peer, peer, undefined, 'peers with all nodes')] },
  ]
}

function faultOfCilium(policy: KubernetesObject, graph: Graph, message: string): Fault | undefined {
  const announces = announcesServices(policy, graph)
  const spec = objectAt(policy, 'spec')
  const requirements = Object.values(objectAt(spec, 'nodeSelector') ?? {})
  const isChoosing = requirements.some((one) => !['{}', '[]'].includes(JSON.stringify(one)))
  return announces === false || isChoosing
    ? undefined
    : [spec ?? policy, 'nodeSelector', message, { recommended: announces === true }]
}

function faultOfMetalLB(
  advertisement: KubernetesObject,
  graph: Graph,
  { nodes, most, say }: Speakers,
): Fault | undefined {
  const spec = objectAt(advertisement, 'spec')
  const peers = graph.all('metallb.io/BGPPeer')
  const choosePeers =
    peers.length > 0 && peers.every((one) => arrayAt(one, 'spec', 'nodeSelectors').length > 0)
  if (choosePeers || arrayAt(spec, 'nodeSelectors').length > 0) return undefined
  const speaker = graph.once('metallb-speaker', () => speakerIn(graph))
  if (
    speaker &&
    (Object.keys(speaker.pod.nodeSelector ?? {}).some((key) => key !== 'kubernetes.io/os') ||
      speaker.pod.affinity?.nodeAffinity)
  )
    return undefined
  // Taints keep the speaker off some nodes.
  const speakers = graph.live
    ? (numberAt(speaker?.object, 'status', 'desiredNumberScheduled') ?? nodes)
    : nodes
  if (graph.live && speakers <= most) return undefined
  return [
    spec ?? advertisement,
    valueAt(spec, 'nodeSelectors') === undefined ? undefined : 'nodeSelectors',
    say(speakers),
    { see: [speaker ? at(speaker, speaker.pod, 'nodeSelector', 'no node selector') : undefined] },
  ]
}

/** Whether a BGPPeer is one of every node. */
function isOfAllNodes(peer: KubernetesObject): boolean {
  const selector = stringAt(peer, 'spec', 'nodeSelector') ?? 'all()'
  return stringAt(peer, 'spec', 'node') === undefined && ['', 'all()'].includes(selector.trim())
}

function speakerIn(graph: Graph) {
  return graph.workloads.find(
    (one) =>
      one.kind === 'DaemonSet' &&
      one.running.some(({ image }) => imageNamed(image, ['metallb/speaker', 'speaker'])),
  )
}
