/** What is wrong with pods, in lines for the evidence of a finding. */
import type { Pod } from '../kubernetes.js'
import { counted } from '../values/enumerate.js'
import { formatSpan } from '../values/quantity.js'
import { conditionOf } from './condition.js'
import type { Live } from './live.js'
import { type ContainerState, containerStates, formatEnd, isHeldUp, isReady, lastEnd } from './pod.js'
import { saidOfPull, waitingForImages } from './pull.js'

/** Characters of somebody else's message that are shown. */
const longest = 140

/** What is wrong with a pod: its cause, or else its state; undefined when it is ready or has done its work. */
export function troubleOf(pod: Pod, live: Live): string | undefined {
  const { status } = pod
  if (status?.phase === 'Succeeded' || isReady(pod)) return undefined
  return causeOf(pod, live) ?? stateOf(pod, live)
}

/** How far a pod has come of which nothing tells what is wrong. */
function stateOf(pod: Pod, live: Live): string | undefined {
  const { spec, status } = pod
  const ready = conditionOf(pod, 'Ready')
  if (ready?.reason === 'ReadinessGatesNotReady') return withMessage(ready.reason, ready.message)
  if (status?.phase === 'Running') {
    const unready = containerStates(pod).filter((one) => one.state?.running && one.ready === false)
    const [first] = unready
    const isAlone = unready.length !== 1 || status.containerStatuses?.length === 1
    return isAlone ? 'running, not ready' : `container ${first?.name ?? ''}: running, not ready`
  }
  // The last one that runs: native sidecars run beside those after them.
  const init = status?.initContainerStatuses?.findLast(({ state }) => state?.running)
  const begun = Date.parse(init?.state?.running?.startedAt ?? '')
  if (init)
    return `init container ${init.name ?? ''} runs${begun > 0 ? `, for ${spanSince(begun, live)} now` : ''}`
  const waiting = containerStates(pod).find(({ state }) => state?.waiting?.reason)
  if (waiting) return `container ${waiting.name ?? ''}: ${waiting.state?.waiting?.reason ?? ''}`
  const isSeen = spec?.nodeName || conditionOf(pod, 'PodScheduled')
  return status?.phase === 'Pending' && !isSeen ? 'Pending: no scheduler has looked at it' : status?.phase
}

/** Why a pod is not ready, `container api: exit code 1, 12 restarts`; undefined when nothing in the cluster tells. */
export function causeOf(pod: Pod, live: Live): string | undefined {
  const { status } = pod
  if (status?.phase === 'Succeeded' || isReady(pod)) return undefined
  if (status?.phase === 'Failed' && status.reason) return withMessage(status.reason, status.message)
  const placed = conditionOf(pod, 'PodScheduled')
  // The first sentence says what lacks; those after it, what preemption tried.
  if (placed?.status === 'False')
    return withMessage(placed.reason ?? 'Pending', placed.message?.split(/\.\s/)[0])
  const [waiting] = waitingForImages([pod])
  const said = waiting && saidOfPull(waiting, live)
  if (said !== undefined)
    return `container ${waiting?.container}: ${withMessage('ErrImagePull', pullReason(said))}`
  const container = containerStates(pod)
    .map(containerTrouble)
    .find((one) => one !== undefined)
  if (container !== undefined) return container
  const event = live.eventsOf(pod).find(({ reason }) => reason !== 'BackOff')
  return event?.reason ? withMessage(event.reason, event.message) : undefined
}

function containerTrouble(container: ContainerState): string | undefined {
  const { name, state, restartCount = 0 } = container
  const { reason = '', message } = state?.waiting ?? {}
  const end = lastEnd(container)
  if (reason === 'CrashLoopBackOff' || (reason === '' && state?.terminated && end && end.exitCode !== 0)) {
    const restarts = restartCount > 0 ? `, ${counted(restartCount, 'restart')}` : ''
    return `container ${name}: ${end ? formatEnd(end) : reason}${restarts}`
  }
  return isHeldUp(reason) ? `container ${name}: ${withMessage(reason, message)}` : undefined
}

/** What the registry or runtime said, without who said it to whom: the image stands at its end, too. */
function pullReason(said: string): string {
  return said
    .replace(/^(Back-off pulling image "[^"]*": ErrImagePull|Failed to pull image "[^"]*"): /, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^failed to pull and unpack image "[^"]*": /, '')
    .replace(/^failed to resolve (?:reference|image) "[^"]*": /, '')
}

/**
 * What is wrong with some pods, a line for each kind of trouble, the most frequent first.
 * `api-1 and 3 more: container api: exit code 1, 12 restarts`
 */
export function troubles(pods: readonly Pod[], live: Live): string[] {
  const groups = new Map<string, { readonly text: string; readonly names: string[] }>()
  for (const pod of pods) {
    const text = troubleOf(pod, live)
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

/** How often a container was restarted: `pod web-1, container web: 3 restarts, the last 2 h ago: exit code 1`. */
export function formatRestarts({ metadata }: Pod, container: ContainerState, live: Live): string {
  const end = lastEnd(container)
  const last = end ? `, the last ${spanSince(end.endedAt, live)} ago: ${formatEnd(end)}` : ''
  return `pod ${metadata?.name ?? ''}, container ${container.name ?? ''}: ${counted(container.restartCount ?? 0, 'restart')}${last}`
}

/** Without the layers that a message came through: what tells stands at its end. */
function withMessage(reason: string, message: string | undefined): string {
  const text = (message ?? '')
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/\.$/, '')
    .replace(/^Failed to create pod sandbox: /, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^failed to setup network for sandbox "[^"]*": /, '')
  if (text === '') return reason
  return `${reason}: ${text.length > longest ? `${text.slice(0, longest)}…` : text}`
}
