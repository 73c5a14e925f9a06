/** What leads clients from outside the cluster to a Service. */
import type { KubernetesObject, Service } from '../kubernetes.js'
import { push } from '../values/group.js'
import type { Belonging } from './belonging.js'
import type { Objects } from './objects.js'
import { formatResource, type Resource } from './resource.js'
import { type BackendReference, backendReferences } from './routes.js'

/**
 * A route from outside the cluster to a Service: an Ingress, a Gateway API route, a mesh or
 * ingress controller's own kind.
 */
export interface Backend extends BackendReference {
  /** The Ingress, HTTPRoute, IngressRoute, VirtualService… */
  readonly from: KubernetesObject
}

/** A Service and its port that a route names. */
export interface NamedBackend extends BackendReference {
  /** Undefined when there is no such Service. */
  readonly service: Service | undefined
}

/** What lets clients outside the cluster reach a Service. */
export interface Entrance {
  /** `Ingress web`, `Service web (LoadBalancer)`: for messages. */
  readonly by: string
  readonly of: KubernetesObject
  /** The mapping in it that says so, with the field. */
  readonly node: object
  readonly field: string
}

/** The Services and their ports that an Ingress or route names; empty for kinds that route nothing. */
export function backendsNamedBy(route: Resource, { find }: Belonging): readonly NamedBackend[] {
  return backendReferences(route.kindName, route.value).map((reference) => ({
    ...reference,
    service: find('Service', reference.name, route, reference.namespace ?? route.namespace),
  }))
}

/** The routes to each Service, the nearest file first. */
export function routesByService(
  { resources }: Objects,
  belonging: Belonging,
): ReadonlyMap<Service, readonly Backend[]> {
  const index = new Map<Service, Backend[]>()
  for (const one of resources) {
    for (const { service, ...reference } of backendsNamedBy(one, belonging))
      if (service) push(index, service, { ...reference, from: one.value })
  }
  for (const [service, routes] of index) {
    const order = belonging.nearestFirst(service)
    routes.sort((a, b) => order(a.from, b.from))
  }
  return index
}

/** What lets clients outside the cluster reach a Service: the nearest of the routes to a port of it, or its type. */
export function entranceOf(
  service: Service,
  routes: readonly Backend[],
  { resource }: Objects,
): Entrance | undefined {
  const route = routes.find(({ port }) => port === undefined || hasPort(service, port))
  if (route) {
    const { from, node, field } = route
    return { by: formatResource(resource(from)), of: from, node, field }
  }
  const { spec } = service
  if (spec?.type !== 'LoadBalancer' && spec?.type !== 'NodePort') return undefined
  const by = `${formatResource(resource(service))} (${spec.type})`
  return { by, of: service, node: spec, field: 'type' }
}

/** Whether a route's port may be one of the Service, by number, by name or, as Routes of OpenShift have it, by its target. */
function hasPort({ spec }: Service, port: number | string): boolean {
  const ports = spec?.ports ?? []
  return (
    ports.length === 0 ||
    // The controller of AWS reads the backend from an annotation.
    port === 'use-annotation' ||
    ports.some((one) => [one.port, one.name, one.targetPort].some((own) => String(own) === String(port)))
  )
}
