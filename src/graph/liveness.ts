/** Restarts by liveness probes: what a cluster shows of them. */
import type { Event, Probe } from '../kubernetes.js'
import { times } from '../values/enumerate.js'
import { groupBy } from '../values/group.js'
import type { Container } from './container.js'
import { countOf, type Live, timeOf } from './live.js'
import { patience } from './patience.js'
import { type ContainerState, containerStates, isCrashing, lastEnd } from './pod.js'
import { formatRestarts } from './trouble.js'
import { graceOf, type Workload } from './workload.js'

/** The API server's defaults. Source: kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Probe). */
const defaults = { period: 10, failures: 3, timeout: 1 }

/** What a probe allows, in seconds. Source: kubernetes/pkg/kubelet/prober/worker.go (run). */
export function allowanceOf(probe: Probe) {
  // The API server takes 0 for what is not said, and refuses what is below.
  const least = (count: number | undefined, standard: number) => (count && count > 0 ? count : standard)
  const period = least(probe.periodSeconds, defaults.period)
  const failures = least(probe.failureThreshold, defaults.failures)
  const timeout = least(probe.timeoutSeconds, defaults.timeout)
  return {
    period,
    failures,
    timeout,
    /** For a slow process: the next probe waits for the last one. */
    budget: Math.max(period, timeout) * failures,
    /** For a start. A process that does not listen yet refuses at once: no timeout passes. */
    start: least(probe.initialDelaySeconds, 0) + period * failures,
  }
}

/** The program that a probe runs and that succeeds whatever the state of the container: a probe in name alone. */
export function idleProgram({ exec }: Probe): string | undefined {
  const program = exec?.command?.[0]
  return program !== undefined && /^(?:\/(?:usr\/)?bin\/)?(?:echo|printf|true)$/.test(program)
    ? program
    : undefined
}

/** Restarts of a container by its liveness probe. */
export interface ProbeKills {
  /** The containers that were killed, and what the probe said. */
  readonly evidence: readonly string[]
  readonly states: readonly ContainerState[]
  /** Whether it was killed before it listened. */
  readonly isDuringStart: boolean
  /**
   * Whether it waited in vain for an answer, or not long enough for the start. A process that says itself that it is not healthy is
   * restarted as it asks for.
   */
  readonly isOfProbe: boolean
  /** Whether a container that was killed is one of those that crash again and again. */
  readonly isStorm: boolean
}

/** How far the end of a container may be from the moment when its kubelet says that it kills it, beside the grace period. */
const tolerance = 5000

/**
 * Restarts of a container by its liveness probe, if there are any: its kubelet says that it kills the container for that; or, where
 * nothing is said of the pod, events of the last hour say that the probe failed, and the container was ended by SIGTERM or SIGKILL (exit
 * code 143 or 137), and not for its memory.
 * Source: kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions: `Container web failed liveness probe`).
 */
export function probeKillsOf(
  { name, spec }: Container,
  workload: Workload,
  live: Live,
): ProbeKills | undefined {
  const probe = spec.livenessProbe
  const failures = live
    .eventsOf(workload)
    .filter(
      ({ reason, message, involvedObject }) =>
        reason === 'Unhealthy' &&
        (message ?? '').startsWith('Liveness probe failed') &&
        (involvedObject?.fieldPath ?? `{${name}}`).includes(`{${name}}`),
    )
  const [last] = failures
  const grace = probe?.terminationGracePeriodSeconds ?? graceOf(workload)
  const kills = groupBy(
    live
      .probeKillsOf(workload)
      .filter(({ message = '' }) => / container (\S+) failed/i.exec(` ${message}`)?.[1] === name),
    ({ involvedObject }) => involvedObject?.name ?? '',
  )
  const killed = (probe && (last || kills.size > 0) ? live.troubledPodsOf(workload) : []).flatMap((pod) => {
    const state = containerStates(pod).find((one) => one.name === name)
    const end = state && lastEnd(state)
    if (!state || !end) return []
    const own = kills.get(pod.metadata?.name ?? '')
    const isKilled = own
      ? own.some((event) => {
          const gap = end.endedAt - timeOf(event)
          return gap >= -tolerance && gap <= grace * 1000 + tolerance
        })
      : last && (end.exitCode === 137 || end.exitCode === 143) && end.reason !== 'OOMKilled'
    return isKilled ? [{ pod, state, end }] : []
  })
  if (!probe || killed.length === 0) return undefined
  const said = last?.message ?? ''
  const { period, start } = allowanceOf(probe)
  const longestRun = Math.max(...killed.map(({ end }) => (end.endedAt - end.startedAt) / 1000))
  const isDuringStart =
    spec.startupProbe === undefined &&
    said.includes('connection refused') &&
    longestRun <= start + period + grace
  const sumOf = (events: readonly Event[]) => events.reduce((sum, event) => sum + countOf(event), 0)
  const count = sumOf(failures)
  const message = said.slice(0, 140).trim().replace(/\.$/, '')
  return {
    evidence: [
      ...killed.slice(0, 2).map(({ pod, state }) => formatRestarts(pod, state, live)),
      ...(last ? [`${count} times in the events: ${message}`] : []),
      ...(kills.size > 0 ? [`killed for it ${times(sumOf([...kills.values()].flat()))} in the events`] : []),
    ],
    states: killed.map(({ state }) => state),
    isDuringStart,
    isOfProbe: isDuringStart || /deadline exceeded|time(?:d )?out/i.test(said),
    isStorm: killed.some(({ pod, state }) => isCrashing(state, pod, live, patience.restarts)),
  }
}
