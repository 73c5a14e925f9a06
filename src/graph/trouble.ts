/** What is wrong with pods, in lines for the evidence of a finding. */

import type * as k8s from '@kubernetes/client-node'
import type { Loose, Pod } from '../kubernetes.js'
import type { Live } from './live.js'
import { formatSpan } from './quantity.js'

export type ContainerState = Loose<k8s.V1ContainerStatus>

/** Characters of somebody else's message that are shown. */
const longest = 140

/** How the containers of a pod are, init containers first. */
export function containerStates({ status }: Pod): readonly ContainerState[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
}

export interface Crash {
  /** 137 for SIGKILL, 143 for SIGTERM, 1 and up for what the process says. */
  readonly exitCode: number
  /** `OOMKilled`, `Error`, `Completed`… */
  readonly reason: string
  /** Milliseconds since 1970; 0 when it is not said. */
  readonly endedAt: number
}

/** How the last run of a container ended; undefined when it has never ended. */
export function lastEnd({ state, lastState }: ContainerState): Crash | undefined {
  const ended = state?.terminated ?? lastState?.terminated
  if (ended?.exitCode === undefined) return undefined
  const { exitCode, reason = '', finishedAt } = ended
  return { exitCode, reason, endedAt: Date.parse(finishedAt ?? '') || 0 }
}

/** `exit code 137 (OOMKilled)`. */
export function formatEnd({ exitCode, reason }: Crash): string {
  const plain = reason === '' || reason === 'Error' || reason === 'Completed'
  return plain ? `exit code ${exitCode}` : `exit code ${exitCode} (${reason})`
}

/** Since when a pod has not been ready, in milliseconds since 1970; undefined when it is ready or says nothing. */
export function notReadySince({ status, metadata }: Pod): number | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status === 'True') return undefined
  // A pod without a node has neither the condition nor a start.
  return (
    Date.parse(ready?.lastTransitionTime ?? status?.startTime ?? metadata?.creationTimestamp ?? '') ||
    undefined
  )
}

/** Why a pod does not run as it should; undefined for pods that are well, have succeeded, or say nothing. */
export function troubleIn(pod: Pod, live: Live): string | undefined {
  const { status } = pod
  if (status?.phase === 'Succeeded') return undefined
  if (status?.phase === 'Failed' && status.reason) return withMessage(status.reason, status.message)
  const placed = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  // The first sentence says what lacks; those after it, what preemption tried.
  if (placed?.status === 'False')
    return withMessage(placed.reason ?? 'Pending', placed.message?.split(/\.\s/)[0])
  const containers = containerStates(pod).map(containerTrouble)
  const event = live.eventsOf(pod).find(({ reason }) => reason !== 'BackOff')
  return (
    containers.find((one) => one !== undefined) ??
    (notReadySince(pod) === undefined || !event?.reason
      ? undefined
      : withMessage(event.reason, event.message))
  )
}

function containerTrouble(container: ContainerState): string | undefined {
  const { name, state, restartCount = 0 } = container
  const { reason = '', message } = state?.waiting ?? {}
  const end = lastEnd(container)
  if (reason === 'CrashLoopBackOff' || (reason === '' && state?.terminated && end && end.exitCode !== 0)) {
    const restarts =
      restartCount > 0 ? `, ${restartCount} ${restartCount === 1 ? 'restart' : 'restarts'}` : ''
    return `container ${name}: ${end ? formatEnd(end) : reason}${restarts}`
  }
  if (reason === '' || reason === 'ContainerCreating' || reason === 'PodInitializing') return undefined
  return `container ${name}: ${withMessage(reason, message)}`
}

/**
 * What is wrong with some pods, a line for each kind of trouble, the most frequent first.
 * `api-1 and 3 more: container api: exit code 1, 12 restarts`
 */
export function troubles(pods: readonly Pod[], live: Live): string[] {
  const groups = new Map<string, { readonly text: string; readonly names: string[] }>()
  for (const pod of pods) {
    const text = troubleIn(pod, live)
    if (text === undefined) continue
    const alike = text.replaceAll(/\d+ restarts?|"[^"]*"/g, '')
    const group = groups.get(alike)
    if (group) group.names.push(pod.metadata?.name ?? '')
    else groups.set(alike, { text, names: [pod.metadata?.name ?? ''] })
  }
  const sorted = [...groups.values()].sort((a, b) => b.names.length - a.names.length)
  return atMost(
    3,
    sorted.map(({ text, names: [name, ...more] }) =>
      more.length === 0 ? `pod ${name}: ${text}` : `pod ${name} and ${more.length} more: ${text}`,
    ),
  )
}

/** The first lines, and how many more there are. */
export function atMost(count: number, lines: readonly string[]): string[] {
  return lines.length <= count ? [...lines] : [...lines.slice(0, count), `and ${lines.length - count} more`]
}

/** How long ago a moment of a cluster was: `3 h`. */
export function spanSince(time: number, live: Live): string {
  return formatSpan((live.now - time) / 1000)
}

function withMessage(reason: string, message: string | undefined): string {
  const text = (message ?? '').trim().replace(/\s+/g, ' ').replace(/\.$/, '')
  if (text === '') return reason
  return `${reason}: ${text.length > longest ? `${text.slice(0, longest)}…` : text}`
}
