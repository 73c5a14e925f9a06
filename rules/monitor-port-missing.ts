import {
  at,
  type Custom,
  enumerate,
  type Graph,
  isInjected,
  type KubernetesObject,
  type LabelSelector,
  looksInto,
  matchesSelector,
  namespacesOfMonitor,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  type Service,
  selectorIn,
  set,
  stringAt,
} from '../src/rule.js'

export default rule({
  title: 'Prometheus scrapes nothing: no port has the name that the monitor asks for',
  category: 'observability',
  severity: 'warning',
  why: `\`port\` of a ServiceMonitor is the name of a port of the Service, not its number and not the name in the
container; that of a PodMonitor is the name in the container. Prometheus keeps the ports that are called so. Where
none is, it has no target and says nothing: there are no metrics, rules over them have no result, and alerts stay
silent during the outage that they are for.`,
  remedy: 'Ask for the port by the name that it has, or give it the name that the monitor asks for.',
  decides: `The endpoints of a ServiceMonitor for Services of the input, and those of a PodMonitor for workloads of
the input, that its selector matches in its namespaces: where none of them has a port that any endpoint names. Where
the input is whole, and in a cluster, each endpoint counts by itself.

Not reported: monitors that look into all namespaces (unless the input is whole), empty selectors, endpoints without \`port\`,
patterns, Services whose pods are not in the input, monitors of a kustomization that have a Service with the labels beside them while those
of the written namespace stand in other folders, what a kustomization patches, and pods with a container that an
injector fills in.`,
  falsePositives: 'A selector that matches other Services, too, which the input does not have.',
  sources: [
    'prometheus-operator/pkg/prometheus/promcfg.go (generateServiceMonitorConfig, generatePodMonitorConfig)',
    'Prometheus documentation, kubernetes_sd_config (roles endpoints, endpointslice and pod)',
  ],
  stories: ['dfds-kiam-cert'],
  unless: ['service-monitor-selects-nothing'],
  for: ['monitoring.coreos.com/ServiceMonitor', 'monitoring.coreos.com/PodMonitor'],
  check(monitor, { graph, report }) {
    const selector = objectAt(monitor, 'spec', 'selector')
    const isWhole = graph.complete
    const isAnywhere = namespacesOfMonitor(monitor) === undefined
    if (!selector || Object.keys(selector).length === 0 || graph.patched(monitor) || (isAnywhere && !isWhole))
      return
    const selected = isServiceMonitor(monitor)
      ? servicesOf(monitor, selectorIn(selector), graph)
      : podsOf(monitor, selectorIn(selector), graph)
    if (!selected || selected.length === 0) return
    const names = [...new Set(selected.flatMap((one) => one.names))]
    const field = isServiceMonitor(monitor) ? 'endpoints' : 'podMetricsEndpoints'
    const endpoints = objectsAt(monitor, 'spec', field).map((node) => ({
      node,
      port: stringAt(node, 'port'),
    }))
    const isMet = ({ port }: { readonly port: string | undefined }) =>
      port === undefined || !/^[a-z0-9-]+$/.test(port) || names.includes(port)
    if (!isWhole && endpoints.some(isMet)) return
    const [first] = selected
    for (const endpoint of endpoints) {
      const { node, port = '' } = endpoint
      if (isMet(endpoint)) continue
      const near = names.length === 1 ? names[0] : nearestName(port, names)
      const behind = `${first ? graph.describe(first.object) : ''}${selected.length > 1 ? ` and ${selected.length - 1} more` : ''}`
      report(
        node,
        'port',
        `Prometheus scrapes nothing of ${behind} here: no port there is called ${port}, ${names.length > 0 ? `only ${enumerate(names, 'and')}` : 'none has a name'}.`,
        {
          see: [first && at(first.object, first.node, first.field)],
          fix: near === undefined ? undefined : set(node, 'port', near),
        },
      )
    }
  },
})

function isServiceMonitor(monitor: Custom): boolean {
  return monitor.kind === 'ServiceMonitor'
}

/** What a monitor selects, with the names of its ports. */
interface Selected {
  readonly object: KubernetesObject
  readonly names: readonly string[]
  readonly node: object
  readonly field: string
}

/** Undefined where something else decides about the ports of one. */
function servicesOf(monitor: Custom, selector: LabelSelector, graph: Graph): readonly Selected[] | undefined {
  const isIn = reached(monitor, graph)
  const services = (isAtHome(monitor) ? graph.siblings('Service', monitor) : graph.all('Service')).filter(
    (one) => matchesSelector(selector, one.metadata?.labels) && isIn(one),
  )
  // Whoever makes the pods elsewhere, an operator for one, may make Services for them, too.
  const isOpen = services.some((one) => graph.backendsOf(one).length === 0)
  if (isOpen || services.some(graph.patched) || hasOwn(monitor, selector, services, graph)) return undefined
  return services.map((object) => ({
    object,
    names: (object.spec?.ports ?? []).flatMap(({ name }) => name || []),
    node: object.spec ?? object,
    field: 'ports',
  }))
}

/**
 * Whether a Service beside a monitor of a kustomization has the labels, and those in its namespace stand elsewhere: the namespaces that are
 * written (kubebuilder's `system`) are not those in which the kustomization puts them.
 */
function hasOwn(
  monitor: Custom,
  selector: LabelSelector,
  services: readonly Service[],
  graph: Graph,
): boolean {
  const isBeside = (one: Service) => graph.apart(one, monitor) === 0
  return (
    !graph.live &&
    graph.kustomized(monitor) &&
    !services.some(isBeside) &&
    graph.all('Service').some((one) => isBeside(one) && matchesSelector(selector, one.metadata?.labels))
  )
}

/** The same for pods: each port that a container declares is a target. */
function podsOf(monitor: Custom, selector: LabelSelector, graph: Graph): readonly Selected[] | undefined {
  const isIn = reached(monitor, graph)
  const workloads = (isAtHome(monitor) ? graph.nearby(monitor) : graph.workloads).filter(
    ({ labels, object }) => matchesSelector(selector, labels) && isIn(object),
  )
  const isOpen = workloads.some(
    ({ object, running }) => running.some(isInjected) || graph.patchedContainers(object, 'ports'),
  )
  if (isOpen) return undefined
  return workloads.map(({ object, containers, pod }) => ({
    object,
    names: containers.flatMap(({ spec }) => (spec.ports ?? []).flatMap(({ name }) => name || [])),
    node: pod,
    field: 'containers',
  }))
}

/** Whether it looks into no namespace but its own. */
function isAtHome(monitor: Custom): boolean {
  return namespacesOfMonitor(monitor)?.length === 0
}

/** What is in the monitor's own namespace belongs together with it; in another one that it names the namespace tells. */
function reached(monitor: Custom, graph: Graph): (object: KubernetesObject) => boolean {
  const isIn = looksInto(monitor, graph)
  const own = graph.namespaceOf(monitor)
  return (object) => {
    const namespace = graph.namespaceOf(object)
    return (
      isIn(object) && (namespace === own ? graph.together(monitor, object) : namespace !== '' && own !== '')
    )
  }
}
