/** The operations of JSON patches that kustomize refuses, as what they are about is not in their target. */
import { isSamePath, type Path } from '../finding.js'
import { groupOf, type KubernetesObject, versionOf } from '../kubernetes.js'
import type { Kustomization, PatchTarget } from '../reader/input.js'
import { listedPatches } from '../reader/kustomization.js'
import { isObject, stringAt, valueAt } from '../values/untyped.js'
import { applyOperation, stepsOf } from './json-patch.js'
import { isFor } from './patches.js'
import type { Resource } from './resource.js'

/** An operation that keeps a kustomization from being built. */
export interface Refused {
  readonly patch: PatchTarget
  readonly object: KubernetesObject
  readonly op: string
  /** As the operation has it. */
  readonly pointer: string
  /** As far as it leads in the object, and the step that is not there, or has another value. */
  readonly path: Path
  readonly differs: boolean
}

/** All that a kustomization builds on. */
interface Below {
  /** The kustomizations, itself among them. */
  readonly parts: readonly Kustomization[]
  readonly objects: readonly Resource[]
}

/**
 * The first operation of the JSON patches of a kustomization, which is no component, that is refused, of each object. They are tried on
 * the object as it is written, one after the other. Nothing is said where something else may change it before, and of files that are made
 * before a build.
 * Source: sigs.k8s.io/kustomize/api/internal/target/kusttarget_configplugin.go (the order of transformers), api/filters/patchjson6902.
 */
export function refusedBy(own: Kustomization, { parts, objects }: Below): readonly Refused[] {
  const others = parts.filter((one) => one !== own)
  if (!parts.every(hasReadPatches) || others.some((one) => has(one, renaming))) return []
  const patches = own.patches
    .flatMap((patch) => (patch.at ? [{ patch, at: patch.at }] : []))
    .sort((a, b) => rankOf(a.at) - rankOf(b.at))
  return objects.flatMap((object) => {
    const forIt = patches.filter(({ patch }) => isFor(patch, object))
    if (!forIt.some(({ patch }) => Array.isArray(patch.change))) return []
    if (others.some((one) => one.patches.some((patch) => isFor(patch, object)))) return []
    const refused = firstRefused(object, forIt, own, parts)
    // The disk is only asked where there is something to say.
    return refused && !isMade(object, parts) ? [refused] : []
  })
}

/** Undefined where no operation is refused, or where one cannot be told. */
function firstRefused(
  object: Resource,
  patches: readonly { readonly patch: PatchTarget; readonly at: Path }[],
  own: Kustomization,
  parts: readonly Kustomization[],
): Refused | undefined {
  const document = structuredClone(valueAt(object.document.value, ...object.path))
  for (const { patch, at } of patches) {
    const isLate = at[0] === 'patchesJson6902'
    if (!Array.isArray(patch.change) || !selects(patch, at, own, object)) return undefined
    if (isLate && has(own, renaming)) return undefined
    const isGiven = parts.some((one) => (isLate || one !== own) && has(one, giving))
    for (const operation of patch.change) {
      const pointer = stringAt(operation, 'path') ?? ''
      const steps = stepsOf(pointer) ?? []
      const outcome = isOpen(steps, isGiven) ? 'unknown' : applyOperation(document, operation)
      if (outcome === 'unknown') return undefined
      if (outcome !== 'applied')
        return {
          patch,
          object: object.value,
          op: stringAt(operation, 'op') ?? '',
          pointer,
          path: pathOf(object.value, steps.slice(0, outcome.depth + 1)),
          differs: outcome.differs ?? false,
        }
    }
  }
  return undefined
}

/**
 * Whether something else may have changed what an operation is about.
 * @param isGiven whether anything gives the object labels and the like
 */
function isOpen(steps: readonly string[], isGiven: boolean): boolean {
  // During a build kustomize keeps annotations of its own.
  const isOfBuild = steps[0] === 'metadata' && steps[1] === 'annotations'
  return isOfBuild || (isGiven && steps.some((step) => given.has(step)))
}

/** In which order kustomize applies patches. */
function rankOf([field, index]: Path): number {
  return ['patchesStrategicMerge', 'patches', 'patchesJson6902'].indexOf(String(field)) * 1e6 + Number(index)
}

/** Whether all files of its patches were read. */
function hasReadPatches({ document, patches }: Kustomization): boolean {
  return listedPatches(document.value).every(({ at }) =>
    patches.some((one) => one.change !== undefined && one.at && isSamePath(one.at, at)),
  )
}

/** What gives objects names by which later patches find them, or writes fields that nobody knows from the outside. */
const renaming = ['namePrefix', 'nameSuffix', 'replacements']
/** What gives them labels, annotations, a namespace or a number of pods, and where. */
const giving = ['commonLabels', 'labels', 'commonAnnotations', 'namespace', 'replicas']
const given: ReadonlySet<string> = new Set([
  'metadata',
  'labels',
  'annotations',
  'namespace',
  'replicas',
  'selector',
  'labelSelector',
  'matchLabels',
  'podSelector',
])

function has({ document: { value } }: Kustomization, fields: readonly string[]): boolean {
  return isObject(value) && fields.some((field) => value[field] !== undefined)
}

/** Whether git ignores the file of the object, or a script writes it. */
function isMade({ document: { file } }: Resource, parts: readonly Kustomization[]): boolean {
  return parts.some(({ references }) => references.some((one) => one.path === file.name && one.mayCome()))
}

/** Whether a patch that is for an object by kind and name is so by all that its target says. */
function selects(patch: PatchTarget, at: Path, { document }: Kustomization, object: Resource): boolean {
  const target = valueAt(document.value, ...at.slice(0, -1), 'target')
  const { apiVersion, value } = object
  const isSame = (field: string, own: string) => {
    const wanted = stringAt(target, field)
    return wanted === undefined || wanted === '' || wanted === own
  }
  return (
    patch.labels === undefined &&
    patch.annotations === undefined &&
    isSame('group', groupOf(apiVersion)) &&
    isSame('version', versionOf(apiVersion)) &&
    isSame('namespace', value.metadata?.namespace ?? '')
  )
}

/** The steps as they lead through the object: the indices of lists are numbers. */
function pathOf(value: unknown, steps: readonly string[]): Path {
  let here = value
  return steps.map((step) => {
    const own = Array.isArray(here) && /^\d+$/.test(step) ? Number(step) : step
    here = valueAt(here, own)
    return own
  })
}
