/** Services that no client asks. */
import type { Service } from '../kubernetes.js'

const ofScrapers = /metrics|prometheus|telemetry|profiling|pprof|(^|-)(metric|probes?)(-|$)/

/** Whether all ports of a Service are named for metrics, profiles or probes. */
export function isScrapedOnly({ spec }: Service): boolean {
  const ports = spec?.ports ?? []
  return ports.length > 0 && ports.every(({ name = '' }) => ofScrapers.test(name))
}
