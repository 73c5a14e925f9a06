import {
  arrayAt,
  at,
  atMost,
  conditionsOf,
  type Fault,
  firstOf,
  type Graph,
  holds,
  type KubernetesObject,
  type Live,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  set,
  stringAt,
  type Unmet,
  type Untyped,
  unmet,
} from '../src/rule.js'

const gatewayKind = 'gateway.networking.k8s.io/Gateway'
const classKind = 'gateway.networking.k8s.io/GatewayClass'

export default rule({
  title: 'No controller serves a Gateway',
  category: 'networking',
  severity: 'error',
  why: `A Gateway is only a wish: the controller that its GatewayClass names makes proxies or a load balancer of it,
and says so in the conditions \`Accepted\` and \`Programmed\`. Without the class, or without its controller, the
Gateway is stored and nothing listens. The API server fills in \`Unknown\` with "Waiting for controller", which no
alert looks at.`,
  remedy: 'Name an existing GatewayClass, and look into the log of its controller for what it refuses.',
  decides: `A Gateway whose \`gatewayClassName\` no GatewayClass has: in manifests only when one of nearly that name
is in the input (classes come with their controllers), in a cluster always. In a cluster also what has stood in the
status for five minutes: a GatewayClass that some Gateway uses and no controller has accepted, a Gateway that is not
\`Accepted\`, and, as a warning, one that is not \`Programmed\` (it waits for an address, say) or has listeners that
are refused.

Exempt: Gateways whose class is the finding, conditions of an earlier generation, certificates of listeners (see
\`ingress-tls-secret-invalid\`), and externals.`,
  sources: [
    'Gateway API, apis/v1/gateway_types.go (GatewayConditionAccepted, GatewayConditionProgrammed, GatewayReasonInvalid, GatewayReasonListenersNotValid, ListenerConditionConflicted, ListenerReasonInvalidCertificateRef)',
    'Gateway API, apis/v1/gatewayclass_types.go (GatewayClassConditionStatusAccepted)',
  ],
  stories: [],
  for: [gatewayKind, classKind],
  check(subject, { graph, report }) {
    const fault = subject.kind === 'GatewayClass' ? unaccepted(subject, graph) : unserved(subject, graph)
    if (fault) report(...fault)
  },
})

/** A class that no controller has taken. */
function unaccepted(ofClass: KubernetesObject, graph: Graph): Fault | undefined {
  const refusal = graph.live && refusalOf(ofClass, graph, graph.live)
  if (!refusal) return undefined
  const spec = objectAt(ofClass, 'spec')
  const users = firstOf(usersOf(ofClass, graph).map(graph.describe))
  return [
    spec ?? ofClass,
    'controllerName',
    `Nothing serves ${users}: controller ${stringAt(spec, 'controllerName') ?? ''} has not accepted ${graph.describe(ofClass)}.`,
    { evidence: [`Accepted is ${refusal.status}, ${refusal.reason}: ${refusal.message}`] },
  ]
}

/** A Gateway whose class is not there, or which its controller refuses, as a whole or in part. */
function unserved(gateway: KubernetesObject, graph: Graph): Fault | undefined {
  const { live } = graph
  const spec = objectAt(gateway, 'spec')
  const name = stringAt(spec, 'gatewayClassName')
  if (!spec || !name) return undefined
  const ofClass = graph.seen(classKind).find((one) => one.metadata?.name === name)
  if (!ofClass && !graph.exists(classKind, name, gateway)) return classless(gateway, spec, name, graph)
  return live && !(ofClass && refusalOf(ofClass, graph, live))
    ? unprogrammed(gateway, spec, ofClass, graph, live)
    : undefined
}

function classless(gateway: KubernetesObject, spec: Untyped, name: string, graph: Graph): Fault | undefined {
  const names = graph.all(classKind).map((one) => one.metadata?.name ?? '')
  const near = nearestName(name, names)
  if (holds(gateway, 'Programmed') || (near === undefined && !graph.live)) return undefined
  return [
    spec,
    'gatewayClassName',
    `Nothing serves ${graph.describe(gateway)}: there is no GatewayClass ${name}${near ? `, but one named ${near}` : ` in ${graph.source}`}.`,
    { fix: near ? set(spec, 'gatewayClassName', near) : undefined },
  ]
}

/** What its controller says of a Gateway that it does not serve as it is written. */
function unprogrammed(
  gateway: KubernetesObject,
  spec: Untyped,
  ofClass: KubernetesObject | undefined,
  graph: Graph,
  live: Live,
): Fault | undefined {
  const conditions = conditionsOf(gateway)
  const refused = holds(gateway, 'Programmed') ? undefined : unmet(gateway, conditions, 'Accepted', live)
  const programmed = unmet(gateway, conditions, 'Programmed', live)
  // A controller older than the condition leaves it as the API server filled it in.
  const first = refused ?? (programmed?.status === 'False' ? programmed : undefined)
  const listeners = refusedListeners(gateway, live)
  if (first ? isForCertificates(first, gateway) : listeners.length === 0) return undefined
  const described = graph.describe(gateway)
  return [
    spec,
    first ? 'gatewayClassName' : 'listeners',
    refused
      ? `Nothing serves ${described}: its controller ${refused.status === 'Unknown' ? 'has not looked at it' : `does not accept it, ${refused.reason}`}.`
      : first
        ? `${described} is not served as written: it is not programmed, ${first.reason}.`
        : `${described} does not serve all that is written: ${listeners.length} of its listeners ${listeners.length > 1 ? 'are' : 'is'} refused.`,
    {
      severity: refused ? 'error' : 'warning',
      evidence: atMost(3, [...(first ? [`the Gateway: ${first.message}`] : []), ...listeners]),
      see: [first && ofClass && at(ofClass, objectAt(ofClass, 'spec') ?? ofClass, 'controllerName')],
    },
  ]
}

function usersOf({ metadata }: KubernetesObject, graph: Graph): readonly KubernetesObject[] {
  return graph.seen(gatewayKind).filter((one) => stringAt(one, 'spec', 'gatewayClassName') === metadata?.name)
}

/** Why no controller has taken a class that Gateways want. Some serve theirs without a word about the class. */
function refusalOf(ofClass: KubernetesObject, graph: Graph, live: Live): Unmet | undefined {
  const users = usersOf(ofClass, graph)
  return users.length === 0 || users.some((one) => holds(one, 'Programmed'))
    ? undefined
    : unmet(ofClass, conditionsOf(ofClass), 'Accepted', live)
}

/** Whether the Gateway is refused for what another rule says of its certificates. */
function isForCertificates({ reason }: Unmet, gateway: KubernetesObject): boolean {
  return (
    ['Invalid', 'ListenersNotValid'].includes(reason) &&
    objectsAt(gateway, 'status', 'listeners').some(lacksCertificate)
  )
}

function lacksCertificate(listener: Untyped): boolean {
  return objectsAt(listener, 'conditions').some(({ reason }) => reason === 'InvalidCertificateRef')
}

/** `listener https: …` for each one that is refused for another reason than its certificate. */
function refusedListeners(gateway: KubernetesObject, live: Live): string[] {
  return objectsAt(gateway, 'status', 'listeners').flatMap((listener) => {
    if (lacksCertificate(listener)) return []
    const conditions = arrayAt(listener, 'conditions')
    const refusal = ['Accepted', 'ResolvedRefs', 'Programmed']
      .map((type) => unmet(gateway, conditions, type, live))
      .find((one) => one?.status === 'False')
    return refusal ? [`listener ${stringAt(listener, 'name') ?? ''}: ${refusal.message}`] : []
  })
}
