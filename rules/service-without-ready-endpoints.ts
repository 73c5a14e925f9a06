import {
  absentFor,
  at,
  formatSpan,
  type Graph,
  isGone,
  isReady,
  type Live,
  objectAt,
  objectsAt,
  type Pod,
  rule,
  type Service,
  type Sight,
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

Exempt: KEDA ScaledObjects, Knative and HorizontalPodAutoscalers with minReplicas 0, which scale to zero and
back, ExternalName, pods of Jobs, and in a cluster \`publishNotReadyAddresses\`.`,
  versions:
    'A HorizontalPodAutoscaler can start from 0 only with minReplicas 0 and HPAScaleToZero (alpha 1.16, on by default from 1.37).',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/horizontal.go',
    'kubernetes/pkg/features/kube_features.go (HPAScaleToZero)',
    'k8s.io/endpointslice/utils.go (podToEndpoint: readiness of endpoints)',
  ],
  stories: ['monzo-linkerd-etcd', 'machu-kube-proxy-ipvs', 'dfds-kyverno-down'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      about: 'How long a Service in a cluster may be without a ready pod.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const backends = graph.backendsOf(service)
    const [first] = backends
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
    const { live } = graph
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
  },
})

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
  const maker = makerOf(workload.object)
  return live.podsIn(workload.namespace).filter((pod) => makerOf(pod) === maker)
}

function makerOf({ metadata }: Workload['object']): string | undefined {
  return metadata?.ownerReferences?.find(({ controller }) => controller === true)?.uid
}

/** Of Services that lead to the same pods the one that others use says most. */
function rank(service: Service, graph: Graph): number {
  if (userOf(service, graph) || graph.entranceOf(service)) return 0
  return service.spec?.clusterIP === 'None' ? 2 : 1
}

function evidenceOf(pods: readonly Pod[], others: readonly Service[], live: Live): string[] {
  const lines = [...pods]
    .sort((a, b) => restarts(b) - restarts(a) || (nameOf(a) < nameOf(b) ? -1 : 1))
    .slice(0, 3)
    .map((pod) => `pod ${nameOf(pod)}: ${troubleOf(pod, live) ?? 'not ready'}`)
  const more = pods.length - lines.length
  return [
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
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
