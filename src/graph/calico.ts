/** Objects of Calico. */
import { groupOf, type KubernetesObject } from '../kubernetes.js'
import type { Graph } from './graph.js'

/** Whether the object is there a second time: Calico's own API server shows what is stored as `crd.projectcalico.org` in a group of its own. */
export function isSecondView({ apiVersion = '', kind }: KubernetesObject, graph: Graph): boolean {
  if (groupOf(apiVersion) !== 'crd.projectcalico.org') return false
  return (
    (kind === 'IPPool' || kind === 'BGPConfiguration') && graph.all(`projectcalico.org/${kind}`).length > 0
  )
}
