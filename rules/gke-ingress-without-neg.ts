import {
  advise,
  albTargetType,
  at,
  type Custom,
  classOf,
  classParamsOf,
  type Fault,
  firstOf,
  type Graph,
  type Ingress,
  ingressClassOf,
  isObject,
  objectAt,
  podTargetsOfIngress,
  rule,
  type Service,
  set,
  type Untyped,
  valueAt,
} from '../src/rule.js'

const classKey = 'kubernetes.io/ingress.class'
const neg = 'cloud.google.com/neg'
const status = 'cloud.google.com/neg-status'
/** The class of global balancers. */
const globals = 'gce'
/** The classes of balancers that send to pods always. Source: ingress-gce/pkg/controller/translator/translator.go (maybeEnableNEG). */
const regional: readonly unknown[] = ['gce-internal', 'gce-regional-external']
/** Who makes the balancers of an IngressClass on AWS: the controller in the cluster, or EKS Auto Mode. */
const amazons: readonly unknown[] = ['ingress.k8s.aws/alb', 'eks.amazonaws.com/alb']

export default rule({
  title: 'A cloud balancer reaches the pods through node ports',
  category: 'networking',
  severity: 'warning',
  why: `Without pod endpoints the balancer sends to any node, and the node's rules pick a pod per
connection. Connections that the balancer keeps open stay with a pod after it has stopped being ready, so
each deploy drops requests; health checks see nodes, not pods.`,
  remedy: 'Let the balancer address pods: NEG on GKE, target type ip on EKS.',
  decides: `On an Ingress of GKE's controller: a warning when its Service turns NEG off, by \`{"ingress": false}\`
or by an annotation that names ports only, and an error when it also has no node ports (type ClusterIP): then GKE
makes no balancer. GKE adds the annotation by itself to new Services of most VPC-native clusters, so its absence is
silent (an info where the rule is asked for). In a cluster what its controller has made counts: a warning when a
Service behind such a balancer has no \`cloud.google.com/neg-status\`. On an Ingress of the AWS Load Balancer
Controller (class \`alb\`, or one whose IngressClass names it): \`target-type: instance\` written out is an info, an error where a
Service has no node ports for it, and its absence is an info where the rule is asked for. What counts first is the type that
the IngressClassParams of the class give, then that of the Services, then that of the Ingress. Of the default of EKS Auto
Mode nothing is said.

GKE's controller takes the class from the annotation \`kubernetes.io/ingress.class\` alone and knows no IngressClass: one of its
classes in \`ingressClassName\` is an error, as nothing serves that Ingress, unless the input has an IngressClass of the name or, in a
cluster, the Ingress an address.

Exempt: Gateway API on GKE and Ingresses of the classes \`gce-internal\` and \`gce-regional-external\`, which always use NEG.`,
  falsePositives:
    'On AWS the target type `ip` needs pods with addresses of the VPC, as the network plugin of AWS gives them: with an overlay network `instance` is the only one.',
  versions:
    'GKE 1.17.6-gke.7 and newer add NEG by default to new Services of VPC-native clusters without Shared VPC and without the network policies of GKE (Calico).',
  sources: [
    'GKE documentation, container-native load balancing; Ingress for Application Load Balancers (GKE Ingress controller behavior)',
    'ingress-gce/pkg/utils/utils.go (IsGCEIngress: the classes, and that no IngressClass counts)',
    'ingress-gce/pkg/negannotation/negannotation.go (ingress, exposed_ports)',
    'ingress-gce/pkg/controller/translator/translator.go (maybeEnableNEG)',
    'aws-load-balancer-controller/docs/guide/ingress/annotations.md (target-type), pkg/backend/endpoint_resolver.go, pkg/ingress/model_build_target_group.go (buildTargetGroupTargetType)',
  ],
  stories: ['betz-gke-ingress-keepalive', 'betz-vpc-native', 'loveholidays-gke-upgrade'],
  for: 'Ingress',
  check(ingress, { graph, report }) {
    const annotations = ingress.metadata?.annotations
    if (isAmazons(ingress, graph)) {
      const fault = faultOfAmazon(ingress, graph)
      if (fault) report(...fault)
      return
    }
    const unserved = namedByField(ingress, graph)
    if (unserved) report(...unserved)
    const name = annotations?.[classKey] || undefined
    if (name === undefined && ingress.spec?.ingressClassName !== undefined) return
    const isOwn = name === undefined || name === globals
    const viaNodes = graph.live && isOwn ? withoutStatus(ingress, graph) : []
    if (viaNodes.length > 0) {
      report(
        ingress,
        undefined,
        `Each deploy drops requests: the balancer sends to node ports, as ${firstOf(viaNodes.map(graph.describe))} ${viaNodes.length === 1 ? 'has' : 'have'} no network endpoint group.`,
        {
          see: viaNodes.slice(0, 1).map((one) => at(one, one.metadata ?? one, 'annotations', `no ${status}`)),
          fix: advise(`${neg}: '{"ingress": true}' on the Service`),
        },
      )
      return
    }
    if (name !== globals && !regional.includes(name)) return
    const services = graph.backendsNamedBy(ingress).flatMap(({ service }) => service ?? [])
    const refused = services.find((service) => negOf(service) === false && lacksNodePorts(service, graph))
    if (refused) {
      report(
        ingress,
        undefined,
        `GKE makes no balancer: ${graph.describe(refused)} turns pod endpoints off and has no node ports, as its type is ClusterIP.`,
        { severity: 'error', see: [at(refused, refused.metadata?.annotations ?? refused, neg)] },
      )
      return
    }
    if (name !== globals) return
    const off = services.find((service) => negOf(service) === false)
    const unsaid = graph.live ? undefined : services.find((service) => negOf(service) === undefined)
    const service = off ?? unsaid
    if (!service) return
    const own = service.metadata?.annotations
    report(
      ingress,
      undefined,
      off
        ? `Each deploy drops requests: ${graph.describe(off)} turns pod endpoints off, so the balancer keeps connections to nodes.`
        : `Each deploy drops requests unless GKE adds pod endpoints by itself, as most VPC-native clusters do: ${graph.describe(service)} does not ask for them.`,
      {
        severity: off ? 'warning' : 'info',
        recommended: off !== undefined,
        see: [own?.[neg] === undefined ? at(service, service) : at(service, own, neg)],
      },
    )
  },
})

/** An Ingress with a class of GKE's in the field that GKE's controller does not read. */
function namedByField({ metadata, spec, status }: Ingress, graph: Graph): Fault | undefined {
  const name = spec?.ingressClassName
  if (!spec || name === undefined || metadata?.annotations?.[classKey]) return undefined
  if (name !== globals && !regional.includes(name)) return undefined
  const isServed = (status?.loadBalancer?.ingress ?? []).length > 0
  if (isServed || graph.all('IngressClass').some((one) => one.metadata?.name === name)) return undefined
  return [
    spec,
    'ingressClassName',
    `GKE makes no balancer: its controller takes the class ${name} from the annotation ${classKey} alone, and leaves alone what has ingressClassName.`,
    {
      severity: 'error',
      fix: advise(`the annotation ${classKey}: ${name} in place of ingressClassName`),
      restsOn: [[metadata ?? spec, 'annotations']],
    },
  ]
}

/** Whether a controller of AWS makes the balancer, by the IngressClass or else by the usual name of the class. */
function isAmazons(ingress: Ingress, graph: Graph): boolean {
  const controller = classOf(ingress, graph)?.spec?.controller
  return controller === undefined ? ingressClassOf(ingress) === 'alb' : amazons.includes(controller)
}

/** The Services that a balancer of GKE's controller reaches, and that have no network endpoint group. */
function withoutStatus(ingress: Ingress, graph: Graph): readonly Service[] {
  // The controller writes it when it has made the balancer: ingress-gce/pkg/loadbalancers/l7.go.
  if (ingress.metadata?.annotations?.['ingress.kubernetes.io/backends'] === undefined) return []
  const services = graph.backendsNamedBy(ingress).flatMap(({ service }) => service ?? [])
  return [...new Set(services)].filter(({ metadata }) => metadata?.annotations?.[status] === undefined)
}

/** Whether no node has a port for the Service, for all that the input tells. */
function lacksNodePorts(service: Service, graph: Graph): boolean {
  return (service.spec?.type ?? 'ClusterIP') === 'ClusterIP' && !graph.patched(service)
}

/** What is wrong with an Ingress of the AWS Load Balancer Controller. */
function faultOfAmazon(ingress: Ingress, graph: Graph): Fault | undefined {
  const { annotations } = ingress.metadata ?? {}
  const params = classParamsOf(ingress, graph)
  const ofClass = objectAt(params, 'spec')
  if (params && ofClass?.targetType === 'instance')
    return viaNodes(ingress, graph, { of: params, spec: ofClass })
  if (annotations?.[albTargetType] === 'ip') return undefined
  // The annotation of a Service comes before that of the Ingress.
  const services = new Set(graph.backendsNamedBy(ingress).map(({ service }) => service))
  if (services.size > 0 && podTargetsOfIngress(ingress, graph).length === services.size) return undefined
  if (annotations?.[albTargetType] !== undefined) return viaNodes(ingress, graph)
  if (classOf(ingress, graph)?.spec?.controller === 'eks.amazonaws.com/alb') return undefined
  return [
    ingress,
    undefined,
    'Each deploy may drop requests: the balancer sends to nodes, the default of its target type, which pass its kept connections on to pods that stop.',
    {
      // The controller may have been given another default.
      severity: 'info',
      recommended: false,
      fix: annotations ? set(annotations, albTargetType, 'ip') : advise(`${albTargetType}: ip`),
    },
  ]
}

/** That the target type instance is written: on the Ingress, or in the parameters of its class. */
function viaNodes(
  ingress: Ingress,
  graph: Graph,
  params?: { readonly of: Custom; readonly spec: Untyped },
): Fault | undefined {
  const { metadata, spec } = ingress
  const annotations = metadata?.annotations
  const bare = graph
    .backendsNamedBy(ingress)
    .flatMap(({ service }) => service ?? [])
    .find(
      (one) =>
        (params || one.metadata?.annotations?.[albTargetType] === undefined) && lacksNodePorts(one, graph),
    )
  const message = bare
    ? `The balancer gets no targets: target type instance needs node ports, and ${graph.describe(bare)} has none, as its type is ClusterIP.`
    : 'Each deploy may drop requests: the balancer sends to nodes, which pass its kept connections on to pods that stop.'
  const severity = bare ? 'error' : 'info'
  const place = bare && at(bare, bare.spec ?? bare, 'type')
  if (params)
    return (
      spec && [
        spec,
        'ingressClassName',
        message,
        {
          severity,
          see: [at(params.of, params.spec, 'targetType'), place],
          fix: advise(`targetType: ip on ${graph.describe(params.of)}`),
        },
      ]
    )
  return (
    annotations && [
      annotations,
      albTargetType,
      message,
      { severity, see: [place], fix: set(annotations, albTargetType, 'ip') },
    ]
  )
}

/** Whether the Service has pod endpoints for Ingresses, as its annotation says; undefined where GKE decides or nobody can read it. */
function negOf({ metadata }: Service): boolean | undefined {
  const text = metadata?.annotations?.[neg]
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    // One that names ports only makes groups for these, and none for Ingresses.
    return isObject(value) ? valueAt(value, 'ingress') === true : undefined
  } catch {
    return undefined
  }
}
