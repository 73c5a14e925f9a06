/** Finds fields that kubectl has sent and the API server has dropped: its copy of the manifest has them, the object has not. */
import type { Path, Step } from '../finding.js'
import type { Dropped } from '../graph/dropped.js'
import { kindNameOf, type Untyped } from '../kubernetes.js'
import { check } from '../schema/check.js'
import { isServed, servedKind } from '../schema/definitions.js'
import { suggestion } from '../schema/suggest.js'
import { isObject, isScalar, stringAt, valueAt } from '../values/untyped.js'
import type { Resource } from './discover.js'

/** Characters of a text from which it is no setting. */
const longestValue = 100

/** Fields that went before the oldest release that is known here. Source: k8s.io/api v0.16 to v0.22, core/v1/types.go. */
const longGone = new Set([
  'core/v1.EphemeralVolumeSource readOnly',
  'core/v1.ServiceSpec ipFamily',
  'core/v1.ServiceSpec topologyKeys',
])

/**
 * The fields of an applied manifest that its API version does not have, and that are not in the object. A version that the
 * server has no more says nothing, nor does a field that the version once had: it may have been served then. What has come into
 * the right place since is not lost.
 * @param minor the minor version of the server
 */
export function droppedFields(
  manifest: Untyped,
  item: Untyped,
  resource: Resource,
  minor: number,
): Dropped[] {
  const apiVersion = stringAt(manifest, 'apiVersion') ?? ''
  const kind = stringAt(manifest, 'kind') ?? ''
  const served = servedKind(apiVersion, kind)
  if (!served || !isServed(served, minor) || kindNameOf(apiVersion, kind) !== resource.kindName) return []
  const isSame = apiVersion === resource.apiVersion
  return check(manifest, apiVersion, kind, minor).problems.flatMap((problem): Dropped[] => {
    if (problem.kind !== 'unknown-field' || problem.path[0] === 'status') return []
    if (problem.until !== undefined || longGone.has(`${problem.definition} ${problem.path.at(-1)}`)) return []
    const path = counterpart(problem.path, manifest, item)
    if (!path || valueAt(item, ...path) !== undefined) return []
    const sent = valueAt(manifest, ...problem.path)
    if (sent === undefined) return []
    const meant = suggestion(manifest, problem.path, minor)
    const target = isSame && meant?.path ? counterpart(meant.path, manifest, item) : undefined
    if (target && holds(valueAt(item, ...target), sent)) return []
    return [
      {
        kind: 'dropped-field',
        path,
        definition: problem.definition,
        ...(isSetting(sent, problem.definition) && { value: sent }),
        ...(problem.since !== undefined && { since: problem.since }),
        ...(meant && { wrong: meant.wrong, place: meant.place }),
        ...(target && { target }),
      },
    ]
  })
}

/** Whether a value can be shown. Environment variables may be secrets, under whatever name. */
function isSetting(value: unknown, definition: string): value is string | number | boolean {
  return isScalar(value) && String(value).length <= longestValue && definition !== 'core/v1.EnvVar'
}

/** The same place in the other object, where it has the mapping around it: entries of lists go by their names. */
function counterpart(path: Path, manifest: unknown, item: unknown): Path | undefined {
  const found: Step[] = []
  let [one, other] = [manifest, item]
  for (const step of path.slice(0, -1)) {
    const same = typeof step === 'number' ? entryLike(step, one, other) : step
    if (same === undefined) return undefined
    found.push(same)
    one = valueAt(one, step)
    other = valueAt(other, same)
  }
  const last = path.at(-1)
  return isObject(other) && last !== undefined ? [...found, last] : undefined
}

function entryLike(index: number, list: unknown, other: unknown): number | undefined {
  if (!Array.isArray(list) || !Array.isArray(other)) return undefined
  const name = stringAt(list, index, 'name')
  if (name === undefined) return list.length === other.length ? index : undefined
  const at = other.findIndex((entry) => stringAt(entry, 'name') === name)
  return at < 0 ? undefined : at
}

/** Whether all of a value is in another one, which may have more: the defaults of the API server. */
function holds(value: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(value) && value.length === wanted.length && wanted.every((one, i) => holds(value[i], one))
    )
  if (isObject(wanted))
    return isObject(value) && Object.entries(wanted).every(([field, one]) => holds(value[field], one))
  return wanted === null || (value !== undefined && String(value) === String(wanted))
}
