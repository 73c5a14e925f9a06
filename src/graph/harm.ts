/** What fails with a workload. */
import type { Service } from '../kubernetes.js'
import { firstOf } from '../values/enumerate.js'
import { matchesLabels } from '../values/selector.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { isReady, presentPods } from './pod.js'
import type { Workload } from './workload.js'

/**
 * The calls to Services that have no ready pod but those of the workload, of which none is.
 * @returns what is `said` of them, for evidence (`calls to Service shop/web fail, so do those through Ingress shop/web`), if there are any,
 * and the place of the first `route` from outside that leads to them
 */
export function failingCalls(workload: Workload, graph: Graph, live: Live) {
  const services = failing(workload, graph, live)
  if (services.length === 0) return { said: [], route: undefined }
  const found = services.flatMap(graph.seenRoutesTo)
  const routes = new Set(found.map(({ from }) => graph.describe(from)))
  const through = routes.size > 0 ? `, so do those through ${firstOf([...routes])}` : ''
  const [first] = found
  return {
    said: [`calls to ${firstOf(services.map(graph.describe))} fail${through}`],
    route: first && { of: first.from, node: first.node, field: first.field, note: 'fails, too' },
  }
}

function failing(workload: Workload, graph: Graph, live: Live): readonly Service[] {
  const pods = presentPods(workload, live)
  if (workload.batch || pods.length === 0 || pods.some(isReady)) return []
  return graph
    .seen('Service')
    .filter(({ spec }) => spec?.selector && matchesLabels(spec.selector, workload.labels))
    .filter((one) => graph.together(one, workload.object))
}
