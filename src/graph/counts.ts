/** How many objects there are of what a scan does not read. */
import { groupOf } from '../kubernetes.js'
import type { Sample } from '../reader/input.js'

/**
 * The API server's own count, a minute old at most. Both are there from 1.34 on, the first one alone before.
 * Source: k8s.io/apiserver/pkg/storage/etcd3/metrics/metrics.go.
 */
const [before, since] = ['apiserver_storage_objects', 'apiserver_resource_objects'] as const

/** The names of the metrics that hold it. */
export const objectCountMetrics: readonly string[] = [before, since]

/** A count in the form of the API server's metric. */
export function objectCount(apiVersion: string, plural: string, value: number): Sample {
  return { name: since, labels: { group: groupOf(apiVersion), resource: plural }, value }
}

/**
 * The number of objects of each resource, by the name that roles and definitions give it: `events`,
 * `orders.acme.cert-manager.io`.
 */
export function objectCounts(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const metric of objectCountMetrics)
    for (const { name, labels, value } of samples)
      if (name === metric) counts.set(resourceName(labels.group, labels.resource), value)
  return counts
}

/** `orders.acme.cert-manager.io`; of the core group the plural alone. */
export function resourceName(group = '', plural = ''): string {
  return group === '' ? plural : `${plural}.${group}`
}
