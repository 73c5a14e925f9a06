/** The patches and generators of kustomizations that are for nothing of what is built, or for what is built already. */
import type { Path } from '../finding.js'
import { clusterScoped, type KubernetesObject } from '../kubernetes.js'
import type { Kustomization, PatchTarget } from '../reader/input.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { nearestName } from '../values/similar.js'
import { arrayAt, isObject, stringAt } from '../values/untyped.js'
import { type Builds, isComponent, isTransformed } from './builds.js'
import { isCalled, isFor, isForOthers } from './patches.js'
import { type Refused, refusedBy } from './refused.js'
import type { Resource } from './resource.js'

/** A patch that is for nothing. */
export interface Unmatched {
  readonly patch: PatchTarget
  /** The object that is most likely meant: the nearest by its name, the only one of the kind, or of the name. */
  readonly near: KubernetesObject | undefined
}

/** A generator that kustomize refuses. */
export interface Stray {
  readonly kind: Kustomization['generated'][number]['kind']
  readonly name: string
  /** Where the generator stands in the kustomization. */
  readonly at: Path
  /** What it is told to do with what is there: `merge`, `replace`; undefined of one that makes what is there already. */
  readonly behavior: string | undefined
  /** What is there: the object of that name, or of one like it, in whatever namespace. */
  readonly near: KubernetesObject | undefined
}

/** An object that a kustomization names for something else than a patch, and that is not built. */
export interface UnbuiltName {
  /** Where the kustomization names it: in `replacements` or `vars`, which take values from it, or in `replicas`. */
  readonly at: Path
  readonly kind: string | undefined
  readonly name: string
  /** The object of such a name. */
  readonly near: KubernetesObject | undefined
}

/** An object that files of one kustomization hold twice. */
export interface Twice {
  readonly first: KubernetesObject
  readonly again: KubernetesObject
  /** Where the kustomization lists the file that has it again. */
  readonly at: Path
}

/** A container that a patch adds, because none of the object is called so, and to which it gives no image. */
export interface Added {
  readonly patch: PatchTarget
  readonly container: string
  /** The objects to which it is added. */
  readonly to: readonly [KubernetesObject, ...KubernetesObject[]]
  /** How the containers of the first of them are called. */
  readonly beside: readonly string[]
}

/** What tells the patches and generators that are out of place. */
export interface Unmatching {
  /** Whether all that the builds hold which a kustomization changes is known, and is anything at all. */
  isKnown(one: Kustomization): boolean
  patches(one: Kustomization): readonly Unmatched[]
  generators(one: Kustomization): readonly Stray[]
  /** The containers without an image that its patches add. */
  containers(one: Kustomization): readonly Added[]
  /** The operations of its JSON patches that are refused. */
  refused(one: Kustomization): readonly Refused[]
  /** What its replacements, numbers of replicas and the variables of old need, and is not there. */
  unbuiltNames(one: Kustomization): readonly UnbuiltName[]
  /** The objects that its own files hold twice. */
  repeated(one: Kustomization): readonly Twice[]
}

/** All objects of a build. */
interface Content {
  /** The kustomizations of the build, the outermost first. */
  readonly parts: readonly Kustomization[]
  readonly objects: readonly Resource[]
  readonly generated: Kustomization['generated']
  /** Their names get something before or behind them on the way. */
  readonly isRenamed: boolean
  /** Their namespaces are set on the way. */
  readonly isPlaced: boolean
}

/**
 * Tells the patches of a kustomization that are for no object of any build that they change: by kind and name, for labels may come from
 * kustomizations, and by the namespace of patches that name their object themselves, where no kustomization sets one. None where not all of
 * these builds is known: what comes from elsewhere or is made by charts and plugins, files that were not read as a whole, and objects to
 * which patches give another name. Nor of one that builds nothing at all: somebody adds what it is for.
 */
export function unmatchedIn(
  kustomizations: readonly Kustomization[],
  builds: Builds,
  resources: readonly Resource[],
): Unmatching {
  const byFile = lazy(() => groupBy(resources, ({ document }) => document.file.name))
  const contents = lazy(() => contentsOf(builds, kustomizations, byFile()))
  const contentsChangedBy = (one: Kustomization) => {
    const changed = builds.changing(one).map(contents())
    const known = changed.filter((content) => content !== undefined)
    const isAnything = known.every(({ objects, generated }) => objects.length + generated.length > 0)
    return isAnything && known.length === changed.length ? known : []
  }
  return {
    isKnown: (one) => contentsChangedBy(one).length > 0,
    patches: memo((one) => {
      const known = one.patches.length === 0 ? [] : contentsChangedBy(one)
      if (known.length === 0) return []
      const objects = known.flatMap((content) => content.objects)
      return one.patches
        .filter((patch) => !known.some((content) => isForAny(content, patch)))
        .map((patch) => ({ patch, near: nearest(patch, objects)?.value }))
    }),
    generators: memo((one) => {
      if (one.generated.length === 0 || isComponent(one)) return []
      return contentsChangedBy(one).flatMap((content) => straysOf(one, content))
    }),
    containers: memo((one) => {
      const merging = one.patches.filter(({ change }) => isObject(change))
      if (merging.length === 0) return []
      const objects = new Set(contentsChangedBy(one).flatMap((content) => content.objects))
      return merging.flatMap((patch) => addedBy(patch, objects))
    }),
    refused: memo((one) => {
      const hasOperations = one.patches.some(({ change }) => Array.isArray(change))
      const content = hasOperations && !isComponent(one) ? contents()(one) : undefined
      return content ? refusedBy(one, content) : []
    }),
    unbuiltNames: memo((one) => {
      const sources = isComponent(one) ? [] : sourcesIn(one)
      if (sources.length === 0) return []
      // Replacements are made by the kustomization itself, variables by the outermost one.
      const own = contents()(one)
      const roots = builds.outermost().flatMap(({ parts }) => (parts.has(one) ? [[...parts.keys()][0]] : []))
      const wholes = roots.map((root) => (root && !isForOthers(root) ? contents()(root) : undefined))
      return sources.flatMap(({ at, source }) => {
        const known = at[0] === 'vars' ? wholes : [own]
        if (known.length === 0 || known.some((content) => !content || isForAny(content, source))) return []
        const { kind, name = '' } = source
        const objects = known.flatMap((content) => content?.objects ?? [])
        const alike = objects.filter((object) => isCalled(kind, object.kind))
        const likest = nearestName(name, new Set(alike.map((object) => object.name)))
        const near = alike.find((object) => object.name === likest)
        return objects.length === 0 ? [] : [{ at, kind, name, near: near?.value }]
      })
    }),
    repeated: (one) => repeatedIn(one, byFile()),
  }
}

/** Where the pods of the kinds are whose containers a strategic-merge patch merges by name. */
const podPaths: ReadonlyMap<string, readonly string[]> = new Map([
  ['Pod', ['spec']],
  ['CronJob', ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'].map(
    (kind): [string, readonly string[]] => [kind, ['spec', 'template', 'spec']],
  ),
])

/**
 * The containers that a strategic-merge patch adds without an image. Entries with directives do something else.
 * Source: k8s.io/api/core/v1 (PodSpec: patchMergeKey=name), sigs.k8s.io/kustomize/kyaml/yaml/merge2.
 */
function addedBy(patch: PatchTarget, objects: Iterable<Resource>): readonly Added[] {
  const added = new Map<string, [KubernetesObject, ...KubernetesObject[]]>()
  const beside = new Map<string, readonly string[]>()
  for (const object of objects) {
    const path = podPaths.get(object.kindName)
    if (!path || !isFor(patch, object)) continue
    for (const list of ['containers', 'initContainers']) {
      const own = namesIn(arrayAt(object.value, ...path, list))
      if (own.length === 0) continue
      const bare = namesIn(arrayAt(patch.change, ...path, list).filter(isBare))
      for (const name of bare.filter((one) => !own.includes(one))) {
        const others = added.get(name)
        if (others) others.push(object.value)
        else {
          added.set(name, [object.value])
          beside.set(name, own)
        }
      }
    }
  }
  return [...added].map(([container, to]) => ({ patch, container, to, beside: beside.get(container) ?? [] }))
}

/** Whether an entry of a patch is a container without an image. */
function isBare(entry: unknown): boolean {
  return (
    isObject(entry) &&
    entry.image === undefined &&
    !('$patch' in entry) &&
    /^[a-z0-9-]+$/.test(stringAt(entry, 'name') ?? '')
  )
}

function namesIn(containers: readonly unknown[]): readonly string[] {
  return containers.flatMap((one) => stringAt(one, 'name') ?? [])
}

/**
 * Objects are one where version, kind, namespace and name are. A file that is listed twice is another matter.
 * Source: sigs.k8s.io/kustomize/api/resmap/reswrangler.go (Append).
 */
function repeatedIn(
  { references }: Kustomization,
  byFile: ReadonlyMap<string, readonly Resource[]>,
): readonly Twice[] {
  const files = new Map(
    references.flatMap(({ path, at, isRead, takes }) => (isRead && takes === 'resource' ? [[path, at]] : [])),
  )
  const known = new Map<string, Resource>()
  const twice: Twice[] = []
  for (const [path, at] of files)
    for (const object of byFile.get(path) ?? []) {
      const { apiVersion, kind, name, value } = object
      if (name === '') continue
      const id = `${apiVersion} ${kind} ${value.metadata?.namespace || 'default'} ${name}`
      const first = known.get(id)
      if (first) twice.push({ first: first.value, again: value, at })
      else known.set(id, object)
    }
  return twice
}

/**
 * The kinds whose number of pods a kustomization sets, unless it names more. Source: api/internal/konfig/builtinpluginconsts/replicas.go.
 */
const scaledKinds = 'Deployment|StatefulSet|ReplicaSet|ReplicationController'

/**
 * The objects that kustomize wants for replacements, variables and numbers of replicas, by name.
 * Sources: sigs.k8s.io/kustomize/api/filters/replacement (selectSourceNode), api/types/var.go (Target),
 * api/internal/builtins/ReplicaCountTransformer.go.
 */
function sourcesIn({
  document: { value },
}: Kustomization): { readonly at: Path; readonly source: PatchTarget }[] {
  const fields = [
    ['replacements', 'source'],
    ['vars', 'objref'],
  ] as const
  const sources = fields.flatMap(([list, field]) =>
    arrayAt(value, list).flatMap((one, i) => {
      const kind = stringAt(one, field, 'kind')
      const name = stringAt(one, field, 'name')
      return name === undefined ? [] : [{ at: [list, i, field], source: { kind, name } }]
    }),
  )
  const scaled = arrayAt(value, 'configurations').length > 0 ? [] : arrayAt(value, 'replicas')
  return [
    ...sources,
    ...scaled.flatMap((one, i) => {
      const name = stringAt(one, 'name')
      return name === undefined ? [] : [{ at: ['replicas', i, 'name'], source: { kind: scaledKinds, name } }]
    }),
  ]
}

/** A generator as it is written. */
interface Generator {
  readonly kind: Stray['kind']
  readonly name: string
  readonly namespace: string | undefined
  readonly behavior: string | undefined
  readonly at: Path
}

function generatorsOf({ document }: Kustomization): readonly Generator[] {
  const kinds = { configMapGenerator: 'ConfigMap', secretGenerator: 'Secret' } as const
  return Object.entries(kinds).flatMap(([field, kind]) =>
    arrayAt(document.value, field).flatMap((one, i) => {
      const name = stringAt(one, 'name')
      const behavior = stringAt(one, 'behavior')
      return name === undefined
        ? []
        : [{ kind, name, namespace: stringAt(one, 'namespace'), behavior, at: [field, i] }]
    }),
  )
}

/**
 * The generators of a kustomization that are told to change what its resources do not have, or to make what they have. A name counts as it
 * is written and as kustomizations below have made it; the namespace that this one sets is set later.
 * Sources: sigs.k8s.io/kustomize/api/resmap/reswrangler.go (appendReplaceOrMerge),
 * sigs.k8s.io/kustomize/api/internal/target/kusttarget.go (accumulateTarget: components come after generators).
 */
function straysOf(own: Kustomization, { parts, objects, isRenamed }: Content): readonly Stray[] {
  const written = generatorsOf(own)
  if (written.length === 0) return []
  const below = parts.filter((one) => one !== own)
  const set = new Set(below.flatMap(({ namespace }) => namespace ?? []))
  const generators = below.flatMap(generatorsOf)
  const hasComponents = below.some(isComponent)
  const mayDelete = lazy(() =>
    below.some(({ document, patches }) =>
      [document.text, JSON.stringify(patches.map(({ change }) => change))].some((text) =>
        text.includes('$patch'),
      ),
    ),
  )
  const strays: Stray[] = []
  const before: Generator[] = [...generators]
  for (const one of written) {
    const { kind, name, namespace, behavior, at } = one
    const alike = objects.filter((object) => object.kind === kind)
    const isSame = (other: string | undefined) => (other || 'default') === (namespace || 'default')
    const named = alike.filter((object) => object.name === name)
    const made = before.filter((other) => other.kind === kind && other.name === name)
    const isNamed = named.length + made.length > 0
    const isThere =
      named.some(({ value }) => isSame(value.metadata?.namespace)) ||
      made.some((other) => isSame(other.namespace))
    before.push(one)
    if (behavior === 'merge' || behavior === 'replace') {
      const mayBe =
        isThere ||
        (isNamed && set.has(namespace ?? '')) ||
        (isRenamed && [...alike, ...generators].some((other) => mayMean(name, other.name)))
      if (mayBe) continue
      const likest = nearestName(
        name,
        alike.map((other) => other.name),
      )
      const near = named[0] ?? alike.find((other) => other.name === likest)
      strays.push({ kind, name, at, behavior, near: near?.value })
    } else if ((behavior === undefined || behavior === 'create') && isThere && !hasComponents && !mayDelete())
      strays.push({ kind, name, at, behavior: undefined, near: named[0]?.value })
  }
  return strays
}

/** Gives all that a kustomization builds; undefined where that is not known. */
function contentsOf(
  builds: Builds,
  kustomizations: readonly Kustomization[],
  byFile: ReadonlyMap<string, readonly Resource[]>,
): (root: Kustomization) => Content | undefined {
  const byFolder = groupBy(kustomizations, ({ folder }) => folder)
  const isAlone = (folder: string) => byFolder.get(folder)?.length === 1
  const isKnown = memo(
    (one: Kustomization) =>
      isAlone(one.folder) &&
      !makers.some((field) => arrayAt(one.document.value, field).length > 0) &&
      !isRenaming(one) &&
      (one.references.length > 0 || one.resources.length === 0) &&
      one.references.every(
        ({ at: [field], takes, found, path, isRead }) =>
          takes === 'file' || plugins.has(field) || isRead || (found === 'kustomization' && isAlone(path)),
      ),
  )
  return memo((root) => {
    const { parts, files } = builds.of(root)
    const all = [...parts.keys()]
    if (!all.every((one) => isKnown(one) && (one === root || !isTransformed(one)))) return undefined
    return {
      parts: all,
      objects: [...files.keys()].flatMap((file) => byFile.get(file) ?? []),
      generated: all.flatMap(({ generated }) => generated),
      isPlaced: all.some(({ namespace }) => namespace !== undefined),
      isRenamed: all.some(({ document: { value } }) =>
        ['namePrefix', 'nameSuffix'].some((field) => stringAt(value, field)),
      ),
    }
  })
}

/** What makes objects that nobody knows before the build. */
const makers = ['helmCharts', 'helmChartInflationGenerator', 'generators']

/** Where a kustomization names plugins that come after its own patches and generators. */
const plugins: ReadonlySet<unknown> = new Set(['transformers', 'validators'])

/** Whether patches may give objects other names or kinds, by which the next ones find them. */
function isRenaming({ document, patches }: Kustomization): boolean {
  const paths = patches.flatMap(({ change }) =>
    Array.isArray(change) ? change.map((one) => stringAt(one, 'path') ?? '') : [],
  )
  return (
    /\ballow(?:Name|Kind)Change\b/.test(document.text) ||
    paths.some((path) => /^\/(?:kind|metadata(?:\/name)?)$/.test(path))
  )
}

function isForAny({ objects, generated, isRenamed, isPlaced }: Content, patch: PatchTarget): boolean {
  const isNamed = (kind: string, name: string) =>
    isCalled(patch.kind, kind) &&
    (isCalled(patch.name, name) || (isRenamed && mayMean(patch.name ?? '', name)))
  return (
    generated.some(({ kind, name }) => isNamed(kind, name)) ||
    objects.some((one) => isNamed(one.kind, one.name) && (isPlaced || mayShareNamespace(patch, one)))
  )
}

/** Source: sigs.k8s.io/kustomize/kyaml/resid (EffectiveNamespace): an object without a namespace is in `default`. */
function mayShareNamespace({ isOwnTarget, change }: PatchTarget, { kindName, value }: Resource): boolean {
  if (!isOwnTarget || clusterScoped.has(kindName)) return true
  return (stringAt(change, 'metadata', 'namespace') || 'default') === (value.metadata?.namespace || 'default')
}

/** Whether a name, or a pattern, may be one that kustomize makes of another one. */
function mayMean(wanted: string, name: string): boolean {
  return !/^[\w-]*$/.test(wanted) || wanted.includes(name)
}

const withPods: ReadonlySet<string> = new Set([...podPaths.keys(), 'Rollout'])

function nearest({ kind, name = '' }: PatchTarget, objects: readonly Resource[]): Resource | undefined {
  const alike = objects.filter((one) => one.kind === kind)
  const near = nearestName(name, new Set(alike.map((one) => one.name)))
  const same = alike.find((one) => one.name === name) ?? alike.find((one) => one.name === near)
  const longer = alike.filter((one) => name !== '' && one.name.startsWith(name))
  // A policy that is called as the workload that it is for is not what a patch of the workload means.
  const named = objects.filter(
    (one) => one.name === name && (kind === undefined || withPods.has(one.kind) === withPods.has(kind)),
  )
  return same ?? [longer, alike, named].find((all) => all.length === 1)?.[0]
}
