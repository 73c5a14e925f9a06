/** How often CPU limits stopped containers, where the kubelets were asked. */
import type { Sample } from '../reader/input.js'
import type { Live } from './live.js'
import type { Workload } from './workload.js'

/** One container of one pod, since it started. */
export interface Throttled {
  readonly pod: string
  readonly container: string
  /** Periods of 100 ms in which it wanted to run. */
  readonly periods: number
  /** Those of them in which it was stopped until their end. */
  readonly stopped: number
}

/** The containers of a workload's pods that their CPU limits have stopped, the most stopped first. */
export function throttledOf(workload: Workload, live: Live): readonly Throttled[] {
  const all = live.samplesOf('container_cpu_cfs_throttled_periods_total')
  if (all.length === 0) return []
  const periods = numbersOf(live.samplesOf('container_cpu_cfs_periods_total'))
  const stopped = numbersOf(all)
  return live
    .podsOf(workload)
    .flatMap(({ metadata }) =>
      workload.running.map(({ name }) => ({
        pod: metadata?.name ?? '',
        container: name,
        key: `${metadata?.namespace}/${metadata?.name}/${name}`,
      })),
    )
    .map(({ key, ...one }) => ({ ...one, periods: periods.get(key) ?? 0, stopped: stopped.get(key) ?? 0 }))
    .filter((one) => one.stopped > 0 && one.periods >= one.stopped)
    .sort((a, b) => b.stopped / b.periods - a.stopped / a.periods || (a.pod < b.pod ? -1 : 1))
}

const indexes = new WeakMap<readonly Sample[], ReadonlyMap<string, number>>()

/** The numbers by namespace, pod and container. */
function numbersOf(samples: readonly Sample[]): ReadonlyMap<string, number> {
  let index = indexes.get(samples)
  if (!index) {
    index = new Map(
      samples.map(({ labels, value }) => [`${labels.namespace}/${labels.pod}/${labels.container}`, value]),
    )
    indexes.set(samples, index)
  }
  return index
}
