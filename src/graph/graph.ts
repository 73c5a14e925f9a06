/** Every object that was read, indexed once, and the questions that rules ask about them. */
import type { External, WorkloadKind } from '../config/settings.js'
import type { Document } from '../document.js'
import type { Path } from '../finding.js'
import type {
  KindName,
  KubernetesObject,
  LabelSelector,
  NetworkPolicy,
  ObjectOf,
  PodDisruptionBudget,
  Service,
  ServicePort,
} from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import type { SchemaProblem } from '../schema/problem.js'
import { groupBy } from '../values/group.js'
import { lazy, memo } from '../values/lazy.js'
import { valueAt } from '../values/untyped.js'
import { belonging } from './belonging.js'
import { type Builds, buildsOf } from './builds.js'
import type { Container } from './container.js'
import {
  type Backend,
  backendsNamedBy,
  type Entrance,
  entranceOf,
  type NamedBackend,
  routesByService,
} from './entrance.js'
import { type Existence, existence } from './existence.js'
import { appliedByFlux, appliedPatches, foldersOf } from './flux.js'
import { guardedByBudget, guardedByPolicy } from './guards.js'
import { type LeftOut, leftOutBy, setAsideIn } from './left-out.js'
import type { Live } from './live.js'
import { indexObjects } from './objects.js'
import { kustomizedFinder, patchesOf, wholeFinder } from './patches.js'
import { type ConfigReference, configReferences } from './references.js'
import type { Refused } from './refused.js'
import { distance, folderOf, formatResource, type Resource } from './resource.js'
import { type Scaling, scaling } from './scaling.js'
import { steadyFirst } from './scraped.js'
import { byWorkload, selection } from './selection.js'
import { listeners, portOf, type TargetPort, workloadsBehind } from './services.js'
import { taggedElsewhere } from './tagging.js'
import { type Turnover, turnover } from './turnover.js'
import {
  type Added,
  type Stray,
  type Twice,
  type UnbuiltName,
  type Unmatched,
  unmatchedIn,
} from './unmatched.js'
import type { Workload } from './workload.js'

/** What is known of the input besides its objects. */
export interface GraphOptions {
  readonly complete: boolean
  /** What the objects come from; the input by default. */
  readonly source?: Graph['source'] | undefined
  readonly externals: readonly External[]
  readonly workloadKinds: readonly WorkloadKind[]
  readonly kustomizations: readonly Kustomization[]
  /** What they build, where that has been worked out before. */
  readonly builds?: Builds
  /** The records behind the kustomizations, for those that report on them. */
  readonly kustomizationRecords?: ReadonlyMap<Kustomization, Resource>
  /** Makes the state of the cluster that the objects are of, if they are of one. */
  readonly live?: ((objects: readonly KubernetesObject[]) => Live) | undefined
}

/** What rules may ask about the other objects. */
export interface Graph extends Existence, Scaling {
  /** The input is the whole of its namespaces: what is not in it does not exist (save the externals). */
  readonly complete: boolean
  /** What the objects come from, for messages: `no Secret a in the input`. */
  readonly source: 'the input' | 'the cluster'
  /** All objects of a kind, in the order of the input. */
  all<K extends KindName>(kind: K): readonly ObjectOf<K>[]
  /** Those in a namespace. */
  allIn<K extends KindName>(kind: K, namespace: string): readonly ObjectOf<K>[]
  /**
   * All of a kind, as evidence that a finding is no worse without: where some or all of them could not be read, the finding
   * stays.
   */
  seen<K extends KindName>(kind: K): readonly ObjectOf<K>[]
  /** Every object of the input. */
  readonly objects: readonly KubernetesObject[]
  /** The same, as evidence: see `seen`. */
  readonly seenObjects: readonly KubernetesObject[]
  /** The state of the cluster that was read; absent for manifests. */
  readonly live: Live | undefined
  /** All workloads; those that a controller made included (see `Workload.controlled`). */
  readonly workloads: readonly Workload[]
  /** Those in a namespace. */
  workloadsIn(namespace: string): readonly Workload[]
  /** All workloads, as evidence: see `seen`. */
  readonly seenWorkloads: readonly Workload[]
  /** Whether all objects of a kind are known that a namespace has; without one, those of the whole cluster. */
  hasRead(kind: KindName, namespace?: string): boolean
  readonly kustomizations: readonly Kustomization[]
  /** The workload that an object is; undefined for all that make no pods. */
  workload(object: object): Workload | undefined
  /** The namespace that counts for an object: its own, or the one given with -n, or empty. */
  namespaceOf(object: object): string
  /** The Namespaces of a name, in the order of the input: a repository for several clusters may have one for each. */
  namespacesCalled(name: string): readonly ObjectOf<'Namespace'>[]
  /** `Service shop/web`, `Namespace shop`: for messages. */
  describe(object: object): string
  /** The object of that name which belongs together with `near`. */
  find<K extends KindName>(
    kind: K,
    name: string | undefined,
    near: object,
    namespace?: string,
  ): ObjectOf<K> | undefined
  /** The objects of a kind that belong together with `near`: same namespace; without one, near files. */
  siblings<K extends KindName>(kind: K, near: object): readonly ObjectOf<K>[]
  /**
   * The workloads of the same namespace; without one, of near folders. Some may belong to a variant
   * of the object: see `together`.
   */
  nearby(object: object): readonly Workload[]
  /** Whether two namespaced objects belong together. */
  together(a: object, b: object): boolean
  /**
   * The number of folder changes between the files of two objects: 1 to a parent or child, 2 between sibling folders.
   */
  apart(a: object, b: object): number
  /** Sorts roots and workloads by how near they stand to one of them: in its file, in its folder, folders away. */
  nearestFirst(near: object): (a: object, b: object) => number

  /** The workloads whose pods the Service selects, the nearest file first. Empty for a Service without selector. */
  backendsOf(service: Service): readonly Workload[]
  /** The Services that select the workload's pods, the nearest file first; those for what a Rollout tries out come last. */
  servicesOf(workload: Workload): readonly Service[]
  /** What routes traffic to a Service, the nearest file first. */
  routesTo(service: Service): readonly Backend[]
  /** The same, as evidence: see `seen`. */
  seenRoutesTo(service: Service): readonly Backend[]
  /** What lets clients outside the cluster reach the Service: a route to it, or its type. */
  entranceOf(service: Service): Entrance | undefined
  /** The Services and their ports that an Ingress or route names, resolved or not. */
  backendsNamedBy(route: KubernetesObject): readonly NamedBackend[]
  /** The container port that a Service port leads to in a workload, by number or by name. */
  portOf(workload: Workload, port: ServicePort): TargetPort | undefined
  /** The workload's containers that own ports of the Service; empty when none declares them. */
  listeners(workload: Workload, service: Service): readonly Container[]

  /**
   * How often its pods came and went lately, as evidence: nothing follows where little is known. Undefined for
   * manifests.
   */
  turnoverOf(workload: Workload): Turnover | undefined

  /** The budgets that select the workload's pods. */
  budgetsOf(workload: Workload): readonly PodDisruptionBudget[]
  /** The workloads whose pods the budget selects. */
  guardedBy(budget: PodDisruptionBudget): readonly Workload[]
  /** The NetworkPolicies that select the workload's pods. */
  policiesOf(workload: Workload): readonly NetworkPolicy[]
  /** The workloads that belong together with `near` and whose pod labels match. */
  matching(selector: LabelSelector | undefined, near: object): readonly Workload[]

  /** The ConfigMaps, Secrets, claims and accounts that a workload's pods need. */
  referencesOf(workload: Workload): readonly ConfigReference[]
  /** The names of a kind that belong together with `near`, for "did you mean". */
  namesNear(kind: KindName, near: object): readonly string[]
  /**
   * Whether a tool sets the tag or digest of the image: a kustomization, skaffold and ko, which build it, or
   * whatever fills in a bare name.
   */
  tagSetElsewhere(image: string): boolean
  /**
   * Whether what is applied is what a tool makes of the file: a kustomization stands in its folder or lists it, or file or
   * folder are called a patch or overlay.
   */
  kustomized(object: object): boolean
  /** Whether a Kustomization of Flux in the input applies the file that the object is in. */
  appliedByFlux(object: object): boolean
  /**
   * Whether such a tool may write what is wrong with the object at a path. Not where all that is built from its file is known, and
   * nothing there changes it.
   */
  mayComplete(object: object, path: Path): boolean
  /**
   * Whether a text stands anywhere in the file's document that holds the object, in comments, too: where it doesn't,
   * there is nothing to look for.
   */
  mentions(object: object, text: string): boolean
  /** How many characters the file's document has that holds the object; none for objects of a cluster. */
  textLength(object: object): number
  /**
   * The word without a blank before it that begins the comment behind a value (`#imagetag`), in the file's document that holds
   * the object: a mark that a script puts something in the place of.
   */
  markBehind(object: object, value: string): string | undefined
  /** Whether all that is known which the builds hold that a kustomization changes, and whether they hold anything at all. */
  knowsBuildsOf(one: Kustomization): boolean
  /**
   * The patches of a kustomization for objects of which none is in any build that it changes; none where not all that is built is
   * known.
   */
  unmatchedPatches(one: Kustomization): readonly Unmatched[]
  /** The containers that patches of a kustomization add without an image, as no container is called so; none as above. */
  addedContainers(one: Kustomization): readonly Added[]
  /** The operations of JSON patches of a kustomization that kustomize refuses; none where its objects may be others. */
  refusedOperations(one: Kustomization): readonly Refused[]
  /** What replacements, variables and numbers of replicas of a kustomization need and is not built; none where that is not known. */
  unbuiltNames(one: Kustomization): readonly UnbuiltName[]
  /** The generators of a kustomization that change what is not there, or make what is there already; none as above. */
  strayGenerators(one: Kustomization): readonly Stray[]
  /** The files with objects beside a kustomization that neither it nor another one names. */
  leftOutBy(one: Kustomization): readonly LeftOut[]
  /**
   * Whether a kustomization has the object's file, or a folder that it is in, in a comment, or passes over such a folder that another
   * object is not in (`meeting`): it is not applied with the others.
   */
  isSetAside(object: object, meeting?: object): boolean
  /** The objects that the files of a kustomization hold twice. */
  repeatedObjects(one: Kustomization): readonly Twice[]
  /** Whether a patch of a kustomization changes the object: what is missing in it may be added there. */
  patched(object: object): boolean
  /**
   * Whether such a patch may write a field of its containers, or add a container that has it; or the field of that name of its pods.
   * @param counts whether what is written there matters; all does by default
   */
  patchedContainers(object: object, field: string, counts?: (value: unknown) => boolean): boolean
  /** The path to what stands last in the object as it is written: a field without a value, too, or an entry of a list. */
  endOf(object: object): Path
  /** What the schema found wrong with the object. */
  problems(object: object): readonly SchemaProblem[]
  /**
   * Computes something once per run, for rules that look at many objects together.
   * @param key that nothing else has, with all parameters that the answer depends on
   */
  once<T>(key: string, compute: () => T): T
}

/** The graph as the engine holds it, with the records behind the objects. */
export interface IndexedGraph extends Graph {
  /** The record behind an object's root or a workload. */
  resource(object: object): Resource
  /**
   * Tells whether a patch or replacement of a kustomization writes or removes a field, or what it is part of. Undefined where
   * none is for the object.
   */
  patchOf(object: Resource): ((path: Path) => boolean) | undefined
}

/** Builds the graph. Cost: near-linear in objects; relations are computed when first asked for. */
export function buildGraph(resources: readonly Resource[], options: GraphOptions): IndexedGraph {
  const { kustomizations, builds = buildsOf(kustomizations) } = options
  const objects = indexObjects(resources, options.workloadKinds, options.kustomizationRecords)
  const { resource } = objects
  const belong = belonging(objects)
  const { nearestFirst } = belong
  const select = selection(objects, belong)

  const backendsOf = memo((service: Service) =>
    workloadsBehind(service, resource(service), select).toSorted(nearestFirst(service)),
  )
  const guardedBy = memo((budget: PodDisruptionBudget) => guardedByBudget(budget, resource(budget), select))
  const policed = (policy: NetworkPolicy) => guardedByPolicy(policy, resource(policy), select)
  const services = lazy(() =>
    byWorkload(objects.all('Service'), backendsOf, (workload) =>
      steadyFirst(workload, nearestFirst(workload)),
    ),
  )
  const budgets = lazy(() => byWorkload(objects.all('PodDisruptionBudget'), guardedBy, nearestFirst))
  const policies = lazy(() => byWorkload(objects.all('NetworkPolicy'), policed, nearestFirst))
  const routes = lazy(() => routesByService(objects, belong))
  const routesTo = (service: Service) => routes().get(service) ?? []
  const byFolder = lazy(() => groupBy(resources, folderOf))
  const folders = lazy(() => foldersOf(byFolder(), kustomizations))
  const patches = lazy(() =>
    patchesOf(kustomizations, builds, appliedPatches(objects, byFolder, kustomizations, builds, folders)),
  )
  const unmatching = unmatchedIn(kustomizations, builds, resources)
  const scale = scaling(objects, belong, kustomizations, patches)
  const isAside = setAsideIn(kustomizations)
  const kustomized = lazy(() => kustomizedFinder(kustomizations))
  const byFlux = lazy(() => appliedByFlux(objects, byFolder, kustomizations, builds, folders))
  // What Flux and Argo CD put over it may bring what is missing, from anywhere.
  const isElsewhere = lazy(() =>
    [
      ...objects.all('kustomize.toolkit.fluxcd.io/Kustomization'),
      ...objects.all('argoproj.io/Application'),
    ].some((one) => /"(?:patch(?:es\w*)?|components)":/.test(JSON.stringify(one.spec ?? {}))),
  )
  const whole = lazy(() => wholeFinder(builds, unmatching.isKnown, patches().of))
  /** A List has one text for all its objects: it is searched once. */
  const textIn = memo((document: Document) => memo((text: string) => document.text.includes(text)))
  const workloadsByNamespace = lazy(() => groupBy(objects.workloads, ({ namespace }) => namespace))
  const namespaces = lazy(() => groupBy(objects.all('Namespace'), ({ metadata }) => metadata?.name))
  const once = new Map<string, unknown>()
  const values = resources.map((one) => one.value)
  const live = options.live?.(values)

  return {
    complete: options.complete,
    source: options.source ?? 'the input',
    live,
    kustomizations,

    objects: values,
    seenObjects: values,
    workloads: objects.workloads,
    workloadsIn: (namespace) => workloadsByNamespace().get(namespace) ?? [],
    seenWorkloads: objects.workloads,
    hasRead: () => true,
    resource,
    all: objects.all,
    allIn: (kind, namespace) => objects.inNamespace(kind, namespace).map(({ value }) => value),
    seen: objects.all,
    workload: objects.workload,
    knowsBuildsOf: unmatching.isKnown,
    unmatchedPatches: unmatching.patches,
    addedContainers: unmatching.containers,
    refusedOperations: unmatching.refused,
    unbuiltNames: unmatching.unbuiltNames,
    strayGenerators: unmatching.generators,
    repeatedObjects: unmatching.repeated,
    leftOutBy: leftOutBy(byFolder, kustomizations),
    isSetAside: (object, meeting) => isAside(resource(object), meeting && resource(meeting)),
    namespaceOf: (object) => resource(object).namespace,
    namespacesCalled: (name) => namespaces().get(name) ?? [],
    describe: (object) => formatResource(resource(object)),
    endOf: (object) => {
      const { document, path } = resource(object)
      return lastStepsIn(valueAt(document.value, ...path))
    },
    problems: (object) => resource(object).problems,

    find: (kind, name, near, namespace) => belong.find(kind, name, resource(near), namespace),
    siblings: (kind, near) => belong.siblings(kind, resource(near)),
    namesNear: (kind, near) => belong.namesNear(kind, resource(near)),
    nearby: (object) => select.nearby(resource(object)),
    together: (a, b) => belong.together(resource(a), resource(b)),
    nearestFirst,
    apart: (a, b) => distance(resource(a).folders, resource(b).folders),

    backendsOf,
    servicesOf: (workload) => services().get(workload) ?? [],
    portOf,
    listeners,
    routesTo,
    seenRoutesTo: routesTo,
    entranceOf: (service) => entranceOf(service, routesTo(service), objects),
    backendsNamedBy: (route) => backendsNamedBy(resource(route), belong),
    budgetsOf: (workload) => budgets().get(workload) ?? [],
    guardedBy,
    policiesOf: (workload) => policies().get(workload) ?? [],
    matching: (selector, near) => select.selected(selector, resource(near)),
    ...scale,
    turnoverOf: memo((workload) => live && turnover(workload, scale, live)),

    ...existence(objects, options),
    referencesOf: memo(configReferences),
    tagSetElsewhere: taggedElsewhere(objects, kustomizations),
    kustomized: (object) => kustomized()(resource(object)),
    appliedByFlux: (object) => byFlux()(resource(object)),
    mayComplete: (object, path) => {
      const own = resource(object)
      return kustomized()(own) && (isElsewhere() || !whole()(own, path))
    },
    patched: (object) => patches().isPatched(resource(object)),
    patchedContainers: (object, field, counts) => patches().mayAdd(resource(object), field, counts),
    patchOf: (object) => patches().of(object),
    mentions: (object, text) => {
      const { document, path } = resource(object)
      // The text of an object of a cluster is only made when somebody is to see it.
      if (document.live !== undefined) return true
      return path.length === 0 ? document.text.includes(text) : textIn(document)(text)
    },
    textLength: (object) => {
      const { document } = resource(object)
      return document.live === undefined ? document.text.length : 0
    },
    markBehind: (object, value) => {
      const { document } = resource(object)
      if (document.live) return undefined
      const at = document.text.indexOf(`${value} #`)
      return at < 0
        ? undefined
        : /^ #(\S+)/.exec(document.text.slice(at + value.length, at + value.length + 50))?.[1]
    },
    once: <T>(key: string, compute: () => T) => {
      if (!once.has(key)) once.set(key, compute())
      return once.get(key) as T
    },
  }
}

/** The way down by the last key of each mapping and the last entry of each list. */
function lastStepsIn(value: unknown): Path {
  if (typeof value !== 'object' || value === null) return []
  const last = Array.isArray(value) ? value.length - 1 : Object.keys(value).at(-1)
  return last === undefined || last === -1 ? [] : [last, ...lastStepsIn(valueAt(value, last))]
}
