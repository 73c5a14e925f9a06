/** What fails with a workload. */
import type { Service } from '../kubernetes.js'
import { firstOf } from '../values/enumerate.js'
import { matchesLabels } from '../values/selector.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { isReady, presentPods } from './pod.js'
import type { Workload } from './workload.js'

/**
 * The Services that have no ready pod but those of the workload, of which none is, and what leads to them from outside:
 * `calls of Service shop/web fail, so do those through Ingress shop/web`, for evidence.
 */
export function failingCalls(workload: Workload, graph: Graph, live: Live): string[] {
  const services = failing(workload, graph, live)
  if (services.length === 0) return []
  const routes = new Set(services.flatMap(graph.seenRoutesTo).map(({ from }) => graph.describe(from)))
  const through = routes.size > 0 ? `, so do those through ${firstOf([...routes])}` : ''
  return [`calls of ${firstOf(services.map(graph.describe))} fail${through}`]
}

/** The place of the first route from outside that leads to such a Service. */
export function failingRoute(workload: Workload, graph: Graph, live: Live) {
  const [route] = failing(workload, graph, live).flatMap(graph.seenRoutesTo)
  return route && { of: route.from, node: route.node, field: route.field, note: 'fails, too' }
}

function failing(workload: Workload, graph: Graph, live: Live): readonly Service[] {
  const pods = presentPods(workload, live)
  if (workload.batch || pods.length === 0 || pods.some(isReady)) return []
  return graph
    .seen('Service')
    .filter(({ spec }) => spec?.selector && matchesLabels(spec.selector, workload.labels))
    .filter((one) => graph.together(one, workload.object))
}
