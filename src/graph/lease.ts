/** Leases: who leads, and since when nothing is heard of it. Source: k8s.io/client-go/tools/leaderelection. */
import type { Lease } from '../kubernetes.js'
import type { Live } from './live.js'

/**
 * The host or pod that holds the Lease: client libraries write pod_uuid or machine_uuid. Undefined where nobody does.
 */
export function holderOf({ spec }: Lease): string | undefined {
  return spec?.holderIdentity?.split('_')[0] || undefined
}

/** The seconds since the Lease was last renewed; undefined where it never was. */
export function silentFor({ spec }: Lease, { now }: Pick<Live, 'now'>): number | undefined {
  const renewed = Date.parse(spec?.renewTime ?? '')
  return Number.isNaN(renewed) ? undefined : (now - renewed) / 1000
}

/**
 * How many seconds may pass until a Lease is renewed: so many times what it says that it is
 * good for, and a minute at least.
 */
export function silenceAllowed({ spec }: Lease, durations: number): number {
  return Math.max(60, durations * (spec?.leaseDurationSeconds ?? 15))
}
