/** Pods that wait for an image. */
import type { Pod } from '../kubernetes.js'
import type { Live } from './live.js'
import { containerStates } from './pod.js'

/** A container that waits for its image. */
export interface Waiting {
  readonly pod: Pod
  readonly container: string
  /** As the pod has it. */
  readonly image: string
  /** What the kubelet says, if anything. */
  readonly message: string | undefined
}

/** The containers that have no image yet because pulling it failed, one a pod. */
export function waitingForImages(pods: readonly Pod[]): readonly Waiting[] {
  return pods.flatMap((pod) => {
    const found = containerStates(pod).find(({ state }) =>
      /^(ErrImagePull|ImagePullBackOff)$/.test(state?.waiting?.reason ?? ''),
    )
    return found
      ? [
          {
            pod,
            container: found.name ?? '',
            image: found.image ?? '',
            message: found.state?.waiting?.message,
          },
        ]
      : []
  })
}

/** What the kubelet says of a pod's failed pull; before 1.32 it is in events alone while the kubelet backs off. */
export function saidOfPull({ pod, message }: Waiting, live: Live): string | undefined {
  if (message !== undefined && !/^Back-off pulling image "[^"]*"$/.test(message)) return message
  return live.eventsOf(pod).find((event) => event.message?.startsWith('Failed to pull image'))?.message
}

/** Who refused a pull because there are too many; undefined when the message is about something else. */
export function throttledBy(message: string): 'kubelet' | 'registry' | undefined {
  if (/pull QPS exceeded/.test(message)) return 'kubelet'
  return /toomanyrequests|429 Too Many Requests|pull rate limit/i.test(message) ? 'registry' : undefined
}

/**
 * Why an image will not come however long the pod waits: the registry has no such image, or none for the
 * node's platform, or does not give it to this pod. Undefined for what may pass: a registry that is
 * away, slow or asked too often.
 */
export function refusalOf(waiting: Waiting, live: Live): 'absent' | 'platform' | 'denied' | undefined {
  const text = saidOfPull(waiting, live) ?? ''
  if (/toomanyrequests|\b429\b|rate limit|QPS exceeded|no such host|dial tcp|timeout/i.test(text))
    return undefined
  if (/no match for platform|no matching manifest for|no image found in .*for architecture/i.test(text))
    return 'platform'
  if (
    /\b(401 Unauthorized|403 Forbidden)\b|unauthorized|insufficient_scope|access denied|access to the resource is denied|no basic auth credentials|authentication required/i.test(
      text,
    )
  )
    return 'denied'
  return /code = NotFound|: not found\b|manifest unknown|name unknown|manifest for \S+ not found/i.test(text)
    ? 'absent'
    : undefined
}
