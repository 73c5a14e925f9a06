/** Fields that the API server lets nobody change: only a new object has another value. */
import type { Path } from '../finding.js'

/** What does not change of a kind, as the beginning of a path joined by dots; Pods are the other way round. */
const frozen: ReadonlyMap<string, RegExp> = new Map([
  ['DaemonSet', /^spec\.selector/],
  ['Deployment', /^spec\.selector/],
  [
    'Job',
    /^spec\.(?:backoffLimitPerIndex|completionMode|managedBy|podFailurePolicy|selector|successPolicy|template)/,
  ],
  ['PriorityClass', /^(?:preemptionPolicy|value)/],
  ['ReplicaSet', /^spec\.selector/],
  ['RoleBinding', /^roleRef/],
  ['ClusterRoleBinding', /^roleRef/],
  ['StatefulSet', /^spec\.(?:podManagementPolicy|selector|serviceName|volumeClaimTemplates)/],
  ['StorageClass', /^(?:parameters|provisioner|reclaimPolicy|volumeBindingMode)/],
])
const ofPods = /^metadata|^spec\.(?:activeDeadlineSeconds$|tolerations|(?:initC|c)ontainers\.\d+\.image$)/

/**
 * Whether the API server refuses a change of the field. Source: the Update functions of kubernetes/pkg/apis/{apps,batch,core,
 * rbac,scheduling,storage}/validation/validation.go.
 */
export function isFrozen(kind: string, path: Path): boolean {
  const field = path.join('.')
  return kind === 'Pod' ? !ofPods.test(field) : (frozen.get(kind)?.test(field) ?? false)
}
