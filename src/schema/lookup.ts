/** Questions about the fields of a kind. */
import { formatPath, type Path, type Step } from '../finding.js'
import { push } from '../values/group.js'
import { isObject } from '../values/untyped.js'
import { type Definition, definition, definitionOf, servedKind, type Type } from './definitions.js'
import { isQuantity } from './format.js'

/** A place in all objects of a kind: field names, `[]` for any list item and `*` for any key of a map. */
export type Place = readonly string[]

/** `.spec.template.spec.containers[].image`, `.metadata.labels["app.kubernetes.io/name"]`. */
export function formatPlace(place: Place): string {
  return place.map((step) => (step === '[]' ? '[]' : step === '*' ? '[*]' : formatPath([step]))).join('')
}

/** The place that a path leads to: the same one for all items of a list. */
export function placeOf(path: Path): Place {
  return path.map((step) => (typeof step === 'number' ? '[]' : step))
}

/** The definition of a built-in kind. */
export function rootOf(apiVersion: string, kind: string, minor: number): Definition | undefined {
  const served = servedKind(apiVersion, kind)
  return served && definition(served.definition, minor)
}

/** The fields that an object may have at a path to a mapping; undefined where anything goes. */
export function fieldsAt(root: Definition, path: Path, minor: number): readonly string[] | undefined {
  const found = definitionAt(root, path, minor)
  return found && [...found.fields].filter(([, field]) => field.served).map(([name]) => name)
}

/** Whether an object of this kind may have something at `path`. Undefined for kinds without a schema. */
export function fieldExists(
  apiVersion: string,
  kind: string,
  path: Path,
  minor: number,
): boolean | undefined {
  const root = rootOf(apiVersion, kind, minor)
  return root && typeAt(root, path, minor) !== undefined
}

/** The definition of the mapping at a path; undefined where anything goes. */
export function definitionAt(root: Definition, path: Path, minor: number): Definition | undefined {
  if (path.length === 0) return root
  const type = typeAt(root, path, minor)
  return type?.is === 'definition' ? definitionOf(type, minor) : undefined
}

/** Whether a list stands at a path. */
export function takesList(root: Definition, path: Path, minor: number): boolean {
  return typeAt(root, path, minor)?.is === 'list'
}

function typeAt(root: Definition, path: Path, minor: number): Type | undefined {
  let type: Type | undefined = { ...anything, is: 'definition', name: root.name, found: root }
  for (const step of path) type = type && stepInto(type, step, minor)
  return type
}

function stepInto(type: Type, step: Step, minor: number): Type | undefined {
  if (type.is === 'any' || type.is === 'object') return anything
  if (type.is === 'list') return typeof step === 'number' ? type.of : undefined
  if (type.is === 'map') return typeof step === 'string' ? type.of : undefined
  if (type.is !== 'definition' || typeof step !== 'string') return undefined
  const field = definitionOf(type, minor).fields.get(step)
  return field?.served ? field.type : undefined
}

const anything: Type = {
  is: 'any',
  of: undefined,
  name: '',
  found: undefined,
  keys: [],
  values: undefined,
  mayBeEmpty: true,
  minimum: undefined,
  maximum: undefined,
}

interface Placed {
  readonly place: Place
  readonly type: Type
}

/** The places of the fields of a definition, by their names. */
const indices = new WeakMap<Definition, ReadonlyMap<string, readonly Placed[]>>()

/**
 * All places where an object has a field of this name, and whether `value` (when given) would be of the right JSON type
 * there. Nothing is looked for in `status` and `metadata.managedFields`.
 */
export function placesOfField(
  root: Definition,
  field: string,
  minor: number,
  value?: unknown,
): readonly Place[] {
  let index = indices.get(root)
  if (!index) {
    index = indexOf(root, minor)
    indices.set(root, index)
  }
  return (index.get(field) ?? [])
    .filter(({ type }) => value === undefined || fits(type, value, minor))
    .map(({ place }) => place)
}

function indexOf(root: Definition, minor: number): ReadonlyMap<string, readonly Placed[]> {
  const index = new Map<string, Placed[]>()
  const visit = ({ name, fields }: Definition, place: Place, inside: readonly string[]): void => {
    // A type within itself (a schema's properties) has the same fields again.
    if (inside.includes(name)) return
    for (const [field, { type, served }] of fields) {
      if (!served || (place.length === 0 && field === 'status') || field === 'managedFields') continue
      const here = [...place, field]
      push(index, field, { place: here, type })
      let inner: Type | undefined = type
      let deeper: Place = here
      while (inner?.is === 'list' || inner?.is === 'map') {
        deeper = [...deeper, inner.is === 'list' ? '[]' : '*']
        inner = inner.of
      }
      if (inner?.is === 'definition') visit(definitionOf(inner, minor), deeper, [...inside, name])
    }
  }
  visit(root, [], [])
  return index
}

/**
 * Whether a value may stand there: of a mapping one of its fields at least is known there, of a list of mappings one of the first one's.
 */
function fits(type: Type, value: unknown, minor: number): boolean {
  if (Array.isArray(value))
    return (
      type.is === 'list' && (!isObject(value[0]) || type.of === undefined || fits(type.of, value[0], minor))
    )
  if (isObject(value) && type.is === 'definition') {
    const { fields } = definitionOf(type, minor)
    const names = Object.keys(value)
    return names.length === 0 || names.some((name) => fields.get(name)?.served)
  }
  switch (typeof value) {
    case 'string':
      if (type.is === 'quantity') return isQuantity(value)
      return !['list', 'map', 'definition', 'object', 'boolean', 'int32', 'int64', 'number'].includes(type.is)
    case 'number':
      return ['int32', 'int64', 'number', 'quantity', 'int-or-percent', 'int-or-port', 'any'].includes(
        type.is,
      )
    case 'boolean':
      return type.is === 'boolean' || type.is === 'any'
    default:
      return ['map', 'definition', 'object', 'any'].includes(type.is)
  }
}
