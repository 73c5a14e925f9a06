/** One model of containers. */
import type { ContainerSpec, PodSpec } from '../kubernetes.js'
import { imageParts } from './image.js'

/** A container of a workload, whichever list it stands in. */
export interface Container {
  readonly name: string
  /**
   * `ordinary`: `spec.containers`. `sidecar`: an init container with `restartPolicy: Always` (native sidecar, on by
   * default from 1.29). `init`: any other init container.
   */
  readonly role: 'ordinary' | 'sidecar' | 'init'
  readonly spec: ContainerSpec
  /** As written; undefined when the manifest leaves it to somebody else (kustomize, an injector). */
  readonly image: string | undefined
  /** Its index in its list. */
  readonly index: number
}

/** All containers in the order of the manifest, ordinary ones first. */
export function containersOf(pod: PodSpec): readonly Container[] {
  const make =
    (role: Container['role'] | undefined) =>
    (spec: ContainerSpec, index: number): Container => ({
      // Knative names what has no name.
      name: spec.name ?? (spec.image === undefined ? '' : imageParts(spec.image).name),
      role: role ?? (spec.restartPolicy === 'Always' ? 'sidecar' : 'init'),
      spec,
      image: spec.image,
      index,
    })
  const ordinary = (pod.containers ?? []).map(make('ordinary'))
  return pod.initContainers ? [...ordinary, ...pod.initContainers.map(make(undefined))] : ordinary
}

/**
 * Whether an injector fills in the container at admission, with probes, ports and hooks: Istio does where the image is
 * `auto`. Source: istio/manifests/charts/gateway.
 */
export function isInjected({ image }: Container): boolean {
  return image === 'auto'
}
