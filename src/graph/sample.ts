/** Samples of custom objects, as kubebuilder and the Operator SDK make them. */
import { formatPath } from '../finding.js'
import type { KubernetesObject } from '../kubernetes.js'
import { isObject, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/** The comment that newer versions leave behind `spec:`, with nothing below it. */
const unfilled = '# TODO(user): Add fields here'
/** The comment that older versions wrote there. */
const older = '# Add fields here'
/** And the fields below it. Nobody means `foo: bar` without the comment, either: what kustomize builds has none. */
const inventions: Readonly<Record<string, unknown>> = { foo: 'bar', size: 3 }

/**
 * Whether an object is such a sample and nobody has written its fields yet. A kind that has the field that stands there is none.
 * Sources: kubebuilder/pkg/scaffold/v2/crd_sample.go and pkg/plugins/common/kustomize/v2 (config/samples/crd_sample.go),
 * operator-sdk/internal/scaffold/cr.go.
 */
export function isUnfilledSample(object: KubernetesObject, graph: Graph): boolean {
  return (
    graph.mentions(object, unfilled) ||
    isEmptySample(object) ||
    Object.keys(inventions).some((field) => isInvented(object, field, graph))
  )
}

/**
 * Whether a comment beside a field without a value says that it is still to be written, as an exercise has it (`image: # TODO: the image`).
 * @param field its name
 */
export function isLeftToDo(object: KubernetesObject, field: string, graph: Graph): boolean {
  return graph.mentions(object, `${field}: # TODO`) || graph.mentions(object, `${field}: #TODO`)
}

/** Whether somebody has taken out what stood in the spec, the comment, too, and left the name that the tool gives: `web-sample`. */
function isEmptySample({ metadata, ...object }: KubernetesObject): boolean {
  const spec = valueAt(object, 'spec')
  const isEmpty = spec === null || (isObject(spec) && Object.keys(spec).length === 0)
  return isEmpty && metadata?.name?.endsWith('-sample') === true
}

/** Whether a field of the spec is one that the tool has invented. */
export function isInvented(object: KubernetesObject, field: string, graph: Graph): boolean {
  const invented = inventions[field]
  return (
    invented !== undefined &&
    valueAt(object, 'spec', field) === invented &&
    graph
      .problems(object)
      .some(({ kind, path }) => kind === 'unknown-field' && formatPath(path) === `.spec.${field}`) &&
    (field === 'foo' || graph.mentions(object, older))
  )
}
