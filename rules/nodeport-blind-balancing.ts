import {
  atMost,
  counted,
  type Graph,
  imageNamed,
  isAway,
  isExcludedFromBalancers,
  isGone,
  isLeaving,
  type Live,
  rule,
  type Service,
  spanSince,
  troubleOf,
  turnedAt,
  unreadyPods,
} from '../src/rule.js'

export default rule({
  title: 'A balancer outside sends to every node, joining and leaving ones included',
  category: 'networking',
  severity: 'info',
  recommended: false,
  why: `A fixed node port is the sign of a balancer that somebody set up by hand over the nodes. With policy
Cluster every node answers on that port, whether its rules are complete or not, so a node that joins, drains
or has a broken network takes its share of the connections. It shows only while nodes are rolled.`,
  remedy: 'Send to a small, health-checked set of nodes, or let the balancer address the pods.',
  decides: `A Service of type NodePort or LoadBalancer with \`externalTrafficPolicy\` Cluster (the default)
and a \`nodePort\` written into a port. Provider balancers that target pods (annotations for NEG or target
type ip) are exempt.

A cluster gives every such Service its node ports, so there one finding tells of all of them, and only while there are
ready nodes that balancers are not kept from by their label and that have been ready for less than two minutes, or, as a
warning, where a pod of \`images\` has not been ready for one.`,
  falsePositives: 'Test clusters, and balancers that probe kube-proxy on port 10256.',
  versions:
    'kube-proxy fails its health check while its node is being deleted from 1.30 on (KubeProxyDrainingTerminatingNodes, GA 1.31).',
  sources: [
    'KEP-3836',
    'k8s.io/api/core/v1/types.go (ServiceExternalTrafficPolicy)',
    'AWS Load Balancer Controller documentation, Network Load Balancer (target type ip, formerly type nlb-ip)',
    'GKE documentation, container-native load balancing (NEG)',
  ],
  stories: ['oneandone-node-join-timeouts', 'saltside-elb-migration', 'zalando-misc-races'],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'kube-proxy',
        'calico/node',
        'calico-node',
        'cilium',
        'flannel',
        'amazon-k8s-cni',
        'kube-router',
        'antrea',
      ],
      about: 'Images of what makes the rules of Services and the network of a node, as parts of their names.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const fixed = nodePortOf(service)
    if (!fixed) return
    const { live } = graph
    if (live) {
      const blind = graph.once('nodes that answer for nothing', () => blindNodes(graph, live, params.images))
      const [first, ...others] = graph.once('services on all nodes', () =>
        graph.all('Service').filter((one) => nodePortOf(one) !== undefined),
      )
      if (first !== service || blind.length === 0) return
      report(
        fixed,
        'nodePort',
        `${counted(blind.length, 'node')} may drop ${blind.length === 1 ? 'its' : 'their'} share of connections to ${graph.describe(service)}${others.length > 0 ? ` and ${counted(others.length, 'other Service')}` : ''}: port ${fixed.nodePort} answers there, and the rules behind it may be old or missing.`,
        {
          severity: blind.some(({ isBroken }) => isBroken) ? 'warning' : 'info',
          evidence: atMost(
            3,
            blind.map(({ text }) => text),
          ),
        },
      )
      return
    }
    report(
      fixed,
      'nodePort',
      `A node that joins or drains takes its share of new connections: port ${fixed.nodePort} answers on every node, ready or not.`,
    )
  },
})

/** The first port of a Service that every node answers on for a balancer. */
function nodePortOf({ spec, metadata }: Service) {
  const isOnAll =
    (spec?.type === 'NodePort' || spec?.type === 'LoadBalancer') && spec.externalTrafficPolicy !== 'Local'
  const annotations = JSON.stringify(metadata?.annotations ?? {})
  return isOnAll && !/cloud\.google\.com\/neg|target-type":"ip|balancer-type":"nlb-ip/.test(annotations)
    ? spec.ports?.find((port) => port.nodePort)
    : undefined
}

/**
 * The nodes that balancers may send to before, or after, the rules of Services are kept up to
 * date there; broken ones first.
 */
function blindNodes(graph: Graph, live: Live, images: readonly string[]) {
  const broken = new Map<string, string>()
  for (const workload of graph.workloads) {
    if (workload.kind !== 'DaemonSet' || !workload.running.some(({ image }) => imageNamed(image, images)))
      continue
    for (const { pod } of unreadyPods(
      live.podsOf(workload).filter((one) => !isGone(one)),
      live,
      60,
    ))
      broken.set(pod.spec?.nodeName ?? '', `${workload.name}: ${troubleOf(pod, live) ?? 'not ready'}`)
  }
  return graph
    .all('Node')
    .filter((node) => !isAway(node) && !isLeaving(node) && !isExcludedFromBalancers(node))
    .flatMap((node) => {
      const name = node.metadata?.name ?? ''
      const trouble = broken.get(name)
      const isYoung = live.now - turnedAt(node) < 120_000
      return trouble || isYoung
        ? [
            {
              isBroken: trouble !== undefined,
              text: `node ${name}: ${trouble ?? `ready for ${spanSince(turnedAt(node), live)}`}`,
            },
          ]
        : []
    })
    .sort((a, b) => Number(b.isBroken) - Number(a.isBroken) || (a.text < b.text ? -1 : 1))
}
