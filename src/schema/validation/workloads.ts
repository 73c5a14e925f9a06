/** Workloads and how many of their pods may be away. */
import type { Path } from '../../finding.js'
import type {
  DaemonSet,
  Deployment,
  PodDisruptionBudget,
  PodTemplateSpec,
  ReplicationController,
  StatefulSet,
} from '../../kubernetes.js'
import { matchesLabels, matchesSelector } from '../../values/selector.js'
import { ownValue } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { always, type PodsOf, pod } from './pods.js'
import { type Checks, on, type Say, type Spec } from './say.js'

/** The pod template of a workload and the selector that has to match it. */
function workload(
  { template, selector }: { template?: PodTemplateSpec | undefined; selector?: unknown },
  say: Say,
  more?: PodsOf,
): void {
  pod(template?.spec, say, ['template', 'spec'], { restart: always, ...more })
  if (!template || selector === undefined) return
  const labels = template.metadata?.labels
  const { matchLabels, matchExpressions } = selector as Spec<Deployment>['selector'] & object
  if (Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0)
    say.conflict(['selector'], 'is empty, and has to select the pods of the template')
  else if (!matchesSelector(selector as Spec<Deployment>['selector'], labels)) {
    if ([...Object.values(matchLabels ?? {}), ...Object.values(labels ?? {})].some(isPlaceholder)) return
    const differs = Object.entries(matchLabels ?? {}).find(([key, value]) => ownValue(labels, key) !== value)
    say.conflict(
      differs ? ['selector', 'matchLabels', differs[0]] : ['selector'],
      'does not match the labels of the pod template',
    )
  }
}

/** A share of the pods is at most all of them. Source: IsNotMoreThan100Percent. */
function share(value: unknown, path: Path, say: Say): void {
  const percent = typeof value === 'string' ? Number(/^(\d+)%$/.exec(value)?.[1]) : 0
  if (percent > 100) say.conflict(path, `is ${String(value)}, and takes 100% at most`)
}

const isZero = (value: unknown): boolean => value === 0 || value === '0%'

export const workloads: Checks = {
  'apps.DaemonSetSpec': [on<Spec<DaemonSet>>((spec, say) => workload(spec, say))],
  'apps.DeploymentSpec': [
    on<Spec<Deployment>>((spec, say) => {
      workload(spec, say)
      const { minReadySeconds = 0, progressDeadlineSeconds = 600 } = spec
      if (progressDeadlineSeconds <= minReadySeconds)
        say.conflict(
          [spec.progressDeadlineSeconds === undefined ? 'minReadySeconds' : 'progressDeadlineSeconds'],
          `has to leave time: the deadline is ${progressDeadlineSeconds} s, minReadySeconds ${minReadySeconds}`,
        )
    }),
  ],
  'apps.DeploymentStrategy': [
    on<NonNullable<Spec<Deployment>['strategy']>>(({ type, rollingUpdate }, say) => {
      if (type === 'Recreate' && rollingUpdate)
        say.conflict(['rollingUpdate'], 'cannot stand beside type Recreate')
      const { maxSurge, maxUnavailable } = rollingUpdate ?? {}
      share(maxUnavailable, ['rollingUpdate', 'maxUnavailable'], say)
      if (isZero(maxUnavailable) && isZero(maxSurge))
        say.conflict(['rollingUpdate', 'maxUnavailable'], 'cannot be 0 when maxSurge is 0 too')
    }),
  ],
  'apps.DaemonSetUpdateStrategy': [
    on<NonNullable<Spec<DaemonSet>['updateStrategy']>>(({ type, rollingUpdate }, say) => {
      if (type === 'OnDelete') return
      const { maxSurge = 0, maxUnavailable = 1 } = rollingUpdate ?? {}
      share(maxSurge, ['rollingUpdate', 'maxSurge'], say)
      share(maxUnavailable, ['rollingUpdate', 'maxUnavailable'], say)
      if (isZero(maxUnavailable) && isZero(maxSurge))
        say.conflict(['rollingUpdate', 'maxUnavailable'], 'cannot be 0 when maxSurge is 0 too')
      if (![maxSurge, maxUnavailable].some((one) => isZero(one) || isPlaceholder(one)))
        say.conflict(
          ['rollingUpdate', 'maxSurge'],
          `is ${maxSurge}, which goes with maxUnavailable 0 only (1 by default)`,
        )
    }),
  ],
  'apps.ReplicaSetSpec': [on<Spec<Deployment>>((spec, say) => workload(spec, say))],
  'apps.StatefulSetSpec': [
    on<Spec<StatefulSet>>((spec, say) => {
      workload(spec, say, {
        volumes: (spec.volumeClaimTemplates ?? []).flatMap(({ metadata }) => metadata?.name ?? []),
        // ValidateStatefulSetSpec of pkg/apis/apps/validation: since 1.34.
        isNamed: say.minor >= 34,
      })
      say.name(['serviceName'], 'label', spec.serviceName)
    }),
  ],
  'apps.StatefulSetUpdateStrategy': [
    on<NonNullable<Spec<StatefulSet>['updateStrategy']>>(({ type, rollingUpdate }, say) => {
      if (type === 'OnDelete' && rollingUpdate)
        say.conflict(['rollingUpdate'], 'cannot stand beside type OnDelete')
      // Servers drop the field before: MaxUnavailableStatefulSet is on by default from 1.37. Source: pkg/features/kube_features.go.
      const { maxUnavailable } = rollingUpdate ?? {}
      if (say.minor < 37 || maxUnavailable === undefined) return
      share(maxUnavailable, ['rollingUpdate', 'maxUnavailable'], say)
      if (isZero(maxUnavailable)) say.conflict(['rollingUpdate', 'maxUnavailable'], 'cannot be 0')
      else if (typeof maxUnavailable === 'number' && maxUnavailable < 0)
        say.conflict(['rollingUpdate', 'maxUnavailable'], `is ${maxUnavailable}, and has to be at least 1`)
    }),
  ],
  'core.ReplicationControllerSpec': [
    on<Spec<ReplicationController>>(({ template, selector }, say) => {
      pod(template?.spec, say, ['template', 'spec'], { restart: always })
      const own = template?.metadata?.labels
      if (!template) return
      if (Object.keys(selector ?? own ?? {}).length === 0)
        say.lacks(['template', 'metadata', 'labels'], 'and the selector is taken from them')
      else if (selector && !matchesLabels(selector, own))
        say.conflict(['selector'], 'does not match the labels of the pod template')
    }),
  ],
  'policy.PodDisruptionBudgetSpec': [
    on<Spec<PodDisruptionBudget>>(({ minAvailable, maxUnavailable }, say) => {
      if (minAvailable !== undefined && maxUnavailable !== undefined)
        say.conflict(['maxUnavailable'], 'cannot stand beside minAvailable')
      share(minAvailable, ['minAvailable'], say)
      share(maxUnavailable, ['maxUnavailable'], say)
    }),
  ],
}
