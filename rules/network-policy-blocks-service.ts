import {
  at,
  type Fault,
  type Graph,
  hasOtherPolicies,
  isForIngress,
  isUnenforced,
  type KubernetesObject,
  type NetworkPolicy,
  rule,
  type Service,
  type ServicePort,
  selectsAll,
  stringAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Network policies let nobody reach a Service',
  category: 'networking',
  severity: 'error',
  why: `As soon as one policy for incoming traffic selects a pod, everything that no policy allows is
dropped. A policy that was written for another port, or a default-deny without its allow rule, makes the
Service fail: with most network plugins connections time out, those of kube-router (k3s) refuse them.`,
  remedy: 'Add a rule for the port that the Service leads to, from those who need it.',
  decides: `For each port of a Service, resolved to the port of the pods: the policies of the namespace that select
them and apply to incoming traffic (\`policyTypes\`; Ingress unless it says otherwise). An error when at least one
selects them and no rule of any allows the port from anybody; a warning where they allow another port of the
Service, or it is headless and they allow another of its workloads, and nothing in the input leads to this one from
outside. A warning when the port gets traffic from outside
(an Ingress or route that names it, LoadBalancer, NodePort) but only pods of its own namespace may come in.

Exempt:

- hostNetwork pods;
- pods of a Service that have no port of the name that its port leads to: nothing of it gets to them;
- headless Services beside one with an address that leads to the same ports, or that leads to a StatefulSet of one pod which
  has its name from the headless one: there is no other pod that would ask;
- Services and policies that a kustomization patches, and policies that it has in a comment (\`#- ../network-policy\`);
- inputs with Cilium, Calico or admin policies, which may allow more;
- a default-deny without any other policy for these pods, unless the input is complete (a warning where the rule is
  asked for): the allow rule may be elsewhere;
- clusters with flannel and no agent that enforces policies.`,
  sources: [
    'k8s.io/api/networking/v1/types.go',
    'Kubernetes documentation, Network Policies',
    'kube-router/pkg/controllers/netpol (chains of pods end in REJECT)',
  ],
  stories: ['machu-kube-proxy-ipvs'],
  unless: ['service-port-mismatch'],
  for: 'Service',
  check(service, { graph, report, isAsked }) {
    for (const workload of graph.backendsOf(service)) {
      if (workload.pod.hostNetwork || isForNames(service, workload, graph)) continue
      const policies = graph
        .policiesOf(workload)
        .filter((policy) => isForIngress(policy) && !graph.isSetAside(policy, workload.object))
      const onlyDenies = policies.every((policy) => (policy.spec?.ingress?.length ?? 0) === 0)
      // The rule that allows it may be elsewhere.
      const isCertain = !onlyDenies || graph.complete
      if (policies.length === 0 || (!isCertain && !isAsked)) continue
      if (policies.some((policy) => graph.patched(policy))) continue
      if (hasOtherPolicies(service, graph) || isUnenforced(graph) || graph.patched(service)) return
      const fault = faultOf({ service, workload, policies }, isCertain, graph)
      if (fault) {
        report(...fault)
        return
      }
    }
  },
})

/** A workload behind a Service, and the policies that are for what comes in to its pods. */
interface Guarded {
  readonly service: Service
  readonly workload: Workload
  readonly policies: readonly NetworkPolicy[]
}

/** What is wrong with the first port that is closed. What clients from outside ask for comes first. */
function faultOf(guarded: Guarded, isCertain: boolean, graph: Graph): Fault | undefined {
  const ports = reachedBy(guarded, graph)
  const isPartlyOpen = ports.some(({ allowed }) => allowed.length > 0) || isForOthers(guarded, graph)
  for (const one of [...ports.filter(({ outside }) => outside), ...ports]) {
    const fault =
      (isCertain ? unallowed(one, isPartlyOpen, guarded, graph) : denied(one, guarded, graph)) ??
      closedToOutside(one, guarded, graph)
    if (fault) return fault
  }
  return undefined
}

/** The ports of the Service that the pods have, with what is known of who may come in there. */
function reachedBy({ service, workload, policies }: Guarded, graph: Graph): readonly Reached[] {
  // One for all pods that stands with other applications may be of the same namespace, and allow it.
  const wide = graph
    .siblings('NetworkPolicy', service)
    .filter((policy) => isForIngress(policy) && selectsAll(policy.spec?.podSelector ?? {}))
  const rules = [...new Set([...policies, ...wide])].flatMap((policy) =>
    (policy.spec?.ingress ?? []).map((rule): Allowed => ({ policy, rule })),
  )
  return (service.spec?.ports ?? [])
    .filter((port) => port.port !== undefined && numberOf(port, workload, graph) !== undefined)
    .map((port) => ({
      port,
      outside: outsideOf(port, service, graph),
      allowed: rules.filter(({ rule }) => allows(rule, port, workload, graph)),
    }))
}

/**
 * The port of the pods that one of a Service leads to: those without a port of its name are no endpoints for it, and get none of its
 * traffic.
 */
function numberOf(port: ServicePort, workload: Workload, graph: Graph): number | undefined {
  const target = port.targetPort || port.port
  return graph.portOf(workload, port)?.number ?? (typeof target === 'number' ? target : undefined)
}

/**
 * Whether a headless Service is there for the names of the pods, beside one with an address that leads to them: to the same ports, and what
 * is wrong is told of that one; or to the only pod of a StatefulSet, and the ports of the headless one are for its peers, of which there
 * are none.
 */
function isForNames(service: Service, workload: Workload, graph: Graph): boolean {
  if (service.spec?.clusterIP !== 'None') return false
  const targets = ({ spec }: Service) => spec?.ports?.map((port) => port.targetPort ?? port.port) ?? []
  const own = targets(service)
  const isAlone =
    workload.kind === 'StatefulSet' &&
    workload.scale?.replicas === 1 &&
    stringAt(workload.object, 'spec', 'serviceName') === service.metadata?.name
  return graph
    .servicesOf(workload)
    .some(
      (one) =>
        one.spec?.clusterIP !== 'None' && (isAlone || own.every((target) => targets(one).includes(target))),
    )
}

/**
 * Whether a headless Service has another workload that its clients may reach: they ask for one pod by its name, and those that only ask
 * are never asked.
 */
function isForOthers({ service, workload }: Guarded, graph: Graph): boolean {
  const isReached = (other: Workload) => {
    const policies = graph.policiesOf(other).filter(isForIngress)
    const rules = policies.flatMap((policy) => policy.spec?.ingress ?? [])
    return (
      policies.length === 0 ||
      (service.spec?.ports ?? []).some((port) => rules.some((one) => allows(one, port, other, graph)))
    )
  }
  return (
    service.spec?.clusterIP === 'None' &&
    graph.backendsOf(service).some((other) => other !== workload && isReached(other))
  )
}

/** A rule of a policy that lets traffic in at the port in question. */
interface Allowed {
  readonly policy: NetworkPolicy
  readonly rule: IngressRule
}

/** A port of a Service, what leads to it from outside the cluster, and the rules that let somebody in. */
interface Reached {
  readonly port: ServicePort
  readonly outside: KubernetesObject | undefined
  readonly allowed: readonly Allowed[]
}

/** What leads to the port from outside: a route that names it or leaves it open, or the Service by its type. */
function outsideOf(port: ServicePort, service: Service, graph: Graph): KubernetesObject | undefined {
  const isOpen = ['LoadBalancer', 'NodePort'].includes(service.spec?.type ?? '')
  const route = graph
    .routesTo(service)
    .find(({ port: named }) => named === undefined || named === port.port || named === port.name)
  return route?.from ?? (isOpen ? service : undefined)
}

/** That no policy lets anybody in. */
function unallowed(
  { port, outside, allowed }: Reached,
  isPartlyOpen: boolean,
  { service, workload, policies }: Guarded,
  graph: Graph,
): Fault | undefined {
  if (allowed.length > 0) return undefined
  const see = policies.find(({ spec }) => (spec?.ingress?.length ?? 0) > 0) ?? policies[0]
  return [
    port,
    port.targetPort === undefined ? 'port' : 'targetPort',
    `Connections to port ${port.name ?? port.port} of ${graph.describe(service)} fail: no NetworkPolicy allows it to ${workload.name}.`,
    {
      // Policies that think of another port of the Service, or of another of its workloads, may well keep this one closed.
      severity: isPartlyOpen && !outside ? 'warning' : 'error',
      see: [see && at(see, see.spec ?? see, see.spec?.ingress ? 'ingress' : undefined, 'allows other ports')],
    },
  ]
}

/** That the input has only policies that deny everything. */
function denied({ port }: Reached, { service, workload, policies }: Guarded, graph: Graph): Fault {
  return [
    port,
    port.targetPort === undefined ? 'port' : 'targetPort',
    `Connections to ${graph.describe(service)} fail unless a policy elsewhere allows them: nothing in the input lets anybody in to ${workload.name}.`,
    {
      severity: 'warning',
      recommended: false,
      see: policies.slice(0, 1).map((one) => at(one, one.spec ?? one, 'podSelector', 'denies all')),
    },
  ]
}

/** That something leads to the Service from outside, and the policies let in only pods of its namespace. */
function closedToOutside(
  { port, outside, allowed }: Reached,
  { service, workload }: Guarded,
  graph: Graph,
): Fault | undefined {
  const [first] = allowed
  if (!outside || !first || !allowed.every(({ rule }) => isOwnNamespaceOnly(rule))) return undefined
  if (outside !== service && allowed.some((one) => admitsController(one, graph))) return undefined
  const { policy } = first
  return [
    port,
    'port',
    `Traffic ${outside === service ? `to ${graph.describe(service)} from outside the cluster` : `from ${graph.describe(outside)}`} is dropped: nothing outside of its namespace may reach ${workload.name}.`,
    { severity: 'warning', see: [at(policy, policy.spec ?? policy, 'ingress')] },
  ]
}

function isOwnNamespaceOnly({ from = [] }: IngressRule): boolean {
  return from.length > 0 && from.every((peer) => peer.podSelector && !peer.namespaceSelector && !peer.ipBlock)
}

/**
 * Whether pods that the rule admits look like an ingress controller, or are to be called like one, or it admits all of a
 * namespace that is: the controller may stand in the same namespace.
 */
function admitsController({ policy, rule: { from = [] } }: Allowed, graph: Graph): boolean {
  const controllers = /ingress|traefik|gateway|envoy|haproxy|contour|istio|kong|apisix/
  const labels = from.flatMap((peer) => Object.values(peer.podSelector?.matchLabels ?? {}))
  const isTheirs = controllers.test(graph.namespaceOf(policy))
  if (labels.some((label) => controllers.test(label))) return true
  if (isTheirs && from.some((peer) => selectsAll(peer.podSelector))) return true
  return from
    .flatMap((peer) => graph.matching(peer.podSelector, policy))
    .some((pod) => pod.running.some(({ image }) => controllers.test(image ?? '')))
}

type IngressRule = NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]

/** Whether a rule lets the Service's port through to the workload, if that has it. Rules without ports allow all. */
function allows(one: IngressRule, port: ServicePort, workload: Workload, graph: Graph): boolean {
  if (!one.ports || one.ports.length === 0) return true
  const number = numberOf(port, workload, graph)
  if (number === undefined) return true
  const name =
    graph.portOf(workload, port)?.port?.name ??
    (typeof port.targetPort === 'string' ? port.targetPort : undefined)
  return one.ports.some((allowed) => {
    if ((allowed.protocol ?? 'TCP') !== (port.protocol ?? 'TCP')) return false
    if (allowed.port === undefined) return true
    if (typeof allowed.port === 'string')
      return (
        allowed.port === name ||
        workload.running.some(({ spec }) =>
          spec.ports?.some((own) => own.name === allowed.port && own.containerPort === number),
        )
      )
    return number >= allowed.port && number <= (allowed.endPort ?? allowed.port)
  })
}
