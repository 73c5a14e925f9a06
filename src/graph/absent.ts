/** Pods that do not start because something that they name is not there. */
import type { Pod } from '../kubernetes.js'
import { quoted } from '../values/quoted.js'
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
  return pullSecretsWithout(pod, live).map(
    (name) => `secret "${name}" not found, and ${imageParts(refused.image).registry} refuses the image`,
  )
}

/**
 * The pull secrets of the pod, or of its account, that the kubelet does not find, each once. It pulls without them. Source:
 * kubernetes/pkg/kubelet/kubelet_pods.go (getPullSecretsForPod).
 */
function pullSecretsWithout(pod: Pod, live: Live): readonly string[] {
  const names = live
    .eventsOf(pod)
    .filter(({ reason }) => reason === 'FailedToRetrieveImagePullSecret')
    .flatMap(({ message }) => /pull secrets \(([^)]+)\)/.exec(message ?? '')?.[1]?.split(', ') ?? [])
  return [...new Set(names)]
}

/** The same as a line of evidence, for pods whose pulls fail; none where all are there. */
export function pulledWithout(pods: readonly Pod[], live: Live): readonly string[] {
  const names = [...new Set(pods.flatMap((pod) => pullSecretsWithout(pod, live)))]
  return names.length > 0
    ? [`pulled without secret ${names.map(quoted).join(', ')}: the kubelet does not find it`]
    : []
}

/** The reasons of containers that have not started yet. */
const startReasons: ReadonlySet<string | undefined> = new Set([
  'CreateContainerConfigError',
  'ContainerCreating',
  'PodInitializing',
])
