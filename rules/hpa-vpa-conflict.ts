import {
  advise,
  at,
  controlledBy,
  enumerate,
  isKind,
  measuredBy,
  numberAt,
  objectAt,
  rule,
  updateModeOf,
  verticalAutoscalerOf,
} from '../src/rule.js'

/** The modes in which pods get new requests while they run, or are made anew with them. */
const running: ReadonlySet<string> = new Set(['Auto', 'Recreate', 'InPlace', 'InPlaceOrRecreate'])

export default rule({
  title: 'Two autoscalers fight: one changes the request that the other one measures by',
  category: 'autoscaling',
  severity: 'warning',
  why: `A HorizontalPodAutoscaler divides use by request, and a VerticalPodAutoscaler makes the request follow the
use. Under load one raises the request, utilization falls, and the other takes pods away although there is no less
to do; what is left works harder, and the request is raised again. Where the request is lowered, pods are added that
nobody needs. In most modes each change evicts pods, too.`,
  remedy:
    'Give each of them a resource of its own, or let the VerticalPodAutoscaler recommend only (`updateMode: "Off"`).',
  decides: `A HorizontalPodAutoscaler, or a ScaledObject of KEDA with triggers for CPU or memory, that measures in
percent of the request, and a VerticalPodAutoscaler for the same workload that sets this request. That is one whose
\`updateMode\` is Recreate (the default), Auto, InPlaceOrRecreate or InPlace, and whose \`controlledResources\` (by
default CPU and memory) has it for the container, or for any container where the pod is measured as a whole.

Not reported: targets of an absolute value (\`AverageValue\`), other metrics, the modes Off and Initial, containers
with \`mode: "Off"\`, and autoscalers whose minimum is their maximum. In a cluster KEDA's own
HorizontalPodAutoscaler stands for the ScaledObject.`,
  falsePositives: 'Requests that `minAllowed` and `maxAllowed` keep nearly as they are.',
  sources: [
    'autoscaler/vertical-pod-autoscaler/docs/known-limitations.md',
    'autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go (UpdateMode, ContainerResourcePolicy)',
    'kubernetes/pkg/controller/podautoscaler/metrics/utilization.go',
  ],
  stories: [],
  for: ['HorizontalPodAutoscaler', 'keda.sh/ScaledObject'],
  check(autoscaler, { graph, report }) {
    const hpa = isKind(autoscaler, 'HorizontalPodAutoscaler') ? autoscaler : undefined
    const target = graph.targetOf(autoscaler)
    if (!target || (graph.live && !hpa)) return
    const spec = objectAt(autoscaler, 'spec')
    const [least, most] = hpa
      ? [numberAt(spec, 'minReplicas') ?? 1, numberAt(spec, 'maxReplicas')]
      : [numberAt(spec, 'minReplicaCount') ?? 0, numberAt(spec, 'maxReplicaCount') ?? 100]
    const vertical = verticalAutoscalerOf(target, graph)
    if (least === most || !vertical || !running.has(updateModeOf(vertical))) return
    const shared = measuredBy(autoscaler).filter(({ resource, container }) => {
      const containers = controlledBy(vertical, target, resource)
      return container === undefined ? containers.length > 0 : containers.includes(container)
    })
    const [first] = shared
    if (!first) return
    const names = [...new Set(shared.map(({ resource }) => resource))]
    const what = enumerate(
      names.map((name) => (name === 'cpu' ? 'CPU' : name)),
      'and',
    )
    const other = names.includes('cpu') ? 'memory' : 'cpu'
    const policy = objectAt(vertical, 'spec', 'resourcePolicy')
    report(
      first.node,
      first.field,
      `${target.name} is scaled by its ${what} ${names.length > 1 ? 'requests' : 'request'}, which ${graph.describe(vertical)} changes: each undoes what the other one does.`,
      {
        see: [
          at(vertical, policy ?? objectAt(vertical, 'spec') ?? vertical, policy ? undefined : 'targetRef'),
        ],
        fix: advise(
          names.length > 1
            ? `updateMode: "Off" of ${graph.describe(vertical)}`
            : `controlledResources: [${other}] of ${graph.describe(vertical)}`,
        ),
      },
    )
  },
})
