/** Fields that kubectl has sent and the API server has dropped: src/cluster/dropped.ts finds them. */
import { type Edit, formatPath, type Path } from '../finding.js'
import type { KubernetesObject } from '../kubernetes.js'
import type { SchemaProblem } from '../schema/problem.js'
import { enumerate } from '../values/enumerate.js'
import { push } from '../values/group.js'
import { arrayAt, isScalar, numberAt, objectsAt, ownValue, stringAt, valueAt } from '../values/untyped.js'
import { atMost } from './trouble.js'

/** A field that the API server drops without a word. */
export type Dropped = Extract<SchemaProblem, { readonly kind: 'dropped-field' }>

/** What is kept of them in an object, in the entry of kubectl. */
export function droppedOf(object: object): readonly Dropped[] {
  return objectsAt(object, 'metadata', 'managedFields').flatMap((entry) =>
    objectsAt(entry, 'dropped').flatMap((one): Dropped[] => {
      const path = pathIn(one, 'path')
      const target = pathIn(one, 'target')
      const since = numberAt(one, 'since')
      const place = stringAt(one, 'place')
      if (!path) return []
      return [
        {
          kind: 'dropped-field',
          path,
          definition: stringAt(one, 'definition') ?? '',
          ...(isScalar(one.value) && { value: one.value }),
          ...(since !== undefined && { since }),
          ...(place !== undefined && { place, wrong: one.wrong === 'name' ? 'name' : 'place' }),
          ...(target && { target }),
        },
      ]
    }),
  )
}

function pathIn(one: object, field: string): Path | undefined {
  const steps = arrayAt(one, field).filter((step) => typeof step === 'string' || typeof step === 'number')
  return steps.length > 0 ? steps : undefined
}

/** Fields that stood in one mapping, as one finding. */
export interface Loss {
  readonly path: Path
  readonly message: string
  readonly label: string | undefined
  readonly evidence: readonly string[]
  readonly fix: { readonly title: string; readonly safe: false; readonly edits: readonly Edit[] } | undefined
}

/**
 * What an object lacks, one entry for each mapping in which fields were dropped.
 * @param consequences what it means that a field is not there, by its name
 */
export function losses(
  object: KubernetesObject,
  fields: readonly Dropped[],
  consequences: Readonly<Record<string, string>> = {},
): readonly Loss[] {
  const groups = new Map<string, [Dropped, ...Dropped[]]>()
  for (const one of fields) {
    const parent = formatPath(one.path.slice(0, -1))
    const group = groups.get(parent)
    if (group) group.push(one)
    else groups.set(parent, [one])
  }
  return [...groups].map(([parent, group]) => {
    const [first, ...others] = group
    const isOne = others.length === 0
    const what = isOne
      ? written(formatPath(first.path), first)
      : `${group.length} fields in ${parent || 'the root'}`
    const now = (one: Dropped) => nowOf(object, one, consequences)
    return {
      path: first.path,
      message: `kubectl last applied ${what}, and the API server dropped ${isOne ? 'it' : 'them'}: ${now(first)}.`,
      label: first.place && `did you mean ${first.place}?`,
      evidence: isOne
        ? []
        : atMost(
            4,
            group.map((one) => `${written(String(one.path.at(-1)), one)} was applied; ${now(one)}`),
          ),
      fix: fixOf(group),
    }
  })
}

/** `concurrencyPolicy: Forbid`. */
function written(name: string, { value }: Pick<Dropped, 'value'>): string {
  if (value === undefined) return name
  const isPlain = typeof value !== 'string' || /^[\w./-]+$/.test(value)
  return `${name}: ${isPlain ? value : JSON.stringify(value)}`
}

/** What the object has instead. */
function nowOf(
  object: KubernetesObject,
  { path, place, target, since }: Dropped,
  consequences: Readonly<Record<string, string>>,
): string {
  if (since !== undefined) return `the field came with 1.${since}`
  const own = target && valueAt(object, ...target)
  if (isScalar(own)) return `${place} is ${own}`
  const field = String(path.at(-1))
  const lost = ownValue(consequences, field)
  if (own === undefined && target && lost !== undefined) return lost
  return 'it is not in the object'
}

/**
 * What can be set in the object is set; the manifest has to change, too, or the next one that
 * is made of it lacks it again.
 */
function fixOf(group: readonly Dropped[]): Loss['fix'] {
  const names: string[] = []
  const moves = new Map<string, string[]>()
  for (const { path, place, wrong } of group) {
    if (place === undefined) continue
    const field = String(path.at(-1))
    const parent = place.slice(0, place.lastIndexOf('.')) || 'the top'
    if (wrong === 'name') names.push(`call ${field} ${place.slice(1)}`)
    else push(moves, parent, field)
  }
  const changes = [
    ...names,
    ...[...moves].map(([parent, fields]) => `move ${enumerate(fields, 'and')} to ${parent}`),
  ]
  if (changes.length === 0) return undefined
  const edits = group.flatMap(({ target, value }): Edit[] =>
    target && value !== undefined ? [{ op: 'set', path: target, value }] : [],
  )
  const here = edits.length === 0 ? '' : `, and set ${edits.length === 1 ? 'it' : 'them'} here`
  return { title: `${changes.join(', ')} in the manifest${here}`, safe: false, edits }
}
