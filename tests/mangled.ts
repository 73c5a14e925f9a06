/** Objects of fixtures, changed on purpose, as the engine takes them. */
import type { Document, SourceFile } from '../src/document.js'
import type { Path } from '../src/finding.js'
import { classify } from '../src/reader/classify.js'
import type { Cluster, Input, Kustomization } from '../src/reader/input.js'
import { kustomizationOf } from '../src/reader/kustomization.js'
import { type Disk, referencesOf } from '../src/reader/references.js'
import { isObject } from '../src/values/untyped.js'
import type { Run } from './harness.js'

/** A document without text: places do not matter here. */
function documentOf(value: unknown, live: boolean): Document {
  const file: SourceFile = { name: 'mangled.yaml', text: '' }
  const nowhere = { line: 1, column: 1, endLine: 1, endColumn: 1 }
  return {
    file,
    line: 1,
    text: '',
    value,
    hasDuplicates: false,
    locate: () => ({
      key: () => nowhere,
      value: () => nowhere,
      extent: () => nowhere,
      written: () => undefined,
      has: () => false,
      depth: () => 0,
      duplicates: [],
    }),
    ...(live && { live: { isSilent: false } }),
  }
}

/** A cluster whose server tells anything at all. */
function clusterOf(values: readonly unknown[], now: string): Cluster {
  return {
    context: 'test',
    version: undefined,
    namespace: undefined,
    unread: [],
    unreadKinds: new Set(),
    partialKinds: new Set(),
    made: [],
    events: values.filter(isObject),
    readAt: Date.parse(now),
  }
}

/** Wherever a kustomization leads, there is something else. */
function kustomizationsOf(document: Document): Kustomization[] {
  return (['nothing', 'file', 'folder', 'kustomization', 'blank'] as const).map((there) => {
    const disk: Disk = {
      at: () => there,
      mayCome: () => false,
      mayGrow: () => false,
      isCheckedOut: () => true,
      nearest: () => 'near.yaml',
    }
    const references = referencesOf(document.value, there, '/', disk)
    return {
      ...kustomizationOf(document),
      folder: there,
      references: references.map((one) => (there === 'file' ? { ...one, isRead: true } : one)),
    }
  })
}

/** The objects as what was read, of files or of a cluster. */
export function inputOfValues(
  values: readonly unknown[],
  { live = false, now = '2026-11-21T12:00:00Z' }: Run,
): Input {
  const documents = values.map((value) => documentOf(value, live))
  const isKustomization = ({ value }: Document) => classify(value, 'mangled.yaml') === 'kustomization'
  return {
    documents: documents.filter((one) => !isKustomization(one)),
    ...(live && { cluster: clusterOf(values, now) }),
    kustomizations: documents.filter(isKustomization).flatMap(kustomizationsOf),
    problems: [],
    skips: [],
    files: 1,
    missing: [],
  }
}

/** The value with another at the end of the path; without it where that is undefined. */
export function damaged(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by
  if (Array.isArray(value)) {
    // No document has a hole in a list.
    if (rest.length === 0 && by === undefined) return value.filter((_, i) => i !== step)
    return value.map((item, i) => (i === step ? damaged(item, rest, by) : item))
  }
  const object = value as Record<string, unknown>
  const { [step]: old, ...others } = object
  return rest.length === 0 && by === undefined ? others : { ...object, [step]: damaged(old, rest, by) }
}
