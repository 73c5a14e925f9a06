import {
  advise,
  at,
  type Fault,
  firstOf,
  type Graph,
  type Ingress,
  isObject,
  podTargetsOfIngress,
  rule,
  type Service,
  set,
  valueAt,
} from '../src/rule.js'

const neg = 'cloud.google.com/neg'
const status = 'cloud.google.com/neg-status'
const target = 'alb.ingress.kubernetes.io/target-type'
/** The class of internal balancers, which send to pods always. Source: ingress-gce/pkg/controller/translator/translator.go (maybeEnableNEG). */
const internal = 'gce-internal'

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
makes no balancer. GKE adds the annotation by itself to new Services of VPC-native clusters, so its absence is
silent (an info where the rule is asked for). In a cluster what its controller has made counts: a warning when a
Service behind such a balancer has no \`cloud.google.com/neg-status\`. On an Ingress of the AWS Load Balancer
Controller (class \`alb\`): \`target-type: instance\` written out is an info, an error where a Service has no node
ports for it, and its absence is an info where the rule is asked for, unless the Services say \`ip\` themselves,
which counts first.

Exempt: Gateway API on GKE and Ingresses of the class \`gce-internal\`, which always use NEG.`,
  versions: 'GKE 1.17.6 and newer add NEG by default on VPC-native clusters.',
  sources: [
    'GKE documentation, container-native load balancing',
    'ingress-gce/pkg/negannotation/negannotation.go (ingress, exposed_ports)',
    'ingress-gce/pkg/controller/translator/translator.go (maybeEnableNEG)',
    'aws-load-balancer-controller/docs/guide/ingress/annotations.md (target-type), pkg/backend/endpoint_resolver.go',
  ],
  stories: ['betz-gke-ingress-keepalive', 'betz-vpc-native', 'loveholidays-gke-upgrade'],
  for: 'Ingress',
  check(ingress, { graph, report }) {
    const annotations = ingress.metadata?.annotations
    const name = ingress.spec?.ingressClassName ?? annotations?.['kubernetes.io/ingress.class']
    if (name === 'alb') {
      const fault = faultOfAmazon(ingress, graph)
      if (fault) report(...fault)
      return
    }
    const isOwn = name === undefined || name === 'gce'
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
    if (name !== 'gce' && name !== internal) return
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
    if (name === internal) return
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
        : `Each deploy drops requests unless GKE adds pod endpoints by itself, as VPC-native clusters do: ${graph.describe(service)} does not ask for them.`,
      {
        severity: off ? 'warning' : 'info',
        recommended: off !== undefined,
        see: [own?.[neg] === undefined ? at(service, service) : at(service, own, neg)],
      },
    )
  },
})

/** The Services that a balancer of GKE's controller reaches, and that have no network endpoint group. */
function withoutStatus(ingress: Ingress, graph: Graph): readonly Service[] {
  // The controller writes it when it has made the balancer.
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
  const annotations = ingress.metadata?.annotations
  if (annotations?.[target] === 'ip') return undefined
  // The annotation of a Service comes before that of the Ingress.
  const services = new Set(graph.backendsNamedBy(ingress).map(({ service }) => service))
  if (services.size > 0 && podTargetsOfIngress(ingress, graph).length === services.size) return undefined
  const fix = annotations ? set(annotations, target, 'ip') : advise(`${target}: ip`)
  if (!annotations || annotations[target] === undefined)
    return [
      ingress,
      undefined,
      'Each deploy may drop requests: the balancer sends to nodes, the default of its target type, which pass its kept connections on to pods that stop.',
      // The controller may have been given another default.
      { severity: 'info', recommended: false, fix },
    ]
  const bare = [...services].find(
    (one) => one && one.metadata?.annotations?.[target] === undefined && lacksNodePorts(one, graph),
  )
  return [
    annotations,
    target,
    bare
      ? `The balancer gets no targets: target type instance needs node ports, and ${graph.describe(bare)} has none, as its type is ClusterIP.`
      : 'Each deploy may drop requests: the balancer sends to nodes, which pass its kept connections on to pods that stop.',
    {
      severity: bare ? 'error' : 'info',
      see: [bare && at(bare, bare.spec ?? bare, 'type')],
      fix,
    },
  ]
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
