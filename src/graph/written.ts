/** The API versions that an object is written in by those who apply it. */
import type { Path } from '../finding.js'
import type { KubernetesObject } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import { objectsAt, stringAt } from '../values/untyped.js'

/** A version in which somebody wrote an object. */
export interface Written {
  readonly apiVersion: string
  /** Where it stands in the object. */
  readonly path: Path
  /** Who applied it, for objects of a cluster. */
  readonly by: string | undefined
}

const none: readonly Written[] = []
/** Rules ask for each object there is, and there are few versions: one list for each. */
const inManifest = memo((apiVersion: string): readonly Written[] => [
  { apiVersion, path: ['apiVersion'], by: undefined },
])

/**
 * The version of a manifest. An API server serves its objects in a version of its own choice: of these, the
 * versions in which they were last applied, as far as they are others. Each manager's entry for `Apply` is
 * replaced when it applies again.
 * Source: BuildManagerIdentifier, k8s.io/apimachinery/pkg/util/managedfields/internal/managedfields.go.
 */
export function writtenVersions(object: KubernetesObject, isLive: boolean): readonly Written[] {
  const own = isLive ? none : inManifest(object.apiVersion ?? '')
  if (object.metadata?.managedFields === undefined) return own
  const applied = objectsAt(object, 'metadata', 'managedFields').flatMap((entry, i): Written[] => {
    const apiVersion = stringAt(entry, 'apiVersion')
    const path = ['metadata', 'managedFields', i, 'apiVersion']
    return apiVersion === undefined || apiVersion === object.apiVersion || entry.operation !== 'Apply'
      ? []
      : [{ apiVersion, path, by: stringAt(entry, 'manager') ?? 'a client' }]
  })
  return [...own, ...applied]
}
