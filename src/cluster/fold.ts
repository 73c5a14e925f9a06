/** Folds what a workload made into the workload: ten thousand pods are a few hundred templates. */
import { isGivenLabel } from '../graph/given-labels.js'
import { customWorkloads } from '../graph/workload.js'
import type { KindName, Untyped } from '../kubernetes.js'
import { isObject, objectsAt, stringAt, valueAt } from '../values/untyped.js'

/** In the order in which they must be read: each may be made by one of those before it. */
const folded: readonly KindName[] = ['ReplicaSet', 'Job', 'Pod']
const makers: ReadonlySet<string> = new Set([
  'CronJob',
  'DaemonSet',
  'Deployment',
  'Job',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  ...customWorkloads.map(({ kind }) => kind),
])

/** Groups of kinds that are to be read one after the other, so that makers are known before what they make. */
export function waves<T extends { readonly kindName: KindName }>(resources: readonly T[]): T[][] {
  const rank = ({ kindName }: T) => (kindName === 'Pod' ? 2 : folded.includes(kindName) ? 1 : 0)
  return [0, 1, 2].map((wave) => resources.filter((resource) => rank(resource) === wave))
}

/**
 * Makes the function that is shown all objects, wave by wave, and says which of them are told by their maker. A pod is not
 * when it has a label that neither its template nor its controller gives it and that a selector in its namespace asks for:
 * operators mark the leader so.
 */
export function folding(): (item: Untyped, kindName: KindName) => boolean {
  const templates = new Map<string, Untyped>()
  /** The keys that selectors ask for, by namespace. */
  const selected = new Map<string, Set<string>>()
  /** The pods that were kept, one for each template and set of labels: a list that starts again brings them again. */
  const kept = new Map<string, string | undefined>()
  return (item, kindName) => {
    const namespace = stringAt(item, 'metadata', 'namespace') ?? ''
    for (const key of selectedKeys(item, kindName))
      selected.set(namespace, (selected.get(namespace) ?? new Set()).add(key))
    const uid = stringAt(item, 'metadata', 'uid')
    if (uid !== undefined && makers.has(kindName)) templates.set(uid, templateLabels(item))
    // Nobody reports on the slices of a Service: they are its state.
    if (kindName === 'EndpointSlice') return true
    if (!folded.includes(kindName)) return false
    const maker = controllerOf(item)
    const template = maker === undefined ? undefined : templates.get(maker)
    if (!template) return false
    if (kindName !== 'Pod') return true
    const own = Object.entries(mappingAt(item, 'metadata', 'labels')).filter(
      ([key, value]) => selected.get(namespace)?.has(key) && template[key] !== value,
    )
    const mark = JSON.stringify([maker, own])
    if (own.length === 0) return true
    if (!kept.has(mark)) kept.set(mark, uid)
    return kept.get(mark) !== uid
  }
}

/**
 * The labels that selectors of an object ask for. Behind a Service the graph finds workloads by the labels that their
 * controllers give, too: no pod has to stand for them.
 */
function selectedKeys(item: Untyped, kindName: KindName): string[] {
  const selectors =
    kindName === 'Service'
      ? [{ matchLabels: valueAt(item, 'spec', 'selector') }]
      : kindName === 'PodDisruptionBudget'
        ? [valueAt(item, 'spec', 'selector')]
        : kindName === 'NetworkPolicy'
          ? [valueAt(item, 'spec', 'podSelector')]
          : []
  const keys = selectors.flatMap((selector) => [
    ...Object.keys(mappingAt(selector, 'matchLabels')),
    ...objectsAt(selector, 'matchExpressions').flatMap((one) => stringAt(one, 'key') ?? []),
  ])
  return kindName === 'Service' ? keys.filter((key) => !isGivenLabel(key)) : keys
}

function templateLabels(item: Untyped): Untyped {
  const template =
    valueAt(item, 'spec', 'template') ?? valueAt(item, 'spec', 'jobTemplate', 'spec', 'template')
  return mappingAt(template, 'metadata', 'labels')
}

/** The uid of the object that controls this one. */
function controllerOf(item: Untyped): string | undefined {
  const owner = objectsAt(item, 'metadata', 'ownerReferences').find(({ controller }) => controller === true)
  return stringAt(owner, 'uid')
}

function mappingAt(value: unknown, ...path: readonly string[]): Untyped {
  const found = valueAt(value, ...path)
  return isObject(found) ? found : {}
}
