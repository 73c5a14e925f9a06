/**
 * The schemas of the API server as one minor version has them.
 *
 * They are kept as text and only the definitions that a run needs are read. Grammar of `data/definitions.ts`: blocks
 * separated by an empty line, the definition's name first, then one field a line:
 * ` name[!][@since-until] type [values or bounds]`. `!` = required, `!!` = and not empty; `[keys]T` = list, its entries told
 * apart by `keys` (`=`: by themselves; `!keys`: the API server refuses two alike; `a,b|c`: by a and b, and by c);
 * `{}T` = map; values `A|B`, after `!` without empty text; bounds `1..65535`.
 */
import { groupOf } from '../kubernetes.js'
import { push } from '../values/group.js'
import { lazy } from '../values/lazy.js'
import { definitions as definitionText } from './data/definitions.js'
import { kinds as kindText } from './data/kinds.js'
import { checks } from './validation.js'

/** The minor versions whose fields are known. */
export const oldestMinor = 22
export const newestMinor = 37

type Basic =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'number'
  | 'quantity'
  | 'int-or-percent'
  | 'int-or-port'
  | 'time'
  | 'micro-time'
  | 'bytes'
  | 'object'
  | 'any'

/** What a field holds. All types have all properties, so that walking them is fast. */
export interface Type {
  readonly is: Basic | 'list' | 'map' | 'definition'
  /** Of lists and maps: what they hold. */
  readonly of: Type | undefined
  /** Of a definition: its name. Ask `definitionOf` for the definition. */
  readonly name: string
  /** The definition of that name, once somebody asked. */
  found: Definition | undefined
  /** Of lists: what tells entries apart. Empty when entries may be alike. */
  readonly keys: readonly ListKey[]
  /** Of strings: the only values there are. */
  readonly values: readonly string[] | undefined
  /** Of strings: whether empty text stands for the default. */
  readonly mayBeEmpty: boolean
  readonly minimum: number | undefined
  readonly maximum: number | undefined
}

/** The fields that together tell the entries of a list apart; `=` for the entry itself. */
export interface ListKey {
  readonly fields: readonly string[]
  /** Whether the API server refuses an object in which two entries are alike. */
  readonly unique: boolean
}

export interface Field {
  readonly type: Type
  readonly required: boolean
  /** Of lists: whether there has to be an entry. */
  readonly filled: boolean
  /** Whether the version in question has the field; fields of other versions are kept for their types. */
  readonly served: boolean
  /** The first minor version with the field, and the last; undefined at the ends of what is known. */
  readonly since: number | undefined
  readonly until: number | undefined
}

export interface Definition {
  /** Package, version and type in Go: `core/v1.PodSpec`. */
  readonly name: string
  readonly fields: ReadonlyMap<string, Field>
  /** The fields of this version that have to be there. */
  readonly required: readonly string[]
  /** Those of them that are lists and may not be empty. */
  readonly filled: readonly string[]
  /** What else the API server wants of such a value. */
  readonly checks: (typeof checks)[string] | undefined
}

/** A kind in one API version. */
export interface ServedKind {
  readonly apiVersion: string
  readonly kind: string
  /** The first and the last minor version that serve it; undefined at the ends of what is known (1.15, 1.37). */
  readonly since: number | undefined
  readonly until: number | undefined
  /** The name of its definition. */
  readonly definition: string
}

/** Every kind in every API version from 1.15 to 1.37, by kind. */
export const kindsByName: ReadonlyMap<string, readonly ServedKind[]> = readKinds()

/** The groups of the API server itself; `''` is the core group. */
export const builtinApiGroups: ReadonlySet<string> = new Set(
  [...kindsByName.values()].flat().map(({ apiVersion }) => groupOf(apiVersion)),
)

/** The kind of an object, whether or not it is served today; undefined for custom resources. */
export function servedKind(apiVersion: string, kind: string): ServedKind | undefined {
  return kindsByName.get(kind)?.find((one) => one.apiVersion === apiVersion)
}

/** Whether a minor version serves a kind, or has a field. */
export function isServed({ since, until }: Pick<ServedKind, 'since' | 'until'>, minor: number): boolean {
  return (since === undefined || minor >= since) && (until === undefined || minor <= until)
}

/** The kinds that a minor version serves in stable API versions, as Helm names them: `batch/v1/CronJob`. */
export function kindsServedAt(minor: number): readonly string[] {
  const known = Math.min(Math.max(minor, oldestMinor), newestMinor)
  return [...kindsByName.values()]
    .flat()
    .filter((one) => isServed(one, known) && /(?:^|\/)v\d+$/.test(one.apiVersion))
    .map(({ apiVersion, kind }) => `${apiVersion}/${kind}`)
}

function readKinds(): Map<string, ServedKind[]> {
  const kinds = new Map<string, ServedKind[]>()
  for (const line of kindText.split('\n')) {
    const [apiVersion, kind, range, definition] = line.split(' ')
    if (!apiVersion || !kind || !definition) continue
    push(kinds, kind, { apiVersion, kind, ...readRange(range), definition })
  }
  return kinds
}

function readRange(text: string | undefined): Pick<ServedKind, 'since' | 'until'> {
  const [since, until] = text?.split('-') ?? []
  return { since: since ? Number(since) : undefined, until: until ? Number(until) : undefined }
}

/** The texts of the definitions by their names. */
const blocks = lazy(
  () =>
    new Map(
      definitionText.split('\n\n').map((block) => {
        const end = block.indexOf('\n')
        return end < 0 ? [block, ''] : [block.slice(0, end), block.slice(end + 2)]
      }),
    ),
)
const read = new Map<number, Map<string, Definition>>()

/** A definition as a minor version has it. Throws when there is none of that name: names come from the data only. */
export function definition(name: string, minor: number): Definition {
  let known = read.get(minor)
  if (!known) {
    known = new Map()
    read.set(minor, known)
  }
  let found = known.get(name)
  if (!found) {
    found = readDefinition(name, minor)
    known.set(name, found)
  }
  return found
}

/** What a type that is a definition refers to. Types belong to one minor version, which has to be given again. */
export function definitionOf(type: Type, minor: number): Definition {
  type.found ??= definition(type.name, minor)
  return type.found
}

function readDefinition(name: string, minor: number): Definition {
  const block = blocks().get(name)
  if (block === undefined) throw new Error(`no definition ${name}`)
  const fields = new Map<string, Field>()
  for (const line of block.split('\n ')) {
    const match = /^([^!@ ]+)(!{0,2})(?:@(\S*))? (\S+)(?: (.*))?$/.exec(line.trimEnd())
    if (!match) continue
    const [, field = '', required, range, type = '', limits] = match
    const { since, until } = readRange(range)
    const served = isServed({ since, until }, minor)
    // A field that changed its type has a line for each; the one of this version counts.
    const before = fields.get(field)
    if (before?.served) fields.set(field, { ...before, until: undefined })
    else
      fields.set(field, {
        type: readType(type, limits),
        required: required !== '',
        filled: required === '!!',
        served,
        since: before ? undefined : since,
        until,
      })
  }
  const served = [...fields].filter(([, one]) => one.served)
  return {
    name,
    fields,
    required: served.filter(([, one]) => one.required).map(([field]) => field),
    filled: served.filter(([, one]) => one.filled).map(([field]) => field),
    checks: checksOf(name),
  }
}

function checksOf(name: string): Definition['checks'] {
  const [own, ofAllVersions] = [checks[name], checks[name.replace(/\/[^.]*/, '')]]
  return own && ofAllVersions ? [...own, ...ofAllVersions] : (own ?? ofAllVersions)
}

function readType(text: string, limits: string | undefined): Type {
  const list = /^\[([^\]]*)\](.*)$/.exec(text)
  const is = list
    ? 'list'
    : text.startsWith('{}')
      ? 'map'
      : text.includes('/')
        ? 'definition'
        : (text as Basic)
  const [, minimum, maximum] = /^(-?\d*)\.\.(-?\d*)$/.exec(limits ?? '') ?? []
  const bounded = minimum !== undefined
  const valued = limits !== undefined && !bounded && is === 'string'
  const element = list ? list[2] : is === 'map' ? text.slice(2) : undefined
  return {
    is,
    of: element === undefined ? undefined : readType(element, limits),
    name: is === 'definition' ? text : '',
    found: undefined,
    keys: list?.[1] ? list[1].split('|').map(readKey) : [],
    values: valued ? limits.replace(/^!/, '').split('|') : undefined,
    mayBeEmpty: !limits?.startsWith('!'),
    minimum: minimum ? Number(minimum) : undefined,
    maximum: maximum ? Number(maximum) : undefined,
  }
}

function readKey(text: string): ListKey {
  const unique = text.startsWith('!')
  return { fields: (unique ? text.slice(1) : text).split(','), unique }
}
