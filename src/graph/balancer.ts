/** How the balancers of providers send to the pods of a Service. */
import {
  type Custom,
  type Ingress,
  isKind,
  type KubernetesObject,
  type Service,
  type Untyped,
} from '../kubernetes.js'
import type { Labels } from '../values/selector.js'
import { objectAt, objectsAt, stringAt } from '../values/untyped.js'
import type { Graph } from './graph.js'
import { classParamsOf, ingressClassOf } from './routes.js'

/** The target type of an Application Load Balancer, on an Ingress or a Service. */
export const albTargetType = 'alb.ingress.kubernetes.io/target-type'
const albAttributes = 'alb.ingress.kubernetes.io/target-group-attributes'
const nlbType = 'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type'
/** The attributes of the target groups of a Network Load Balancer. */
export const nlbAttributes = 'service.beta.kubernetes.io/aws-load-balancer-target-group-attributes'
const controllerType = 'service.beta.kubernetes.io/aws-load-balancer-type'

/** Classes of Services whose balancers AWS makes: of the controller, and of EKS Auto Mode. */
const amazons: readonly string[] = ['service.k8s.aws/nlb', 'eks.amazonaws.com/nlb']
const empty: Labels = {}

/** What an object says: an annotation, or the field that names what says it. */
interface Said {
  readonly of: Ingress | Service
  readonly node: object
  readonly key: string
  /** The IngressClassParams that say it for all Ingresses of their class, with the mapping of their `targetType`. */
  readonly params?: { readonly of: Custom; readonly spec: Untyped }
}

/** A target group of the AWS Load Balancer Controller that has pods for targets, not nodes. */
export interface PodTargets {
  /** The Service whose pods they are; undefined where it is not in the input. */
  readonly service: Service | undefined
  /** What says that its targets are pods. */
  readonly type: Said
  /** The attributes of the target group, where they are written. */
  readonly attributes: Said | undefined
}

/**
 * Whether the balancer of a Service sends to its pods themselves: no node, and no traffic policy, is in between.
 * Source: aws-load-balancer-controller/docs/guide/service/annotations.md (nlb-target-type, lb-type).
 */
export function sendsToPods({ metadata }: Service): boolean {
  const annotations = metadata?.annotations ?? empty
  return annotations[nlbType] === 'ip' || annotations[controllerType] === 'nlb-ip'
}

/**
 * The balancer of a Service itself (NLB), where it sends to pods. A type other than LoadBalancer has one only where the class or the
 * controller's annotation asks for it. Sources: aws-load-balancer-controller/pkg/service/service_utils.go (IsServiceSupported),
 * pkg/service/model_build_target_group.go (buildTargetType), webhooks/core/service_mutator.go.
 */
function podTargetsOfService(service: Service): PodTargets | undefined {
  const { type, loadBalancerClass } = service.spec ?? {}
  const annotations = service.metadata?.annotations ?? empty
  const made = annotations[controllerType]
  const isMade =
    loadBalancerClass === undefined
      ? type === 'LoadBalancer' || made === 'nlb-ip' || made === 'external'
      : amazons.includes(loadBalancerClass)
  if (!isMade || !sendsToPods(service)) return undefined
  const key = annotations[nlbType] === 'ip' ? nlbType : controllerType
  return {
    service,
    type: { of: service, node: annotations, key },
    attributes: annotated(service, nlbAttributes),
  }
}

/**
 * The target groups of an Ingress (ALB) that have pods for targets, one for each Service that it names: what the parameters of its
 * class say of the type counts, then what is written on the Service, then what is written on the Ingress, as a whole. Source:
 * aws-load-balancer-controller/pkg/ingress/model_build_target_group.go (buildTargetGroupSpec: MergeStringMap, buildTargetGroupTargetType).
 */
export function podTargetsOfIngress(ingress: Ingress, graph: Graph): readonly PodTargets[] {
  const params = classParamsOf(ingress, graph)
  if (!params && otherControllers.test(ingressClassOf(ingress))) return []
  const spec = objectAt(params, 'spec')
  const ofClass = stringAt(spec, 'targetType')
  const services = [...new Set(graph.backendsNamedBy(ingress).map(({ service }) => service))]
  return (services.length > 0 ? services : [undefined]).flatMap((service): readonly PodTargets[] => {
    const written = annotatedFirst(albTargetType, service, ingress)
    const type =
      ofClass && params && spec && ingress.spec
        ? { of: ingress, node: ingress.spec, key: 'ingressClassName', params: { of: params, spec } }
        : written
    return type && (ofClass ?? stringAt(type.node, type.key)) === 'ip'
      ? [{ service, type, attributes: annotatedFirst(albAttributes, service, ingress) }]
      : []
  })
}

/**
 * All target groups of a Service that have pods for targets: that of its own balancer and those of Ingresses; where no Ingress of
 * the input leads to it, what it says of itself for one counts.
 */
export function podTargetsTo(service: Service, graph: Graph): readonly PodTargets[] {
  const own = podTargetsOfService(service)
  const routes = [...new Set(graph.routesTo(service).map(({ from }) => from))]
  const ingresses = routes.filter((from) => isKind(from, 'Ingress'))
  const type = annotated(service, albTargetType)
  const ofIngresses: readonly PodTargets[] =
    ingresses.length === 0 && type && stringAt(type.node, albTargetType) === 'ip'
      ? [{ service, type, attributes: annotated(service, albAttributes) }]
      : ingresses.flatMap((ingress) => podTargetsOfIngress(ingress, graph))
  return [...(own ? [own] : []), ...ofIngresses.filter((one) => one.service === service)]
}

/** Classes whose controllers read no annotations of the AWS Load Balancer Controller, though some may have been left over. */
const otherControllers = /nginx|traefik|haproxy|contour|kong|istio|cilium|gce|openshift/i

function annotatedFirst(key: string, ...objects: readonly (Ingress | Service | undefined)[]) {
  for (const one of objects) {
    const found = one && annotated(one, key)
    if (found) return found
  }
  return undefined
}

function annotated(of: Ingress | Service, key: string): Said | undefined {
  const annotations = of.metadata?.annotations
  return annotations?.[key] === undefined ? undefined : { of, node: annotations, key }
}

/** What a TargetGroupConfiguration says of target groups. */
export interface TargetGroups {
  /** The properties as they are written. */
  readonly node: Untyped
  readonly type: string | undefined
}

/**
 * What a TargetGroupConfiguration of the AWS Load Balancer Controller says: first of all target groups, then of those of some routes,
 * which have the rest from the first. Source: aws-load-balancer-controller/apis/gateway/v1/targetgroupconfig_types.go.
 */
export function targetGroupsOf(configuration: KubernetesObject): readonly TargetGroups[] {
  const all = objectAt(configuration, 'spec', 'defaultConfiguration') ?? {}
  const type = stringAt(all, 'targetType')
  const ofRoutes = objectsAt(configuration, 'spec', 'routeConfigurations').map(
    (one) => objectAt(one, 'targetGroupProps') ?? {},
  )
  return [
    { node: all, type },
    ...ofRoutes.map((node) => ({ node, type: stringAt(node, 'targetType') ?? type })),
  ]
}

/** The Service that a TargetGroupConfiguration is for; undefined where it is for others, or the input does not have it. */
export function configuredService(configuration: KubernetesObject, graph: Graph): Service | undefined {
  const reference = objectAt(configuration, 'spec', 'targetReference')
  const isOfService = (stringAt(reference, 'kind') ?? 'Service') === 'Service'
  return isOfService ? graph.find('Service', stringAt(reference, 'name'), configuration) : undefined
}
