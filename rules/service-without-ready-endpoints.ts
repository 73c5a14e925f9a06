import {
  absentFor,
  at,
  atMost,
  controllerOf,
  formatSpan,
  type Graph,
  isGone,
  isReady,
  type Live,
  matchesLabels,
  objectAt,
  objectsAt,
  type Pod,
  patience,
  readyFor,
  readyIn,
  rule,
  type Service,
  type Sight,
  type Slice,
  stringAt,
  troubleOf,
  unreadySince,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A Service has no pod behind it',
  category: 'networking',
  severity: 'warning',
  why: `A Service without a ready pod is a name that resolves and refuses. Callers hang or fail, some proxies
treat a service without endpoints as an error of their own, and a webhook behind it stops writes.`,
  remedy: 'Scale the workload up or repair it, or remove the Service with it.',
  decides: `All workloads that the Service selects have zero pods: \`replicas: 0\` without an autoscaler
that could raise it. In a cluster also: none of their pods has been ready for \`minutes\`; of Services that
lead to the same pods one is reported. An error when an Ingress or route, an APIService, or a webhook that
fails closed leads to the Service.

In a cluster EndpointSlices count, whoever keeps them:

- a Service with ready endpoints, of another cluster or an operator, is silent;
- pods that have been ready for two minutes and are in no slice are an error: the Service is for another address family,
  or the endpoint controller does not follow;
- so is a Service without selector and without ready endpoints that something leads to;
- one of two address families that no ready pod has an address of is a warning.

Exempt: KEDA ScaledObjects, Knative and HorizontalPodAutoscalers with minReplicas 0, which scale to zero and
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
      about: 'How long a Service in a cluster may be without a ready pod.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const { live } = graph
    const slices = live?.slicesOf(service)
    // Whoever has put them there: the controller, another cluster, an operator.
    if (live && slices && readyIn(slices) > 0) {
      const pods = leftOut(service, graph, live)
      const family = familyWithout(service, slices, pods)
      if (family)
        report(
          service.spec ?? service,
          'ipFamilies',
          `Connections to the ${family} address of ${graph.describe(service)} fail: no ready pod has one of that family.`,
          { severity: 'warning', evidence: firstOfPods(pods) },
        )
      return
    }
    const backends = graph.backendsOf(service)
    const [first] = backends
    if (live && slices && !first) {
      checkByHand(service, slices)
      return
    }
    if (!first) return
    const user = userOf(service, graph)
    const severity = user ? 'error' : 'warning'
    if (backends.every((workload) => isAsleep(workload, graph)) && first.scale) {
      const hpa = graph.autoscalerOf(first)
      report(
        service,
        undefined,
        `Calls of ${graph.describe(service)} fail: ${first.kind} ${first.name} runs no pods${hpa ? ', and its autoscaler does nothing while replicas is 0' : ''}.`,
        { severity, see: [at(first, first.scale.node, 'replicas'), user] },
      )
      return
    }
    const left = live && slices ? leftOut(service, graph, live) : []
    if (left.length > 0) {
      const lone = wrongFamily(service, left)
      report(
        service,
        undefined,
        `Calls of ${graph.describe(service)} fail: ${left.length === 1 ? 'its pod is' : `its ${left.length} pods are`} ready, and ${lone ?? 'in no EndpointSlice'}.`,
        { severity: 'error', see: [user], evidence: firstOfPods(left) },
      )
      return
    }
    const pods = live && deadPods(service, graph, live)
    if (!pods) return
    const minutes = Math.min(...pods.map((pod) => (live.now - (unreadySince(pod) ?? live.now)) / 60_000))
    if (minutes < params.minutes) return
    const same = graph
      .servicesOf(first)
      .filter((one) => deadPods(one, graph, live)?.map(nameOf).join() === pods.map(nameOf).join())
      .sort((a, b) => rank(a, graph) - rank(b, graph) || (nameOf(a) < nameOf(b) ? -1 : 1))
    if (same[0] !== service) return
    report(
      service,
      undefined,
      `Calls of ${graph.describe(service)} fail: ${pods.length === 1 ? `its only pod, of ${first.kind} ${first.name}, has not` : `none of its ${pods.length} pods has`} been ready for ${formatSpan(minutes * 60)}.`,
      {
        severity,
        see: [user],
        evidence: evidenceOf(pods, same.slice(1), live),
        symptomOf: pods.every((pod) => absentFor(pod, live).length > 0)
          ? { rule: 'referenced-config-missing', objects: backends.map(({ object }) => object) }
          : undefined,
      },
    )

    /** A Service whose endpoints somebody makes by hand. Some are empty by design: what leads there says which are not. */
    function checkByHand(of: Service, own: readonly Slice[]) {
      if (Object.keys(of.spec?.selector ?? {}).length > 0 || of.spec?.type === 'ExternalName') return
      const user = userOf(of, graph)
      // A VirtualService may stand for a Service, and send elsewhere.
      if (!user || graph.routesTo(of).some(({ from }) => from.kind === 'VirtualService')) return
      const unready = own.reduce((sum, { unready, ending }) => sum + unready + ending, 0)
      report(
        of,
        undefined,
        `Calls of ${graph.describe(of)} fail: it selects no pods, and ${own.length === 0 ? 'has no EndpointSlice' : unready > 0 ? `no endpoint of ${unready} is ready` : 'its EndpointSlices are empty'}.`,
        { severity: 'error', see: [user] },
      )
    }
  },
})

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

/** The family of an address of the Service to which nothing answers, as its pods have none of that family. */
function familyWithout(
  { spec }: Service,
  slices: readonly Slice[],
  pods: readonly Pod[],
): string | undefined {
  if (spec?.clusterIP === 'None' || pods.length === 0) return undefined
  return spec?.ipFamilies?.find(
    (family) =>
      readyIn(slices.filter((one) => one.family === family)) === 0 &&
      !pods.flatMap(familiesOf).includes(family),
  )
}

/** The families of the addresses of a pod: `IPv4`, `IPv6`. */
function familiesOf({ status }: Pod): readonly string[] {
  return (status?.podIPs ?? [{ ip: status?.podIP }]).map(({ ip }) => (ip?.includes(':') ? 'IPv6' : 'IPv4'))
}

function firstOfPods(pods: readonly Pod[]): string[] {
  return atMost(3, pods.map((pod) => `pod ${nameOf(pod)}: ready, ${pod.status?.podIP}`).sort())
}

/** Scaled to zero by hand. */
function isAsleep(workload: Workload, graph: Graph): boolean {
  return (
    workload.scale?.replicas === 0 &&
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

/** The pods of a workload; of a single pod that something made all that this has made: others may have its labels, too. */
function podsBeside(workload: Workload, live: Live): readonly Pod[] {
  if (workload.kind !== 'Pod' || !workload.controlled) return live.podsOf(workload)
  const maker = controllerOf(workload.object)?.uid
  return live.podsIn(workload.namespace).filter((pod) => controllerOf(pod)?.uid === maker)
}

/** Of Services that lead to the same pods the one that others use says most. */
function rank(service: Service, graph: Graph): number {
  if (userOf(service, graph) || graph.entranceOf(service)) return 0
  return service.spec?.clusterIP === 'None' ? 2 : 1
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
  const users = graph.once('users-of-services', () => apiUsers(graph))
  return users.get(`${graph.namespaceOf(service)}/${service.metadata?.name}`)
}

/** What the API server asks Services for, by their namespace and name. */
function apiUsers(graph: Graph): ReadonlyMap<string, Sight> {
  const users = new Map<string, Sight>()
  const add = (of: Workload['object'], node: object | undefined) => {
    const name = stringAt(node, 'name')
    if (node && name) users.set(`${stringAt(node, 'namespace') ?? ''}/${name}`, at(of, node, 'name'))
  }
  for (const one of graph.seen('APIService')) add(one, one.spec?.service)
  for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'] as const) {
    for (const one of graph.seen(kind)) {
      for (const hook of objectsAt(one, 'webhooks'))
        if ((stringAt(hook, 'failurePolicy') ?? 'Fail') === 'Fail')
          add(one, objectAt(hook, 'clientConfig', 'service'))
    }
  }
  return users
}
