/** Keeps the values of Secrets out of everything that comes after the reader. */
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { isMapping, type Mapping } from './classify.js'
import { setOwn } from './expand.js'
import { unfold, unfoldValue } from './unfold.js'

const fields = ['data', 'stringData'] as const
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

function isSecret(object: Mapping): boolean {
  return object.kind === 'Secret' && (object.apiVersion === 'v1' || object.apiVersion === undefined)
}

/**
 * Empties the values of all Secrets in a value that nobody else holds: `data` and `stringData` keep their keys with empty
 * values, and so does the annotation in which kubectl keeps a copy of the whole object.
 */
export function dropSecretValues(value: unknown): void {
  for (const { value: object } of unfoldValue(value, [])) {
    if (!isSecret(object)) continue
    for (const field of fields) empty(object[field])
    const annotations = isMapping(object.metadata) ? object.metadata.annotations : undefined
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
  for (const key of Object.keys(value)) setOwn(value as Record<string, unknown>, key, '')
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
  const secrets = unfold(document).filter(({ value }) => isSecret(value))
  const generators = isMapping(document.value) ? document.value.secretGenerator : undefined
  return [
    ...secrets.flatMap(({ path }) => [
      ...fields.map((field) => [...path, field]),
      [...path, 'metadata', 'annotations', lastApplied],
    ]),
    ...(Array.isArray(generators) ? generators.map((_, i) => ['secretGenerator', i, 'literals']) : []),
  ]
}
