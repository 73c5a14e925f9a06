/** HorizontalPodAutoscalers. */
import type { HorizontalPodAutoscaler } from '../../kubernetes.js'
import { enumerate } from '../../values/enumerate.js'
import { quantity } from '../../values/quantity.js'
import { isPlaceholder } from '../format.js'
import { containerResources } from './containers.js'
import { names } from './forms.js'
import { type Checks, merged, on, oneOf, type Spec } from './say.js'

interface Target {
  readonly averageUtilization?: number
  readonly averageValue?: string
  readonly value?: string
}

type Goal = keyof Target

/** What a metric is to reach: one of the goals, or what of them is there if they may stand together. */
const reaching = (goals: readonly Goal[], least: 'one' | 'any' = 'one') =>
  on<{ readonly target?: Target }>(({ target }, say) => {
    if (!target) return
    const [first, second] = goals.filter((goal) => (target[goal] ?? '') !== '')
    if (first === undefined)
      say.conflict(['target'], `needs ${goals.length > 1 ? 'one of ' : ''}${enumerate(goals, 'or')}`)
    else if (second !== undefined && least === 'one')
      say.conflict(['target', first], `cannot stand beside ${second}`)
    for (const goal of ['averageValue', 'value'] as const) {
      const amount = quantity(target[goal])
      if (amount !== undefined && amount <= 0)
        say.conflict(['target', goal], `is ${target[goal]}, and has to be more than 0`)
    }
  })

/** The same for all sources of a version; v2beta1 writes them in another way. */
const goals = (version: string): Checks =>
  Object.fromEntries(
    Object.entries({
      ContainerResourceMetricSource: reaching(['averageValue', 'averageUtilization']),
      ExternalMetricSource: reaching(['value', 'averageValue']),
      ObjectMetricSource: reaching(['value', 'averageValue'], 'any'),
      PodsMetricSource: reaching(['averageValue']),
      ResourceMetricSource: reaching(['averageValue', 'averageUtilization']),
    }).map(([type, check]) => [`autoscaling/${version}.${type}`, [check]]),
  )

/** A group and a version, or a version alone: ParseGroupVersion of k8s.io/apimachinery. */
const isGroupVersion = (text: string) => text.split('/').length <= 2

const metricSources = ['containerResource', 'external', 'object', 'pods', 'resource']

export const autoscaling: Checks = merged(
  {
    'autoscaling.HPAScalingRules': [
      on<{ readonly policies?: readonly unknown[] }>(({ policies }, say) => {
        if (policies?.length === 0) say.conflict(['policies'], 'is empty')
      }),
      on<{ readonly tolerance?: string }>(({ tolerance }, say) => {
        // HPAConfigurableTolerance is on by default from 1.35: pkg/features/kube_features.go. Before, the field is dropped.
        if (say.minor >= 35 && (quantity(tolerance) ?? 0) < 0)
          say.conflict(['tolerance'], `is ${tolerance}, and has to be at least 0`)
      }),
    ],
    'autoscaling.HorizontalPodAutoscalerSpec': [
      on<Spec<HorizontalPodAutoscaler>>(({ scaleTargetRef }, say) => {
        for (const field of ['kind', 'name'] as const)
          say.name(['scaleTargetRef', field], 'path segment', scaleTargetRef?.[field])
        if (say.minor >= 34 && scaleTargetRef?.kind && !isPlaceholder(scaleTargetRef.apiVersion)) {
          const { apiVersion, kind } = scaleTargetRef
          const path = ['scaleTargetRef', 'apiVersion']
          // The only kind of the core group that can be scaled.
          if (kind === 'ReplicationController' && !apiVersion?.includes('/')) return
          if (!apiVersion) say.lacks(path, `and the group of ${kind} is unknown without`)
          else if (!isGroupVersion(apiVersion)) say.conflict(path, `is no group and version: ${apiVersion}`)
          else if (!apiVersion.includes('/'))
            say.conflict(path, `is ${apiVersion}, and has to name an API group, as apps/v1 does`)
        }
      }),
      on<Spec<HorizontalPodAutoscaler>>(({ minReplicas = 1, maxReplicas }, say) => {
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
  },
  goals('v2'),
  goals('v2beta2'),
  {
    'autoscaling.ContainerResourceMetricSource': [
      on<{ readonly name?: string }>(({ name }, say) => {
        if (name && !containerResources.test(name) && !isPlaceholder(name))
          say.conflict(['name'], `is no resource of a container: ${JSON.stringify(name)}`)
      }),
    ],
  },
  names({
    'autoscaling.ContainerResourceMetricSource': { container: 'label' },
    'autoscaling.MetricIdentifier': { name: 'path segment' },
  }),
)
