/** How the balancers of providers send to the pods of a Service. */
import { type Ingress, isKind, type Service } from '../kubernetes.js'
import type { Labels } from '../values/selector.js'
import type { Graph } from './graph.js'
import { ingressClassOf } from './routes.js'

const albType = 'alb.ingress.kubernetes.io/target-type'
const albAttributes = 'alb.ingress.kubernetes.io/target-group-attributes'
const nlbType = 'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type'
const nlbAttributes = 'service.beta.kubernetes.io/aws-load-balancer-target-group-attributes'
const controllerType = 'service.beta.kubernetes.io/aws-load-balancer-type'

/** Classes of Services whose balancers AWS makes: of the controller, and of EKS Auto Mode. */
const amazons: readonly string[] = ['service.k8s.aws/nlb', 'eks.amazonaws.com/nlb']
const empty: Labels = {}

/** An annotation that is there, on the object that has it. */
export interface Annotated {
  readonly of: Ingress | Service
  readonly annotations: Labels
  readonly key: string
}

/** A target group of the AWS Load Balancer Controller that has pods for targets, not nodes. */
export interface PodTargets {
  /** The Service whose pods they are; undefined where it is not in the input. */
  readonly service: Service | undefined
  /** What says that its targets are pods. */
  readonly type: Annotated
  /** The attributes of the target group, where they are written. */
  readonly attributes: Annotated | undefined
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
    type: { of: service, annotations, key },
    attributes: annotated(service, nlbAttributes),
  }
}

/**
 * The target groups of an Ingress (ALB) that have pods for targets, one for each Service that it names: what is written on the
 * Service counts before what is written on the Ingress, as a whole. Source:
 * aws-load-balancer-controller/pkg/ingress/model_build_target_group.go (buildTargetGroupSpec: MergeStringMap).
 */
export function podTargetsOfIngress(ingress: Ingress, graph: Graph): readonly PodTargets[] {
  if (otherControllers.test(ingressClassOf(ingress))) return []
  const services = [...new Set(graph.backendsNamedBy(ingress).map(({ service }) => service))]
  return (services.length > 0 ? services : [undefined]).flatMap((service) => {
    const type = annotatedFirst(albType, service, ingress)
    return type?.annotations[type.key] === 'ip'
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
  const type = annotated(service, albType)
  const ofIngresses: readonly PodTargets[] =
    ingresses.length === 0 && type?.annotations[albType] === 'ip'
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

function annotated(of: Ingress | Service, key: string): Annotated | undefined {
  const annotations = of.metadata?.annotations
  return annotations?.[key] === undefined ? undefined : { of, annotations, key }
}
