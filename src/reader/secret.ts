/** Keeps the values of Secrets out of everything that comes after the reader. */
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { setOwn } from '../values/untyped.js'
import { isMapping } from './classify.js'
import { isList, type UnfoldedObject } from './unfold.js'

const fields = ['data', 'stringData'] as const
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** The Secrets in a value. In a `SecretList` the items need not say what they are. */
function secretsIn(value: unknown, path: Path, isItem = false): UnfoldedObject[] {
  if (!isMapping(value)) return []
  const { kind, apiVersion } = value
  if (isList(value))
    return value.items.flatMap((item, i) => secretsIn(item, [...path, 'items', i], kind === 'SecretList'))
  const isCore = typeof apiVersion !== 'string' || !apiVersion.includes('/')
  return isCore && (kind === 'Secret' || (isItem && kind === undefined)) ? [{ value, path }] : []
}

/**
 * Empties the values of all Secrets in a value that nobody else holds: `data` and `stringData` keep their keys with the
 * empty values of their types, and the annotation in which kubectl keeps a copy of the whole object is emptied.
 */
export function dropSecretValues(value: unknown): void {
  for (const { value: secret } of secretsIn(value, [])) {
    for (const field of fields) empty(secret[field])
    const annotations = isMapping(secret.metadata) ? secret.metadata.annotations : undefined
    if (isMapping(annotations) && lastApplied in annotations)
      setOwn(annotations as Record<string, unknown>, lastApplied, '')
  }
}

/** Whether a text that could not be read may be a Secret, or a list with one. */
export function mayBeSecret(text: string): boolean {
  return /\bkind["']?[ \t]*:[ \t]*["']?Secret\b/.test(text) || text.includes('stringData')
}

function empty(value: unknown): void {
  if (!isMapping(value)) return
  for (const key of Object.keys(value)) setOwn(value as Record<string, unknown>, key, emptied(value[key]))
}

/** The API server refuses all but text, so what is none has to stay recognisable. */
function emptied(value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'object':
      return value === null ? '' : Array.isArray(value) ? [] : {}
    default:
      return ''
  }
}

/** The lines of a document that hold values of Secrets (both ends included), in lines of the file. */
export function secretRanges(document: Document): { startLine: number; endLine: number }[] {
  const paths = secretPaths(document)
  if (paths.length === 0) return []
  const locator = document.locate()
  return paths
    .filter((path) => locator.has(path))
    .map((path) => ({ startLine: locator.key(path).line, endLine: locator.extent(path).endLine }))
}

function secretPaths(document: Document): Path[] {
  const secrets = secretsIn(document.value, [])
  const generators = isMapping(document.value) ? document.value.secretGenerator : undefined
  return [
    ...secrets.flatMap(({ path }) => [
      ...fields.map((field) => [...path, field]),
      [...path, 'metadata', 'annotations', lastApplied],
    ]),
    ...(Array.isArray(generators) ? generators.map((_, i) => ['secretGenerator', i, 'literals']) : []),
  ]
}
