/** Labels of pods that come from the controller that made them. */
import type { Workload } from './workload.js'

/**
 * Whether the workload's controller gives its pods a label that no template has. Sources:
 * k8s.io/api/apps/v1 and batch/v1 types.
 */
export function isGiven({ kind, name }: Workload, key: string, value: string): boolean {
  switch (key) {
    case 'statefulset.kubernetes.io/pod-name':
      return kind === 'StatefulSet' && value.startsWith(`${name}-`)
    case 'apps.kubernetes.io/pod-index':
      return kind === 'StatefulSet'
    case 'batch.kubernetes.io/job-name':
    case 'job-name':
      return (kind === 'Job' && value === name) || (kind === 'CronJob' && value.startsWith(`${name}-`))
    case 'controller-revision-hash':
      return kind === 'StatefulSet' || kind === 'DaemonSet'
    case 'pod-template-hash':
      return kind === 'Deployment' || kind === 'ReplicaSet'
    default:
      return false
  }
}

/** The labels that controllers give to pods and that no template has. */
export const givenLabels: ReadonlySet<string> = new Set([
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-name',
  'job-name',
  'controller-revision-hash',
  'pod-template-hash',
])
