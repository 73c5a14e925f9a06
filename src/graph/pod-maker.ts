/** What made the pods of a cluster: workloads, and the objects of operators. */
import type { Pod } from '../kubernetes.js'
import { groupBy } from '../values/group.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { isGone, isReady } from './pod.js'
import { controllerOf, type Workload } from './workload.js'

/** Pods with what made them. */
export interface PodMaker {
  /** What made the pods, or one of them where that is no workload. */
  readonly workload: Workload
  /** Of what made them: `api`, `Cluster db`. */
  readonly name: string
  readonly pods: readonly Pod[]
  /** Whether rules look at the workload: at what an operator made they do not. */
  readonly isLookedAt: boolean
}

const kinds = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'CronJob',
  'Job',
  'Pod',
  'argoproj.io/Rollout',
  'apps.kruise.io/CloneSet',
  'apps.kruise.io/StatefulSet',
  'apps.kruise.io/DaemonSet',
  'apps.openshift.io/DeploymentConfig',
  'serving.knative.dev/Service',
] as const

/**
 * All makers of pods that somebody may change: not those that end, nor those that an addon manager keeps. Evidence alone: pods
 * that could not be read are left out.
 */
export function makersOfPods(graph: Graph, live: Live): readonly PodMaker[] {
  const workloads = kinds.flatMap((kind) =>
    graph.seen(kind).flatMap((object) => graph.workload(object) ?? []),
  )
  const known = new Set<Pod>()
  const makerOf = (workload: Workload): PodMaker => {
    const pods = live.podsOf(workload)
    for (const pod of pods) known.add(pod)
    return { workload, name: workload.name, pods, isLookedAt: !workload.controlled }
  }
  const own = workloads.filter(({ controlled }) => !controlled).map(makerOf)
  const operated = workloads
    .filter(({ controlled, kind }) => controlled && kind !== 'Pod')
    .filter((workload) => !live.podsOf(workload).some((pod) => known.has(pod)))
    .map(makerOf)
  const left = graph.seen('Pod').filter((pod) => !known.has(pod))
  const byController = groupBy(left, (pod) => `${pod.metadata?.namespace ?? ''}/${controllerName(pod)}`)
  const others = [...byController.values()].flatMap((pods): PodMaker[] => {
    const one = pods.find((pod) => !isReady(pod) && !isGone(pod))
    const workload = one && graph.workload(one)
    return workload ? [{ workload, name: controllerName(one), pods, isLookedAt: false }] : []
  })
  return [...own, ...operated, ...others].filter(({ workload: { object } }) => {
    const { deletionTimestamp, labels } = object.metadata ?? {}
    return deletionTimestamp === undefined && labels?.['addonmanager.kubernetes.io/mode'] !== 'Reconcile'
  })
}

/** What controls a pod: `Cluster db`. */
function controllerName(pod: Pod): string {
  const owner = controllerOf(pod)
  return `${owner?.kind ?? ''} ${owner?.name ?? ''}`
}
