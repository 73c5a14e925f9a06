/**
 * Every object that was read, indexed once, and the questions that rules ask about them.
 *
 * Which objects belong together: objects with the same namespace do. Manifests often leave the namespace to
 * `kubectl -n`, or say `default` as examples do; those belong together when their files are near each other (at most
 * three folder changes apart: base/ and overlays/prod/ do, two applications of a repository do not), and a selector
 * that matches something next door leaves alone what is further away. Where several objects have the same kind,
 * namespace and name (variants of one object, as in a folder of examples), an object is linked to the nearest variant
 * only.
 */
import type { External, WorkloadKind } from '../config/settings.js'
import type { Document } from '../document.js'
import type {
  ContainerPort,
  HorizontalPodAutoscaler,
  IntOrString,
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
import type { SchemaProblem } from '../schema/check.js'
import { imageParts, isImageAlias } from './container.js'
import { givenLabels, isGiven } from './given.js'
import { push } from './group.js'
import type { Live } from './live.js'
import { patchFinder } from './patches.js'
import { type ConfigReference, configReferences } from './references.js'
import { distance, type Resource } from './resource.js'
import { type BackendReference, backendReferences } from './routes.js'
import { type Labels, matchesSelector, selectsAll } from './selector.js'
import { numberAt, objectsAt, stringAt, valueAt } from './untyped.js'
import { customWorkloads, type Workload, workloadOf } from './workload.js'

export type { ConfigReference } from './references.js'

/** Folder changes up to which objects without a namespace are taken to belong together. */
const reach = 3

/**
 * A route from outside the cluster to a Service: an Ingress, a Gateway API route, a mesh or
 * ingress controller's own kind.
 */
export interface Backend extends BackendReference {
  /** The Ingress, HTTPRoute, IngressRoute, VirtualService… */
  readonly from: KubernetesObject
}

/** What lets clients outside the cluster reach a Service. */
export interface Entrance {
  /** `Ingress web`, `Service web (LoadBalancer)`: for messages. */
  readonly by: string
  readonly of: KubernetesObject
  /** The mapping in it that says so, with the field. */
  readonly node: object
  readonly field: string
}

/** The fewest pods that a workload may run with. */
export interface FewestPods {
  readonly pods: number
  /** The object that decides: an autoscaler or the workload itself. */
  readonly of: KubernetesObject
  /** The mapping in it that holds (or would hold) the number. */
  readonly node: object
  readonly field: string
}

/** What is known of the input besides its objects. */
export interface GraphOptions {
  readonly complete: boolean
  /** What the objects come from; the input by default. */
  readonly source?: Graph['source'] | undefined
  readonly namespace: string | undefined
  readonly externals: readonly External[]
  readonly workloadKinds: readonly WorkloadKind[]
  readonly kustomizations: readonly Kustomization[]
  /** Makes the state of the cluster that the objects are of, if they are of one. */
  readonly live?: ((objects: readonly KubernetesObject[]) => Live) | undefined
}

/** What rules may ask about the other objects. */
export interface Graph {
  /** The input is the whole of its namespaces: what is not in it does not exist (save the externals). */
  readonly complete: boolean
  /** What the objects come from, for messages: `no Secret a in the input`. */
  readonly source: 'the input' | 'the cluster'
  /** All objects of a kind, in the order of the input. */
  all<K extends KindName>(kind: K): readonly ObjectOf<K>[]
  /**
   * The same, as evidence that a finding is no worse without: where some or all of them could not be read, the finding
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
  readonly kustomizations: readonly Kustomization[]
  /** The workload that an object is; undefined for all that make no pods. */
  workload(object: object): Workload | undefined
  /** The namespace that counts for an object: its own, or the one given with -n, or empty. */
  namespaceOf(object: object): string
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

  /** The workloads whose pods the Service selects, the nearest file first. Empty for a Service without selector. */
  backendsOf(service: Service): readonly Workload[]
  /** The Services that select the workload's pods, the nearest file first. */
  servicesOf(workload: Workload): readonly Service[]
  /** What routes traffic to a Service, the nearest file first. */
  routesTo(service: Service): readonly Backend[]
  /** What lets clients outside the cluster reach the Service: a route to it, or its type. */
  entranceOf(service: Service): Entrance | undefined
  /** The Services and their ports that an Ingress or route names, resolved or not. */
  backendsNamedBy(
    route: KubernetesObject,
  ): readonly (BackendReference & { readonly service: Service | undefined })[]
  /** The container port that a Service port leads to in a workload, by number or by name. */
  portOf(
    workload: Workload,
    port: ServicePort,
  ):
    | {
        readonly container: Workload['containers'][number]
        readonly port: ContainerPort | undefined
        readonly number: number | undefined
      }
    | undefined

  /** The workload's containers that own ports of the Service; empty when none declares them. */
  listeners(workload: Workload, service: Service): readonly Workload['containers'][number][]

  /** The HorizontalPodAutoscaler that targets the workload. */
  autoscalerOf(workload: Workload): HorizontalPodAutoscaler | undefined
  /** The KEDA ScaledObject that targets the workload. */
  scaledObjectOf(workload: Workload): ObjectOf<'keda.sh/ScaledObject'> | undefined
  /** The workload that an autoscaler targets. */
  targetOf(autoscaler: KubernetesObject): Workload | undefined
  /**
   * The autoscaler's minimum, else `replicas`, else 1. Where kustomizations set `replicas` for it, the
   * largest of these numbers: a base is small, what runs is an overlay. Undefined for kinds without a number
   * of replicas (DaemonSet, Job).
   */
  fewestPods(workload: Workload): FewestPods | undefined
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
  /**
   * Whether an object of that name exists as far as the input or the externals tell: written anywhere in a
   * namespace that may be the same, made by an object of the input (ExternalSecret, SealedSecret,
   * Certificate, generator…), or external.
   */
  exists(
    kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount' | 'Service' | KindName,
    name: string,
    near: object,
  ): boolean
  /** Whether an autoscaler's `targetRef` (as VerticalPodAutoscalers have it) names the workload. */
  targetNamed(autoscaler: object, workload: Workload): boolean
  /**
   * Whether an object of the input creates or completes the ConfigMap or Secret, so that its
   * written keys are not all it has.
   */
  isFilledElsewhere(kind: 'ConfigMap' | 'Secret', name: string): boolean
  /** The names of a kind that belong together with `near`, for "did you mean". */
  namesNear(kind: KindName, near: object): readonly string[]
  /**
   * Whether a tool sets the tag or digest of the image: a kustomization, skaffold and ko, which build it, or
   * whatever fills in a bare name.
   */
  tagSetElsewhere(image: string): boolean
  /**
   * Whether what is applied is what a tool makes of the file: a kustomization stands in its folder, or file or folder
   * are called a patch or overlay.
   */
  kustomized(object: object): boolean
  /**
   * Whether a text stands anywhere in the file's document that holds the object, in comments, too: where it doesn't,
   * there is nothing to look for.
   */
  mentions(object: object, text: string): boolean
  /** Whether a patch of a kustomization changes the object: what is missing in it may be added there. */
  patched(object: object): boolean
  /** What the schema found wrong with the object. */
  problems(object: object): readonly SchemaProblem[]
  /** Computes something once per run, for rules that look at many objects together. */
  once<T>(key: string, compute: () => T): T
}

/** A sound default for the fields of an object without metadata. */
const noLabels: Labels = {}

/** The graph as the engine holds it, with the records behind the objects. */
export interface IndexedGraph extends Graph {
  /** The record behind an object's root or a workload. */
  resource(object: object): Resource
}

/** Builds the graph. Cost: near-linear in objects; relations are computed when first asked for. */
export function buildGraph(resources: readonly Resource[], options: GraphOptions): IndexedGraph {
  const byRoot = new Map<object, Resource>()
  const byKind = new Map<string, Resource[]>()
  const byIdentity = new Map<string, Resource[]>()
  /** The variants of each object, itself included. */
  const groups = new Map<Resource, readonly Resource[]>()
  const workloads: Workload[] = []
  const workloadByRoot = new Map<object, Workload>()
  const custom = new Map([...customWorkloads, ...options.workloadKinds].map((kind) => [kind.kind, kind]))

  const identity = (kindName: string, namespace: string, name: string) => `${kindName}\n${namespace}\n${name}`
  for (const resource of resources) {
    byRoot.set(resource.value, resource)
    push(byKind, resource.kindName, resource)
    const key = identity(resource.kindName, resource.namespace, resource.name)
    push(byIdentity, key, resource)
    groups.set(resource, byIdentity.get(key) ?? [])
    const workload = workloadOf(resource.value, resource.kindName, resource.namespace, custom)
    if (workload) {
      workloads.push(workload)
      workloadByRoot.set(resource.value, workload)
      byRoot.set(workload, resource)
    }
  }

  const resource = (object: object): Resource => {
    const found = byRoot.get(object)
    if (!found) throw new TypeError('not the root of an object of this graph')
    return found
  }
  const variants = (of: Resource) => groups.get(of) ?? []
  const apart = (a: Resource, b: Resource) => distance(a.folders, b.folders)
  const sameFile = (a: Resource, b: Resource) => a.document.file === b.document.file
  /** Orders what belongs to an object: the same file is nearer than another of its folder. */
  const farness = (a: Resource, b: Resource) => 2 * apart(a, b) + (sameFile(a, b) ? 0 : 1)
  const nearestFirst = (near: object) => {
    const own = resource(near)
    return (a: object, b: object) => farness(resource(a), own) - farness(resource(b), own)
  }

  /** The folder changes from a folder to the nearest variant of a group; folders are told apart by identity. */
  const leastApart = new Map<readonly Resource[], Map<readonly string[], number>>()
  const least = (group: readonly Resource[], folders: readonly string[]): number => {
    let known = leastApart.get(group)
    if (!known) {
      known = new Map()
      leastApart.set(group, known)
    }
    let found = known.get(folders)
    if (found === undefined) {
      found = Number.POSITIVE_INFINITY
      for (const one of group) found = Math.min(found, distance(one.folders, folders))
      known.set(folders, found)
    }
    return found
  }

  /**
   * Whether `a` is, among its variants, the one nearest to `b` (the same file counts as nearer than the same folder).
   */
  const isNearest = (a: Resource, b: Resource): boolean => {
    // Objects that leave their name to the API server (generateName) are no variants of each other.
    if (a.name === '') return true
    const group = variants(a)
    if (group.length < 2) return true
    const own = apart(a, b)
    if (own > least(group, b.folders)) return false
    return own > 0 || sameFile(a, b) || !group.some((other) => sameFile(other, b))
  }
  const belong = (a: Resource, b: Resource): boolean =>
    a.namespace === b.namespace &&
    (isOwn(a.namespace) || apart(a, b) <= reach) &&
    isNearest(a, b) &&
    isNearest(b, a)

  const all = (kind: string) => byKind.get(kind) ?? []
  const byNamespace = memo((kind: string) => {
    const index = new Map<string, Resource[]>()
    for (const one of all(kind)) push(index, one.namespace, one)
    return index
  })
  const valuesOf = memo((kind: string) => all(kind).map((one) => one.value))

  /** Where to look for what may belong together with an object: in its namespace; without one, in near folders. */
  const scopesOfFolders = memo(ancestors)
  const scopesOf = ({ namespace, folders }: Resource): readonly string[] =>
    namespace !== '' ? [`n ${namespace}`] : scopesOfFolders(folders)

  // Workloads by scope and label pair; all workloads of a scope under the empty pair.
  const byLabel = lazy(() => {
    const index = new Map<string, Map<string, Workload[]>>()
    for (const workload of workloads) {
      const { labels } = workload
      const pairs = ['']
      for (const key in labels) pairs.push(`${key}=${labels[key]}`)
      for (const scope of scopesOf(resource(workload))) {
        const inScope = index.get(scope) ?? new Map<string, Workload[]>()
        if (inScope.size === 0) index.set(scope, inScope)
        for (const pair of pairs) push(inScope, pair, workload)
      }
    }
    return index
  })

  const matching = (
    labels: Labels,
    test: (workload: Workload) => boolean,
    near: Resource,
  ): readonly Workload[] => {
    const index = byLabel()
    const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
    const found = new Set<Workload>()
    for (const scope of scopesOf(near)) {
      let least: readonly Workload[] | undefined
      for (const pair of pairs.length ? pairs : ['']) {
        const list = index.get(scope)?.get(pair) ?? []
        if (!least || list.length < least.length) least = list
      }
      for (const workload of least ?? [])
        if (test(workload) && belong(resource(workload), near)) found.add(workload)
    }
    if (isOwn(near.namespace) || found.size < 2) return [...found]
    // Without a namespace a match next door makes matches further away somebody else's: folders of examples.
    const far = (workload: Workload) => apart(resource(workload), near)
    const most = Math.max(1, Math.min(...[...found].map(far)))
    return [...found].filter((workload) => far(workload) <= most)
  }
  const bySelector = (selector: LabelSelector | undefined, near: Resource) =>
    selector
      ? matching(
          selector.matchLabels ?? noLabels,
          (workload) => matchesSelector(selector, workload.labels),
          near,
        )
      : []

  const backendsOf = memo((service: Service): readonly Workload[] => {
    const selector = service.spec?.selector
    if (!selector || Object.keys(selector).length === 0 || service.spec?.type === 'ExternalName') return []
    const pairs = Object.entries(selector)
    const written = Object.fromEntries(pairs.filter(([key]) => !givenLabels.has(key)))
    const found = matching(
      written,
      (workload) =>
        pairs.every(([key, value]) => workload.labels[key] === value || isGiven(workload, key, value)),
      resource(service),
    )
    return found.length > 1 ? [...found].sort(nearestFirst(service)) : found
  })
  const reverse = <T extends KubernetesObject>(kind: KindName, forward: (object: T) => readonly Workload[]) =>
    lazy(() => {
      const index = new Map<Workload, T[]>()
      for (const one of all(kind))
        for (const workload of forward(one.value as T)) push(index, workload, one.value as T)
      for (const [workload, found] of index) if (found.length > 1) found.sort(nearestFirst(workload))
      return index
    })
  const services = reverse<Service>('Service', backendsOf)
  const guardedBy = memo((budget: PodDisruptionBudget): readonly Workload[] => {
    const own = resource(budget)
    // An empty selector matched nothing in policy/v1beta1, and matches everything in policy/v1.
    if (own.apiVersion === 'policy/v1beta1' && selectsAll(budget.spec?.selector)) return []
    return bySelector(budget.spec?.selector, own)
  })
  const budgets = reverse<PodDisruptionBudget>('PodDisruptionBudget', guardedBy)
  const policies = reverse<NetworkPolicy>('NetworkPolicy', (policy) =>
    bySelector(policy.spec?.podSelector ?? {}, resource(policy)),
  )

  const find = (
    kind: string,
    name: string | undefined,
    near: Resource,
    namespace = near.namespace,
  ): Resource | undefined => {
    if (name === undefined) return undefined
    const candidates = byIdentity.get(identity(kind, namespace, name)) ?? []
    if (namespace !== near.namespace)
      return candidates.reduce<Resource | undefined>(
        (best, one) => (best && farness(best, near) <= farness(one, near) ? best : one),
        undefined,
      )
    return candidates.find((one) => belong(one, near))
  }

  const routes = lazy(() => {
    const index = new Map<object, Backend[]>()
    for (const one of resources) {
      for (const reference of backendReferences(one.kindName, one.value)) {
        const service = find('Service', reference.name, one, reference.namespace ?? one.namespace)
        if (service) push(index, service.value, { ...reference, from: one.value })
      }
    }
    for (const [service, found] of index)
      if (found.length > 1) {
        const order = nearestFirst(service)
        found.sort((a, b) => order(a.from, b.from))
      }
    return index
  })

  /** Kinds by the name that a scaleTargetRef uses. */
  const workloadsByName = lazy(() => {
    const index = new Map<string, Workload[]>()
    for (const workload of workloads)
      push(index, identity(workload.kind, resource(workload).namespace, workload.name), workload)
    return index
  })
  /** What an autoscaler scales; several when variants of one workload, of which one is applied, are equally near. */
  const targetsOf = memo((autoscaler: KubernetesObject): readonly Workload[] => {
    const own = resource(autoscaler)
    const name = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'name')
    const kind = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment'
    if (name === undefined) return []
    const named = workloadsByName().get(identity(kind, own.namespace, name)) ?? []
    const near = named.filter((workload) => belong(resource(workload), own))
    const nearest = Math.min(...near.map((workload) => farness(resource(workload), own)))
    return near.filter((workload) => farness(resource(workload), own) === nearest)
  })
  const scalers = (kind: KindName) =>
    lazy(() => {
      const index = new Map<Workload, KubernetesObject>()
      for (const one of all(kind)) {
        for (const target of targetsOf(one.value)) if (!index.has(target)) index.set(target, one.value)
      }
      return index
    })
  const autoscalers = scalers('HorizontalPodAutoscaler')
  const scaledObjects = scalers('keda.sh/ScaledObject')

  /** The counts that kustomizations set, by the name that they set them for. */
  const overlayCounts = lazy(() => {
    const index = new Map<string, { readonly folders: readonly string[]; readonly count: number }[]>()
    for (const { folder, replicas } of options.kustomizations) {
      for (const { name, count } of replicas) push(index, name, { folders: foldersOf(folder), count })
    }
    return index
  })
  /** What kustomizations near a workload make of its number of replicas. */
  const countsInOverlays = ({ name, folders }: Resource): readonly number[] =>
    (overlayCounts().get(name) ?? [])
      .filter((set) => distance(set.folders, folders) <= reach)
      .map((set) => set.count)

  const made = lazy(() => madeNames(resources, options.kustomizations))
  const namesByKind = memo((kind: string) => {
    const index = new Map<string, Set<string>>()
    for (const one of all(kind)) {
      const namespaces = index.get(one.name) ?? new Set()
      index.set(one.name, namespaces.add(one.namespace))
    }
    return index
  })
  /** The images that a skaffold.yaml of the input builds and tags. */
  const built = lazy(
    () =>
      new Set(
        all('skaffold/Config').flatMap((one) =>
          objectsAt(one.value, 'build', 'artifacts').map((artifact) => stringAt(artifact, 'image')),
        ),
      ),
  )
  /** The images for which a kustomization sets a tag or digest. */
  const pinned = lazy(() => {
    const images = options.kustomizations.flatMap((one) => one.images).filter((one) => one.pinned)
    return new Set(images.map(({ name }) => `${imageParts(name).registry}/${imageParts(name).repository}`))
  })
  const patched = lazy(() => patchFinder(options.kustomizations))
  /** A List has one text for all its objects: it is searched once. */
  const textIn = memo((document: Document) => memo((text: string) => document.text.includes(text)))
  const once = new Map<string, unknown>()

  const objects = resources.map((one) => one.value)
  const graph: IndexedGraph = {
    complete: options.complete,
    source: options.source ?? 'the input',
    resource,
    objects,
    seenObjects: objects,
    live: options.live?.(objects),
    workloads,
    kustomizations: options.kustomizations,
    all: <K extends KindName>(kind: K) => valuesOf(kind) as unknown as readonly ObjectOf<K>[],
    seen: <K extends KindName>(kind: K) => valuesOf(kind) as unknown as readonly ObjectOf<K>[],
    workload: (object) => workloadByRoot.get(object),
    namespaceOf: (object) => resource(object).namespace,
    describe: (object) => {
      const { kind, namespace, name } = resource(object)
      return `${kind} ${namespace ? `${namespace}/` : ''}${name || '(no name)'}`
    },
    find: <K extends KindName>(kind: K, name: string | undefined, near: object, namespace?: string) =>
      find(kind, name, resource(near), namespace)?.value as ObjectOf<K> | undefined,
    siblings: <K extends KindName>(kind: K, near: object) => {
      const own = resource(near)
      return (byNamespace(kind).get(own.namespace) ?? [])
        .filter((one) => one !== own && belong(one, own))
        .map((one) => one.value) as unknown as readonly ObjectOf<K>[]
    },
    nearby: (object) => {
      const scopes = scopesOf(resource(object))
      return [...new Set(scopes.flatMap((scope) => byLabel().get(scope)?.get('') ?? []))]
    },
    together: (a, b) => belong(resource(a), resource(b)),
    apart: (a, b) => apart(resource(a), resource(b)),
    backendsOf,
    servicesOf: (workload) => services().get(workload) ?? [],
    routesTo: (service) => routes().get(service) ?? [],
    entranceOf: (service) => {
      const [route] = graph.routesTo(service)
      if (route)
        return { by: graph.describe(route.from), of: route.from, node: route.node, field: route.field }
      const { spec } = service
      if (spec?.type !== 'LoadBalancer' && spec?.type !== 'NodePort') return undefined
      return { by: `${graph.describe(service)} (${spec.type})`, of: service, node: spec, field: 'type' }
    },
    listeners: (workload, service) => {
      const owners = (service.spec?.ports ?? []).flatMap((port) => portOf(workload, port)?.container ?? [])
      return [...new Set(owners)]
    },
    backendsNamedBy: (route) => {
      const own = resource(route)
      return backendReferences(own.kindName, route).map((reference) => ({
        ...reference,
        service: find('Service', reference.name, own, reference.namespace ?? own.namespace)?.value as
          | Service
          | undefined,
      }))
    },
    portOf: (workload, port) => portOf(workload, port),
    autoscalerOf: (workload) => autoscalers().get(workload) as HorizontalPodAutoscaler | undefined,
    scaledObjectOf: (workload) =>
      scaledObjects().get(workload) as ObjectOf<'keda.sh/ScaledObject'> | undefined,
    targetOf: (autoscaler) => targetsOf(autoscaler)[0],
    fewestPods: memo((workload: Workload) => {
      const { scale } = workload
      if (!scale) return undefined
      const own = { of: workload.object, node: scale.node, field: 'replicas' }
      // Autoscalers leave a workload alone that is scaled to 0 by hand: podautoscaler/horizontal.go.
      if (scale.replicas === 0) return { pods: 0, ...own }
      const hpa = graph.autoscalerOf(workload)
      if (hpa)
        return { pods: hpa.spec?.minReplicas ?? 1, of: hpa, node: hpa.spec ?? hpa, field: 'minReplicas' }
      const scaled = graph.scaledObjectOf(workload)
      const spec = valueAt(scaled, 'spec')
      if (scaled && typeof spec === 'object' && spec !== null) {
        return {
          pods: numberAt(spec, 'minReplicaCount') ?? 0,
          of: scaled,
          node: spec,
          field: 'minReplicaCount',
        }
      }
      return { pods: Math.max(scale.replicas ?? 1, ...countsInOverlays(resource(workload))), ...own }
    }),
    budgetsOf: (workload) => budgets().get(workload) ?? [],
    guardedBy,
    policiesOf: (workload) => policies().get(workload) ?? [],
    matching: (selector, near) => bySelector(selector, resource(near)),
    referencesOf: memo(configReferences),
    exists: (kind, name, near) => {
      const { namespace } = resource(near)
      const sameNamespace = (other: string) => namespace === '' || other === '' || other === namespace
      const written = namesByKind(kind).get(name)
      if (written && [...written].some(sameNamespace)) return true
      const creators = made().get(`${kind}\n${name}`)
      if (creators?.some(sameNamespace)) return true
      return options.externals.some(
        (external) =>
          wildcard(external.kind, kind) &&
          wildcard(external.name, name) &&
          (external.namespace === undefined || namespace === '' || wildcard(external.namespace, namespace)),
      )
    },
    targetNamed: (autoscaler, workload) => {
      const ref = valueAt(autoscaler, 'spec', 'targetRef')
      return (
        stringAt(ref, 'name') === workload.name && (stringAt(ref, 'kind') ?? workload.kind) === workload.kind
      )
    },
    isFilledElsewhere: (kind, name) => made().has(`${kind}\n${name}`),
    namesNear: (kind, near) => {
      const own = resource(near)
      return [
        ...new Set(
          (byNamespace(kind).get(own.namespace) ?? [])
            .filter((one) => isOwn(own.namespace) || apart(one, own) <= reach)
            .map((one) => one.name),
        ),
      ]
    },
    tagSetElsewhere: (image) => {
      if (image.startsWith('ko://') || isImageAlias(image) || built().has(image)) return true
      const { registry, repository } = imageParts(image)
      return pinned().has(`${registry}/${repository}`)
    },
    kustomized(object) {
      const { folders, document } = resource(object)
      if (document.live) return false
      const folder = folders.join('/') || '.'
      return patchPath.test(document.file.name) || options.kustomizations.some((one) => one.folder === folder)
    },
    mentions: (object, text) => {
      const { document } = resource(object)
      // The text of an object of a cluster is only made when somebody is to see it.
      return document.live !== undefined || textIn(document)(text)
    },
    patched: (object) => patched()(resource(object)),
    problems: (object) => resource(object).problems,
    once: <T>(key: string, compute: () => T) => {
      if (!once.has(key)) once.set(key, compute())
      return once.get(key) as T
    },
  }
  return graph
}

/**
 * The container that listens at a Service port. Undefined when the workload declares no such port
 * (which is legal for numbers).
 */
function portOf(workload: Workload, port: ServicePort): ReturnType<Graph['portOf']> {
  // An empty targetPort means `port`, as well: pkg/apis/core/v1/defaults.go.
  const target: IntOrString | undefined = port.targetPort || port.port
  const protocol = port.protocol ?? 'TCP'
  for (const container of workload.running) {
    for (const one of container.spec.ports ?? []) {
      // Port names and protocol are looked up in ordinary containers and native sidecars:
      // k8s.io/endpointslice/utils.go.
      const named = typeof target === 'string' ? one.name === target : one.containerPort === target
      if (named && (one.protocol ?? 'TCP') === protocol)
        return { container, port: one, number: one.containerPort }
    }
  }
  const only = workload.running.length === 1 ? workload.running[0] : undefined
  return only && typeof target === 'number' ? { container: only, port: undefined, number: target } : undefined
}

/**
 * The names of ConfigMaps, Secrets and ServiceAccounts that objects of the input will create, by `kind\nname`,
 * with the namespaces. Sources: the reference documents of external-secrets, sealed-secrets, cert-manager and
 * the Secrets Store CSI driver.
 */
function madeNames(
  resources: readonly Resource[],
  kustomizations: readonly Kustomization[],
): ReadonlyMap<string, string[]> {
  const made = new Map<string, string[]>()
  const add = (kind: string, name: string | undefined, namespace: string) => {
    if (name) push(made, `${kind}\n${name}`, namespace)
  }
  for (const { kindName, value, name, namespace } of resources) {
    switch (kindName) {
      case 'external-secrets.io/ExternalSecret':
      case 'kubernetes-client.io/ExternalSecret':
        add('Secret', stringAt(value, 'spec', 'target', 'name') ?? name, namespace)
        break
      case 'external-secrets.io/ClusterExternalSecret':
        add(
          'Secret',
          stringAt(value, 'spec', 'externalSecretName') ??
            stringAt(value, 'spec', 'externalSecretSpec', 'target', 'name') ??
            name,
          '',
        )
        break
      case 'bitnami.com/SealedSecret':
        add('Secret', stringAt(value, 'spec', 'template', 'metadata', 'name') ?? name, namespace)
        break
      case 'cert-manager.io/Certificate':
        add('Secret', stringAt(value, 'spec', 'secretName'), namespace)
        break
      case 'cert-manager.io/Issuer':
      case 'cert-manager.io/ClusterIssuer':
        add('Secret', stringAt(value, 'spec', 'acme', 'privateKeySecretRef', 'name'), '')
        break
      case 'secrets-store.csi.x-k8s.io/SecretProviderClass':
        for (const one of objectsAt(value, 'spec', 'secretObjects'))
          add('Secret', stringAt(one, 'secretName'), namespace)
        break
      case 'zalando.org/PlatformCredentialsSet':
      case 'secrets.hashicorp.com/VaultStaticSecret':
      case 'secrets.hashicorp.com/VaultDynamicSecret':
      case 'secrets.hashicorp.com/VaultPKISecret':
        add('Secret', stringAt(value, 'spec', 'destination', 'name') ?? name, namespace)
        break
      case 'onepassword.com/OnePasswordItem':
      case 'isindir.github.com/SopsSecret':
        add('Secret', name, namespace)
        break
      case 'trust.cert-manager.io/Bundle':
        add('ConfigMap', name, '')
        break
      case 'Ingress':
        // cert-manager's ingress-shim makes the Secret that tls names.
        if (
          Object.keys(value.metadata?.annotations ?? {}).some((key) =>
            /^(cert-manager\.io|certmanager\.k8s\.io|acme\.cert-manager\.io)\/|^kubernetes\.io\/tls-acme$/.test(
              key,
            ),
          )
        ) {
          for (const tls of objectsAt(value, 'spec', 'tls'))
            add('Secret', stringAt(tls, 'secretName'), namespace)
        }
        break
      case 'StatefulSet':
        break
    }
  }
  for (const { generated, namespace } of kustomizations) {
    for (const one of generated) add(one.kind, one.name, one.namespace ?? namespace ?? '')
  }
  return made
}

function foldersOf(path: string): string[] {
  return path === '' || path === '.' ? [] : path.split('/')
}

/** Names that files and folders of partial objects have: `overlays/prod/`, `deployment-patch.yaml`. */
const patchPath = /(^|[-_./])(overlays?|patch(es)?)([-_./]|$)/i

/** Whether somebody chose the namespace: its objects belong together wherever they stand. */
function isOwn(namespace: string): boolean {
  return namespace !== '' && namespace !== 'default'
}

/** The folder itself and its parents, as scope keys of the label index. */
function ancestors(folders: readonly string[]): readonly string[] {
  const scopes: string[] = []
  for (let up = 0; up <= Math.min(reach, folders.length); up++)
    scopes.push(`f ${folders.slice(0, folders.length - up).join('/')}`)
  return scopes
}

function wildcard(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  ).test(text)
}

function lazy<T>(compute: () => T): () => T {
  let value: { readonly is: T } | undefined
  return () => {
    value ??= { is: compute() }
    return value.is
  }
}

function memo<A, T>(compute: (argument: A) => T): (argument: A) => T {
  const known = new Map<A, T>()
  return (argument) => {
    if (!known.has(argument)) known.set(argument, compute(argument))
    return known.get(argument) as T
  }
}
