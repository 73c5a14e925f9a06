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

function empty(value: unknown): void {
  if (!isMapping(value)) return
  for (const key of Object.keys(value)) setOwn(value as Record<string, unknown>, key, '')
}

/** The lines of a document that hold values of Secrets (both ends included), in lines of the file. */
export function secretRanges(document: Document): { startLine: number; endLine: number }[] {
  const secrets = unfold(document).filter(({ value }) => isSecret(value))
  if (secrets.length === 0) return []
  const locator = document.locate()
  const range = (path: Path) => {
    const { line } = locator.key(path)
    return { startLine: line, endLine: locator.extent(path).endLine }
  }
  return secrets.flatMap(({ path }) =>
    [...fields.map((field) => [...path, field]), [...path, 'metadata', 'annotations', lastApplied]]
      .filter((one) => locator.has(one))
      .map(range),
  )
}
