import {
  advise,
  at,
  conditionOf,
  enumerate,
  formatCondition,
  type Graph,
  isKind,
  isPlaceholder,
  type KubernetesObject,
  nearestName,
  objectAt,
  objectsAt,
  rule,
  scaledKinds,
  stringAt,
  type Workload,
} from '../src/rule.js'

/** Source: autoscaler/vertical-pod-autoscaler/pkg/target/fetcher.go (wellKnownController). */
const sized: ReadonlySet<string> = new Set([...scaledKinds, 'CronJob', 'DaemonSet', 'Job'])

export default rule({
  title: 'An autoscaler is for a workload or container that is not there',
  category: 'autoscaling',
  severity: 'warning',
  why: `An autoscaler finds its workload by kind and name, and nobody refuses one that finds nothing: it stays, with
a condition that says so, and does nothing. The workload that it was meant for keeps its number of pods, or its
requests, at any load. It happens when a Deployment becomes a StatefulSet, or is renamed. So it is with containers: a
metric of one that no pod has cannot be read, and a policy for one bounds nothing.`,
  remedy: 'Name the workload by its kind and name and its containers as it does, or remove the autoscaler.',
  decides: `A HorizontalPodAutoscaler or VerticalPodAutoscaler for a Deployment, StatefulSet, ReplicaSet or
ReplicationController (a VerticalPodAutoscaler also for a DaemonSet, Job or CronJob), where the input has no such
object, and a workload of that name is of another kind; in whole input and in a cluster wherever there is none. Metrics of type
ContainerResource, and policies of a VerticalPodAutoscaler, for a container that the workload's pods do not have, where one of them is spelt
much the same or the autoscaler names none of them: another one may be injected, and is, where a policy has mode Off.

Not reported: kinds of add-ons, and names that a kustomization may change.`,
  sources: [
    'kubernetes/pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler, FailedGetScale)',
    'kubernetes/pkg/controller/podautoscaler/metrics/client.go (getContainerMetrics)',
    'autoscaler/vertical-pod-autoscaler/pkg/target/fetcher.go (Fetch, getLabelSelector)',
    'autoscaler/vertical-pod-autoscaler/pkg/utils/vpa/api.go (GetContainerResourcePolicy)',
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
    if ((graph.live ? graph.nearby(autoscaler) : graph.workloads).some(isThere)) {
      const workload = graph.workloads.find(isThere)
      if (workload && !graph.patched(workload.object)) judgeContainers(spec, workload)
      return
    }
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

    function judgeContainers(spec: object, { object, pod, name: target, running }: Workload): void {
      const named = containersNamed(spec)
      const known = running.map((one) => one.name)
      const isForAny = named.some((one) => one.name === '*' || known.includes(one.name))
      if ([...known, ...named.map((one) => one.name)].some(isPlaceholder)) return
      for (const { node, field, name: container, harm } of named) {
        if (container === '*' || known.includes(container)) continue
        const meant = nearestName(container, known)
        // An injected container is left out by name.
        if (meant === undefined && (isForAny || stringAt(node, 'mode') === 'Off')) continue
        report(
          node,
          field,
          `${harm}: ${target} has no container ${container}${meant === undefined ? `, only ${enumerate(known, 'and')}` : ''}.`,
          {
            see: [at(object, pod, 'containers')],
            fix: advise(
              meant === undefined ? 'the name of a container of the workload' : `${field}: ${meant}`,
            ),
          },
        )
      }
    }
  },
})

interface Named {
  readonly name: string
  readonly node: object
  readonly field: string
  /** What does not happen when there is no such container. */
  readonly harm: string
}

/** The containers that an autoscaler names, in its metrics or in its policies. */
function containersNamed(spec: object): readonly Named[] {
  const measured = objectsAt(spec, 'metrics').flatMap((metric) => {
    const node = objectAt(metric, 'containerResource')
    return node ? [{ node, field: 'container', harm: 'The metric cannot be read' }] : []
  })
  const bounded = objectsAt(spec, 'resourcePolicy', 'containerPolicies').map((node) => ({
    node,
    field: 'containerName',
    harm: 'The policy is for nobody',
  }))
  return [...measured, ...bounded].flatMap((one) => {
    const name = stringAt(one.node, one.field)
    return name ? [{ ...one, name }] : []
  })
}

function otherKind(autoscaler: KubernetesObject, name: string, graph: Graph): KubernetesObject | undefined {
  return graph
    .nearby(autoscaler)
    .find((one) => one.name === name && !one.controlled && graph.together(one.object, autoscaler))?.object
}
