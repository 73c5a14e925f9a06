/** When the configuration of pods was written. */
import { type ConfigMap, madeAt, type Secret } from '../kubernetes.js'
import { objectsAt, stringAt } from '../values/untyped.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { spanSince } from './trouble.js'
import type { Workload } from './workload.js'

/** When a client last wrote the data of a ConfigMap or Secret of a cluster, in milliseconds since 1970; 0 when nobody knows. */
export function dataWrittenAt(config: ConfigMap | Secret): number {
  const times = objectsAt(config, 'metadata', 'managedFields').map((entry) =>
    Date.parse(stringAt(entry, 'time') ?? ''),
  )
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)))
}

/** Milliseconds. */
const lately = 3_600_000

/**
 * The ConfigMaps and Secrets that a workload's pods read and that were written within the last hour, the newest first, a line each:
 * `ConfigMap shop/web was written 6 min ago`. None that came with the workload itself.
 * @param before only what was written before this moment, in milliseconds since 1970
 */
export function configuredLately(workload: Workload, graph: Graph, live: Live, before: number): string[] {
  const made = madeAt(workload.object)
  const written = new Map<ConfigMap | Secret, number>()
  for (const { kind, name, as } of graph.referencesOf(workload)) {
    if ((kind !== 'ConfigMap' && kind !== 'Secret') || as === 'imagePullSecret') continue
    const config = graph.find(kind, name, workload.object)
    if (config) written.set(config, dataWrittenAt(config))
  }
  return [...written]
    .filter(([, at]) => at < before && live.now - at <= lately && at - made > lately / 6)
    .sort(([, a], [, b]) => b - a)
    .map(([config, at]) => `${graph.describe(config)} was written ${spanSince(at, live)} ago`)
}
