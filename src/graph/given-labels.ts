/** Labels that a workload's controller gives its pods, and that no template has. */
import type { Labels } from '../values/selector.js'
import { ownValue } from '../values/untyped.js'
import type { Workload } from './workload.js'

type Given = (workload: Workload, value: string) => boolean

const ofStatefulSet: Given = ({ kind }) => kind === 'StatefulSet'
const ofJob: Given = ({ kind, name }, value) =>
  (kind === 'Job' && value === name) || (kind === 'CronJob' && value.startsWith(`${name}-`))

/** Whether a workload's pods are given the value, by label. Sources: k8s.io/api/apps/v1 and batch/v1 types. */
const given: ReadonlyMap<string, Given> = new Map([
  [
    'statefulset.kubernetes.io/pod-name',
    (workload, value) => ofStatefulSet(workload, value) && value.startsWith(`${workload.name}-`),
  ],
  ['apps.kubernetes.io/pod-index', ofStatefulSet],
  ['batch.kubernetes.io/job-name', ofJob],
  ['job-name', ofJob],
  ['controller-revision-hash', ({ kind }) => kind === 'StatefulSet' || kind === 'DaemonSet'],
  ['pod-template-hash', ({ kind }) => kind === 'Deployment' || kind === 'ReplicaSet'],
])

/** Whether some controller gives pods the label. */
export function isGivenLabel(key: string): boolean {
  return given.has(key)
}

/** Whether the workload's pods have the labels with these values: in its template, or from its controller. */
export function podsHaveLabels(workload: Workload, labels: Labels): boolean {
  for (const key in labels) {
    const value = labels[key] as string
    if (ownValue(workload.labels, key) !== value && !given.get(key)?.(workload, value)) return false
  }
  return true
}
