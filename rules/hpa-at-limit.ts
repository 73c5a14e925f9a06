import {
  at,
  type Condition,
  conditionOf,
  type Fault,
  firstOf,
  formatCondition,
  formatSpan,
  type Graph,
  heldFor,
  isKind,
  isReady,
  type Live,
  numberAt,
  type ObjectOf,
  objectAt,
  quantity,
  requestOf,
  rule,
  stringAt,
  type Untyped,
  type Workload,
} from '../src/rule.js'

type Autoscaler = ObjectOf<'HorizontalPodAutoscaler'>

export default rule({
  title: 'An autoscaler is at its maximum, or does not scale at all',
  category: 'autoscaling',
  severity: 'warning',
  why: `At its maximum an autoscaler does nothing more, however high the load, and one that can't read its
metrics or its target does nothing in either direction. Both say so in their conditions and are silent
otherwise: the next spike finds no reserve.`,
  remedy: 'Raise `maxReplicas`, the quota or the capacity; repair the metric.',
  decides: `In a cluster: the condition \`ScalingLimited\` is True with TooManyReplicas at \`maxReplicas\` for
\`minutes\` or longer; \`ScalingActive\` or \`AbleToScale\` is False for \`brokenMinutes\` (an error; all
autoscalers that miss the same API of metrics, or that select the same pods, are one finding). In manifests: the
pods of \`maxReplicas\` together ask for more than a ResourceQuota of the namespace allows, and, as an info, a
minimum that is the maximum, also of a KEDA ScaledObject.

Exempt: targets that were scaled to 0 by hand (\`ScalingDisabled\`), those without a ready pod, which have no metrics of
their own, and in a cluster autoscalers whose minimum is their maximum: somebody switched them off.`,
  falsePositives: 'A maximum that is meant as a cap on cost, with load above it.',
  sources: ['kubernetes/pkg/controller/podautoscaler/horizontal.go (conditions), replica_calculator.go'],
  stories: ['loveholidays-gke-ips', 'grafana-hosted-metrics-capacity', 'airbnb-weird-ways'],
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 30,
      about: 'How long it must have been at its maximum.',
    },
    brokenMinutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      about: 'How long it may be without its metrics or its target.',
    },
  },
  unless: ['hpa-metric-without-request', 'autoscaler-target-missing'],
  for: ['HorizontalPodAutoscaler', 'keda.sh/ScaledObject'],
  check(hpa, { graph, params, report }) {
    const fault = isKind(hpa, 'HorizontalPodAutoscaler')
      ? faultOf(hpa, graph, params)
      : // In a cluster KEDA has made an autoscaler of it.
        graph.live
        ? undefined
        : fixedSize(hpa)
    if (fault) report(...fault)
  },
})

/** A ScaledObject whose minimum is its maximum. */
function fixedSize(scaledObject: Untyped): Fault | undefined {
  const scaled = objectAt(scaledObject, 'spec')
  const most = numberAt(scaled, 'maxReplicaCount')
  if (!scaled || most === undefined || most <= 0 || numberAt(scaled, 'minReplicaCount') !== most)
    return undefined
  const target = stringAt(scaled, 'scaleTargetRef', 'name') ?? 'its target'
  return [scaled, 'maxReplicaCount', idle(target, most), { severity: 'info' }]
}

const idle = (target: string, pods: number) =>
  `The autoscaler of ${target} does nothing: its minimum and its maximum are ${pods}.`

function faultOf(
  hpa: Autoscaler,
  graph: Graph,
  params: { readonly minutes: number; readonly brokenMinutes: number },
): Fault | undefined {
  const { spec } = hpa
  if (!spec) return undefined
  const broken = graph.live && breakageOf(hpa, graph.live, params.brokenMinutes * 60)
  if (broken) return notScaled(hpa, spec, broken, graph)
  const { maxReplicas: most } = spec
  const name = targetName(hpa)
  const limited = graph.live && secondsAtLimit(hpa, graph.live)
  if (most !== undefined && limited !== undefined && limited >= params.minutes * 60)
    return [
      spec,
      'maxReplicas',
      `${name} has no reserve: it has run at its maximum of ${most} pods for ${formatSpan(limited)}, and the autoscaler wants more.`,
      { evidence: usageOf(hpa) },
    ]
  const target = graph.targetOf(hpa)
  const quota = target && most !== undefined ? tooSmall(target, most, graph) : undefined
  if (quota)
    return [
      spec,
      'maxReplicas',
      `${name} never reaches ${most} pods: the quota of its namespace has room for ${quota.room}.`,
      { see: [at(quota.quota, quota.hard, quota.key)] },
    ]
  const isFixed = !graph.live && most !== undefined && (spec.minReplicas ?? 1) === most && most > 0
  return isFixed ? [spec, 'maxReplicas', idle(name, most), { severity: 'info' }] : undefined
}

const targetName = ({ spec }: Autoscaler) => spec?.scaleTargetRef?.name ?? 'its target'

/** An autoscaler that does not scale; of several with one cause the first alone. */
function notScaled(hpa: Autoscaler, spec: object, broken: Breakage, graph: Graph): Fault | undefined {
  if (isOfPods(broken.condition.reason) && nonePodReady(hpa, graph)) return undefined
  const alike = missingSame(broken.condition, graph)
  if (alike.length > 0 && alike[0] !== hpa) return undefined
  const isRivalled = broken.condition.reason === 'AmbiguousSelector'
  const isOne = isRivalled || alike.length < 2
  const names = alike.map((one) => one.spec?.scaleTargetRef?.name ?? '')
  const why = isRivalled
    ? `${alike.length} autoscalers select its pods`
    : `${isOne ? 'its' : 'their'} ${broken.why}`
  return [
    spec,
    broken.field,
    `${isOne ? `${targetName(hpa)} has` : `${firstOf(names)} have`} not been scaled for ${formatSpan(broken.seconds)}, at any load: ${why}.`,
    {
      severity: 'error',
      evidence: [formatCondition(broken.condition)],
      see: alike.slice(1, 4).map((one) => at(one, one.spec ?? one, 'metrics')),
      symptomOf:
        alike.length > 0 && !isRivalled
          ? { rules: ['webhook-backend-unavailable'], objects: metricsApis(graph) }
          : undefined,
    },
  ]
}

type Breakage = NonNullable<ReturnType<typeof breakageOf>>

/** What has kept the controller from scaling for so many seconds, and the field that is about it. */
function breakageOf(hpa: Autoscaler, live: Live, least: number) {
  const all = [
    { type: 'ScalingActive', field: 'metrics', why: 'metrics cannot be read' },
    {
      type: 'AbleToScale',
      field: 'scaleTargetRef',
      why: 'number of pods cannot be read or set',
    },
  ]
  return all
    .flatMap(({ type, field, why }) => {
      const condition = conditionOf(hpa, type)
      if (condition?.status !== 'False' || condition.reason === 'ScalingDisabled') return []
      return [{ field, why, condition, seconds: heldFor(condition, live) }]
    })
    .find(({ seconds }) => seconds >= least)
}

/**
 * The autoscalers that miss the same API of metrics, or that stand in each other's way, in the order of their names. Sources:
 * kubernetes/pkg/controller/podautoscaler/metrics/client.go, horizontal.go (AmbiguousSelector).
 */
function missingSame(condition: Condition, graph: Graph): readonly Autoscaler[] {
  const cause = causeOf(condition)
  return cause === undefined
    ? []
    : graph.seen('HorizontalPodAutoscaler').filter((one) => {
        const other = conditionOf(one, 'ScalingActive')
        return other?.status === 'False' && causeOf(other) === cause && !nonePodReady(one, graph)
      })
}

/** What holds up several autoscalers in the same way, by their conditions. */
function causeOf({ reason, message = '' }: Condition): string | undefined {
  return reason === 'AmbiguousSelector' ? message : /from (\w+ metrics API): the server /.exec(message)?.[1]
}

const metricsApis = (graph: Graph) =>
  graph.seen('APIService').filter(({ spec }) => spec?.group?.endsWith('metrics.k8s.io'))

/**
 * How long it has run at its maximum and wanted more; undefined when it does not, or when it
 * has no room to scale in at all.
 */
function secondsAtLimit(hpa: Autoscaler, live: Live): number | undefined {
  const { minReplicas: least = 1, maxReplicas: most = 0 } = hpa.spec ?? {}
  const limit = conditionOf(hpa, 'ScalingLimited')
  if (limit?.status !== 'True' || limit.reason !== 'TooManyReplicas' || least === most) return undefined
  return (hpa.status?.currentReplicas ?? 0) >= most ? heldFor(limit, live) : undefined
}

/** Whether the metric is one of the pods themselves: those that do not run have none. */
const isOfPods = (reason = '') => /^FailedGet(Resource|ContainerResource|Pods)Metric$/.test(reason)

/** Whether the target has pods and none is ready: that is what has to be repaired, and other rules tell it. */
function nonePodReady(hpa: Autoscaler, graph: Graph): boolean {
  const target = graph.targetOf(hpa)
  const pods = (target && graph.live?.podsOf(target)) ?? []
  return pods.length > 0 && !pods.some(isReady)
}

/** What the autoscaler measures now, and what it is to be. */
function usageOf({ spec, status }: Autoscaler): string[] {
  return (status?.currentMetrics ?? []).flatMap(({ resource }) => {
    const current = resource?.current?.averageUtilization
    const wanted = spec?.metrics?.find((one) => one.resource?.name === resource?.name)?.resource?.target
    if (current === undefined || wanted?.averageUtilization === undefined) return []
    return [
      `${resource?.name ?? 'use'} at ${current} % of the request, target ${wanted.averageUtilization} %`,
    ]
  })
}

/** A quota of the namespace that has no room for so many pods of the workload. */
function tooSmall(target: Workload, pods: number, graph: Graph) {
  for (const quota of graph.siblings('ResourceQuota', target.object)) {
    const hard = quota.spec?.hard
    if (!hard || quota.spec?.scopes || quota.spec?.scopeSelector) continue
    for (const [key, value] of Object.entries(hard)) {
      const resource = /^(?:requests\.)?(cpu|memory)$/.exec(key)?.[1]
      const each = resource ? requestOf(target, resource) : /^(count\/)?pods$/.test(key) ? 1 : 0
      const most = quantity(value)
      // Binary fractions: 0.1 + 0.2 is a little more than 0.3.
      if (most !== undefined && each > 0 && each * pods > most * 1.000001)
        return { quota, hard, key, room: Math.floor(most / each + 1e-6) }
    }
  }
  return undefined
}
