/** Objects of Calico. */
import { groupOf, type KubernetesObject } from '../kubernetes.js'
import { arrayAt, numberAt, stringAt, valueAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/**
 * Whether pods get addresses of an IPPool: it is not disabled, and not for tunnels or balancers alone. Source:
 * calico/api/pkg/apis/projectcalico/v3/ippool.go (disabled, allowedUses).
 */
export function givesToPods(pool: KubernetesObject): boolean {
  const uses = arrayAt(pool, 'spec', 'allowedUses')
  return valueAt(pool, 'spec', 'disabled') !== true && (uses.length === 0 || uses.includes('Workload'))
}

/**
 * The length of the prefix of a pool's blocks: 26 by default, 122 for IPv6. Source: calico/libcalico-go/lib/clientv3/ippool.go
 * (0 is the default, too), tigera/operator/pkg/controller/ippool/defaults.go.
 */
export function blockSizeOf(spec: unknown): number {
  return numberAt(spec, 'blockSize') || (stringAt(spec, 'cidr')?.includes(':') ? 122 : 26)
}

/**
 * Whether the object is there a second time: Calico's own API server shows what is stored as `crd.projectcalico.org` in a group of its own.
 */
export function isSecondView({ apiVersion = '', kind }: KubernetesObject, graph: Graph): boolean {
  if (groupOf(apiVersion) !== 'crd.projectcalico.org') return false
  return (
    (kind === 'IPPool' || kind === 'BGPConfiguration') && graph.all(`projectcalico.org/${kind}`).length > 0
  )
}
