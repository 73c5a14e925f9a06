/** What is wrong with an object in the eyes of the API server, as plain data. */
import type { Path } from '../finding.js'
import { isScalar } from '../values/untyped.js'
import type { Definition } from './definitions.js'
import { blankList, blankMapping, type NameForm } from './format.js'

/** A JSON type as messages name it. `fraction` is a number where only integers will do. */
export type JsonType = 'text' | 'number' | 'fraction' | 'boolean' | 'list' | 'mapping' | 'null'

/** The type of a value of JSON. */
function jsonType(value: unknown): JsonType {
  if (typeof value === 'string') return 'text'
  if (typeof value === 'number') return Number.isInteger(value) ? 'number' : 'fraction'
  if (typeof value === 'boolean') return 'boolean'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'object' && value !== null ? 'mapping' : 'null'
}

/** What a field may hold, as messages name it. */
export type Expected =
  | 'text'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'list'
  | 'mapping'
  | 'integer or text'
  | 'quantity'
  | 'time'
  | 'base64 text'

/** How a value has to be written. `int32` and `int64` are about size. */
export type Format =
  | 'int32'
  | 'int64'
  | 'time'
  | 'time in microseconds'
  | 'base64'
  | 'percentage'
  | 'port name'

export type SchemaProblem =
  | {
      /** The version in question has no such field: refused with strict validation, dropped without. */
      readonly kind: 'unknown-field'
      readonly path: Path
      /** The definition that lacks the field: `core/v1.PodSpec`. */
      readonly definition: string
      /** Minor versions that have it, where some do. */
      readonly since?: number
      readonly until?: number
      /** Nothing stands there: client-side `kubectl apply` leaves such fields out. */
      readonly isNull?: true
      /** Of custom objects: the definition of the object as a whole, which no name leads to. */
      readonly root?: Definition
      /** Where it belongs when it is not indented: below an empty field that stands above it. */
      readonly below?: Path
    }
  | {
      /** Of an object in a cluster: kubectl has sent the field, the version has none, and the object is without it. */
      readonly kind: 'dropped-field'
      /** Where it would be in the object. */
      readonly path: Path
      readonly definition: string
      /** What was sent, when it is short. */
      readonly value?: string | number | boolean
      /** The minor version with which the field came. */
      readonly since?: number
      /** Whether it has the wrong name or stands in the wrong place, and where it belongs, as `Suggestion` has it. */
      readonly wrong?: 'name' | 'place'
      readonly place?: string
      /** The same in the object; absent when there is more than one such place in it. */
      readonly target?: Path
    }
  | {
      readonly kind: 'wrong-type'
      readonly path: Path
      readonly expected: Expected
      readonly actual: JsonType
      /** The value, unless it is a list or mapping. */
      readonly value?: string | number | boolean
    }
  | {
      /** `path` leads to the field that is not there. */
      readonly kind: 'missing-field'
      readonly path: Path
      /** What makes it necessary, when it is not always: `and type is ExternalName`. */
      readonly because?: string
      /** It is there, with nothing behind it or as an empty text or list. */
      readonly empty: boolean
    }
  | {
      readonly kind: 'bad-enum'
      readonly path: Path
      /** Lists and mappings as JSON. */
      readonly value: string | number | boolean
      readonly allowed: readonly string[]
    }
  | { readonly kind: 'bad-quantity'; readonly path: Path; readonly value: string }
  | {
      readonly kind: 'bad-format'
      readonly path: Path
      readonly format: Format
      readonly value: string | number
    }
  | {
      readonly kind: 'out-of-bounds'
      readonly path: Path
      readonly value: number
      readonly minimum?: number
      readonly maximum?: number
    }
  | {
      /** The schema of a custom object does not take the value. */
      readonly kind: 'bad-value'
      readonly path: Path
      /** What is wrong, to be read after the path: `has to be at least 1`. */
      readonly message: string
    }
  | {
      /** The schema of a CustomResourceDefinition with which no object can be judged. */
      readonly kind: 'unusable-schema'
      readonly path: Path
      /** Says why, as a whole sentence. */
      readonly message: string
      /** Whether the API server refuses it; if not, it is too much for us. */
      readonly refused: boolean
    }
  | {
      /** Every field by itself is right, and the server refuses them together. */
      readonly kind: 'conflict'
      readonly path: Path
      /** What is wrong, to be read after the path: `cannot stand beside value`. */
      readonly message: string
      /** The text that is refused, where it is the text alone. */
      readonly value?: string
    }
  | { readonly kind: 'bad-name'; readonly path: Path; readonly value: string; readonly form: NameForm }
  | {
      /** Two entries of a list that the API server tells apart by `keys` have the same ones. */
      readonly kind: 'duplicate-entry'
      readonly path: Path
      /** The index of the first of them in the list as it is written. */
      readonly first: number
      /** The values they share: `{ name: 'http' }`; `{ '=': 'http' }` for plain values. */
      readonly keys: Readonly<Record<string, unknown>>
      /** Whether the API server refuses the object; if not, one of the entries has no effect. */
      readonly refused: boolean
    }
  | {
      /** Refused as it stands, but a person is to replace it first: `PV_NAME`, `<your domain>`. */
      readonly kind: 'placeholder'
      readonly path: Path
      /** The part of the value that is to be replaced. */
      readonly blank: string
    }
  | {
      /** A group that does not serve this kind in this version; a built-in one never did before. */
      readonly kind: 'unknown-kind'
      readonly path: Path
      readonly apiVersion: string
      readonly objectKind: string
      /** Other apiVersions that serve a kind of this name at the version in question. */
      readonly servedBy: readonly string[]
      /** Whether a CustomResourceDefinition says so. */
      readonly custom?: boolean
      /** A kind of this apiVersion that is spelt much the same. */
      readonly nearest?: string
      /** The minor version that serves it first, when that is still to come. */
      readonly since?: number
    }

function blankOf(expected: Expected, value: unknown): string | undefined {
  if (expected === 'mapping') return undefined
  return blankMapping(value) ?? (expected === 'list' ? undefined : blankList(value))
}

/** A value of another type than it has to be, or a mark that a script replaces by one. */
export function wrongType(path: Path, expected: Expected, value: unknown): SchemaProblem {
  const blank = blankOf(expected, value)
  if (blank !== undefined) return { kind: 'placeholder', path: [...path], blank }
  const actual = jsonType(value)
  return { kind: 'wrong-type', path: [...path], expected, actual, ...(isScalar(value) && { value }) }
}
