/** Which of a workload's Services clients ask. */
import type { Service } from '../kubernetes.js'

const ofScrapers = /metrics|prometheus|telemetry|profiling|pprof|(^|-)(metric|monitor(ing)?|probes?)(-|$)/

/** Whether all ports of a Service are named for metrics, profiles or probes. */
export function isScrapedOnly({ spec }: Service): boolean {
  return areForScrapers(spec?.ports)
}

/** The same for ports of a container. */
export function areForScrapers(ports: readonly { readonly name?: string | undefined }[] = []): boolean {
  return ports.length > 0 && ports.every(({ name = '' }) => ofScrapers.test(name))
}

/** Headless Services are for peers more often than for clients. */
export function clientsFirst(services: readonly Service[]): readonly Service[] {
  const isHeadless = (service: Service) => service.spec?.clusterIP === 'None'
  return [...services.filter((one) => !isHeadless(one)), ...services.filter(isHeadless)]
}
