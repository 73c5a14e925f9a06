/** Keeps the values of Secrets out of everything that comes after the reader. */
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { lastApplied } from '../kubernetes.js'
import { setOwn } from '../values/untyped.js'
import { isMapping, type Mapping } from './classify.js'
import { isList, type UnfoldedObject } from './unfold.js'

/** What a Secret has besides its values. Anything else may be a value that stands a level too high, or under a name with a slip. */
const plain: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'type', 'immutable'])
/** The fields of metadata. Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (ObjectMeta). */
const plainMeta: ReadonlySet<string> = new Set([
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'labels',
  'managedFields',
  'name',
  'namespace',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
])
/** What a generator has besides its values. Source: sigs.k8s.io/kustomize/api/types (SecretArgs). */
const plainInGenerator: ReadonlySet<string> = new Set([
  'behavior',
  'env',
  'envs',
  'files',
  'name',
  'namespace',
  'options',
  'type',
])

/** The Secrets in a value. In a `SecretList` the items need not say what they are. */
function secretsIn(value: unknown, path: Path, isItem = false): UnfoldedObject[] {
  if (!isMapping(value)) return []
  const { kind, apiVersion } = value
  if (isList(value))
    return value.items.flatMap((item, i) => secretsIn(item, [...path, 'items', i], kind === 'SecretList'))
  const group =
    typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.replace(/\/.*$/s, '') : ''
  // Only built-in groups have names without a dot, and no other kind of theirs has that field: the kind is a slip.
  const isSlip = value.stringData !== undefined && value.spec === undefined
  const isSecret = kind === 'Secret' || isSlip || (isItem && kind === undefined)
  return isSecret && !group.includes('.') ? [{ value, path }] : []
}

/**
 * Empties the values of all Secrets in a value that nobody else holds: `data`, `stringData` and what no Secret has keep their keys with
 * the empty values of their types, and the annotation in which kubectl keeps a copy of the whole object is emptied.
 */
export function dropSecretValues(value: unknown): void {
  for (const { value: secret } of secretsIn(value, [])) {
    emptyAll(secret, plain)
    if (!isMapping(secret.metadata)) continue
    emptyAll(secret.metadata, plainMeta)
    const { annotations } = secret.metadata
    if (isMapping(annotations) && Object.hasOwn(annotations, lastApplied))
      setOwn(annotations as Record<string, unknown>, lastApplied, '')
  }
}

/** Whether a text that could not be read may be a Secret, or a list with one. */
export function mayBeSecret(text: string): boolean {
  return /\bkind["']?[ \t]*:[ \t]*["']?Secret\b/.test(text) || text.includes('stringData')
}

/** Empties all fields of a mapping but some. A field without a value (`data:`) stays so: the API server takes it. */
function emptyAll(value: Mapping, kept: ReadonlySet<string>): void {
  for (const key of Object.keys(value)) {
    const own = value[key]
    if (kept.has(key) || own === null) continue
    if (!isMapping(own)) setOwn(value as Record<string, unknown>, key, emptied(own))
    else for (const name of Object.keys(own)) setOwn(own as Record<string, unknown>, name, emptied(own[name]))
  }
}

/** Empties the literal values of secret generators: `password=` stays. */
export function dropGeneratedSecrets(value: unknown): void {
  for (const { generator } of generatorsIn(value)) {
    const { literals } = generator
    const keyOf = (one: unknown) => (typeof one === 'string' ? one.slice(0, one.indexOf('=') + 1) : '')
    emptyAll(generator, new Set([...plainInGenerator, 'literals']))
    if (Array.isArray(literals)) setOwn(generator as Record<string, unknown>, 'literals', literals.map(keyOf))
    else if (typeof literals === 'string')
      setOwn(generator as Record<string, unknown>, 'literals', keyOf(literals))
    else emptyAll(generator, plainInGenerator)
  }
}

/** The secret generators of a kustomization, of which one may stand where a list of them has to. */
function generatorsIn(value: unknown): { readonly generator: Mapping; readonly path: Path }[] {
  const own = isMapping(value) ? value.secretGenerator : undefined
  const list = Array.isArray(own) ? own.map((one, i) => [one, ['secretGenerator', i]] as const) : []
  return [...list, [own, ['secretGenerator']] as const].flatMap(([generator, path]) =>
    isMapping(generator) ? [{ generator, path }] : [],
  )
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
  const beside = (value: unknown, path: Path, kept: ReadonlySet<string>): Path[] =>
    isMapping(value) ? Object.keys(value).flatMap((key) => (kept.has(key) ? [] : [[...path, key]])) : []
  return [
    ...secretsIn(document.value, []).flatMap(({ value, path }) => [
      ...beside(value, path, plain),
      ...beside(value.metadata, [...path, 'metadata'], plainMeta),
      [...path, 'metadata', 'annotations', lastApplied],
    ]),
    ...generatorsIn(document.value).flatMap(({ generator, path }) => [
      ...beside(generator, path, plainInGenerator),
      // A file that is named is no secret, whatever else stands there is.
      ...(Array.isArray(generator.files) ? [] : [[...path, 'files']]),
    ]),
  ]
}
