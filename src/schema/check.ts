/** Looks at objects as the API server does when it decodes them, and gives them with true types. */
import { isSamePath, isWithin, type Path } from '../finding.js'
import { builtinGroups, groupOf, type KubernetesObject, kindNameOf, versionOf } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import { nearestName } from '../values/similar.js'
import { isSopsRecord } from '../values/sops.js'
import { isObject, objectAt, valueAt } from '../values/untyped.js'
import type { CustomKinds } from './custom-kinds.js'
import {
  builtinApiGroups,
  definition,
  isServed,
  kindsByName,
  newestMinor,
  oldestMinor,
  type ServedKind,
  servedKind,
} from './definitions.js'
import { isVariableName } from './format.js'
import { fieldExists } from './lookup.js'
import type { SchemaProblem } from './problem.js'
import { successorOf } from './removed-apis.js'
import { checkName } from './validation/metadata.js'
import { replaced, sayOf, visitObject, type Walk, walkAt } from './walk.js'

export interface Checked {
  /** The object with true types; the same reference when nothing had to change. */
  readonly value: KubernetesObject
  readonly problems: readonly SchemaProblem[]
}

const none: readonly SchemaProblem[] = []

/**
 * Custom kinds whose objects a tool reads from files: in the cluster it names them itself. Source: Istio's documentation, "Customizing the
 * installation configuration", whose files for `istioctl install -f` have no metadata.
 */
const namedByTools: ReadonlySet<string> = new Set(['install.istio.io/IstioOperator'])

/**
 * Looks at one object.
 *
 * Types are judged by all versions together; fields by the target version alone. An API version that is no longer served
 * is judged by the last schema it had. Custom resources are judged when the definition of their kind is known.
 * @param minor the target minor version: 37 for 1.37
 */
export function check(
  value: object,
  apiVersion: string,
  kind: string,
  minor: number,
  customs?: CustomKinds,
): Checked {
  const walk = walkAt(clamp(minor), false)
  const served = servedKind(apiVersion, kind)
  const name = kindNameOf(apiVersion, kind)
  let shaped: unknown = value
  if (served && isObject(value)) shaped = visitServed(value, served, walk)
  else if (apiVersion === '' || kind === '') {
    const field = lacking(value, apiVersion, kind)
    if (field)
      walk.problems.push({ kind: 'missing-field', path: [field], empty: valueAt(value, field) === '' })
  } else if (builtinApiGroups.has(groupOf(apiVersion)) && /^v\d/.test(versionOf(apiVersion)))
    walk.problems.push(unknownKind(apiVersion, kind, walk.minor))
  const found = served || !isObject(value) ? undefined : customs?.problems(value, apiVersion, kind)
  const custom = found && isConfiguration(value, found) ? undefined : found
  shaped = shapedForViews(shaped, name, served, walk)
  if (!served) shaped = withTrueMetadata(isObject(shaped) ? shaped : {}, walk, custom !== undefined)
  if (custom) {
    const { metadata }: KubernetesObject = value
    if (metadata?.name !== undefined || !namedByTools.has(name))
      checkName({ metadata }, sayOf(walk), 'subdomain')
    for (const one of custom) walk.problems.push(one)
  }
  if (walk.problems.length > 0 && isObject(value) && isSopsRecord(value.sops))
    removeIf(
      walk.problems,
      ({ kind, path }) => kind === 'unknown-field' && path[0] === 'sops' && path.length === 1,
    )
  return {
    value: shaped as KubernetesObject,
    problems: walk.problems.length > 0 ? withNamesToFill(walk.problems) : none,
  }
}

/** Where one value is a variable that a script fills in (`replicas: ENV_REPLICAS`), a name that is written so is another: `ENV_NAME`. */
function withNamesToFill(problems: readonly SchemaProblem[]): readonly SchemaProblem[] {
  if (!problems.some((one) => one.kind === 'placeholder' && isVariableName(one.blank))) return problems
  return problems.map((one) =>
    one.kind === 'bad-name' && isVariableName(one.value)
      ? { kind: 'placeholder', path: one.path, blank: one.value }
      : one,
  )
}

/**
 * Whether a file has the apiVersion and kind of a custom object and nothing else that is one's: no metadata, and no field of its kind. Some
 * programs' configuration is written so, as the PROJECT of early releases of Kubebuilder.
 */
function isConfiguration(value: object, problems: readonly SchemaProblem[]): boolean {
  const fields = Object.keys(value).filter((field) => field !== 'apiVersion' && field !== 'kind')
  const unknown = new Set(
    problems.flatMap(({ kind, path }) => (kind === 'unknown-field' && path.length === 1 ? [path[0]] : [])),
  )
  return fields.length > 0 && !('metadata' in value) && fields.every((field) => unknown.has(field))
}

/** Which of the two fields a Kubernetes object lacks that has the other one: kubectl wants both. */
function lacking(value: object, apiVersion: string, kind: string): 'apiVersion' | 'kind' | undefined {
  if (objectAt(value, 'metadata') === undefined) return undefined
  if (apiVersion === '') return Object.hasOwn(builtinGroups, kind) ? 'apiVersion' : undefined
  return /^v\d/.test(versionOf(apiVersion)) ? 'kind' : undefined
}

/** The object of a built-in kind with true types. */
function visitServed(value: KubernetesObject, served: ServedKind, walk: Walk): unknown {
  const { problems, minor } = walk
  const { apiVersion, kind, since } = served
  const shaped = visitObject(definition(served.definition, minor), value, walk)
  checkName(value, sayOf(walk))
  // What cannot be decoded is refused before anybody compares its fields.
  const undecoded = problems.filter((one) => one.kind === 'wrong-type' || one.kind === 'bad-quantity')
  if (undecoded.length > 0)
    removeIf(
      problems,
      (one) => one.kind === 'conflict' || (one.kind === 'missing-field' && holdsOne(one.path, undecoded)),
    )
  // A field that does not exist is no choice among others.
  const unknown = problems.filter((one) => one.kind === 'unknown-field')
  if (unknown.length > 0)
    removeIf(
      problems,
      ({ kind, path }) => kind === 'conflict' && unknown.some((one) => isSamePath(one.path, path)),
    )
  if (problems.length > 0 && !isServed(served, minor)) forgiveSuccessor(served, walk)
  if (since !== undefined && minor < since) problems.push({ ...unknownKind(apiVersion, kind, minor), since })
  return shaped
}

/** Whether one of the problems lies in what stands at a path: it is there, if not as the server wants it. */
function holdsOne(path: Path, problems: readonly SchemaProblem[]): boolean {
  return problems.some((one) => isWithin(one.path, path))
}

/** The object with true types, for what is not judged: half the work. */
export function shape(value: object, apiVersion: string, kind: string, minor: number): KubernetesObject {
  const walk = walkAt(clamp(minor), true)
  const served = servedKind(apiVersion, kind)
  let shaped: unknown = value
  if (served) shaped = visitObject(definition(served.definition, walk.minor), value, walk)
  shaped = shapedForViews(shaped, kindNameOf(apiVersion, kind), served, walk)
  if (!served) shaped = withTrueMetadata(isObject(shaped) ? shaped : {}, walk, false)
  return shaped as KubernetesObject
}

/** The same for a pod template inside a custom resource; undefined when it is no mapping at all. */
export function shapePodTemplate(value: unknown): unknown {
  return visitObject(definition('core/v1.PodTemplateSpec', newestMinor), value, walkAt(newestMinor, true))
}

function clamp(minor: number): number {
  return Math.min(Math.max(minor, oldestMinor), newestMinor)
}

/** An API version that is gone has to be replaced: fields that its successor has are right. */
function forgiveSuccessor({ apiVersion, kind }: ServedKind, { problems, minor }: Walk): void {
  const successor = successorOf(apiVersion, kind, minor)
  if (successor === undefined) return
  removeIf(
    problems,
    (one) => one.kind === 'unknown-field' && fieldExists(successor, kind, one.path, minor) === true,
  )
}

function removeIf(problems: SchemaProblem[], unwanted: (one: SchemaProblem) => boolean): void {
  if (problems.some(unwanted))
    problems.splice(0, problems.length, ...problems.filter((one) => !unwanted(one)))
}

/** The value with the types of its kind's other views true as well: nobody wrote it in those, so nobody is told. */
function shapedForViews(
  value: unknown,
  kindName: string,
  served: ServedKind | undefined,
  walk: Walk,
): unknown {
  let shaped = value
  for (const view of viewsOf(kindName))
    if (view !== served?.definition)
      shaped = visitObject(definition(view, walk.minor), shaped, { ...walk, quiet: true })
  return shaped
}

/**
 * The definitions that the typed view of a kind is made of: its newest API version, and autoscaling/v1 beside v2,
 * whatever version the object is written in.
 */
const viewsOf = memo((kindName: string): readonly string[] => {
  const groups: readonly string[] = Object.hasOwn(builtinGroups, kindName)
    ? builtinGroups[kindName as keyof typeof builtinGroups].slice(0, 1)
    : []
  return (kindsByName.get(kindName) ?? [])
    .filter(
      (kind) =>
        groups.includes(groupOf(kind.apiVersion)) &&
        /\/?v\d+$/.test(kind.apiVersion) &&
        isServed(kind, newestMinor),
    )
    .map((kind) => kind.definition)
    .reverse()
})

function unknownKind(apiVersion: string, kind: string, minor: number) {
  const servedBy = (kindsByName.get(kind) ?? [])
    .filter((one) => isServed(one, minor) && one.apiVersion !== apiVersion)
    .map((one) => one.apiVersion)
  const kinds = [...kindsByName].flatMap(([name, versions]) =>
    versions.some((one) => one.apiVersion === apiVersion && isServed(one, minor)) ? [name] : [],
  )
  const nearest = servedBy.length > 0 ? undefined : nearestName(kind, kinds)
  return {
    kind: 'unknown-kind',
    path: [],
    apiVersion,
    objectKind: kind,
    servedBy,
    ...(nearest !== undefined && { nearest }),
  } as const
}

/**
 * Any object at all with `apiVersion` and `kind` as texts and a true `metadata`. Of a kind without a definition says
 * only which names, labels and annotations kubectl cannot decode.
 */
function withTrueMetadata(value: object, { problems, minor }: Walk, isDefined: boolean): object {
  const walk = walkAt(minor, false)
  const fields = value as Readonly<Record<string, unknown>>
  let out = fields
  for (const field in fields) {
    const item = fields[field]
    const shaped =
      field === 'metadata'
        ? visitMetadata(item, walk)
        : (field === 'apiVersion' || field === 'kind') && typeof item !== 'string'
          ? undefined
          : item
    if (shaped !== item) out = replaced(value, out, field, shaped)
  }
  problems.push(
    ...walk.problems.filter(
      ({ kind, path }) => isDefined || (kind === 'wrong-type' && (path.length === 3 || path[1] === 'name')),
    ),
  )
  return out
}

/** What is wrong with the `metadata` of an object that stands inside of another one. */
export function metadataProblems(value: unknown, path: Path): readonly SchemaProblem[] {
  const walk = walkAt(newestMinor, false, path)
  visitMetadata(value, walk)
  return walk.problems
}

function visitMetadata(value: unknown, walk: Walk): unknown {
  if (value === null) return undefined
  walk.path.push('metadata')
  const shaped = visitObject(definition('meta/v1.ObjectMeta', walk.minor), value, walk)
  walk.path.pop()
  return shaped
}
