/** From the documents that were read to the objects of the graph. */
import { posix } from 'node:path'
import type { Settings } from '../config/settings.js'
import type { Document, ReadProblem } from '../document.js'
import { isSamePath, type Path } from '../finding.js'
import { type Builds, buildsOf, givenBy } from '../graph/builds.js'
import { droppedOf } from '../graph/dropped.js'
import { distance, type Resource, shared } from '../graph/resource.js'
import { customWorkloads } from '../graph/workload.js'
import { clusterScoped, headFields, type KubernetesObject, kindNameOf, type Untyped } from '../kubernetes.js'
import type { Input, Kustomization } from '../reader/input.js'
import { unfold } from '../reader/unfold.js'
import { check, shape, shapePodTemplate } from '../schema/check.js'
import { type CustomKinds, customKinds } from '../schema/custom-kinds.js'
import type { SchemaProblem } from '../schema/problem.js'
import { lazy, memo } from '../values/lazy.js'
import { isObject, stringAt, valueAt } from '../values/untyped.js'
import { inRelease } from './release.js'

/** What cannot be read, or not be used, and the rule that says so. */
export interface Unreadable extends Omit<ReadProblem, 'rule'> {
  readonly rule: string
}

/** The objects of the input, and the schemas that cannot be used in definitions that are not part of it: no rule sees those. */
export interface Records {
  readonly resources: readonly Resource[]
  /** The kustomizations: they say how objects are made, and are none. */
  readonly kustomizations: ReadonlyMap<Kustomization, Resource>
  /** What they build. */
  readonly builds: Builds
  readonly unusable: readonly Unreadable[]
}

/** Names the kinds of objects and makes their types true. */
export function recordsOf(
  input: Pick<Input, 'documents' | 'kustomizations' | 'crds' | 'cluster'>,
  settings: Settings,
): Records {
  const objects = unfolded(input.documents)
  const definitions = unfolded(input.crds ?? [])
  // The API server has judged live objects by their schemas.
  const customs = customKinds(
    input.cluster ? [] : [...objects, ...definitions].map(({ raw }) => raw),
    settings.complete ? undefined : neighbours(objects),
    settings.minor,
  )
  const templates = new Map(
    [...customWorkloads, ...settings.workloadKinds].map((kind) => [kind.kind, kind.template.split('.')]),
  )
  const builds = buildsOf(input.kustomizations)
  const given = givenBy(builds)
  const resources = objects.map(({ document, raw, path, folders }): Resource => {
    const apiVersion = asText(raw.apiVersion)
    const kind = asText(raw.kind)
    const kindName = kindNameOf(apiVersion, kind)
    // The server has judged its objects: what is left to say is what it has dropped.
    const checked = document.live
      ? { value: shape(raw, apiVersion, kind, settings.minor), problems: droppedOf(raw) }
      : check(raw, apiVersion, kind, settings.minor, customs)
    const template = templates.get(kindName)
    const value = template ? withShapedTemplate(checked.value, template) : checked.value
    const { metadata } = value
    const isScoped = clusterScoped.has(kindName)
    const { namespace: home, podLabels, selectorLabels } = given.get(document.file.name) ?? {}
    return {
      value,
      document,
      path,
      kindName,
      apiVersion,
      kind,
      name: metadata?.name ?? '',
      namespace: metadata?.namespace ?? (isScoped ? '' : (settings.namespace ?? '')),
      home: isScoped ? undefined : home,
      podLabels,
      selectorLabels,
      folders,
      problems: ownProblems(document, path, checked.problems),
    }
  })
  // Which schemas can be used is known when all their objects have been looked at.
  objects.forEach(({ raw, document }, i) => {
    const resource = resources[i]
    if (document.live || !resource) return
    const faults = resource.apiVersion === 'apiextensions.k8s.io/v1' ? customs.read(raw) : []
    const { problems } = resource
    // What is wrong with a value is told by itself.
    const unusable = customs
      .unusable(raw)
      .filter(
        (one) => !problems.some(({ kind, path }) => kind === 'wrong-type' || isSamePath(path, one.path)),
      )
    if (unusable.length + faults.length > 0)
      resources[i] = { ...resource, problems: [...problems, ...unusable, ...faults] }
  })
  return {
    resources: settings.namespace === undefined ? inRelease(resources) : resources,
    builds,
    kustomizations: new Map(input.kustomizations.map((one) => [one, recordOf(one, settings.minor)])),
    unusable: definitions.flatMap((one) => unusableIn(one, customs)),
  }
}

/**
 * What is wrong with an object itself. Where no line --- parts it from the one before it, it has fields of that one, too: their mistake
 * is the missing line, which `duplicate-key` tells.
 */
function ownProblems(
  { hasDuplicates, locate }: Document,
  path: Path,
  problems: readonly SchemaProblem[],
): readonly SchemaProblem[] {
  if (!hasDuplicates || path.length > 0 || problems.length === 0) return problems
  const locator = locate()
  const lastOf = (name: string) =>
    locator.duplicates.findLast((one) => one.path.length === 1 && one.path[0] === name)?.range.line
  const kind = lastOf('kind')
  if (kind === undefined) return problems
  const begin = Math.min(kind, lastOf('apiVersion') ?? kind)
  return problems.filter(({ path: [field] }) => {
    if (field === undefined || headFields.has(field) || !locator.has([field])) return true
    return locator.key([field]).line >= begin
  })
}

/**
 * A kustomization as a subject of rules. It needs neither apiVersion nor kind, and hardly ever has a name: that of its folder tells.
 * Source of what it gets: sigs.k8s.io/kustomize/api/types (FixKustomization).
 */
function recordOf({ document, folder }: Kustomization, minor: number): Resource {
  const raw = isObject(document.value) ? document.value : {}
  const kind = stringAt(raw, 'kind') || 'Kustomization'
  const apiVersion =
    stringAt(raw, 'apiVersion') || `kustomize.config.k8s.io/${kind === 'Component' ? 'v1alpha1' : 'v1beta1'}`
  const value = shape(raw, apiVersion, kind, minor)
  return {
    value,
    document,
    path: [],
    kindName: kindNameOf(apiVersion, kind),
    apiVersion,
    kind,
    name: value.metadata?.name || posix.basename(/^[./]*$/.test(folder) ? document.file.name : folder),
    namespace: '',
    folders: folder === '.' ? [] : folder.split('/'),
    problems: [],
  }
}

/** An object as it was read, with where it stands. */
interface Written {
  readonly document: Document
  readonly path: Path
  /** The folders of its file: one list for each folder, by which the graph tells folders apart. */
  readonly folders: readonly string[]
  readonly raw: Untyped
}

function unfolded(documents: readonly Document[]): Written[] {
  const steps = memo((folder: string): readonly string[] => (folder === '' ? [] : folder.split('/')))
  return documents.flatMap((document) => {
    const { name } = document.file
    const folders = steps(document.live ? '' : name.slice(0, Math.max(0, name.lastIndexOf('/'))))
    return unfold(document).map(({ value, path }) => ({ document, path, folders, raw: value }))
  })
}

/**
 * Whether objects of the input belong to one project: below one folder of the input, or at most three folder changes apart. In
 * a folder of many projects each has its own version of a CustomResourceDefinition. What is not of the input is everybody's.
 */
function neighbours(objects: readonly Written[]): (definition: object, object: object) => boolean {
  // Made when the first custom object comes along: most inputs have none.
  const known = lazy(() => {
    const folders = new Map<object, readonly string[]>(objects.map((one) => [one.raw, one.folders]))
    const [first = [], ...others] = new Set(folders.values())
    const depth = others.reduce((least, one) => Math.min(least, shared(first, one)), first.length)
    return { folders, depth }
  })
  return (definition, object) => {
    const { folders, depth } = known()
    const a = folders.get(definition)
    const b = folders.get(object)
    return !a || !b || shared(a, b) > depth || distance(a, b) <= 3
  }
}

function unusableIn({ document, path, raw }: Written, customs: CustomKinds): Unreadable[] {
  return customs.unusable(raw).map((problem) => ({
    rule: 'invalid-value',
    file: document.file.name,
    range: document.locate().key([...path, ...problem.path]),
    message: problem.message,
  }))
}

/** What stands where a text has to, as it can be told. */
function asText(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
}

/** The object with its embedded pod template shaped; the same object when nothing had to change. */
function withShapedTemplate(object: KubernetesObject, path: readonly string[]): KubernetesObject {
  const found = valueAt(object, ...path)
  const shaped = isObject(found) ? shapePodTemplate(found) : found
  return shaped === found ? object : (replaced(object, path, shaped) as KubernetesObject)
}

function replaced(object: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value
  return isObject(object) ? { ...object, [step]: replaced(object[step], rest, value) } : object
}
