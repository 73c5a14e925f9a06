/** What a kustomization says about objects that are not in the input as such. */
import { posix } from 'node:path'
import type { Document } from '../document.js'
import { isMapping, type Mapping } from './classify.js'
import { setOwn } from './expand.js'
import type { Kustomization, PatchTarget } from './input.js'
import { parse } from './parse.js'

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
    replicas: mappings(value.replicas).flatMap((one) => {
      const name = text(one.name)
      return name !== undefined && typeof one.count === 'number' ? [{ name, count: one.count }] : []
    }),
    resources: [...list(value.resources), ...list(value.bases), ...list(value.components)].flatMap((path) =>
      typeof path === 'string' && path !== '' ? [posix.join(folder, path).replace(/\/$/, '')] : [],
    ),
    patches: [
      ...[...mappings(value.patches), ...mappings(value.patchesJson6902)].flatMap((one) =>
        isMapping(one.target)
          ? [{ kind: text(one.target.kind), name: text(one.target.name) }]
          : inlineTargets(one.patch),
      ),
      ...list(value.patchesStrategicMerge).flatMap(inlineTargets),
    ],
  }
}

/** What a strategic-merge patch is for: an object of its kind and name. Nothing for a list of JSON patch operations. */
export function patchTarget(value: unknown): PatchTarget[] {
  if (!isMapping(value) || !isMapping(value.metadata)) return []
  const kind = text(value.kind)
  const name = text(value.metadata.name)
  return kind !== undefined && name !== undefined ? [{ kind, name }] : []
}

/** The targets of a patch that is written into the kustomization; file names give none. */
function inlineTargets(patch: unknown): PatchTarget[] {
  if (typeof patch !== 'string' || !patch.includes('\n')) return []
  const parsed = parse(patch)
  return parsed.ok ? patchTarget(parsed.value) : []
}

/** The files that a kustomization uses as patches, relative to its folder. */
export function patchFiles(value: unknown): string[] {
  if (!isMapping(value)) return []
  const listed = [
    ...mappings(value.patches).map((one) => one.path),
    ...mappings(value.patchesJson6902).map((one) => one.path),
    ...list(value.patchesStrategicMerge),
  ]
  return listed.flatMap((path) =>
    typeof path === 'string' && path !== '' && !path.includes('\n') ? [path] : [],
  )
}

/** The number of replicas that a strategic-merge patch sets, and for what. */
export function replicasIn(patch: unknown): { readonly name: string; readonly count: number } | undefined {
  if (!isMapping(patch) || !isMapping(patch.spec) || !isMapping(patch.metadata)) return undefined
  const name = text(patch.metadata.name)
  const count = patch.spec.replicas
  return name !== undefined && typeof count === 'number' ? { name, count } : undefined
}

/** Empties the literal values of secret generators: `password=` stays. */
export function dropGeneratedSecrets(value: unknown): void {
  if (!isMapping(value)) return
  for (const generator of mappings(value.secretGenerator)) {
    if (!Array.isArray(generator.literals)) continue
    const literals = generator.literals.map((one) =>
      typeof one === 'string' ? one.slice(0, one.indexOf('=') + 1) : '',
    )
    setOwn(generator as Record<string, unknown>, 'literals', literals)
  }
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
