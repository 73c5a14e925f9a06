/** What roles allow. */
import type { ClusterRole } from '../kubernetes.js'
import { matchesSelector } from '../values/selector.js'
import type { Graph } from './graph.js'

/** The rules of a role, and of those that it takes together. Source: kubernetes/pkg/controller/clusterroleaggregation. */
export function rulesOf(role: ClusterRole, graph: Graph): NonNullable<ClusterRole['rules']> {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? []
  if (selectors.length === 0) return role.rules ?? []
  const parts = graph
    .all('ClusterRole')
    .filter(({ metadata }) => selectors.some((one) => matchesSelector(one, metadata?.labels)))
  return [...(role.rules ?? []), ...parts.flatMap(({ rules }) => rules ?? [])]
}
