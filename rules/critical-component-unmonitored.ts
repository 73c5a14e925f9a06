import {
  at,
  type Custom,
  type Graph,
  imageNamed,
  isKind,
  isObject,
  matchesSelector,
  namespacesOfMonitor,
  objectsAt,
  rule,
  type Service,
  selectorIn,
  servesClusterDns,
  stringAt,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'Nothing watches a component that can stop the cluster',
  category: 'observability',
  severity: 'info',
  recommended: false,
  why: `A webhook that fails closed is a part of the control plane, but unlike the API server nobody gets an
alert when it is slow or gone. In the published outages the broken component was found last, after hours of
looking at what it broke.`,
  remedy: 'Scrape the backend and alert on its absence.',
  decides: `Only where the input shows that monitoring is declared in it: a ServiceMonitor or PodMonitor that looks
into the namespace of the Service or selects its labels; with \`--complete\`, and where the rule is asked for, any
of them or a PrometheusRule. The Service behind a fail-closed webhook is watched when a monitor selects its labels
or those of its pods, or a rule's expression names it, its workload or its namespace. The same goes for the Service
of the cluster's DNS, and that of an ingress controller with a load balancer.`,
  falsePositives: 'Alerts that are kept elsewhere, or scrape annotations: not visible here.',
  sources: ['Prometheus Operator API reference (ServiceMonitorSpec, PodMonitorSpec, NamespaceSelector)'],
  stories: ['dfds-kiam-cert', 'zalando-image-policy', 'zalando-etcd-delete', 'dfds-kyverno-down'],
  for: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'Service'],
  check(subject, { graph, report }) {
    const monitors = graph.once('monitors', () => monitorsOf(graph))
    if (monitors.length === 0) return
    if (isKind(subject, 'Service')) {
      const shared = sharedBehind(subject, graph)
      if (!shared || isWatched(subject, monitors, graph) || !isCertainOf(subject, monitors, graph)) return
      report(
        subject,
        undefined,
        `Nobody notices when ${shared.what} is down, and with it all that goes through it: no monitor of ${graph.source} selects ${graph.describe(subject)}.`,
        { see: [at(shared.workload, shared.workload, undefined, 'its pods')] },
      )
      return
    }
    const found = (subject.webhooks ?? []).flatMap(({ clientConfig, failurePolicy = 'Fail' }) => {
      const client = failurePolicy === 'Fail' ? clientConfig?.service : undefined
      const service = client && graph.find('Service', client.name, subject, client.namespace ?? '')
      if (!service || isWatched(service, monitors, graph)) return []
      return [{ client, service, isCertain: isCertainOf(service, monitors, graph) }]
    })
    const [first] = [...found.filter(({ isCertain }) => isCertain), ...found]
    if (!first) return
    const { client, service, isCertain } = first
    const pods = graph.backendsOf(service)[0]
    report(
      client,
      'name',
      `${isCertain ? 'Nobody' : 'Unless alerts are kept elsewhere, nobody'} notices when ${graph.describe(service)} is down, and writes fail until somebody does: no monitor of ${graph.source} selects it.`,
      {
        recommended: isCertain,
        see: [pods ? at(pods, pods, undefined, 'its pods') : at(service, service)],
      },
    )
  },
})

/** A folder of several projects holds monitors of others: one must be about the Service or its namespace. */
function isCertainOf(service: Service, monitors: readonly Custom[], graph: Graph): boolean {
  return (
    graph.complete || monitors.some((one) => looksInto(one, service, graph) || selects(one, service, graph))
  )
}

/** The DNS of the cluster or an ingress controller behind a Service. */
function sharedBehind(service: Service, graph: Graph) {
  for (const workload of graph.backendsOf(service)) {
    if (servesClusterDns(workload, graph)) return { workload, what: 'the DNS of the cluster' }
    if (
      service.spec?.type === 'LoadBalancer' &&
      workload.running.some(({ image }) =>
        imageNamed(image, ['ingress-nginx/controller', 'traefik', 'haproxy-ingress']),
      )
    )
      return { workload, what: `the ingress controller ${workload.name}` }
  }
  return undefined
}

function monitorsOf(graph: Graph): readonly Custom[] {
  const kinds = [
    'monitoring.coreos.com/ServiceMonitor',
    'monitoring.coreos.com/PodMonitor',
    'monitoring.coreos.com/PrometheusRule',
  ] as const
  return kinds.flatMap((kind) => graph.all(kind))
}

function isWatched(service: Service, monitors: readonly Custom[], graph: Graph): boolean {
  const namespace = graph.namespaceOf(service)
  const workloads = graph.backendsOf(service)
  return monitors.some((monitor) => {
    if (monitor.kind === 'PrometheusRule') {
      const text = objectsAt(monitor, 'spec', 'groups')
        .flatMap((group) => objectsAt(group, 'rules').map((one) => stringAt(one, 'expr') ?? ''))
        .join('\n')
      return [service.metadata?.name, namespace, ...workloads.map((one) => one.name)].some(
        (name) => name !== undefined && name !== '' && text.includes(name),
      )
    }
    return looksInto(monitor, service, graph) && selects(monitor, service, graph)
  })
}

/** Whether a ServiceMonitor or PodMonitor selects in the namespace of the Service. */
function looksInto(monitor: Custom, service: Service, graph: Graph): boolean {
  if (monitor.kind === 'PrometheusRule') return false
  const namespace = graph.namespaceOf(service)
  const names = namespacesOfMonitor(monitor)
  return (
    names === undefined ||
    names.includes(namespace) ||
    // An empty selector is that of its own namespace, as none is.
    (names.length === 0 && graph.namespaceOf(monitor) === namespace)
  )
}

/** Whether a ServiceMonitor matches the labels of the Service, or a PodMonitor those of its pods. */
function selects(monitor: Custom, service: Service, graph: Graph): boolean {
  const selector = valueAt(monitor, 'spec', 'selector')
  if (!isObject(selector)) return false
  const labels =
    monitor.kind === 'ServiceMonitor'
      ? [service.metadata?.labels]
      : graph.backendsOf(service).map((one) => one.labels)
  return labels.some((one) => matchesSelector(selectorIn(selector), one))
}
