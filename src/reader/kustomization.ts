/** What a kustomization says about objects that are not in the input as such. */
import { posix } from 'node:path'
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import { escapedStep } from '../values/pointer.js'
import type { Labels } from '../values/selector.js'
import { isMapping, type Mapping } from './classify.js'
import type { Kustomization, PatchTarget } from './input.js'
import { parse } from './parse.js'
import { pathFrom } from './references.js'

/** Reads a kustomization; what is misshapen in it is left out. */
export function kustomizationOf(document: Document): Kustomization {
  const value = isMapping(document.value) ? document.value : {}
  const namespace = text(value.namespace)
  const generated = (kind: 'ConfigMap' | 'Secret', list: unknown) =>
    mappings(list).flatMap((one) => {
      const name = text(one.name)
      return name === undefined ? [] : [{ kind, name, namespace: text(one.namespace) ?? namespace }]
    })
  const folder = posix.dirname(document.file.name)
  return {
    document,
    folder,
    generated: [
      ...generated('ConfigMap', value.configMapGenerator),
      ...generated('Secret', value.secretGenerator),
    ],
    images: mappings(value.images).flatMap((one) => {
      const name = text(one.name)
      return name === undefined ? [] : [{ name, pinned: isSet(one.newTag) || isSet(one.digest) }]
    }),
    namespace,
    podLabels: podLabelsIn(value, 'includeSelectors', 'includeTemplates'),
    selectorLabels: podLabelsIn(value, 'includeSelectors'),
    replicas: mappings(value.replicas).flatMap((one) => {
      const name = text(one.name)
      return name !== undefined && typeof one.count === 'number' ? [{ name, count: one.count }] : []
    }),
    resources: [...list(value.resources), ...list(value.bases), ...list(value.components)].flatMap((path) =>
      typeof path === 'string' && path !== '' ? [pathFrom(folder, path)] : [],
    ),
    references: [],
    isCheckedOut: () => false,
    patches: inlinePatches(value),
    replaced: replacedFields(list(value.replacements)),
  }
}

/**
 * The labels that a kustomization puts into pod templates, or into those and selectors: `commonLabels` always, `labels` where one of the
 * fields says so. Source: sigs.k8s.io/kustomize/api/types (Label).
 */
function podLabelsIn({ commonLabels, labels }: Mapping, ...fields: readonly string[]): Labels {
  const included = mappings(labels).filter((one) => fields.some((field) => one[field] === true))
  const pairs = [commonLabels, ...included.map((one) => one.pairs)].filter(isMapping).flatMap(Object.entries)
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
}

/**
 * Whether a kustomization says nothing but what it is, as kustomize refuses it from 5.1 on; an empty list is something. Source:
 * sigs.k8s.io/kustomize/api/types/kustomization.go (CheckEmpty).
 */
export function isBlankKustomization(value: unknown): boolean {
  return (
    isMapping(value) &&
    Object.entries(value).every(
      ([field, own]) => field === 'apiVersion' || field === 'kind' || own === null || own === '',
    )
  )
}

/** A patch as a kustomization lists it: its own text or the name of a file, and the objects that it is for, if they are named. */
interface ListedPatch {
  readonly target: PatchTarget | undefined
  readonly inline: string | undefined
  readonly file: string | undefined
  /** Where the text stands in the kustomization, or the name. */
  readonly at: Path
}

/** What the patches change whose text stands in a kustomization itself, or in what has the same lists. */
export function inlinePatches(value: unknown): PatchTarget[] {
  return listedPatches(value).flatMap(({ target, inline, at }) =>
    inline === undefined ? [] : patchesFor(target, bodyOf(inline), at),
  )
}

/** The patches that a kustomization lists. */
export function listedPatches(value: unknown): ListedPatch[] {
  if (!isMapping(value)) return []
  const withTargets = ['patches', 'patchesJson6902'].flatMap((field) =>
    list(value[field]).flatMap((one, i): ListedPatch[] => {
      if (!isMapping(one)) return []
      const inline = text(one.patch)
      const target = isMapping(one.target) ? targetOf(one.target) : undefined
      const at = [field, i, inline === undefined ? 'path' : 'patch']
      return [{ target, inline, file: text(one.path), at }]
    }),
  )
  // A text of several lines is the patch itself. Texts alone under `patches` are how the first kustomize listed its patches.
  const merged = ['patchesStrategicMerge', 'patches'].flatMap((field) =>
    list(value[field]).flatMap((one, i): ListedPatch[] => {
      if (field === 'patches' && typeof one !== 'string') return []
      const isInline = typeof one === 'string' && one.includes('\n')
      const inline = isInline ? one : undefined
      return [{ target: undefined, inline, file: isInline ? undefined : text(one), at: [field, i] }]
    }),
  )
  return [...withTargets, ...merged]
}

function targetOf({ kind, name, namespace, labelSelector, annotationSelector }: Mapping): PatchTarget {
  const target = { kind: text(kind), name: text(name) }
  const rest = {
    namespace: text(namespace),
    labels: text(labelSelector),
    annotations: text(annotationSelector),
  }
  const given = Object.entries(rest).filter(([, value]) => value !== undefined)
  return { ...target, ...Object.fromEntries(given) }
}

/**
 * What a patch changes: the objects that its kustomization names, else the one that a strategic-merge patch names itself.
 * @param at where the kustomization lists it
 */
export function patchesFor(target: PatchTarget | undefined, body: unknown, at: Path): PatchTarget[] {
  if (target) return [body === undefined ? { ...target, at } : { ...target, change: body, at }]
  if (!isMapping(body) || !isMapping(body.metadata)) return []
  const kind = text(body.kind)
  const name = text(body.metadata.name)
  return kind !== undefined && name !== undefined ? [{ kind, name, change: body, at, isOwnTarget: true }] : []
}

function bodyOf(patch: string): unknown {
  const parsed = parse(patch)
  return parsed.ok ? parsed.value : undefined
}

/** The files of replacements that a kustomization names, relative to its folder. */
export function replacementFiles(value: unknown): string[] {
  return isMapping(value) ? mappings(value.replacements).flatMap(({ path }) => text(path) ?? []) : []
}

/** The fields that replacements fill in, as patches. */
export function replacedFields(replacements: readonly unknown[]): PatchTarget[] {
  const targets = mappings(replacements).flatMap((one) => mappings(one.targets))
  return targets.flatMap(({ select, fieldPaths }) => {
    if (!isMapping(select)) return []
    const change = list(fieldPaths).flatMap((path) =>
      typeof path === 'string' ? [{ op: 'replace', path: pointerOf(path) }] : [],
    )
    return [{ ...targetOf(select), change }]
  })
}

/** The JSON pointer to a field path of kustomize, `spec.containers.[name=web].image`; a step that searches becomes `*`. */
function pointerOf(fieldPath: string): string {
  const steps = fieldPath.match(/\[[^\]]*\]|(?:\\.|[^.[\\])+/g) ?? []
  return steps
    .map((step) => {
      const name = step.startsWith('[') ? step.slice(1, -1) : step.replace(/\\(.)/g, '$1')
      return `/${name.includes('=') ? '*' : escapedStep(name)}`
    })
    .join('')
}

/** The files that a kustomization uses as patches, relative to its folder. */
export function patchFiles(value: unknown): string[] {
  return listedPatches(value).flatMap(({ file }) => (file === undefined || file.includes('\n') ? [] : [file]))
}

/** The files that a kustomization puts into ConfigMaps and Secrets, relative to its folder: `key=file`, or the file alone. */
export function contentFiles(value: unknown): string[] {
  if (!isMapping(value)) return []
  return [...mappings(value.configMapGenerator), ...mappings(value.secretGenerator)]
    .flatMap(({ files }) => list(files))
    .flatMap((file) => text(file)?.replace(/^[^=]*=/, '') ?? [])
}

/** The number of replicas that a strategic-merge patch sets, and for what. */
export function replicasIn(patch: unknown): { readonly name: string; readonly count: number } | undefined {
  if (!isMapping(patch) || !isMapping(patch.spec) || !isMapping(patch.metadata)) return undefined
  const name = text(patch.metadata.name)
  const count = patch.spec.replicas
  return name !== undefined && typeof count === 'number' ? { name, count } : undefined
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function mappings(value: unknown): Mapping[] {
  return list(value).filter(isMapping)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isSet(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number'
}
