/** What LimitRanges and ResourceQuotas of a namespace have to do with a workload. */
import type { LimitRange, ResourceQuota } from '../kubernetes.js'
import { memo } from '../values/lazy.js'
import type { Container } from './container.js'
import type { Graph } from './graph.js'
import { hasDefault } from './limit-range.js'
import type { Workload } from './workload.js'

/**
 * Whether a bound without a namespace is for what stands in its own folder: an example with workloads of its own, which nothing puts
 * together with those of another folder.
 */
export function isBoundOfOthers(
  bound: LimitRange | ResourceQuota,
  { object }: Pick<Workload, 'object'>,
  graph: Graph,
): boolean {
  if (graph.live || graph.apart(bound, object) === 0) return false
  return graph.once('bounds of their own folders', () => ofOwnFolders(graph)).has(bound)
}

/** The bounds without a namespace beside which workloads stand. */
function ofOwnFolders(graph: Graph): ReadonlySet<LimitRange | ResourceQuota> {
  const bounds = [...graph.all('LimitRange'), ...graph.all('ResourceQuota')]
  return new Set(
    bounds.filter(
      (bound) =>
        graph.namespaceOf(bound) === '' &&
        !graph.kustomized(bound) &&
        graph.workloads.some((one) => graph.apart(bound, one.object) === 0),
    ),
  )
}

/** The quotas of the namespace that count all its pods, with what they allow. */
export function quotasFor(
  workload: Workload,
  graph: Graph,
): readonly { readonly quota: ResourceQuota; readonly hard: Readonly<Record<string, string>> }[] {
  return graph.siblings('ResourceQuota', workload.object).flatMap((quota) => {
    const { hard, scopes, scopeSelector } = quota.spec ?? {}
    const isForAll = hard && !scopes && !scopeSelector && !isBoundOfOthers(quota, workload, graph)
    return isForAll ? [{ quota, hard }] : []
  })
}

/** Whether a quota near an object counts CPU limits: pods without are refused. */
export function countsCpuLimits(near: object, graph: Graph): boolean {
  return graph.siblings('ResourceQuota', near).some((quota) => 'limits.cpu' in (quota.spec?.hard ?? {}))
}

/**
 * Amounts of which every pod of the namespace that has not ended takes a part: with a quota of one, the API server refuses pods with a
 * container that does not say how much. Source: kubernetes/pkg/quota/v1/evaluator/core/pods.go (validationSet, Constraints).
 */
export const quotaCompute: readonly string[] = [
  'cpu',
  'memory',
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
]

/** What a container leaves open, and the quota that counts it. */
export interface Unstated {
  readonly container: Container
  /** `requests.memory`, as the quota has it. */
  readonly key: string
  readonly quota: ResourceQuota
  /** The mapping of the quota that has the key. */
  readonly hard: object
}

/**
 * A container without what a quota of the namespace counts and no LimitRange gives: the API server refuses the pod, unless
 * it has resources of its own (from 1.34). Source: kubernetes/pkg/quota/v1/evaluator/core/pods.go (Constraints).
 */
export function unstatedFor(workload: Workload, graph: Graph, minor: number): Unstated | undefined {
  if (minor >= 34 && workload.pod.resources) return undefined
  const unstated = memo((key: string) => containerWithout(key, workload, graph))
  for (const { quota, hard } of quotasFor(workload, graph)) {
    for (const key of quotaCompute.filter((one) => hard[one] !== undefined)) {
      const container = unstated(key)
      if (container) return { container, key, quota, hard }
    }
  }
  return undefined
}

/** What none of a pod's containers says, and the LimitRange for pods that bounds it. */
export interface Unbounded {
  readonly container: Container
  readonly of: 'limit' | 'request'
  readonly resource: string
  readonly range: LimitRange
  /** The mapping of the LimitRange with the bound. */
  readonly bounds: object
}

/**
 * What no container of a pod says although a LimitRange for pods bounds it, and what no LimitRange gives: the API server refuses a pod
 * without any limit where there is a maximum, and one without any request where there is a minimum. Resources of the pod itself may be
 * the answer (from 1.34). Source: kubernetes/plugin/pkg/admission/limitranger/admission.go (minConstraint, maxConstraint).
 */
export function unboundedFor(workload: Workload, graph: Graph, minor: number): Unbounded | undefined {
  const [container] = workload.containers
  if (!container || (minor >= 34 && workload.pod.resources)) return undefined
  const ranges = graph.siblings('LimitRange', workload.object)
  for (const range of ranges)
    for (const { type, max, min } of range.spec?.limits ?? []) {
      if (type !== 'Pod' || isBoundOfOthers(range, workload, graph)) continue
      for (const [of, bounds] of [
        ['limit', max],
        ['request', min],
      ] as const) {
        const resource = Object.keys(bounds ?? {}).find((one) => isUnsaid(of, one, workload, ranges))
        if (bounds && resource !== undefined) return { container, of, resource, range, bounds }
      }
    }
  return undefined
}

function isUnsaid(
  of: 'limit' | 'request',
  resource: string,
  { containers }: Workload,
  ranges: readonly LimitRange[],
): boolean {
  return containers.every((one) => leavesOpen(one, of, resource)) && !hasDefault(ranges, of, resource)
}

/** Whether a container has no such amount; its limit stands for its request. */
function leavesOpen({ spec: { resources } }: Container, of: 'limit' | 'request', resource: string): boolean {
  return (
    resources?.limits?.[resource] === undefined &&
    (of === 'limit' || resources?.requests?.[resource] === undefined)
  )
}

/** A container that leaves open what a quota counts under the key, where no LimitRange fills it in. */
function containerWithout(key: string, workload: Workload, graph: Graph): Container | undefined {
  const of = key.startsWith('limits.') ? 'limit' : 'request'
  const resource = key.replace(/^.*\./, '')
  const container = workload.containers.find((one) => leavesOpen(one, of, resource))
  return container && hasDefault(graph.siblings('LimitRange', workload.object), of, resource)
    ? undefined
    : container
}
