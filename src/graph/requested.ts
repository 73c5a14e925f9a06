/** API versions on their way out that clients of a cluster ask for. */
import { type KubernetesObject, pluralOf } from '../kubernetes.js'
import { retiredApis, successorOf } from '../schema/removed-apis.js'
import { stringAt } from '../values/untyped.js'
import type { Live } from './live.js'

/** Since when it is counted what clients ask for. */
export const requestedSince = 'requested from this API server since it started'
/** How to find who asks. */
export const findClient = 'Find the client: audit events with the annotation k8s.io/deprecated name it'

/** An API version that clients asked for, with what they asked for in it. */
export interface Requested {
  readonly apiVersion: string
  /** Plurals, sorted: `poddisruptionbudgets`. */
  readonly resources: readonly string[]
  /** The minor version that does not serve them any more. */
  readonly removed: number
}

/**
 * What clients asked for in the group and version of an APIService (of any other object: nothing) since the API
 * server started, by the release that removes it, the first one first. Kinds without another version by then are left
 * out: of those the garbage collector asks, too, and nobody can ask for something else. Source: MonitorRequest,
 * k8s.io/apiserver/pkg/endpoints/metrics/metrics.go.
 */
export function requestedOf(object: KubernetesObject, live: Live | undefined): readonly Requested[] {
  if (!live || object.kind !== 'APIService') return []
  const group = stringAt(object, 'spec', 'group') ?? ''
  const version = stringAt(object, 'spec', 'version') ?? ''
  const apiVersion = group === '' ? version : `${group}/${version}`
  const byRelease = new Map<number, Set<string>>()
  for (const { labels } of live.samplesOf('apiserver_requested_deprecated_apis')) {
    const { resource = '', removed_release: release = '' } = labels
    const removed = Number(/^1\.(\d+)$/.exec(release)?.[1])
    if (labels.group !== group || labels.version !== version || !(removed > 0)) continue
    const known = retiredApis.find((one) => one.apiVersion === apiVersion && pluralOf(one.kind) === resource)
    if (known && successorOf(apiVersion, known.kind, removed) === undefined) continue
    byRelease.set(removed, (byRelease.get(removed) ?? new Set()).add(resource))
  }
  return [...byRelease]
    .map(([removed, resources]) => ({ apiVersion, resources: [...resources].sort(), removed }))
    .sort((a, b) => a.removed - b.removed)
}
