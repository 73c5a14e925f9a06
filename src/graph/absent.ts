/** Pods that do not start because something that they name is not there. */
import type { Pod } from '../kubernetes.js'
import { conditionOf } from './condition.js'
import { imageParts } from './image.js'
import type { Live } from './live.js'
import { containerStates, isGone, isReady } from './pod.js'
import { refusalOf, waitingForImages } from './pull.js'

/**
 * What the kubelet and the scheduler say of a Secret, ConfigMap, key or claim that they do not find. Sources:
 * kubernetes/pkg/kubelet/kubelet_pods.go, pkg/scheduler/framework/plugins/volumebinding.
 */
const notFound =
  /(?:secret|configmap|persistentvolumeclaim) "[^"]+" not found|references non-existent (?:secret|config) key: \S+|couldn't find key \S+ in (?:ConfigMap|Secret) \S+/i

/** What keeps a pod from starting because it is not there: `secret "db" not found`, each text once. */
export function absentFor(pod: Pod, live: Live): readonly string[] {
  if (isReady(pod) || isGone(pod)) return []
  const waiting = containerStates(pod).flatMap(({ state }) => state?.waiting ?? [])
  const placed = conditionOf(pod, 'PodScheduled')
  const said = [
    ...(placed?.status === 'False' ? [placed.message] : []),
    ...waiting.filter(({ reason }) => reason === 'CreateContainerConfigError').map(({ message }) => message),
    ...(waiting.some(({ reason }) => startReasons.has(reason))
      ? live
          .eventsOf(pod)
          .filter(({ reason }) => reason === 'FailedMount')
          .map(({ message }) => message)
      : []),
  ]
  return [
    ...new Set([
      ...said.flatMap((text) => notFound.exec(text ?? '')?.[0] ?? []),
      ...lackedForPull(pod, live),
    ]),
  ]
}

/** The pull secrets that the kubelet does not find for an image that the registry gives to nobody without one. */
function lackedForPull(pod: Pod, live: Live): readonly string[] {
  const refused = waitingForImages([pod]).find((waiting) => refusalOf(waiting, live) === 'denied')
  if (!refused) return []
  const names = live
    .eventsOf(pod)
    .filter(({ reason }) => reason === 'FailedToRetrieveImagePullSecret')
    .flatMap(({ message }) => /pull secrets \(([^)]+)\)/.exec(message ?? '')?.[1]?.split(', ') ?? [])
  return names.map(
    (name) => `secret "${name}" not found, and ${imageParts(refused.image).registry} refuses the image`,
  )
}

/** The reasons of containers that have not started yet. */
const startReasons: ReadonlySet<string | undefined> = new Set([
  'CreateContainerConfigError',
  'ContainerCreating',
  'PodInitializing',
])
