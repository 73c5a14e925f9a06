/** What EndpointSlices tell: to whom a Service sends, as the data plane is told, whatever pods say of themselves. */
import { groupOf, type Untyped } from '../kubernetes.js'
import { arrayAt, isObject, numberAt, objectsAt, stringAt } from '../values/untyped.js'

/** An EndpointSlice without addresses. */
export interface Slice {
  readonly namespace: string
  /** The Service that it belongs to. */
  readonly service: string
  /** `IPv4`, `IPv6` or `FQDN`. */
  readonly family: string
  /** Who keeps it: `endpointslice-controller.k8s.io` for the one that follows selectors. */
  readonly manager: string | undefined
  /** Undefined when it has none at all: then no connection leads to its endpoints. */
  readonly ports: readonly SlicePort[] | undefined
  /** The pods that get connections, by name. */
  readonly ready: readonly string[]
  /** Endpoints that get connections and are no pods. */
  readonly others: number
  /** Endpoints that end and still answer: they get connections while there are no others. */
  readonly ending: number
  /** Endpoints that get nothing. */
  readonly unready: number
}

/** A port of an EndpointSlice. */
interface SlicePort {
  readonly name: string
  readonly port: number | undefined
  readonly protocol: string
}

/** The controller that makes the slices of Services with selectors. Source: k8s.io/endpointslice/reconciler.go. */
export const ownManager = 'endpointslice-controller.k8s.io'

/**
 * What is kept of an EndpointSlice; a tenth of it. An unknown `ready` counts as true.
 * Source: k8s.io/api/discovery/v1/types.go (EndpointConditions).
 */
export function sliceState(item: Untyped, apiVersion: string, kind: string): Untyped {
  const ready: string[] = []
  const counts = { others: 0, ending: 0, unready: 0 }
  for (const { conditions, targetRef } of objectsAt(item, 'endpoints')) {
    const { ready: isReady, serving, terminating }: Untyped = isObject(conditions) ? conditions : {}
    const { kind, name }: Untyped = isObject(targetRef) ? targetRef : {}
    if (isReady === false) counts[terminating === true && serving === true ? 'ending' : 'unready']++
    else if (kind === 'Pod' && typeof name === 'string') ready.push(name)
    else counts.others++
  }
  return {
    apiVersion,
    kind,
    namespace: stringAt(item, 'metadata', 'namespace'),
    service: stringAt(item, 'metadata', 'labels', 'kubernetes.io/service-name'),
    manager: stringAt(item, 'metadata', 'labels', 'endpointslice.kubernetes.io/managed-by'),
    family: item.addressType,
    ...(arrayAt(item, 'ports').length > 0 && {
      ports: objectsAt(item, 'ports').map(({ name, port, protocol }) => ({ name, port, protocol })),
    }),
    ready,
    ...counts,
  }
}

/** The slice that was kept as this state; undefined for one of no Service, and for what is no slice. */
export function sliceOf(state: Untyped): Slice | undefined {
  const service = stringAt(state, 'service')
  if (!isSliceState(state) || service === undefined) return undefined
  const ports = objectsAt(state, 'ports').map((port) => ({
    name: stringAt(port, 'name') ?? '',
    port: numberAt(port, 'port'),
    protocol: stringAt(port, 'protocol') ?? 'TCP',
  }))
  return {
    namespace: stringAt(state, 'namespace') ?? '',
    service,
    family: stringAt(state, 'family') ?? '',
    manager: stringAt(state, 'manager'),
    ports: ports.length > 0 ? ports : undefined,
    ready: arrayAt(state, 'ready').filter((name) => typeof name === 'string'),
    others: numberAt(state, 'others') ?? 0,
    ending: numberAt(state, 'ending') ?? 0,
    unready: numberAt(state, 'unready') ?? 0,
  }
}

/** Tells the state of an EndpointSlice from that of other objects. */
export function isSliceState(state: Untyped): boolean {
  return state.kind === 'EndpointSlice' && groupOf(stringAt(state, 'apiVersion') ?? '') === 'discovery.k8s.io'
}

/** How many endpoints of the slices get connections. */
export function readyIn(slices: readonly Slice[]): number {
  return slices.reduce((sum, { ready, others }) => sum + ready.length + others, 0)
}
