/** Which of a workload's Services clients ask. */
import type { Service, ServicePort } from '../kubernetes.js'
import { stringAt } from '../values/untyped.js'
import { portOf } from './services.js'
import type { Workload } from './workload.js'

const ofScrapers =
  /metrics|prometheus|telemetry|profiling|pprof|(^|-)(healthz?|metric|monitor(ing)?|probes?)(-|$)/

/** A Service is called so by kubebuilder, for one; the APIs of custom and external metrics have clients. */
const nameForScrapers = /(?<!custom|external)-metrics(-service|-svc)?$/

/**
 * Whether a Service is named for metrics, or all of its ports are for metrics, profiles or probes, by their own names or those
 * that the containers behind it give them.
 */
export function isScrapedOnly({ metadata, spec }: Service, workload: Workload): boolean {
  const ports = spec?.ports ?? []
  return (
    nameForScrapers.test(metadata?.name ?? '') ||
    (ports.length > 0 &&
      ports.every((port) => areForScrapers([port]) || areForScrapers(declaredAs(port, workload))))
  )
}

/** The container's port that a Service's leads to, if it is declared. */
function declaredAs(port: ServicePort, workload: Workload) {
  const declared = portOf(workload, port)?.port
  return declared ? [declared] : []
}

/** Whether all of the ports, of a Service or a container, are named for them. */
export function areForScrapers(ports: readonly { readonly name?: string | undefined }[] = []): boolean {
  return ports.length > 0 && ports.every(({ name = '' }) => ofScrapers.test(name))
}

/** Headless Services are for peers more often than for clients. */
export function clientsFirst(services: readonly Service[]): readonly Service[] {
  const isHeadless = (service: Service) => service.spec?.clusterIP === 'None'
  return [...services.filter((one) => !isHeadless(one)), ...services.filter(isHeadless)]
}

/**
 * Whether a Service is for those of a Rollout's pods that are tried out: Argo gives it a selector of its own while it does.
 * Source: argo-rollouts/pkg/apis/rollouts/v1alpha1/types.go (CanaryStrategy, BlueGreenStrategy).
 */
export function isForTrial({ metadata }: Service, { object }: Workload): boolean {
  const strategy = ['spec', 'strategy'] as const
  const names = [
    stringAt(object, ...strategy, 'canary', 'canaryService'),
    stringAt(object, ...strategy, 'blueGreen', 'previewService'),
  ]
  return metadata?.name !== undefined && names.includes(metadata.name)
}

/** Sorts the Services of a workload: those for what is tried out come last, each kind as another order has it. */
export function steadyFirst(workload: Workload, then: (a: Service, b: Service) => number) {
  return (a: Service, b: Service): number =>
    Number(isForTrial(a, workload)) - Number(isForTrial(b, workload)) || then(a, b)
}
