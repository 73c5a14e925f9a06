/** What may be done to a custom object, whose schema is not asked. */
import { formatPath, type Path } from '../../src/finding.js'
import { isMapping, type Mapping } from './mapping.js'
import { type Change, untouched } from './mutations.js'

/** The changes to an object; fields are told apart by kind and path. */
export function customChanges(object: Mapping): Iterable<Change> {
  return changes(object, [], String(object.kind))
}

function* changes(value: unknown, path: Path, kind: string): Generator<Change> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, own] of Object.entries(value)) {
    if (path.length === 0 && key in untouched) continue
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    const field = `${kind} ${formatPath(here).replaceAll(/\[\d+\]/g, '[]')}`
    if (!Array.isArray(value)) yield { path: here, value: undefined, what: `${field} left out` }
    for (const other of [null, ...others(own)])
      yield { path: here, value: other, what: `${field} = ${JSON.stringify(other).slice(0, 60)}` }
    yield* changes(own, here, kind)
  }
}

function others(value: unknown): readonly unknown[] {
  if (Array.isArray(value))
    return [
      [],
      value[0] ?? 1,
      [...value, value.at(-1)],
      [...value, null],
      [...value, {}],
      'x',
      [...value, 'x'],
    ]
  if (isMapping(value)) return ['x', [value], { ...value, bogusField: 1 }, {}]
  if (typeof value === 'boolean') return ['true', 1, !value]
  if (typeof value === 'number') return [-1, 0, 1, 1.5, 65536, 2 ** 31, 1e20, `${value}`, true]
  return [5, true, '', 'Bogus', `${value}x`, `${value}-`, 'x'.repeat(300), 'é', '1h', [value], { value }]
}
