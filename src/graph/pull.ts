/** Pods that wait for an image. */
import type { Pod } from '../kubernetes.js'
import { containerStates } from './pod.js'

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
