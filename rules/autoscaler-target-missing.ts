import {
  advise,
  at,
  conditionOf,
  formatCondition,
  type Graph,
  isKind,
  type KubernetesObject,
  objectAt,
  rule,
  scaledKinds,
  stringAt,
} from '../src/rule.js'

/** Source: autoscaler/vertical-pod-autoscaler/pkg/target/fetcher.go (wellKnownController). */
const sized: ReadonlySet<string> = new Set([...scaledKinds, 'CronJob', 'DaemonSet', 'Job'])

export default rule({
  title: 'An autoscaler is for a workload that is not there',
  category: 'autoscaling',
  severity: 'warning',
  why: `An autoscaler finds its workload by kind and name, and nobody refuses one that finds nothing: it stays, with
a condition that says so, and does nothing. The workload that it was meant for keeps its number of pods, or its
requests, at any load. It happens when a Deployment becomes a StatefulSet, or is renamed.`,
  remedy: 'Name the workload by its kind and name, or remove the autoscaler.',
  decides: `A HorizontalPodAutoscaler or VerticalPodAutoscaler for a Deployment, StatefulSet, ReplicaSet or
ReplicationController (a VerticalPodAutoscaler also for a DaemonSet, Job or CronJob), where the input has no such
object, and a workload of that name is of another kind; in whole input and in a cluster wherever there is none.

Not reported: kinds of add-ons, and names that a kustomization may change.`,
  sources: [
    'kubernetes/pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler, FailedGetScale)',
    'autoscaler/vertical-pod-autoscaler/pkg/target/fetcher.go (Fetch, getLabelSelector)',
  ],
  stories: [],
  for: ['HorizontalPodAutoscaler', 'autoscaling.k8s.io/VerticalPodAutoscaler'],
  check(autoscaler, { graph, report }) {
    const hpa = isKind(autoscaler, 'HorizontalPodAutoscaler') ? autoscaler : undefined
    const field = hpa ? 'scaleTargetRef' : 'targetRef'
    const spec = objectAt(autoscaler, 'spec')
    const [kind = '', name] = [stringAt(spec, field, 'kind'), stringAt(spec, field, 'name')]
    if (!spec || !name || !(hpa ? scaledKinds : sized).has(kind) || graph.patched(autoscaler)) return
    const isThere = (one: { readonly kind: string; readonly name: string; readonly namespace: string }) =>
      one.kind === kind && one.name === name && one.namespace === graph.namespaceOf(autoscaler)
    if ((graph.live ? graph.nearby(autoscaler) : graph.workloads).some(isThere)) return
    const other = otherKind(autoscaler, name, graph)
    if (!other && !graph.live && !graph.hasAllPods(undefined, autoscaler)) return
    const condition = hpa && conditionOf(hpa, 'AbleToScale')
    report(
      objectAt(spec, field) ?? spec,
      other ? 'kind' : 'name',
      `${graph.describe(autoscaler)} does nothing: there is no ${kind} ${name}${other ? `, but a ${other.kind} of that name` : ` in ${graph.source}`}.`,
      {
        see: [other && at(other, other, 'kind')],
        evidence: condition?.status === 'False' ? [formatCondition(condition)] : undefined,
        fix: advise(other ? `kind: ${other.kind}` : 'the name of the workload, or no autoscaler'),
      },
    )
  },
})

function otherKind(autoscaler: KubernetesObject, name: string, graph: Graph): KubernetesObject | undefined {
  return graph
    .nearby(autoscaler)
    .find((one) => one.name === name && !one.controlled && graph.together(one.object, autoscaler))?.object
}
