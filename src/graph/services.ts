/** What serves behind a Service, and at which ports. */
import type { ContainerPort, Service, ServicePort } from '../kubernetes.js'
import { type Labels, writtenOver } from '../values/selector.js'
import type { Container } from './container.js'
import { isGivenLabel, podsHaveLabels } from './given-labels.js'
import type { Resource } from './resource.js'
import type { Selection } from './selection.js'
import type { Workload } from './workload.js'

/** Where a port of a Service leads to. */
export interface TargetPort {
  readonly container: Container
  /** The port as the container declares it; a container may leave that out. */
  readonly port: ContainerPort | undefined
  readonly number: number | undefined
}

/**
 * The workloads whose pods a Service selects: as it is written, or, where that selects none, with the labels that kustomizations write
 * over it. Empty for a Service without selector.
 */
export function workloadsBehind(
  { spec }: Service,
  near: Resource,
  { matching }: Selection,
): readonly Workload[] {
  const selector = spec?.selector ?? {}
  const keys = Object.keys(selector)
  if (keys.length === 0 || spec?.type === 'ExternalName') return []
  const having = (labels: Labels) => {
    const written = keys.some(isGivenLabel)
      ? Object.fromEntries(Object.entries(labels).filter(([key]) => !isGivenLabel(key)))
      : labels
    return matching(written, (workload) => podsHaveLabels(workload, labels), near)
  }
  const found = having(selector)
  const built = found.length === 0 ? writtenOver(selector, near.selectorLabels) : undefined
  return built ? having(built) : found
}

/**
 * The container that listens at a Service port. Undefined when the workload declares no such port
 * (which is legal for numbers).
 */
export function portOf({ running }: Workload, port: ServicePort): TargetPort | undefined {
  // An empty targetPort means `port`, as well: pkg/apis/core/v1/defaults.go.
  const target = port.targetPort || port.port
  const protocol = port.protocol ?? 'TCP'
  for (const container of running) {
    for (const one of container.spec.ports ?? []) {
      // Port names and protocol are looked up in ordinary containers and native sidecars:
      // k8s.io/endpointslice/utils.go.
      const named = typeof target === 'string' ? one.name === target : one.containerPort === target
      if (named && (one.protocol ?? 'TCP') === protocol)
        return { container, port: one, number: one.containerPort }
    }
  }
  const only = running.length === 1 ? running[0] : undefined
  return only && typeof target === 'number' ? { container: only, port: undefined, number: target } : undefined
}

/** The workload's containers that own ports of the Service; empty when none declares them. */
export function listeners(workload: Workload, { spec }: Service): readonly Container[] {
  const owners = (spec?.ports ?? []).flatMap((port) => portOf(workload, port)?.container ?? [])
  return [...new Set(owners)]
}
