import {
  advise,
  areForScrapers,
  at,
  type Cause,
  type ContainerPort,
  type Fault,
  firstOf,
  type Graph,
  type IntOrString,
  isInjected,
  isReady,
  type Live,
  type Path,
  type RuleFix,
  readyFor,
  readyIn,
  rule,
  type Service,
  type ServicePort,
  type Slice,
  set,
  suggestion,
  type Workload,
} from '../src/rule.js'

/** Anything else is a placeholder. */
const portName = /^[a-z0-9-]{1,15}$/

export default rule({
  title: 'A Service port leads to no port of its pods',
  category: 'networking',
  severity: 'error',
  why: `A named \`targetPort\` is looked up in the ports of the pod's containers, with the same protocol.
When no container declares it, the endpoints have no such port and connections are refused or hang. A number
is used as it stands: a wrong one gives refused connections.`,
  remedy: 'Use the name or the number of a port that the container declares.',
  decides: `Each port of a Service that selects workloads of the input. A name that no ordinary container or native
sidecar declares for that protocol is an error, an info where the Service is headless: its clients ask the pods
themselves, at numbers that they know, and only meshes, scrapers and SRV records miss the port. A number is a
warning when the pods declare ports and none of the Service's numbers is among them. Undeclared ports are legal, so
a number is left alone where all that is declared is for metrics and probes, beside a declared one of the same
Service, where another Service leads to a declared port of these pods, and where an argument, a variable, a probe or
a ConfigMap of the pods names it. Where the rule is asked for, an info when all pods declare the number for another
protocol.

In a cluster EndpointSlices tell which ready pods have a port of that name: it is an error when none has, a warning when
some lack it that have been ready for \`minutes\` (two versions behind one Service), and silent when all have. Slices that
somebody makes by hand must call their ports as the Service does: an error when none of them does.

Exempt: headless Services without ports, ExternalName, pods with a container that an injector fills in (image \`auto\`),
ports that an annotation of the pods gives to an injected one (\`envoy-http:38080\`),
Services that a kustomization patches or has in a comment (\`#- auth_proxy_service.yaml\`), and workloads to whose containers it may add ports.`,
  falsePositives: 'A port that the image listens on but the manifest does not list: list it.',
  sources: [
    'kubernetes/staging/src/k8s.io/endpointslice/utils.go (getEndpointPorts, FindPort)',
    'kubernetes/pkg/proxy/endpointslicecache.go (ports are matched by name)',
  ],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 5,
      about: 'How long a pod in a cluster is ready before it may be reported to lack a port.',
    },
  },
  for: 'Service',
  check(service, { graph, params, minor, report }) {
    const backends = graph.backendsOf(service)
    const ports = service.spec?.ports ?? []
    if (backends.some(({ running }) => running.some(isInjected))) return
    if (graph.patched(service) || backends.some(({ object }) => graph.patchedContainers(object, 'ports')))
      return
    const ofHeadless = portsWithoutEndpoint(service, backends, graph)
    const [, ...alike] = ofHeadless
    for (const port of ports) {
      if (alike.includes(port)) continue
      const ways = graph.live && waysTo(port, service, graph.live)
      const byHand = ways && closedByHand(port, ways, service, graph)
      const found = byHand
        ? { fault: byHand }
        : mismatch({ port, service, backends, ways, ofHeadless }, params.minutes, graph)
      if (!found || (!byHand && graph.isSetAside(service))) continue
      const { fault, wrong } = found
      const [node, field, message, options] = fault
      report(node, field, message, {
        ...options,
        ...(wrong && { symptomOf: brokenPorts(service, wrong, graph, minor) }),
      })
    }
  },
})

/** A port of a Service, and what is known of where it leads. */
interface Asked {
  readonly port: ServicePort
  readonly service: Service
  readonly backends: readonly Workload[]
  /** What the EndpointSlices of a cluster say. */
  readonly ways: Ways | undefined
  /** Those of its ports that no endpoint has: the first tells of all. */
  readonly ofHeadless: readonly ServicePort[]
}

/** The ports of a headless Service that lead to a name which no pod template has. In a cluster the pods themselves are asked. */
function portsWithoutEndpoint(
  service: Service,
  backends: readonly Workload[],
  graph: Graph,
): readonly ServicePort[] {
  if (service.spec?.clusterIP !== 'None' || graph.live) return []
  return (service.spec.ports ?? []).filter(
    (port) =>
      typeof port.targetPort === 'string' &&
      portName.test(port.targetPort) &&
      backends.every((workload) => lacksPort(workload, port, port.targetPort ?? '', service, graph)),
  )
}

/**
 * What is wrong with a port that leads to pods.
 * @param minutes how long a pod has been ready before it may be said to lack a port
 * @returns with the workloads that lack it, where that is what is wrong
 */
function mismatch(
  { port, service, backends, ways, ofHeadless }: Asked,
  minutes: number,
  graph: Graph,
): { readonly fault: Fault; readonly wrong?: readonly Workload[] } | undefined {
  const target = port.targetPort ?? port.port
  if (target === undefined) return undefined
  if (typeof target === 'string' ? !portName.test(target) : declaresOne(service, backends, graph)) {
    const fault = otherProtocol(port, target, backends)
    return fault && { fault }
  }
  // Pods may have ports that their template lacks: of a container that is injected.
  if (typeof target === 'string' && ways && ways.open > 0 && ways.closed.length === 0) return undefined
  const without =
    typeof target === 'string' && graph.live && ways ? settled(ways.closed, service, graph.live, minutes) : []
  const wrong = backends.filter((workload) => lacksPort(workload, port, target, service, graph))
  const [workload] = wrong
  const [first, ...alike] = ofHeadless
  // Another workload behind the same Service may own the port.
  const fault =
    workload && wrong.length === backends.length
      ? undeclared(port, target, workload, { service, without, alike: port === first ? alike : [] })
      : (missingInSome(port, ways?.open ?? 0, without, graph.describe(service)) ??
        otherProtocol(port, target, backends))
  return fault && { fault, wrong }
}

/** Whether one port of a Service is declared as it should be: then the others may be open without being listed. */
function declaresOne({ spec }: Service, backends: readonly Workload[], graph: Graph): boolean {
  return backends.some((workload) =>
    (spec?.ports ?? []).some((port) => graph.portOf(workload, port)?.port !== undefined),
  )
}

/** The findings about ports that nobody can read or the API server refuses: what follows from them is not told besides. */
function brokenPorts(
  service: Service,
  workloads: readonly Workload[],
  graph: Graph,
  minor: number,
): Cause | undefined {
  const isOfPorts = (path: Path) => path.includes('ports') || path.at(-1) === 'containers'
  const objects = [service, ...workloads.map(({ object }) => object)].filter((object) =>
    graph
      .problems(object)
      .some(
        ({ kind, path }) =>
          isOfPorts(path) ||
          (kind === 'unknown-field' && isOfPorts(suggestion(object, path, minor)?.path ?? [])),
      ),
  )
  return objects.length > 0 ? { rules: refusals, objects } : undefined
}

const refusals = [
  'invalid-name',
  'invalid-value',
  'missing-field',
  'misplaced-spec-field',
  'unfilled-placeholder',
  'unknown-field',
  'wrong-type',
]

/** What is wrong with a port of a Service whose endpoints somebody makes by hand. */
function closedByHand(port: ServicePort, ways: Ways, service: Service, graph: Graph): Fault | undefined {
  const hasSelector = Object.keys(service.spec?.selector ?? {}).length > 0
  if (hasSelector || ways.closed.length === 0 || ways.open > 0) return undefined
  const names = ways.names.map((name) => name || '""')
  return [
    port,
    port.name === undefined ? 'port' : 'name',
    `Connections to port ${nameOf(port)} of ${graph.describe(service)} fail: it selects no pods, and its EndpointSlices have ${names.length > 0 ? `ports named ${names.join(', ')} only` : 'no ports'}.`,
  ]
}

/** Whether the containers declare ports, and not the one that the Service asks for. */
function lacksPort(
  workload: Workload,
  { protocol = 'TCP' }: ServicePort,
  target: IntOrString,
  service: Service,
  graph: Graph,
): boolean {
  const declared = declaredBy(workload)
  if (typeof target === 'string')
    return (
      !declared.some((one) => one.name === target && (one.protocol ?? 'TCP') === protocol) &&
      !isOfSidecar(target, workload)
    )
  // The protocol of a declared number is for readers only; that of a name counts.
  if (declared.some(({ containerPort = target }) => containerPort === target)) return false
  // Where nothing but metrics and probes is declared the list is not of what the containers serve.
  if (declared.length === 0 || areForScrapers(declared)) return false
  return !mayListen(workload, target, service, graph)
}

/** Whether an annotation gives the port to a container that is injected: `marin3r.3scale.net/ports: envoy-http:38080`. */
function isOfSidecar(name: string, { annotations }: Workload): boolean {
  const isGiven = new RegExp(`(?:^|[^a-z0-9-])${name}:\\d`)
  return Object.values(annotations).some((text) => isGiven.test(text))
}

function declaredBy({ running }: Workload): readonly ContainerPort[] {
  const [first, ...others] = running
  return others.length === 0 ? (first?.spec.ports ?? []) : running.flatMap(({ spec }) => spec.ports ?? [])
}

/** What else is known of a port that no pod template has. */
interface Unserved {
  readonly service: Service
  /** Pods that are ready without it. */
  readonly without: readonly string[]
  /** The other ports of the Service that no endpoint has. */
  readonly alike: readonly ServicePort[]
}

/** That no pod template has the port. Clients of a headless Service need not ask it for the number. */
function undeclared(
  port: ServicePort,
  target: IntOrString,
  workload: Workload,
  { service, without, alike }: Unserved,
): Fault {
  const { spec } = service
  const { protocol = 'TCP' } = port
  const declared = declaredBy(workload)
  const named = typeof target === 'string'
  const same = named ? declared.find((one) => one.name === target) : undefined
  const list = listed(declared)
  const instead = named
    ? `no port named ${target}${list ? `, only ${list}` : ', nor any other'}`
    : `port ${list}, not ${target}`
  const [one, ...others] = declared.filter((each) => (each.protocol ?? 'TCP') === protocol)
  const [container] = workload.running
  const isHeadless = spec?.clusterIP === 'None'
  const failing = isHeadless ? `Port ${nameOf(port)} has no endpoint` : 'Connections fail'
  return [
    port,
    port.targetPort === undefined ? 'port' : 'targetPort',
    `${named ? failing : 'Connections may be refused'}: pods of ${workload.name} have ${same ? `port ${target} for ${same.protocol ?? 'TCP'} only, not for ${protocol}` : instead}.`,
    {
      severity: severityOf(named, isHeadless),
      evidence: without.length > 0 ? [`ready, and nothing is sent there: ${firstOf(without)}`] : [],
      see: [
        container ? at(workload, container.spec, 'ports') : undefined,
        ...alike.map((other) => at(service, other, 'targetPort', 'no endpoint either')),
      ],
      fix: one && others.length === 0 && !same && !leadsTo(one, spec?.ports) ? towards(one, port) : undefined,
    },
  ]
}

/** To lead the port to the container's. Of two numbers that somebody wrote nothing tells which one the program listens at. */
function towards({ name, containerPort }: ContainerPort, port: ServicePort): RuleFix {
  const target = name ?? containerPort
  return typeof port.targetPort === 'number'
    ? advise(`targetPort: ${target} or containerPort: ${port.targetPort}, whichever the program listens at`)
    : set(port, 'targetPort', target)
}

function severityOf(isNamed: boolean, isHeadless: boolean): 'error' | 'warning' | 'info' {
  if (!isNamed) return 'warning'
  return isHeadless ? 'info' : 'error'
}

/** Whether one of the Service's ports leads to the container's: then that is not what another one means. */
function leadsTo({ name, containerPort }: ContainerPort, ports: readonly ServicePort[] = []): boolean {
  return ports.some(
    ({ port, targetPort = port }) => targetPort === containerPort || (name && targetPort === name),
  )
}

/**
 * That ready pods lack the port although their templates have it, or those of other workloads.
 * @param open how many ready endpoints have it
 * @param without the names of the pods that lack it
 */
function missingInSome(
  port: ServicePort,
  open: number,
  without: readonly string[],
  service: string,
): Fault | undefined {
  if (without.length === 0) return undefined
  const { targetPort } = port
  return [
    port,
    'targetPort',
    open > 0
      ? `Port ${nameOf(port)} of ${service} leads to ${open} of its ${open + without.length} ready pods only: the rest has no port named ${targetPort}.`
      : `Connections fail: ${without.length === 1 ? 'the only ready pod' : `none of the ${without.length} ready pods`} of ${service} has ${without.length === 1 ? 'no' : 'a'} port named ${targetPort}.`,
    { severity: open > 0 ? 'warning' : 'error', evidence: [`without it: ${firstOf(without)}`] },
  ]
}

/**
 * That all pods declare the number for another protocol only. What containers declare is for readers: the program may listen
 * for this one all the same.
 */
function otherProtocol(
  port: ServicePort,
  target: IntOrString,
  backends: readonly Workload[],
): Fault | undefined {
  const { protocol = 'TCP' } = port
  const found = backends.map((workload) =>
    declaredBy(workload).filter(({ containerPort }) => containerPort === target),
  )
  const [[first] = []] = found
  const isOther = found.every(
    (ports) => ports.length > 0 && ports.every((one) => (one.protocol ?? 'TCP') !== protocol),
  )
  if (!first || !isOther) return undefined
  return [
    port,
    port.protocol === undefined ? 'port' : 'protocol',
    `Port ${nameOf(port)} sends ${protocol} where the pods of ${backends[0]?.name} declare port ${show(first)} for ${first.protocol ?? 'TCP'} only.`,
    { severity: 'info', recommended: false },
  ]
}

/** Whether something says that the workload listens at a port which it does not declare. */
function mayListen(workload: Workload, target: number, service: Service, graph: Graph): boolean {
  const others = graph.servicesOf(workload).filter((one) => one !== service)
  // A declared port that has a Service of its own says nothing about this one.
  if (others.some((one) => one.spec?.ports?.some((port) => graph.portOf(workload, port)?.port))) return true
  const settings = workload.running.map(({ spec }) => [
    spec.command,
    spec.args,
    spec.env,
    spec.livenessProbe,
    spec.readinessProbe,
    spec.startupProbe,
  ])
  const files = graph
    .referencesOf(workload)
    .map(({ kind, name }) => (kind === 'ConfigMap' ? graph.find(kind, name, workload)?.data : undefined))
  return new RegExp(`(?<![\\d.])${target}(?![\\d.])`).test(JSON.stringify([settings, files]))
}

/** Ports that are told by their names and numbers. */
const most = 10

/** The ports, of many the first. */
function listed(ports: readonly ContainerPort[]): string {
  return ports.length > most
    ? `${ports.slice(0, most).map(show).join(', ')} and ${ports.length - most} more`
    : ports.map(show).join(', ')
}

function show({ name = '', containerPort }: ContainerPort): string {
  if (containerPort === undefined) return name
  return name ? `${name} (${containerPort})` : String(containerPort)
}

interface Ways {
  /** Ready endpoints that the port leads to. */
  readonly open: number
  /** Ready pods that it does not lead to; of endpoints that are no pods an empty name each. */
  readonly closed: readonly string[]
  /** The names of the ports that the slices have instead. */
  readonly names: readonly string[]
}

/** Where a port of a Service leads, by its slices of one address family. */
function waysTo({ name = '' }: ServicePort, service: Service, live: Live): Ways | undefined {
  const slices = (live.slicesOf(service) ?? []).filter((one) => readyIn([one]) > 0)
  const own = slices.filter(({ family }) => family === slices[0]?.family)
  const isOpen = ({ ports }: Slice) => ports?.some((one) => one.name === name) ?? false
  const closed = own.filter((one) => !isOpen(one))
  return own.length === 0
    ? undefined
    : {
        open: readyIn(own.filter(isOpen)),
        closed: closed.flatMap(({ ready, others }) => [...ready, ...Array<string>(others).fill('')]),
        names: [...new Set(closed.flatMap(({ ports }) => ports?.map((one) => one.name) ?? []))],
      }
}

/** Those of the pods that have been ready for so many minutes: a rollout is over for them. */
function settled(names: readonly string[], service: Service, live: Live, minutes: number): readonly string[] {
  if (names.length === 0) return []
  const wanted = new Set(names)
  return live
    .podsIn(service.metadata?.namespace ?? '')
    .filter(
      (pod) => wanted.has(pod.metadata?.name ?? '') && isReady(pod) && readyFor(pod, live) >= minutes * 60,
    )
    .map(({ metadata }) => metadata?.name ?? '')
    .sort()
}

function nameOf({ name, port }: ServicePort): string {
  return name || String(port)
}
