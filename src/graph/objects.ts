/** The objects of the input, indexed by what they are called. */
import type { WorkloadKind } from '../config/settings.js'
import type { KindName, ObjectOf } from '../kubernetes.js'
import { groupBy, push } from '../values/group.js'
import { memo } from '../values/lazy.js'
import type { Resource } from './resource.js'
import { customWorkloads, type Workload, workloadOf } from './workload.js'

/** A record whose object is of a known kind. */
export type ResourceOf<K extends KindName> = Resource & { readonly value: ObjectOf<K> }

/** The objects of the input; every list in its order. */
export interface Objects {
  readonly resources: readonly Resource[]
  readonly workloads: readonly Workload[]
  /** The record behind an object's root, a workload or a kustomization. Throws a TypeError for anything else. */
  resource(object: object): Resource
  /** The workload that an object is; undefined for all that make no pods. */
  workload(object: object): Workload | undefined
  /** All of a kind. */
  ofKind<K extends KindName>(kind: K): readonly ResourceOf<K>[]
  /** The objects themselves, of a kind. */
  all<K extends KindName>(kind: K): readonly ObjectOf<K>[]
  /** Those of a kind in a namespace. */
  inNamespace<K extends KindName>(kind: K, namespace: string): readonly ResourceOf<K>[]
  /** Those of one name: variants of one object. */
  named<K extends KindName>(kind: K, namespace: string, name: string): readonly ResourceOf<K>[]
  /** The variants of an object, itself included. */
  variants(of: Resource): readonly Resource[]
}

/** One key for what makes two objects variants of each other. */
export function identity(kind: string, namespace: string, name: string): string {
  return `${kind}\n${namespace}\n${name}`
}

/**
 * Indexes the objects of the input.
 * @param others what rules look at besides, with the records behind them
 */
export function indexObjects(
  resources: readonly Resource[],
  workloadKinds: readonly WorkloadKind[],
  others: ReadonlyMap<object, Resource> = new Map(),
): Objects {
  const byRoot = new Map<object, Resource>(others)
  for (const record of others.values()) byRoot.set(record.value, record)
  const byKind = new Map<string, Resource[]>()
  const byIdentity = new Map<string, Resource[]>()
  const variants = new Map<Resource, readonly Resource[]>()
  const workloads: Workload[] = []
  const workloadByRoot = new Map<object, Workload>()
  const custom = new Map([...customWorkloads, ...workloadKinds].map((kind) => [kind.kind, kind]))
  for (const resource of resources) {
    const { value, kindName, namespace, name } = resource
    byRoot.set(value, resource)
    push(byKind, kindName, resource)
    const key = identity(kindName, namespace, name)
    push(byIdentity, key, resource)
    variants.set(resource, byIdentity.get(key) ?? [])
    const workload = workloadOf(resource, custom)
    if (workload) {
      workloads.push(workload)
      workloadByRoot.set(value, workload)
      byRoot.set(workload, resource)
    }
  }
  const ofKind = <K extends KindName>(kind: K) => listed<ResourceOf<K>>(byKind.get(kind))
  const valuesOf = memo((kind: KindName) => ofKind(kind).map(({ value }) => value))
  const byNamespace = memo((kind: KindName) => groupBy(ofKind(kind), ({ namespace }) => namespace))
  return {
    resources,
    workloads,
    resource: (object) => {
      const found = byRoot.get(object)
      if (!found) throw new TypeError('not the root of an object of this graph')
      return found
    },
    workload: (object) => workloadByRoot.get(object),
    ofKind,
    all: <K extends KindName>(kind: K) => listed<ObjectOf<K>>(valuesOf(kind)),
    inNamespace: <K extends KindName>(kind: K, namespace: string) =>
      listed<ResourceOf<K>>(byNamespace(kind).get(namespace)),
    named: <K extends KindName>(kind: K, namespace: string, name: string) =>
      listed<ResourceOf<K>>(byIdentity.get(identity(kind, namespace, name))),
    variants: (of) => variants.get(of) ?? [],
  }
}

/** What an index holds for a kind. It is made by `kindName`, and the objects of a kind are of one type. */
function listed<T>(found: readonly unknown[] | undefined): readonly T[] {
  return (found ?? []) as readonly T[]
}
