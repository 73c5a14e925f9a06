/** Which Services an Ingress, a Gateway API route or an ingress controller's own kind leads to. */
import type { Custom, IngressClass, KubernetesObject, Untyped } from '../kubernetes.js'
import { isObject, numberAt, objectAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/** A place in a route that names a Service. */
export interface BackendReference {
  /** The Service's name. */
  readonly name: string
  /** Its namespace when the route names one. */
  readonly namespace: string | undefined
  /** The Service's port: number or name; undefined when the route leaves it open. */
  readonly port: number | string | undefined
  /** The mapping that names the Service, with the fields that hold name and port, for findings. */
  readonly node: object
  readonly field: string
}

/** The kinds of routes that say which hosts and paths they claim. */
export const claimingKinds = [
  'Ingress',
  'gateway.networking.k8s.io/HTTPRoute',
  'traefik.io/IngressRoute',
  'traefik.containo.us/IngressRoute',
] as const

/** The class of an Ingress, by field or by the older annotation; empty where the cluster's default applies. */
export function ingressClassOf(ingress: KubernetesObject): string {
  return (
    stringAt(ingress, 'spec', 'ingressClassName') ??
    ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] ??
    ''
  )
}

/**
 * The IngressClass that an Ingress names by field, of several the nearest; of the annotation the AWS Load Balancer Controller reads none.
 */
export function classOf(ingress: KubernetesObject, graph: Graph): IngressClass | undefined {
  const name = stringAt(ingress, 'spec', 'ingressClassName')
  if (name === undefined || ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined)
    return undefined
  return nearestCalled(name, graph.seen('IngressClass'), ingress, graph)
}

/**
 * What the class of an Ingress says of all its Ingresses to the AWS Load Balancer Controller, whatever their annotations say.
 * Source: aws-load-balancer-controller/pkg/ingress/class_loader.go (Load), docs/guide/ingress/ingress_class.md.
 */
export function classParamsOf(ingress: KubernetesObject, graph: Graph): Custom | undefined {
  const { controller, parameters } = classOf(ingress, graph)?.spec ?? {}
  if (controller !== albController || parameters?.apiGroup !== 'elbv2.k8s.aws') return undefined
  return nearestCalled(parameters.name, graph.seen('elbv2.k8s.aws/IngressClassParams'), ingress, graph)
}

const albController = 'ingress.k8s.aws/alb'

/**
 * Not `graph.find`: a class is evidence, so that one nobody may read takes no finding away, and it is the whole cluster's, so
 * that it may stand in any folder even where the Ingress has no namespace.
 */
function nearestCalled<T extends KubernetesObject>(
  name: string | undefined,
  objects: readonly T[],
  near: object,
  graph: Graph,
): T | undefined {
  const [nearest] = objects
    .filter(({ metadata }) => metadata?.name === name)
    .toSorted(graph.nearestFirst(near))
  return nearest
}

/**
 * What serves an Ingress, equal for those that share it; undefined where each has a balancer of its own. Without a class
 * a provider's annotations tell whose it is. Sources: documentation of GKE Ingress, and of the AWS Load Balancer
 * Controller (group.name, and spec.group of IngressClassParams, which comes first).
 */
export function balancerOf(ingress: KubernetesObject, graph: Graph): string | undefined {
  const name = ingressClassOf(ingress)
  const annotations = ingress.metadata?.annotations ?? {}
  const group =
    stringAt(classParamsOf(ingress, graph), 'spec', 'group', 'name') ??
    annotations['alb.ingress.kubernetes.io/group.name']
  const speaks = (provider: RegExp) =>
    name === '' && Object.keys(annotations).some((key) => provider.test(key))
  const isGoogles = /^gce/.test(name) || speaks(googles)
  const isAmazons =
    /^alb/.test(name) ||
    speaks(/^alb\.ingress\.kubernetes\.io\//) ||
    classOf(ingress, graph)?.spec?.controller === albController
  return isGoogles || (isAmazons && !group) ? undefined : `Ingress ${name} ${group ?? ''}`
}

const googles =
  /^(networking\.gke\.io|ingress\.gcp\.kubernetes\.io|kubernetes\.io\/ingress\.(global|regional)-static-ip-name)/

/** The references of one object; empty for kinds that route nothing. */
export function backendReferences(kindName: string, object: KubernetesObject): readonly BackendReference[] {
  const read = readers.get(kindName)
  return read ? read(object) : []
}

type Reader = (object: KubernetesObject) => readonly BackendReference[]

const portIn = (value: unknown): number | string | undefined =>
  typeof value === 'number' || typeof value === 'string' ? value : undefined

/** The reference of a mapping that names a Service in a field; none where it gives no name. */
function reference(
  node: Untyped,
  field: string,
  port: BackendReference['port'],
  namespace?: string,
): BackendReference[] {
  const name = stringAt(node, field)
  return name ? [{ name, namespace, port, node, field }] : []
}

/** `networking.k8s.io/v1`: backend.service.name/port; before 1.19 and until 1.22: backend.serviceName/servicePort. */
function ingressBackend(backend: unknown): BackendReference[] {
  if (!isObject(backend)) return []
  const service = objectAt(backend, 'service')
  return service
    ? reference(
        service,
        'name',
        portIn(valueAt(service, 'port', 'number') ?? valueAt(service, 'port', 'name')),
      )
    : reference(backend, 'serviceName', portIn(valueAt(backend, 'servicePort')))
}

const ingress: Reader = (object) => {
  const spec = valueAt(object, 'spec')
  const rules = objectsAt(spec, 'rules')
  // Source: traefik/pkg/provider/kubernetes/ingress/kubernetes.go (loadConfigurationFromIngresses): beside rules it is for nothing.
  const hasDefault = rules.length === 0 || !/traefik/i.test(ingressClassOf(object))
  return [
    ...(hasDefault ? ingressBackend(valueAt(spec, 'defaultBackend') ?? valueAt(spec, 'backend')) : []),
    ...rules.flatMap((rule) =>
      objectsAt(rule, 'http', 'paths').flatMap((path) => ingressBackend(valueAt(path, 'backend'))),
    ),
  ]
}

/** Gateway API: spec.rules[].backendRefs[], kind Service unless said otherwise. */
const gatewayRoute: Reader = (object) =>
  objectsAt(object, 'spec', 'rules')
    .flatMap((rule) => objectsAt(rule, 'backendRefs'))
    .filter((ref) => isService(ref) && (stringAt(ref, 'group') ?? '') === '')
    .flatMap((ref) => reference(ref, 'name', numberAt(ref, 'port'), stringAt(ref, 'namespace')))

const isService = (ref: Untyped) => (stringAt(ref, 'kind') ?? 'Service') === 'Service'

const routedServices = (object: KubernetesObject) =>
  objectsAt(object, 'spec', 'routes').flatMap((route) => objectsAt(route, 'services'))

/** Traefik: spec.routes[].services[], kind Service unless said otherwise. */
const traefik: Reader = (object) =>
  routedServices(object)
    .filter(isService)
    .flatMap((ref) => reference(ref, 'name', portIn(valueAt(ref, 'port')), stringAt(ref, 'namespace')))

/** Contour: spec.routes[].services[]. */
const httpProxy: Reader = (object) =>
  routedServices(object).flatMap((ref) =>
    reference(ref, 'name', numberAt(ref, 'port'), stringAt(ref, 'namespace')),
  )

/** Istio: destination.host is a Service by its short or full name. */
const virtualService: Reader = (object) =>
  ['http', 'tls', 'tcp'].flatMap((protocol) =>
    objectsAt(object, 'spec', protocol).flatMap((rule) =>
      objectsAt(rule, 'route').flatMap((route) => {
        const destination = valueAt(route, 'destination')
        const host = stringAt(destination, 'host')
        if (!isObject(destination) || !host) return []
        const [name = '', namespace, ...rest] = host.split('.')
        if (rest.length > 0 && rest[0] !== 'svc') return []
        if (namespace !== undefined && rest.length === 0) return []
        return [
          {
            name,
            namespace,
            port: numberAt(destination, 'port', 'number'),
            node: destination,
            field: 'host',
          },
        ]
      }),
    ),
  )

/** OpenShift: spec.to, spec.alternateBackends[]. */
const openshiftRoute: Reader = (object) =>
  [valueAt(object, 'spec', 'to'), ...objectsAt(object, 'spec', 'alternateBackends')]
    .filter(isObject)
    .flatMap((ref) => reference(ref, 'name', portIn(valueAt(object, 'spec', 'port', 'targetPort'))))

const readers = new Map<string, Reader>([
  ['Ingress', ingress],
  ...['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute', 'UDPRoute'].map((kind): [string, Reader] => [
    `gateway.networking.k8s.io/${kind}`,
    gatewayRoute,
  ]),
  ...['traefik.io', 'traefik.containo.us'].flatMap((group) =>
    ['IngressRoute', 'IngressRouteTCP', 'IngressRouteUDP'].map((kind): [string, Reader] => [
      `${group}/${kind}`,
      traefik,
    ]),
  ),
  ['networking.istio.io/VirtualService', virtualService],
  ['projectcontour.io/HTTPProxy', httpProxy],
  ['route.openshift.io/Route', openshiftRoute],
])
