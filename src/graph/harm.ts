/** What fails with a workload. */
import { firstOf } from '../values/enumerate.js'
import { matchesLabels } from '../values/selector.js'
import type { Graph } from './graph.js'
import type { Live } from './live.js'
import { isReady, presentPods } from './pod.js'
import type { Workload } from './workload.js'

/** The Services that have no ready pod but those of the workload, of which none is: `calls of Service shop/web fail`, for evidence. */
export function failingCalls(workload: Workload, graph: Graph, live: Live): string[] {
  const pods = presentPods(workload, live)
  if (workload.batch || pods.length === 0 || pods.some(isReady)) return []
  const services = graph
    .seen('Service')
    .filter(({ spec }) => spec?.selector && matchesLabels(spec.selector, workload.labels))
    .filter((one) => graph.together(one, workload.object))
    .map((one) => graph.describe(one))
  return services.length > 0 ? [`calls of ${firstOf(services)} fail`] : []
}
