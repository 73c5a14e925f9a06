/** HorizontalPodAutoscalers. */
import type { HorizontalPodAutoscaler } from '../../kubernetes.js'
import { enumerate } from '../../values/enumerate.js'
import { isPlaceholder } from '../format.js'
import { names } from './forms.js'
import { type Checks, merged, on, oneOf, type Spec } from './say.js'

const resourceTarget = on<{
  readonly target?: { readonly averageValue?: unknown; readonly averageUtilization?: unknown }
}>(({ target }, say) => {
  if (target?.averageValue !== undefined && target.averageUtilization !== undefined)
    say.conflict(['target', 'averageValue'], 'cannot stand beside averageUtilization')
})

const targets = ['averageUtilization', 'averageValue', 'value']

const metricSources = ['containerResource', 'external', 'object', 'pods', 'resource']

export const autoscaling: Checks = merged(
  {
    'autoscaling.HPAScalingRules': [
      on<{ readonly policies?: readonly unknown[] }>(({ policies }, say) => {
        if (policies?.length === 0) say.conflict(['policies'], 'is empty')
      }),
    ],
    'autoscaling.HorizontalPodAutoscalerSpec': [
      on<Spec<HorizontalPodAutoscaler>>(({ minReplicas = 1, maxReplicas, scaleTargetRef }, say) => {
        if (say.minor >= 34 && scaleTargetRef?.kind && !isPlaceholder(scaleTargetRef.apiVersion)) {
          const { apiVersion, kind } = scaleTargetRef
          const path = ['scaleTargetRef', 'apiVersion']
          if (!apiVersion) say.lacks(path, `and the group of ${kind} is unknown without`)
          else if (!apiVersion.includes('/'))
            say.conflict(path, `is ${apiVersion}, and has to name an API group, as apps/v1 does`)
        }
        if (maxReplicas !== undefined && maxReplicas > 0 && maxReplicas < minReplicas)
          say.conflict(['maxReplicas'], `is ${maxReplicas}, less than minReplicas, ${minReplicas}`)
      }),
    ],
    'autoscaling/v2.HorizontalPodAutoscalerSpec': [
      on<{ readonly minReplicas?: number; readonly metrics?: readonly { readonly type?: string }[] }>(
        ({ minReplicas, metrics = [] }, say) => {
          if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
            say.conflict(['minReplicas'], 'is 0, which goes with a metric of type Object or External only')
        },
      ),
    ],
    'autoscaling.MetricSpec': [
      on<{ readonly type?: string; readonly [source: string]: unknown }>((metric, say) => {
        const source = metric.type && `${metric.type.charAt(0).toLowerCase()}${metric.type.slice(1)}`
        if (!source || !metricSources.includes(source)) return
        const found = oneOf(metric, metricSources)
        if (!found.includes(source)) say.lacks([source], `and type is ${metric.type}`)
        else if (found.length > 1)
          say.conflict(
            [found.find((one) => one !== source) ?? source],
            `cannot stand beside type ${metric.type}`,
          )
      }),
    ],
    'autoscaling.ContainerResourceMetricSource': [resourceTarget],
    'autoscaling.ResourceMetricSource': [resourceTarget],
    'autoscaling.MetricTarget': [
      on<object>((target, say) => {
        if (oneOf(target, targets).length === 0) say.conflict([], `needs one of ${enumerate(targets, 'or')}`)
      }),
    ],
  },
  names({
    'autoscaling.ContainerResourceMetricSource': { container: 'label' },
  }),
)
