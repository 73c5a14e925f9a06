/** js-yaml with the meaning that go-yaml v2, and so kubectl and the API server, give to YAML. */
import { loadAll, Schema, type State, Type, YAMLException } from 'js-yaml'
import { mergeKey } from './expand.js'
import { mended, unmended } from './mend.js'
import { isTimestamp, plainValue, taggedValue } from './scalar.js'

/** Deeper nesting is refused: nothing that walks a value needs to fear for its stack. */
export const deepest = 300

// What the scalar types share: js-yaml asks them to resolve a text first, and to construct its value right after.
let resolved: unknown
let merges = 0
let sawInfinity = false

function resolvePlain(text: string): boolean {
  if (text === '<<') {
    resolved = mergeKey(merges++)
    return true
  }
  resolved = plainValue(text)
  if (typeof resolved === 'number' && !Number.isFinite(resolved)) sawInfinity = true
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

export interface Loaded {
  readonly value: unknown
  readonly hasDuplicates: boolean
  /** There may be aliases or merge keys in it, which are not applied yet. */
  readonly isShared: boolean
  /** There are plain `<<` in it. */
  readonly hasMerges: boolean
  /** There is an infinity or a NaN in it, at least as a key. */
  readonly sawInfinity: boolean
}

/**
 * Reads one document; tries again with what kubectl takes and js-yaml does not.
 *
 * @throws YAMLException
 */
export function loadDocument(text: string): Loaded {
  try {
    return loadOnce(text)
  } catch (error) {
    const other = mended(text)
    if (other === text) throw error
    let loaded: Loaded
    try {
      loaded = loadOnce(other)
    } catch {
      throw error
    }
    return { ...loaded, value: unmended(loaded.value) }
  }
}

function loadOnce(text: string): Loaded {
  merges = 0
  sawInfinity = false
  let value: unknown
  let hasDuplicates = false
  try {
    ;[value] = loadAll(text, null, options())
  } catch (error) {
    if (!(error instanceof YAMLException) || error.reason !== 'duplicated mapping key') throw error
    hasDuplicates = true
    merges = 0
    ;[value] = loadAll(text, null, { ...options(), json: true })
  }
  const isShared = merges > 0 || (text.includes('*') && text.includes('&') && hasAlias(text))
  return { value: value ?? null, hasDuplicates, isShared, hasMerges: merges > 0, sawInfinity }
}

/** May say yes to text in block scalars, never no to an alias. */
function hasAlias(text: string): boolean {
  return /(?:^|[\s[{,:])\*[^\s,[\]{}]/.test(text) && /(?:^|[\s[{,:])&[^\s,[\]{}]/.test(text)
}

/** Reads one document that `parse` accepted, reporting its nodes. */
export function listen(text: string, listener: Listener): void {
  merges = 0
  loadAll(text, null, { ...options(listener), json: true })
}
