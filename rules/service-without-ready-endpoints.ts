import {
  absentFor,
  askersOf,
  at,
  atMost,
  type Cause,
  calloutsTo,
  controllerOf,
  type Fault,
  formatSpan,
  type Graph,
  isGone,
  isKind,
  isReady,
  type Live,
  matchesLabels,
  type Pod,
  patience,
  readyFor,
  readyIn,
  rule,
  type Service,
  type Sight,
  type Slice,
  troubleOf,
  unreadyFor,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A Service has no pod behind it',
  category: 'networking',
  severity: 'warning',
  why: `A Service without a ready pod is a name that resolves and refuses. Callers hang or fail, some proxies
treat a service without endpoints as an error of their own, and a webhook behind it stops writes.`,
  remedy: 'Scale the workload up or repair it, or remove the Service with it.',
  decides: `All workloads that the Service selects have zero pods: \`replicas: 0\` without an autoscaler that could
raise it, and without a patch of a kustomization that does. In a cluster also: none of their pods has been ready for
\`minutes\`. Of Services that lead to the same pods one is reported, and in a cluster none where the workload's
finding says why it is down: that one names the Service, and the Ingress or route that leads to it. An error when an
Ingress or route, an APIService, or a webhook that fails closed leads to the Service. What is parked, with
\`replicas: 0\`, is an info, and in a cluster a warning where an Ingress or route leads to it; an error only for an
APIService or a webhook that fails closed.

In a cluster EndpointSlices count, whoever keeps them:

- a Service with ready endpoints, of another cluster or an operator, is silent;
- pods that have been ready for two minutes and are in no slice are an error: the Service is for another address family,
  or the endpoint controller does not follow;
- so is a Service without selector and without ready endpoints that something leads to;
- one of two address families that no ready pod has an address of is a warning.

Exempt: ScaledObjects and HTTPScaledObjects of KEDA, Knative and HorizontalPodAutoscalers with minReplicas 0, which scale to zero and
back, ExternalName, pods of Jobs, and in a cluster \`publishNotReadyAddresses\`.`,
  versions:
    'A HorizontalPodAutoscaler can start from 0 only with minReplicas 0 and HPAScaleToZero (alpha 1.16, on by default from 1.37).',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/horizontal.go',
    'kubernetes/pkg/features/kube_features.go (HPAScaleToZero)',
    'k8s.io/endpointslice/utils.go (podToEndpoint, getEndpointAddresses)',
  ],
  stories: ['monzo-linkerd-etcd', 'machu-kube-proxy-ipvs', 'dfds-kyverno-down'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: patience.deadService,
      diagnosed: 1,
      about: 'How long a Service in a cluster may be without a ready pod.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const fault = faultOf(service, graph, params.minutes)
    if (fault) report(...fault)
  },
})

function faultOf(service: Service, graph: Graph, minutes: number): Fault | undefined {
  const { live } = graph
  const slices = live?.slicesOf(service)
  // Whoever has put them there: the controller, another cluster, an operator.
  if (live && slices && readyIn(slices) > 0) return deadFamily(service, slices, graph, live)
  const [backend] = graph.backendsOf(service)
  if (!backend) return slices && emptyByHand(service, slices, graph)
  return (
    asleep(service, backend, graph) ??
    (live && slices && allLeftOut(service, graph, live)) ??
    (live && allUnready(service, backend, graph, live, minutes))
  )
}

/** That nothing answers at an address of the Service, as its pods have none of that family. */
function deadFamily(service: Service, slices: readonly Slice[], graph: Graph, live: Live): Fault | undefined {
  const { ipFamilies = [], clusterIP } = service.spec ?? {}
  const isServed = (family: string) => readyIn(slices.filter((one) => one.family === family)) > 0
  if (clusterIP === 'None' || ipFamilies.every(isServed)) return undefined
  const pods = leftOut(service, graph, live)
  const own = pods.flatMap(familiesOf)
  const family = ipFamilies.find((one) => !isServed(one) && !own.includes(one))
  if (!family || pods.length === 0) return undefined
  return [
    service.spec ?? service,
    'ipFamilies',
    `Connections to the ${family} address of ${graph.describe(service)} fail: no ready pod has one of that family.`,
    { severity: 'warning', evidence: firstOfPods(pods) },
  ]
}

/** A Service whose endpoints somebody makes by hand. Some are empty by design: what leads there says which are not. */
function emptyByHand(service: Service, slices: readonly Slice[], graph: Graph): Fault | undefined {
  const { selector = {}, type } = service.spec ?? {}
  if (Object.keys(selector).length > 0 || type === 'ExternalName') return undefined
  const user = userOf(service, graph)
  // A VirtualService may stand for a Service, and send elsewhere.
  if (!user || graph.routesTo(service).some(({ from }) => from.kind === 'VirtualService')) return undefined
  const unready = slices.reduce((sum, one) => sum + one.unready + one.ending, 0)
  const why =
    slices.length === 0
      ? 'has no EndpointSlice'
      : unready > 0
        ? `${unready === 1 ? 'its only endpoint is not' : `none of its ${unready} endpoints is`} ready`
        : 'its EndpointSlices are empty'
  return [
    service,
    undefined,
    `Calls to ${graph.describe(service)} fail: it selects no pods, and ${why}.`,
    { severity: 'error', see: [user] },
  ]
}

/** That all backends are scaled to zero. Somebody has parked them, and only what cannot wait is more than a note. */
function asleep(service: Service, backend: Workload, graph: Graph): Fault | undefined {
  if (!backend.scale || !isEmpty(service, graph)) return undefined
  const [first, ...others] = graph
    .servicesOf(backend)
    .filter((one) => isEmpty(one, graph))
    .sort(byRank(graph))
  if (first !== service) return undefined
  const [route] = graph.routesTo(service)
  const asker = askerOf(service, graph)
  const hpa = graph.autoscalerOf(backend)
  return [
    service,
    undefined,
    `Calls to ${graph.describe(service)}${others.length > 0 ? ` and ${others.length} more` : ''} fail: ${backend.kind} ${backend.name} runs no pods${hpa ? ', and its autoscaler does nothing while replicas is 0' : ''}.`,
    {
      severity: asker ? 'error' : graph.live && route ? 'warning' : 'info',
      see: [
        at(backend, backend.scale.node, 'replicas'),
        userOf(service, graph),
        ...others.slice(0, 2).map((one) => at(one, one, undefined, 'fails, too')),
      ],
      symptomOf: toldByAskers(service, graph),
    },
  ]
}

/** That pods are ready, and the Service has none of them. */
function allLeftOut(service: Service, graph: Graph, live: Live): Fault | undefined {
  const pods = leftOut(service, graph, live)
  if (pods.length === 0) return undefined
  const why = wrongFamily(service, pods) ?? 'in no EndpointSlice'
  return [
    service,
    undefined,
    `Calls to ${graph.describe(service)} fail: ${pods.length === 1 ? 'its pod is' : `its ${pods.length} pods are`} ready, and ${why}.`,
    { severity: 'error', see: [userOf(service, graph)], evidence: firstOfPods(pods) },
  ]
}

/** Rules that say of a workload without a ready pod why that is so, as errors, and which calls to Services and through routes fail. */
const tellDown = [
  'cluster-scale-up-blocked',
  'crashloop-restart-storm',
  'image-unavailable',
  'rollout-stalled',
]

/** That none of its pods has been ready for so many minutes; of Services with the same pods one tells. */
function allUnready(
  service: Service,
  backend: Workload,
  graph: Graph,
  live: Live,
  least: number,
): Fault | undefined {
  const pods = deadPods(service, graph, live)
  if (!pods) return undefined
  const minutes = Math.min(...pods.map((pod) => unreadyFor(pod, live) / 60))
  if (minutes < least) return undefined
  const same = graph
    .servicesOf(backend)
    .filter((one) => deadPods(one, graph, live)?.map(nameOf).join() === pods.map(nameOf).join())
    .sort(byRank(graph))
  if (same[0] !== service) return undefined
  const user = userOf(service, graph)
  const isCalled = user !== undefined || service.spec?.type === 'LoadBalancer'
  const who =
    pods.length === 1
      ? `its only pod, of ${backend.kind} ${backend.name}, has not`
      : `none of its ${pods.length} pods has`
  const objects = graph.backendsOf(service).map(({ object }) => object)
  return [
    service,
    undefined,
    `Calls to ${graph.describe(service)} fail: ${who} been ready for ${formatSpan(minutes * 60)}.`,
    {
      severity: isCalled ? 'error' : 'warning',
      see: [user],
      evidence: evidenceOf(pods, same.slice(1), live),
      symptomOf: pods.every((pod) => absentFor(pod, live).length > 0)
        ? { rules: ['referenced-config-missing'], objects }
        : (toldByAskers(service, graph) ?? { rules: tellDown, objects }),
    },
  ]
}

/**
 * The pods that are ready, have been for two minutes, and are behind no Service of theirs. Where operators change the
 * labels of pods it is not known which of them are meant.
 */
function leftOut(service: Service, graph: Graph, live: Live): readonly Pod[] {
  const selector = service.spec?.selector ?? {}
  const backends = graph.backendsOf(service).filter(({ batch }) => !batch)
  const pods = [...new Set(backends.flatMap((one) => live.podsOf(one)))]
  const isMeant = (pod: Pod) => !pod.metadata?.labels || matchesLabels(selector, pod.metadata.labels)
  // Of a label that its maker gives to each pod, such as its name or the hash of its template, no workload tells.
  const isTold = (one: Workload) =>
    !(one.kind === 'Pod' && one.controlled) && matchesLabels(selector, one.labels)
  if (!backends.every(isTold) || !pods.every(isMeant)) return []
  return pods.filter((pod) => !isGone(pod) && pod.status?.podIP && readyFor(pod, live) >= 120)
}

/** That a Service is for addresses that none of its pods has. */
function wrongFamily({ spec }: Service, pods: readonly Pod[]): string | undefined {
  const families = spec?.ipFamilies ?? []
  const own = new Set(pods.flatMap(familiesOf))
  return families.length > 0 && !families.some((family) => own.has(family))
    ? `${pods.length === 1 ? 'has' : 'have'} ${[...own].join(' and ')} addresses only, the Service ${families.join(' and ')}`
    : undefined
}

/** The families of the addresses of a pod: `IPv4`, `IPv6`. */
function familiesOf({ status }: Pod): readonly string[] {
  return (status?.podIPs ?? [{ ip: status?.podIP }]).map(({ ip }) => (ip?.includes(':') ? 'IPv6' : 'IPv4'))
}

function firstOfPods(pods: readonly Pod[]): string[] {
  return atMost(3, pods.map((pod) => `pod ${nameOf(pod)}: ready, ${pod.status?.podIP}`).sort())
}

/** Whether all workloads behind the Service are scaled to zero. */
function isEmpty(service: Service, graph: Graph): boolean {
  return graph.backendsOf(service).every((one) => isAsleep(one, graph))
}

/** Scaled to zero by hand. */
function isAsleep(workload: Workload, graph: Graph): boolean {
  return (
    workload.scale?.replicas === 0 &&
    graph.fewestPods(workload)?.pods === 0 &&
    !graph.scaledObjectOf(workload) &&
    graph.autoscalerOf(workload)?.spec?.minReplicas !== 0
  )
}

/** The pods of a Service none of which is ready; undefined when one is, or when there need not be any. */
function deadPods(service: Service, graph: Graph, live: Live): readonly Pod[] | undefined {
  if (service.spec?.publishNotReadyAddresses) return undefined
  const backends = graph.backendsOf(service).filter(({ batch }) => !batch)
  const pods = [...new Set(backends.flatMap((one) => podsBeside(one, live)))].filter((pod) => !isGone(pod))
  return pods.length > 0 && !pods.some(isReady) ? pods : undefined
}

/**
 * The pods of a workload; of a single pod that something made all that this has made: others
 * may have its labels, too.
 */
function podsBeside(workload: Workload, live: Live): readonly Pod[] {
  if (workload.kind !== 'Pod' || !workload.controlled) return live.podsOf(workload)
  const maker = controllerOf(workload.object)?.uid
  return live.podsIn(workload.namespace).filter((pod) => controllerOf(pod)?.uid === maker)
}

function byRank(graph: Graph): (a: Service, b: Service) => number {
  return (a, b) => rank(a, graph) - rank(b, graph) || (nameOf(a) < nameOf(b) ? -1 : 1)
}

/** Of Services that lead to the same pods the one that others use says most. */
function rank(service: Service, graph: Graph): number {
  if (userOf(service, graph)) return 0
  if (graph.entranceOf(service)) return 1
  return service.spec?.clusterIP === 'None' ? 3 : 2
}

function evidenceOf(pods: readonly Pod[], others: readonly Service[], live: Live): string[] {
  const lines = [...pods]
    .sort((a, b) => restarts(b) - restarts(a) || (nameOf(a) < nameOf(b) ? -1 : 1))
    .map((pod) => `pod ${nameOf(pod)}: ${troubleOf(pod, live) ?? 'not ready'}`)
  return [
    ...atMost(3, lines),
    ...(others.length > 0 ? [`behind ${others.slice(0, 3).map(nameOf).join(', ')} as well`] : []),
  ]
}

function restarts({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, one) => sum + (one.restartCount ?? 0), 0)
}

function nameOf({ metadata }: { metadata?: Pod['metadata'] }): string {
  return metadata?.name ?? ''
}

/** What fails with the Service: a route, an APIService, or a webhook that fails closed. */
function userOf(service: Service, graph: Graph): Sight | undefined {
  const [route] = graph.routesTo(service)
  if (route) return at(route.from, route.node, route.field)
  return askerOf(service, graph)
}

/** Where the API server asks a Service, and fails without it. */
function askerOf(service: Service, graph: Graph): Sight | undefined {
  const user = calloutsTo(service, graph).findLast(
    ({ of, closed }) => closed && !isKind(of, 'CustomResourceDefinition'),
  )
  return user?.client.service && at(user.of, user.client.service, 'name')
}

/** Where only the API server asks a Service, what fails with it names the Service, too. */
function toldByAskers(service: Service, graph: Graph): Cause | undefined {
  const objects = askersOf(service, graph)
  return objects.length > 0 && graph.routesTo(service).length === 0
    ? { rules: ['webhook-backend-unavailable'], objects }
    : undefined
}
