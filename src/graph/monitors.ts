/** What ServiceMonitors and PodMonitors of the Prometheus Operator look at. */
import type { Custom, KubernetesObject, LabelSelector } from '../kubernetes.js'
import { arrayAt, objectAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/** The namespaces that a monitor names; none where it looks into its own alone, undefined where it looks into all. */
export function namespacesOfMonitor(monitor: Custom): readonly unknown[] | undefined {
  const chosen = objectAt(monitor, 'spec', 'namespaceSelector')
  return valueAt(chosen, 'any') === true ? undefined : arrayAt(chosen, 'matchNames')
}

/** Tells whether an object is in the namespaces that a monitor looks into: by default its own. */
export function looksInto(monitor: Custom, graph: Graph): (object: KubernetesObject) => boolean {
  const named = namespacesOfMonitor(monitor)
  if (!named) return () => true
  const names = named.length > 0 ? named : [graph.namespaceOf(monitor)]
  // Whoever applies a manifest without a namespace chooses one.
  return (object) => {
    const namespace = graph.namespaceOf(object)
    return namespace === '' || names.includes('') || names.includes(namespace)
  }
}

/** A selector of a custom resource, with what is misshapen left out. */
export function selectorIn(value: object): LabelSelector {
  const pairs = Object.entries(objectAt(value, 'matchLabels') ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  )
  const expressions = objectsAt(value, 'matchExpressions').map((one) => ({
    key: stringAt(one, 'key') ?? '',
    operator: stringAt(one, 'operator') ?? '',
    values: arrayAt(one, 'values').filter((text) => typeof text === 'string'),
  }))
  return { matchLabels: Object.fromEntries(pairs), matchExpressions: expressions }
}
