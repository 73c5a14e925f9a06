/** Samples of custom objects, as kubebuilder and the Operator SDK make them. */
import type { KubernetesObject } from '../kubernetes.js'
import { valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/** The comment that newer versions leave behind `spec:`, with nothing below it. */
const unfilled = '# TODO(user): Add fields here'
/** What older versions wrote there, with a field that no kind has. */
const older = { comment: '# Add fields here', path: ['spec', 'foo'], value: 'bar' }

/**
 * Whether an object is such a sample and nobody has written its fields yet.
 * Source: kubebuilder/pkg/scaffold/v2/crd_sample.go and pkg/plugins/common/kustomize/v2 (config/samples/crd_sample.go).
 */
export function isUnfilledSample(object: KubernetesObject, graph: Graph): boolean {
  return graph.mentions(object, unfilled) || (hasSampleField(object) && graph.mentions(object, older.comment))
}

/** Whether `foo: bar` stands there. */
function hasSampleField(object: KubernetesObject): boolean {
  return valueAt(object, ...older.path) === older.value
}
