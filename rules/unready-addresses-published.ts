import {
  at,
  counted,
  type Fault,
  formatSpan,
  type Graph,
  isGone,
  type Live,
  operatorLabels,
  ownManager,
  type Pod,
  remove,
  rule,
  type Service,
  safe,
  set,
  troubles,
  unreadyFor,
  unreadySince,
} from '../src/rule.js'

const legacy = 'service.alpha.kubernetes.io/tolerate-unready-endpoints'

export default rule({
  title: 'A Service sends traffic to pods that are not ready',
  category: 'networking',
  severity: 'warning',
  why: `\`publishNotReadyAddresses\` tells everybody to treat all pods as ready. That is right for the peers
of a cluster that must find each other before they can be ready, and wrong for clients: they get connections
to pods that start, hang or stop.`,
  remedy: 'Remove the field from Services for clients; keep a headless one of its own for peer discovery.',
  decides: `The field is true on a Service that is not headless, or that is of type LoadBalancer or
NodePort, or that an Ingress or route leads to. Exempt are Services inside the cluster for pods of a StatefulSet, which
is what it is for, or for pods that the input does not show (both unless the rule is asked for), and those for the pod
that a program such as Vault labels itself. The old annotation is ignored by current releases: an info, as its author
believes it works.

In a cluster an error when its EndpointSlices count pods as ready now whose condition \`Ready\` has been false for a
minute. Without the field they are reported after ten: the endpoint controller does not follow. That is one finding, for
the first of such Services.`,
  versions: 'The annotation has no effect any more.',
  sources: [
    'k8s.io/api/core/v1/types.go (PublishNotReadyAddresses)',
    'k8s.io/endpointslice/utils.go (podToEndpoint)',
  ],
  stories: ['betz-gke-ingress-keepalive'],
  for: 'Service',
  check(service, { graph, report }) {
    const fault = service.spec?.publishNotReadyAddresses
      ? published(service, graph)
      : (oldAnnotation(service) ?? leftBehind(service, graph))
    if (fault) report(...fault)
  },
})

/** That the annotation is there which the field has replaced. */
function oldAnnotation({ spec, metadata }: Service): Fault | undefined {
  const annotations = metadata?.annotations
  if (annotations?.[legacy] !== 'true') return undefined
  const isHeadless = spec?.clusterIP === 'None'
  return [
    annotations,
    legacy,
    `This annotation does nothing any more: pods that are not ready ${isHeadless ? 'have no DNS record' : 'get no traffic'}.`,
    {
      severity: 'info',
      // Peers that look for each other before they are ready need what the annotation used to do.
      fix: isHeadless ? set(spec, 'publishNotReadyAddresses', true) : remove(annotations, legacy),
    },
  ]
}

/** That slices count pods as ready that have not been for long, on the first of all Services with such. */
function leftBehind(service: Service, graph: Graph): Fault | undefined {
  const { live } = graph
  if (!live) return undefined
  const [stale, ...others] = graph.once('stale endpoints', () => staleServices(graph, live))
  if (stale !== service) return undefined
  const pods = unreadyBehind(service, graph, live, live.waitFor(600))
  return [
    service,
    undefined,
    `Clients of ${graph.describe(service)} are sent to ${counted(pods.length, 'pod')} that ${pods.length === 1 ? 'is' : 'are'} not ready: the endpoint controller has not followed for ${leastSpan(pods, live)}.`,
    {
      severity: 'error',
      evidence: [
        ...troubles(pods, live),
        ...(others.length > 0 ? [`the same with ${counted(others.length, 'other Service')}`] : []),
      ],
    },
  ]
}

/** That the Service counts all pods as ready, where its clients are not peers of its pods. */
function published(service: Service, graph: Graph): Fault | undefined {
  const { live } = graph
  const spec = service.spec ?? {}
  const [route] = graph.routesTo(service)
  const isHeadless = spec.clusterIP === 'None'
  if (isHeadless && !route) return undefined
  // A Service for one single pod of a StatefulSet is how its peers, or clients that know it, find it.
  if (spec.selector?.['statefulset.kubernetes.io/pod-name'] && !route) return undefined
  // Who labels the pod that leads, as Vault does, says itself where clients are to go.
  if (Object.keys(spec.selector ?? {}).some((key) => operatorLabels.some((start) => key.startsWith(start))))
    return undefined
  // The peers of a StatefulSet find each other so, and are set up while they are not ready yet. Pods that are not
  // in the input may be such peers.
  const mayBePeers =
    graph.backendsOf(service).every(({ kind }) => kind === 'StatefulSet') && !graph.entranceOf(service)
  const now = live ? unreadyBehind(service, graph, live, 60) : []
  const sentTo =
    live && now.length > 0
      ? `${counted(now.length, 'pod')} that ${now.length === 1 ? 'has' : 'have'} not been ready for ${leastSpan(now, live)}`
      : 'pods that start, hang or stop'
  return [
    spec,
    'publishNotReadyAddresses',
    `Clients of ${graph.describe(service)} are sent to ${sentTo}: it counts all pods as ready.`,
    {
      recommended: !mayBePeers,
      ...(live && now.length > 0 && { severity: 'error', evidence: troubles(now, live) }),
      see: [route ? at(route.from, route.node, route.field) : undefined],
      fix: isHeadless || mayBePeers ? undefined : safe(remove(spec, 'publishNotReadyAddresses')),
    },
  ]
}

/** The pods that the slices of a Service count as ready, and that have not been ready for so many seconds. */
function unreadyBehind(service: Service, graph: Graph, live: Live, seconds: number): readonly Pod[] {
  const namespace = service.metadata?.namespace ?? ''
  const unready = graph.once(`unready pods of ${namespace}`, () => unreadyIn(namespace, live))
  if (unready.size === 0) return []
  const found = new Set<Pod>()
  for (const { ready } of live.slicesOf(service) ?? [])
    for (const name of ready) {
      const pod = unready.get(name)
      if (pod && unreadyFor(pod, live) >= seconds) found.add(pod)
    }
  return [...found]
}

/** The pods of a namespace that are not ready, by name. */
function unreadyIn(namespace: string, { podsIn }: Live): ReadonlyMap<string, Pod> {
  return new Map(
    podsIn(namespace)
      .filter((pod) => !isGone(pod) && unreadySince(pod) !== undefined)
      .map((pod) => [pod.metadata?.name ?? '', pod]),
  )
}

/** Services that ought to send to ready pods only and do not, because nobody keeps their slices up to date. */
function staleServices(graph: Graph, live: Live): readonly Service[] {
  return graph.seen('Service').filter(
    (service) =>
      !service.spec?.publishNotReadyAddresses &&
      // Others have their own reasons to send to a pod: Patroni to its leader.
      live.slicesOf(service)?.every(({ manager }) => manager === ownManager) &&
      unreadyBehind(service, graph, live, live.waitFor(600)).length > 0,
  )
}

function leastSpan(pods: readonly Pod[], live: Live): string {
  return formatSpan(Math.min(...pods.map((pod) => unreadyFor(pod, live))))
}
