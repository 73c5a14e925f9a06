/** "Did you mean": the right name or the right place of a field that the API server does not know. */
import { isSamePath, type Path, type Step } from '../finding.js'
import type { KubernetesObject } from '../kubernetes.js'
import { nearestName } from '../values/similar.js'
import { isObject, isScalar, objectAt, ownValue, valueAt } from '../values/untyped.js'
import { type Definition, definition } from './definitions.js'
import {
  definitionAt,
  fieldsAt,
  formatPlace,
  type Place,
  placeOf,
  placesOfField,
  rootOf,
  takesList,
} from './lookup.js'
import type { SchemaProblem } from './problem.js'
import { hasForm } from './validation/say.js'

export interface Suggestion {
  /** Whether the field has the wrong name or stands in the wrong place. */
  readonly wrong: 'name' | 'place'
  /** Where it belongs, as kubectl writes it: `.spec.concurrencyPolicy`; of a wrong name the right one, `.replicas`. */
  readonly place: string
  /** The same in this object; undefined when there is more than one such place in it, or something stands there. */
  readonly path: Path | undefined
  /** Whether the place is the only one that this kind has for such a field. */
  readonly only: boolean
  /** Whether the same value stands there already: the field can simply go. */
  readonly there: boolean
  /** A field that has to stand beside it and does not yet, with the one value that fits. */
  readonly beside: { readonly path: Path; readonly value: string } | undefined
  /** Whether the right field takes a list of what the wrong one has: `selectors` for `selector`. */
  readonly inList?: boolean
}

/** Kinds of one family that call the same thing differently. */
const otherNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'apps/v1.DaemonSetSpec': { strategy: 'updateStrategy' },
  'apps/v1.DeploymentSpec': { updateStrategy: 'strategy' },
  'apps/v1.StatefulSetSpec': { strategy: 'updateStrategy' },
  'core/v1.Container': { environment: 'env', environments: 'env' },
  // As v1beta1 and extensions/v1beta1 of Ingress, and v2beta1 of the autoscaler, wrote them.
  'networking/v1.IngressBackend': { serviceName: 'service.name', servicePort: 'service.port.number' },
  'networking/v1.IngressSpec': { backend: 'defaultBackend' },
  'autoscaling/v2.ResourceMetricSource': {
    targetAverageUtilization: 'target.averageUtilization',
    targetAverageValue: 'target.averageValue',
  },
}

/** What has to be said beside such a place. */
const besides: Readonly<Record<string, { readonly place: Place; readonly value: string }>> = {
  'target.averageUtilization': { place: ['target', 'type'], value: 'Utilization' },
  'target.averageValue': { place: ['target', 'type'], value: 'AverageValue' },
}

/** Where a version has the fields that the one before it has on another level. */
const formerPlaces: Readonly<Record<string, Readonly<Record<string, Place>>>> = {
  // Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1/types.go and conversion.go.
  'apiextensions/v1.CustomResourceDefinitionSpec': {
    validation: ['spec', 'versions', '[]', 'schema'],
    version: ['spec', 'versions', '[]', 'name'],
  },
}

/** Labels by the names that people and charts give them, where no field is called so. */
const commonLabel = /^(?:app|k8s-app|tier|component|release|chart|heritage|app\.kubernetes\.io\/[\w-]+)$/

/** A field that a kind has in more places than this is too common a name to say where it belongs. */
const mostPlaces = 8

/**
 * What was probably meant by a field that does not exist.
 * @param path of the field
 * @param minor the target minor version
 * @param root the definition of the object, when it is a custom one
 */
export function suggestion(
  object: KubernetesObject,
  path: Path,
  minor: number,
  root: Definition | undefined = rootOf(object.apiVersion ?? '', object.kind ?? '', minor),
): Suggestion | undefined {
  const field = path.at(-1)
  const parent = path.slice(0, -1)
  if (typeof field !== 'string' || root === undefined) return undefined
  const value = valueAt(object, ...path)
  const unknown: UnknownField = { object, path, value, minor, root }
  const siblings = fieldsAt(root, parent, minor) ?? []
  const holder = definitionAt(root, parent, minor)?.name ?? ''
  const former = ownValue(formerPlaces[holder], field)
  if (former) return atPlace(unknown, former, false)
  const other = ownValue(otherNames[holder], field)
  if (other !== undefined) {
    const right = other === 'service.port.number' && typeof value === 'string' ? 'service.port.name' : other
    const found = named(unknown, right.split('.'))
    const { place, value: said = '' } = besides[right] ?? {}
    const beside = place && [...parent, ...place]
    return beside && valueAt(object, ...beside) === undefined
      ? { ...found, beside: { path: beside, value: said } }
      : found
  }
  const near = nearestName(field, siblings)
  const meant = near === undefined ? undefined : named(unknown, [near])
  if (near === undefined && isLabel(field, value)) {
    const labels = labelsAt(holder, unknown)
    // Text in metadata may have been meant as an annotation.
    if (labels) return atPlace(unknown, labels, holder === 'meta/v1.LabelSelector')
  }
  // The same name in another case is misspelt for certain.
  if (near?.toLowerCase() === field.toLowerCase()) return meant
  if (isKeyword(unknown, holder)) return meant
  return placed(unknown, meant === undefined) ?? meant
}

/**
 * Whether a plain value says something of one property of a schema, as `deprecated: true` does in OpenAPI: it is not meant for the version
 * of the definition, which has a field of that name, too. In the schema of the whole object it may be.
 */
function isKeyword({ path, value }: UnknownField, holder: string): boolean {
  return holder === 'apiextensions/v1.JSONSchemaProps' && path.at(-2) !== 'openAPIV3Schema' && isScalar(value)
}

/** Whether a field may be a label: text alone, as the API server takes it. */
function isLabel(field: string, value: unknown): boolean {
  return typeof value === 'string' && hasForm('label value', value) && hasForm('label key', field)
}

/**
 * Where labels belong that stand beside `matchLabels`, or in the metadata itself: there one of them at least has to be called as labels
 * are, or to be selected by the object.
 */
function labelsAt(holder: string, { object, path, root, minor }: UnknownField): Place | undefined {
  const parent = path.slice(0, -1)
  const place = (name: string) => [...placeOf(parent), name]
  const field = String(path.at(-1))
  if (holder === 'meta/v1.LabelSelector') return [...place('matchLabels'), field]
  if (holder !== 'meta/v1.ObjectMeta') return undefined
  const known = fieldsAt(root, parent, minor) ?? []
  const selector = objectAt(object, 'spec', 'selector')
  const selected = { ...selector, ...objectAt(selector, 'matchLabels') }
  const beside = Object.entries(objectAt(object, ...parent) ?? {}).filter(([name]) => !known.includes(name))
  const isCalledSo = (name: string) => commonLabel.test(name) || Object.hasOwn(selected, name)
  const isAnnotation = field.includes('/') && !isCalledSo(field)
  return !isAnnotation && beside.some(([name, one]) => isCalledSo(name) && isLabel(name, one))
    ? [...place('labels'), field]
    : undefined
}

/** The places among a pod's containers where a volume stands: nothing but a name and what only volumes have. */
export function strayVolumes(
  object: KubernetesObject,
  problems: readonly SchemaProblem[],
  minor: number,
): readonly Path[] {
  const { fields } = definition('core/v1.Volume', minor)
  const isVolume = (entry: unknown) =>
    isObject(entry) &&
    Object.keys(entry).every((field) => field !== 'image' && fields.get(field)?.served === true)
  const places = new Map<string, Path>()
  for (const { kind, path } of problems) {
    const place = path.slice(0, -1)
    if (
      kind === 'unknown-field' &&
      /^(?:initC|c)ontainers$/.test(String(place.at(-2))) &&
      isVolume(valueAt(object, ...place))
    )
      places.set(place.join('/'), place)
  }
  return [...places.values()]
}

/**
 * The required field that an unknown one stands for, or belongs below: nothing else is missing beside it, and nothing else is unknown
 * there. A plain value, or a list for one, was written for the missing one, and so was a mapping that has nothing but its fields.
 * @param root the definition of the object, when it is a custom one
 */
export function standsFor(
  object: KubernetesObject,
  unknown: Path,
  problems: readonly SchemaProblem[],
  minor: number,
  root: Definition | undefined = rootOf(object.apiVersion ?? '', object.kind ?? '', minor),
): { readonly missing: Path; readonly isBelow: boolean } | undefined {
  const beside = problems.filter(
    ({ kind, path }) =>
      (kind === 'unknown-field' || (kind === 'missing-field' && valueAt(object, ...path) === undefined)) &&
      isSamePath(path.slice(0, -1), unknown.slice(0, -1)),
  )
  const missing = beside.find(({ kind }) => kind === 'missing-field')?.path
  if (beside.length !== 2 || missing === undefined || root === undefined) return undefined
  const below = fieldsAt(root, missing, minor) ?? []
  const isBelow = below.includes(String(unknown.at(-1)))
  const value = valueAt(object, ...unknown)
  const names = isObject(value) ? Object.keys(value) : []
  const hasItsFields = names.length > 0 && names.every((name) => below.includes(name))
  return isBelow ||
    hasItsFields ||
    isScalar(value) ||
    (Array.isArray(value) && takesList(root, missing, minor))
    ? { missing, isBelow }
    : undefined
}

/** A field that does not exist, in its object. */
interface UnknownField {
  readonly object: KubernetesObject
  readonly path: Path
  readonly value: unknown
  readonly minor: number
  /** The definition of the object. */
  readonly root: Definition
}

/** The field under its right name, which may lead deeper. */
function named(unknown: UnknownField, name: readonly string[]): Suggestion {
  const { path, root, minor, value } = unknown
  const target = [...path.slice(0, -1), ...name]
  return {
    wrong: 'name',
    place: formatPlace(name),
    only: true,
    ...targeted(unknown, target),
    ...(isObject(value) && takesList(root, target, minor) && { inList: true }),
  }
}

/**
 * The field in its right place, if there is one that it may have been meant for.
 * @param isNameless whether no other name of the place where it stands is near
 */
function placed(unknown: UnknownField, isNameless: boolean): Suggestion | undefined {
  const { object, path, value, minor, root } = unknown
  const all = placesOfField(root, String(path.at(-1)), minor, value)
  const possible = all.filter(
    (place) =>
      !isType(place) &&
      !isOfOtherVolume(place, path) &&
      (!isSide(place) || !all.some((other) => isMain(other, place))),
  )
  const shared = possible.filter((place) => takesOthers(unknown, place))
  const places = shared.length > 0 ? shared : possible
  if (places.length === 0 || places.length > mostPlaces) return undefined
  const only = places.length === 1
  const near = places
    .map((place) => ({ place, ...relation(place, path) }))
    .filter(({ place, related }) => related || (isNameless && only && place.at(-2) === path.at(-2)))
    .sort((a, b) => a.distance - b.distance)
  const [best, second] = near
  if (!best || (second && second.distance === best.distance)) return undefined
  const target = best.related ? resolve(best.place, path, object) : undefined
  if (target && isOfEntry(path, target) && valueAt(object, ...target) !== undefined) return undefined
  return { wrong: 'place', place: formatPlace(best.place), only, ...targeted(unknown, target) }
}

/** Whether a field stands in an entry of a list that the other place is not in: what is there already counts for all entries. */
function isOfEntry(path: Path, target: Path): boolean {
  const entries = (one: Path) => one.slice(0, -1).filter((step) => typeof step === 'number').length
  return entries(path) > entries(target)
}

/** The field at a place that is known. */
function atPlace(unknown: UnknownField, place: Place, only: boolean): Suggestion {
  const { path, object } = unknown
  return {
    wrong: 'place',
    place: formatPlace(place),
    only,
    ...targeted(unknown, resolve(place, path, object)),
  }
}

/** Whether all other fields that are unknown beside it belong to that place, too: they were left behind together. */
function takesOthers({ object, path, minor, root }: UnknownField, place: Place): boolean {
  const beside = valueAt(object, ...path.slice(0, -1))
  const known = fieldsAt(root, path.slice(0, -1), minor)
  if (!isObject(beside) || known === undefined) return false
  const others = Object.keys(beside).filter((name) => name !== path.at(-1) && !known.includes(name))
  return others.length > 0 && others.every((name) => isPlaceOf(root, [...place.slice(0, -1), name], minor))
}

/** Whether objects may have a field at a place. */
function isPlaceOf(root: Definition, place: Place, minor: number): boolean {
  const text = formatPlace(place)
  return placesOfField(root, String(place.at(-1)), minor).some((one) => formatPlace(one) === text)
}

/** What a suggestion says of the place in the object. */
function targeted(
  { object, value }: UnknownField,
  target: Path | undefined,
): Pick<Suggestion, 'path' | 'there' | 'beside'> {
  const present = target && valueAt(object, ...target)
  const there = present !== undefined && JSON.stringify(present) === JSON.stringify(value)
  return { path: present === undefined || there ? target : undefined, there, beside: undefined }
}

/** What an object is, stands there in every one. */
function isType(place: Place): boolean {
  return place.length === 1 && (place[0] === 'kind' || place[0] === 'apiVersion')
}

/** Whether a place is in the claim of an ephemeral volume, and the field is in no volume: `selector` of a pod is that of a Deployment. */
function isOfOtherVolume(place: Place, path: Path): boolean {
  return place.includes('ephemeral') && !path.includes('volumes')
}

/** Containers of the other sorts have the fields of ordinary ones, and ephemeral volumes those of claims. */
function isSide(place: Place): boolean {
  return place.some((step) => sideSteps.has(step))
}
const sideSteps = new Set(['initContainers', 'ephemeralContainers', 'ephemeral', 'ownerReferences'])

function isMain(place: Place, side: Place): boolean {
  return (
    !isSide(place) &&
    (place.length === side.length
      ? place.every((step, i) => step === side[i] || (step === 'containers' && sideSteps.has(side[i] ?? '')))
      : side.includes('ephemeral') || side.includes('ownerReferences'))
  )
}

/** How far a place is from a path, in steps up and down, and whether one contains the other's parent. */
function relation(place: Place, path: Path): { distance: number; related: boolean } {
  let common = 0
  while (common < place.length - 1 && common < path.length - 1 && sameStep(place[common], path[common]))
    common++
  const up = path.length - 1 - common
  const down = place.length - 1 - common
  return { distance: up + down, related: up === 0 || down === 0 }
}

function sameStep(step: string | undefined, other: Step | undefined): boolean {
  return typeof other === 'number' ? step === '[]' : step === other || step === '*'
}

/** The place in this object: indices are those of `path` as far as they go together, and else the only entry's. */
function resolve(place: Place, path: Path, object: KubernetesObject): Path | undefined {
  const target: Step[] = []
  let together = true
  for (const [i, step] of place.entries()) {
    const own = path[i]
    if (together && own !== undefined && i < path.length - 1 && sameStep(step, own)) {
      target.push(own)
      continue
    }
    together = false
    if (step === '*') return undefined
    if (step !== '[]') target.push(step)
    else {
      const list = valueAt(object, ...target)
      if (!Array.isArray(list) || list.length !== 1) return undefined
      target.push(0)
    }
  }
  return target
}
