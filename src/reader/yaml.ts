/** One YAML document as kubectl and the API server read it: js-yaml's parser with go-yaml's meaning. */
import { load, Schema, type State, Type, YAMLException } from 'js-yaml'
import { expand, mergeKey, Refusal } from './expand.js'
import { isTimestamp, plainValue, taggedValue } from './scalar.js'

/** Deeper nesting is refused: nothing that walks a value needs to fear for its stack. */
export const deepest = 300

/** Why a text is no readable YAML. Offsets count UTF-16 units from the start of the document's text. */
export interface Mistake {
  readonly reason: string
  readonly offset: number
}

export type Parsed =
  | { readonly ok: true; readonly value: unknown; readonly hasDuplicates: boolean }
  | { readonly ok: false; readonly mistake: Mistake }

// What the scalar types share: js-yaml asks them to resolve a text first, and to construct its value right after.
let resolved: unknown
let merges = 0

function resolvePlain(text: string): boolean {
  if (text === '<<') {
    resolved = mergeKey(merges++)
    return true
  }
  resolved = plainValue(text)
  if (typeof resolved === 'number' && !Number.isFinite(resolved))
    throw new Refusal(`${text} is no number that JSON can hold`)
  return resolved !== text
}

const plain = new Type('tag:k8s-af,plain', {
  kind: 'scalar',
  resolve: resolvePlain,
  construct: () => resolved,
})

function tagged(name: string, value: (text: string) => unknown): Type {
  return new Type(`tag:yaml.org,2002:${name}`, {
    kind: 'scalar',
    resolve: (text: string | null) => {
      resolved = value(text ?? '')
      return resolved !== undefined
    },
    construct: () => resolved,
  })
}

const keep = (kind: 'scalar' | 'sequence' | 'mapping', prefix: string) =>
  new Type(prefix, {
    kind,
    multi: true,
    construct: (value: unknown) => value ?? (kind === 'scalar' ? '' : null),
  })

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const schema = new Schema({
  implicit: [plain],
  explicit: [
    ...(['int', 'float', 'bool', 'null'] as const).map((tag) =>
      tagged(tag, (text) => taggedValue(tag, text)),
    ),
    tagged('timestamp', (text) => (isTimestamp(text) ? text : undefined)),
    tagged('binary', (text) => {
      const bare = text.replace(/[\r\n]/g, '')
      return base64.test(bare) ? Buffer.from(bare, 'base64').toString('utf8') : undefined
    }),
    tagged('merge', (text) => (text === '<<' ? mergeKey(merges++) : text)),
    // All other tags mean nothing to kubectl: the value stays what its form says.
    ...(['scalar', 'sequence', 'mapping'] as const).flatMap((kind) => [keep(kind, 'tag:'), keep(kind, '!')]),
  ],
})

/** Called on entering and on leaving each node, also those that turn out not to be nodes. */
export type Listener = (event: 'open' | 'close', state: State & { anchor: string | null }) => void

function options(listener?: Listener) {
  return { schema, maxDepth: deepest, ...(listener && { listener: listener as never }) }
}

/** Reads one document. Never throws. */
export function parse(text: string): Parsed {
  merges = 0
  try {
    return { ok: true, ...loaded(text) }
  } catch (error) {
    return { ok: false, mistake: mistakeOf(error) }
  }
}

function loaded(text: string): { value: unknown; hasDuplicates: boolean } {
  let value: unknown
  let hasDuplicates = false
  try {
    value = load(text, options())
  } catch (error) {
    if (!(error instanceof YAMLException) || error.reason !== 'duplicated mapping key') throw error
    hasDuplicates = true
    merges = 0
    value = load(text, { ...options(), json: true })
  }
  value ??= null
  const shared = merges > 0 || (text.includes('*') && text.includes('&'))
  return { value: shared ? expand(value) : value, hasDuplicates }
}

/** Reads one document that `parse` accepted, reporting its nodes. */
export function listen(text: string, listener: Listener): void {
  merges = 0
  load(text, { ...options(listener), json: true })
}

function mistakeOf(error: unknown): Mistake {
  if (error instanceof YAMLException) return { reason: error.reason, offset: error.mark.position }
  if (error instanceof Refusal) return { reason: error.message, offset: 0 }
  throw error
}
