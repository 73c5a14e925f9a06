/** Merges the definitions of all versions into one text: see src/schema/definitions.ts for its grammar. */
import { bounds, dropped, filled, never, optional, percentages, required, unique, values } from './facts.js'
import type { OpenApi, Sources } from './packages.js'

/** Field differences are kept from this minor version on; of kinds removed earlier, the last shape is kept. */
const oldest = 22

/** A field as one version has it, without what is known of all versions alike (values, bounds). */
interface Shape {
  /** `!` required, `!!` and not empty. */
  readonly required: '' | '!' | '!!'
  readonly type: string
}

export function compile({ versions, enums }: Sources): { definitions: string; kinds: string } {
  const minors = [...versions.keys()].sort((a, b) => a - b)
  const newest = minors.at(-1) ?? oldest
  const kinds = readKinds(versions)
  const definitions = new Map<string, string>()
  const seen = new Set<string>()
  const queue = [...kinds.values()].map((kind) => kind.definition)
  queue.push('meta/v1.ObjectMeta', 'core/v1.PodTemplateSpec')
  const byName = indexByName(versions)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const history = byName.get(name)
    if (!history) throw new Error(`no definition of ${name}`)
    const lines: string[] = []
    for (const [field, ranges] of [...fieldsOf(name, history, newest)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const { since, until, shape } of ranges) {
        const suffix = constraints(name, field, shape.type, enums)
        const range = since === undefined && until === undefined ? '' : `@${since ?? ''}-${until ?? ''}`
        lines.push(` ${field}${shape.required}${range} ${shape.type}${suffix}`)
        const reference = /[^\]}]*$/.exec(shape.type)?.[0] ?? ''
        if (reference.includes('/')) queue.push(reference)
      }
    }
    definitions.set(name, [name, ...lines].join('\n'))
  }
  return {
    definitions: [...definitions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, text]) => text)
      .join('\n\n'),
    kinds: [...kinds]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { first, last, definition }]) => {
        const until = last === newest ? '' : last
        return `${key} ${first === minors[0] ? '' : first}-${until} ${definition}`
      })
      .join('\n'),
  }
}

type History = ReadonlyMap<number, OpenApi>

/** Definition name as we write it → the definition in each version that has it. */
function indexByName(versions: Sources['versions']): Map<string, Map<number, OpenApi>> {
  const byName = new Map<string, Map<number, OpenApi>>()
  for (const [minor, definitions] of versions)
    for (const [name, definition] of Object.entries(definitions)) {
      const short = shortName(name)
      byName.set(short, (byName.get(short) ?? new Map()).set(minor, definition))
    }
  return byName
}

interface Kind {
  readonly first: number
  readonly last: number
  readonly definition: string
}

/** `apps/v1 Deployment` → the versions that serve it. Lists, and what every group shares, are no kinds of their own. */
function readKinds(versions: Sources['versions']): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  for (const [minor, definitions] of versions)
    for (const [name, definition] of Object.entries(definitions)) {
      const [gvk, ...more] = definition['x-kubernetes-group-version-kind'] ?? []
      if (!gvk || more.length > 0 || !definition.properties?.metadata || definition.properties.items) continue
      const key = `${gvk.group ? `${gvk.group}/` : ''}${gvk.version} ${gvk.kind}`
      const first = kinds.get(key)?.first ?? minor
      kinds.set(key, { first, last: minor, definition: shortName(name) })
    }
  return kinds
}

interface Range {
  readonly since: number | undefined
  readonly until: number | undefined
  readonly shape: Shape
}

/** The fields of a definition: one range when all versions agree, else one for each stretch of versions. */
function fieldsOf(name: string, history: History, newest: number): Map<string, readonly Range[]> {
  const recent = [...history].filter(([minor]) => minor >= oldest)
  const used = recent.length > 0 ? recent : [...history].slice(-1)
  const first = used[0]?.[0] ?? oldest
  const last = used.at(-1)?.[0] ?? newest
  const fields = new Map<string, Map<number, Shape>>()
  for (const [minor, definition] of used)
    for (const [field, value] of Object.entries(definition.properties ?? {})) {
      const inDocument = definition.required?.includes(field) ?? false
      const shape = { required: need(name, field, inDocument), type: typeIn(name, field, value) }
      fields.set(field, (fields.get(field) ?? new Map()).set(minor, shape))
    }
  return new Map([...fields].map(([field, shapes]) => [field, rangesOf(alike(shapes), first, last)]))
}

/**
 * Which fields are required and what tells list entries apart was documented late and hardly ever changed:
 * all versions get what the newest says.
 */
function alike(shapes: ReadonlyMap<number, Shape>): ReadonlyMap<number, Shape> {
  const keysOf = /^\[[^\]]*\]/
  const last = [...shapes.values()].at(-1)
  const need = last?.required ?? ''
  const keys = keysOf.exec(last?.type ?? '')?.[0] ?? ''
  return new Map(
    [...shapes].map(([minor, { type }]) => [minor, { required: need, type: type.replace(keysOf, keys) }]),
  )
}

function rangesOf(shapes: ReadonlyMap<number, Shape>, first: number, last: number): Range[] {
  const ranges: { from: number; to: number; shape: Shape }[] = []
  for (const [minor, shape] of shapes) {
    const open = ranges.at(-1)
    if (
      open &&
      open.to === minor - 1 &&
      open.shape.type === shape.type &&
      open.shape.required === shape.required
    )
      open.to = minor
    else ranges.push({ from: minor, to: minor, shape })
  }
  return ranges.map(({ from, to, shape }) => ({
    since: from === first ? undefined : from,
    until: to === last ? undefined : to,
    shape,
  }))
}

/** The letter of a scalar, `[keys]` and `{}` before an element's type, or a definition's name. */
function typeOf(schema: OpenApi): string {
  if (schema.$ref)
    return special[shortName(schema.$ref.replace(/^.*\//, ''))] ?? shortName(schema.$ref.replace(/^.*\//, ''))
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.find((one) => one !== 'null')
  if (type === 'array') return `[${listKeys(schema).join(',')}]${typeOf(schema.items ?? {})}`
  if (type === 'object')
    return typeof schema.additionalProperties === 'object'
      ? `{}${typeOf(schema.additionalProperties)}`
      : 'object'
  if (type === 'string') return schema.format === 'byte' ? 'bytes' : 'string'
  if (type === 'integer') return schema.format === 'int32' ? 'int32' : 'int64'
  return type ?? 'any'
}

/** The fields that tell the entries of a list apart; `=` when the entries themselves must differ. */
function listKeys(schema: OpenApi): readonly string[] {
  const kind = schema['x-kubernetes-list-type']
  const mergeKey = schema['x-kubernetes-patch-merge-key']
  if (kind === 'map') return schema['x-kubernetes-list-map-keys'] ?? []
  if (kind === 'set') return ['=']
  return kind === undefined && mergeKey !== undefined ? [mergeKey] : []
}

/** Definitions that are no object with fields: what the API server reads in their place. */
const special: Readonly<Record<string, string>> = {
  'meta/v1.Time': 'time',
  'meta/v1.MicroTime': 'micro-time',
  'meta/v1.FieldsV1': 'object',
  'meta/v1.Patch': 'object',
  Quantity: 'quantity',
  IntOrString: 'int-or-string',
  RawExtension: 'any',
  ...Object.fromEntries(
    ['JSON', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray'].flatMap(
      (name) => ['v1', 'v1beta1'].map((version) => [`apiextensions/${version}.${name}`, 'any']),
    ),
  ),
}

/** `io.k8s.api.apps.v1.Deployment` → `apps/v1.Deployment`. */
function shortName(name: string): string {
  const parts = name.split('.')
  const kind = parts.at(-1) ?? ''
  const version = parts.at(-2) ?? ''
  return /^v\d/.test(version) ? `${parts.at(-3)}/${version}.${kind}` : kind
}

/** `apps/v1.Deployment` → `apps.Deployment`, as facts are keyed. */
function unversioned(definition: string): string {
  return definition.replace(/\/[^.]*/, '')
}

function listed(table: Readonly<Record<string, string>>, definition: string, field: string): boolean {
  return [definition, unversioned(definition)].some((key) => table[key]?.split(' ').includes(field))
}

function need(definition: string, field: string, inDocument: boolean): Shape['required'] {
  if (listed(optional, definition, field)) return ''
  if (!inDocument && !listed(required, definition, field)) return ''
  return listed(filled, definition, field) ? '!!' : '!'
}

/** The type of a field, with what the facts add to its document. */
function typeIn(definition: string, field: string, schema: OpenApi): string {
  const type = typeOf(schema)
  if (listed(dropped, definition, field)) return 'any'
  if (type === 'int-or-string')
    return listed(percentages, definition, field) ? 'int-or-percent' : 'int-or-port'
  const keys = unique[unversioned(definition)]?.[field]
  return keys === undefined ? type : type.replace(/^\[[^\]]*\]/, `[${keys}]`)
}

function constraints(definition: string, field: string, type: string, enums: Sources['enums']): string {
  const key = unversioned(definition)
  const limits = bounds[key]?.[field]
  if (limits) return ` ${limits}`
  if (!/^(\[[^\]]*\])?string$/.test(type)) return ''
  const known = values[key]?.[field] ?? enumOf(definition, field, enums)?.filter(Boolean).join('|')
  // Entries of lists have no default.
  const strict = type.startsWith('[') || listed(never, definition, field)
  return known ? ` ${strict ? '!' : ''}${known}` : ''
}

/** The values of a field; those of another version of the group where this one has none documented. */
function enumOf(definition: string, field: string, enums: Sources['enums']): readonly string[] | undefined {
  const own = enums.get(modelName(definition))?.get(field)
  if (own) return own
  const others = ['v1', 'v2'].map((version) => definition.replace(/\/[^.]*/, `/${version}`))
  return others.map((name) => enums.get(modelName(name))?.get(field)).find((found) => found !== undefined)
}

/** The name of a definition in kubernetes-models: `apps/v1.Deployment` → `IoK8sApiAppsV1Deployment`. */
function modelName(definition: string): string {
  const [, group = '', version = '', kind = ''] = /^(.*)\/(.*)\.(.*)$/.exec(definition) ?? []
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
  const root = group === 'apiextensions' ? 'IoK8sApiextensionsApiserverPkgApis' : 'IoK8sApi'
  return `${root}${capital(group)}${capital(version)}${kind}`
}
