/** Which objects kustomizations change before they are applied. */
import type { Path, Step } from '../finding.js'
import type { Kustomization, PatchTarget } from '../reader/input.js'
import { matcher } from '../schema/pattern.js'
import { push } from '../values/group.js'
import { memo } from '../values/lazy.js'
import { isObject, numberAt, ownValue, stringAt, valueAt } from '../values/untyped.js'
import { type Builds, isComponent, isTransformed } from './builds.js'
import type { AppliedPatches } from './flux.js'
import { stepsOf } from './json-patch.js'
import { folderOf, type Resource } from './resource.js'

/** The questions about patches. */
export interface Patches {
  /** Whether a patch of a kustomization that builds on the object's file is for the object; those of Flux and Argo CD are left out. */
  isPatched(object: Resource): boolean
  /**
   * Whether such a patch, or a replacement, may write a field of a container of the object, or add a container that has it. The
   * field of that name of the pod itself counts, too: `resources` may stand there for all containers.
   * @param counts whether what is written there matters; all does by default
   */
  mayAdd(object: Resource, field: string, counts?: (value: unknown) => boolean): boolean
  /** Tells whether such a patch, or a replacement, writes or removes a field or what it is part of; undefined without any. */
  of(object: Resource): ((path: Path) => boolean) | undefined
  /** The numbers of replicas that such patches set. */
  replicasOf(object: Resource): readonly number[]
}

/**
 * Paths of files are compared as they are written, relative to the same folder.
 * @param applied the patches of what applies files
 */
export function patchesOf(
  kustomizations: readonly Kustomization[],
  builds: Builds,
  applied: readonly AppliedPatches[],
): Patches {
  const byFile = new Map<string, { readonly patch: PatchTarget; readonly by: Kustomization | undefined }[]>()
  for (const one of kustomizations) {
    const changing = [...one.patches, ...one.replaced]
    if (changing.length === 0) continue
    for (const file of builds.changedBy(one))
      for (const patch of changing) push(byFile, file, { patch, by: one })
  }
  for (const { patches, files } of applied)
    for (const file of files) for (const patch of patches) push(byFile, file, { patch, by: undefined })
  const found = memo((object: Resource) => {
    const own = byFile.get(object.document.file.name)
    // A folder that is built from and has no kustomization: a script or Makefile writes it.
    const ofFolder = byFile.get(object.folders.join('/'))
    return [...(own ?? []), ...(ofFolder ?? [])].filter(({ patch }) => isFor(patch, object))
  })
  /** Whether everything that is built from the file goes through the kustomization. */
  const isInAll = (file: string, one: Kustomization) =>
    builds.outermost().every(({ files, parts }) => !files.has(file) || parts.has(one))
  return {
    isPatched: (object) => found(object).some(({ patch, by }) => by?.patches.includes(patch)),
    mayAdd: (object, field, counts = () => true) =>
      found(object).some(({ patch: { change } }) =>
        Array.isArray(change)
          ? change.some((operation) => operatesOnContainers(operation, field, counts))
          : change === undefined ||
            mergesContainers(valueAt(change, 'spec', 'template', 'spec'), field, counts),
      ),
    of: (object) => {
      const own = found(object)
      if (own.length === 0) return undefined
      return (path) =>
        own.some(({ patch: { change }, by }) => {
          if (isDeletion(change)) return by !== undefined && isInAll(object.document.file.name, by)
          return Array.isArray(change)
            ? change.some((operation) => operates(operation, path))
            : merges(change, object.value, path)
        })
    },
    replicasOf: (object) => found(object).flatMap(({ patch }) => replicasIn(patch.change)),
  }
}

function replicasIn(change: unknown): number[] {
  const numbers = Array.isArray(change)
    ? change.map((one) => (stringAt(one, 'path') === '/spec/replicas' ? numberAt(one, 'value') : undefined))
    : [numberAt(change, 'spec', 'replicas')]
  return numbers.filter((one) => one !== undefined)
}

/** Whether a JSON patch operation may write a field of a container in a pod template: the field, a container, or what holds them. */
function operatesOnContainers(
  operation: unknown,
  field: string,
  counts: (value: unknown) => boolean,
): boolean {
  const pointer = stringAt(operation, 'path')
  if (pointer === undefined) return true
  const [spec, template, inner, list, ...below] = stepsOf(pointer) ?? []
  if (![undefined, '', 'spec'].includes(spec) || ![undefined, 'template'].includes(template)) return false
  if (![undefined, 'spec'].includes(inner)) return false
  if (list === undefined) return true
  if (list === field) return counts(writtenBy(operation, below))
  if (!/^(?:initC|c)ontainers$/.test(list)) return false
  const [, own, ...within] = below
  return own === undefined || (own === field && counts(writtenBy(operation, within)))
}

/** What an operation writes into a field, by the steps that it goes into it; `true` stands for what it does not say itself. */
function writtenBy(operation: unknown, steps: readonly string[]): unknown {
  const value = stringAt(operation, 'op') === 'remove' ? {} : (valueAt(operation, 'value') ?? true)
  return steps.reduceRight((inner, step) => ({ [step]: inner }), value)
}

/** Whether a strategic-merge patch for the specification of pods may. */
function mergesContainers(pod: unknown, field: string, counts: (value: unknown) => boolean): boolean {
  if (pod === undefined) return false
  if (!isObject(pod) || '$patch' in pod || (field in pod && counts(pod[field]))) return true
  return [pod.containers, pod.initContainers].some((list) => {
    if (list === undefined) return false
    const adds = (one: unknown) =>
      !isObject(one) || !('name' in one) || '$patch' in one || (field in one && counts(one[field]))
    return !Array.isArray(list) || list.some(adds)
  })
}

/** Whether a patch takes the whole object away. */
function isDeletion(change: unknown): boolean {
  return valueAt(change, '$patch') === 'delete'
}

/** Fields that nearly every patch goes through: having them in common says nothing. */
const roads: ReadonlySet<unknown> = new Set([
  'spec',
  'template',
  'jobTemplate',
  'metadata',
  'name',
  undefined,
])

/** Whether a JSON patch operation changes the field, something in it, or what holds it. */
function operates(operation: unknown, path: Path): boolean {
  const pointer = stringAt(operation, 'path')
  if (pointer === undefined || stringAt(operation, 'op') === 'test') return false
  const steps = stepsOf(pointer) ?? []
  const common = Math.min(steps.length, path.length)
  for (let i = 0; i < common; i++) {
    const step = steps[i]
    if (step !== '*' && step !== String(path[i])) return false
  }
  return steps.length <= path.length || !isRoad(path.at(-1))
}

function isRoad(step: Step | undefined): boolean {
  return typeof step === 'number' || roads.has(step)
}

/** Whether a strategic-merge patch does: `value` is what it is merged into. */
function merges(patch: unknown, value: unknown, path: Path, i = 0): boolean {
  if (Array.isArray(patch)) return mergesItem(patch, value, path, i)
  if (!isObject(patch)) return patch !== undefined
  if (isDeletion(patch) || valueAt(patch, '$patch') === 'replace') return true
  const step = path[i]
  if (step === undefined) return !isRoad(path.at(-1))
  const own = Object.hasOwn(patch, step) ? patch[step] : undefined
  // A null removes the field. The names of what is merged are in both.
  if (own === null) return true
  const before = valueAt(value, step)
  return own !== undefined && own !== before && merges(own, before, path, i + 1)
}

/** The fields by which the lists of Kubernetes are merged, and those that tell apart what is in other lists. */
const mergeKeys = ['name', 'mountPath', 'containerPort', 'port', 'devicePath', 'topologyKey', 'ip', 'key']

/** A list is merged item by item where the items of the patch have a key, else replaced. */
function mergesItem(patch: readonly unknown[], value: unknown, path: Path, i: number): boolean {
  const step = path[i]
  const item = Array.isArray(value) && typeof step === 'number' ? value[step] : undefined
  const keys = mergeKeys.filter((key) => patch.some((one) => valueAt(one, key) !== undefined))
  if (keys.length === 0) return true
  const counterpart = patch.find((one) =>
    keys.some((key) => valueAt(item, key) !== undefined && valueAt(one, key) === valueAt(item, key)),
  )
  return item === undefined
    ? step === undefined
    : counterpart !== undefined && merges(counterpart, item, path, i + 1)
}

/** Names that files and folders of partial objects have: `overlays/prod/`, `deployment-patch.yaml`. */
const patchPath = /(^|[-_./])(overlays?|patch(es)?)([-_./]|$)/i

/**
 * Tells whether what is applied is what a tool makes of the file: a kustomization stands in its folder or lists it, or file
 * or folder are called a patch or overlay.
 */
export function kustomizedFinder(kustomizations: readonly Kustomization[]): (object: Resource) => boolean {
  const built = new Set(kustomizations.flatMap(({ folder, resources }) => [folder, ...resources]))
  return (object) => {
    const { document } = object
    // What was built is whole.
    if (document.live || document.built) return false
    const { name } = document.file
    return patchPath.test(name) || built.has(name) || built.has(folderOf(object))
  }
}

function isIdentity([first, second, ...more]: Path): boolean {
  if (second === undefined) return first === 'apiVersion' || first === 'kind'
  return first === 'metadata' && second === 'name' && more.length === 0
}

/** Whether what a kustomization builds is not meant to be applied as it is: what uses it may complete it. */
export function isForOthers(one: Kustomization): boolean {
  return (
    isComponent(one) || /(?:^|\/)(?:bases?|common|components?|shared|templates?)(?:\/|$)/i.test(one.folder)
  )
}

/**
 * Tells whether nothing is left to be added to an object at a path before it is applied: kustomizations list its file as a
 * resource, everything that is built from it is known, and none of them changes the object there.
 * @param isKnown whether all that a kustomization builds is known
 * @param patched what their patches change
 */
export function wholeFinder(
  builds: Builds,
  isKnown: (one: Kustomization) => boolean,
  patched: Patches['of'],
): (object: Resource, path: Path) => boolean {
  const rootsOf = memo((file: string) =>
    builds.outermost().flatMap(({ files, parts }) => (files.has(file) ? [[...parts.keys()]] : [])),
  )
  return (object, path) => {
    const { name } = object.document.file
    const roots = rootsOf(name)
    // Of a resource kustomize wants these itself.
    if (roots.length > 0 && isIdentity(path)) return !patchPath.test(name)
    if (patchPath.test(name) || roots.length === 0 || patched(object)) return false
    // It writes the namespaces of what refers to others, too, and labels into selectors.
    const parts = roots.flat()
    const isSet =
      (path.at(-1) === 'namespace' && parts.some(({ namespace }) => namespace !== undefined)) ||
      (path.includes('selector') && parts.some(({ podLabels }) => Object.keys(podLabels).length > 0))
    return (
      !isSet &&
      roots.every(
        ([root]) => root !== undefined && !isForOthers(root) && !isTransformed(root) && isKnown(root),
      )
    )
  }
}

/** Whether a patch is for an object, as it is written. */
export function isFor(patch: PatchTarget, { kind, name, namespace, value }: Resource): boolean {
  return (
    isCalled(patch.kind, kind) &&
    isCalled(patch.name, name) &&
    (namespace === '' || isCalled(patch.namespace, namespace)) &&
    selects(patch.labels, value.metadata?.labels) &&
    selects(patch.annotations, value.metadata?.annotations)
  )
}

/** Patterns as Go reads them: a kustomization may be anybody's, and JavaScript's own could take for ever. */
const pattern = memo((text: string) => (plain.test(text) ? undefined : matcher(`^(?:${text})$`)))
/** A name that matches nothing but itself, as nearly all are. */
const plain = /^[\w-]*$/
const mostSteps = 100_000

/** Whether a name is the one that a target gives, or matches it as a pattern. */
export function isCalled(wanted: string | undefined, name: string): boolean {
  if (wanted === undefined || wanted === name) return true
  return pattern(wanted)?.(name, { steps: mostSteps }) ?? false
}

// `key`, `!key`, `key=value`, `key!=value`, `key in (a, b)`, `key notin (a, b)`.
const requirement = /\s*(!?)([\w./-]+)\s*(?:(!?)==?\s*([\w.-]*)|(not)?in\s*\(([^)]*)\))?\s*(?:,|$)/gy

/** Whether a selector as kubectl takes it selects the labels. */
function selects(selector = '', labels: Readonly<Record<string, string>> = {}): boolean {
  return [...selector.replace(/\s+/g, ' ').matchAll(requirement)].every(
    ([, absent, key = '', not, equal, notIn, among]) => {
      const own = ownValue(labels, key)
      if (equal !== undefined) return (own === equal) === (not === '')
      if (among !== undefined)
        return among.split(',').some((one) => one.trim() === own) === (notIn === undefined)
      return (own === undefined) === (absent === '!')
    },
  )
}
