/** Service meshes: whose sidecar a workload's pods are given. */
import type { Graph } from './graph.js'
import { imageParts } from './image.js'
import { kubeletMinor } from './node.js'
import { inRange, version } from './version.js'
import type { Workload } from './workload.js'

/** A mesh whose injector looks at pods. */
export type Mesh = 'Istio' | 'Linkerd'

/**
 * The mesh whose injector looks at the pods of the workload, by its namespace, or by what its pods ask for themselves.
 * Sources: istio/pkg/kube/inject/inject.go (injectRequired), Linkerd documentation, Automatic proxy injection.
 */
export function meshOf(workload: Workload, graph: Graph): Mesh | undefined {
  const own = workload.annotations['linkerd.io/inject']
  if (own === 'enabled') return 'Linkerd'
  const namespace = graph.namespacesCalled(graph.namespaceOf(workload.object)).at(-1)
  const { labels, annotations } = namespace?.metadata ?? {}
  if (annotations?.['linkerd.io/inject'] === 'enabled') return own === 'disabled' ? undefined : 'Linkerd'
  if (labels?.['istio.io/dataplane-mode'] === 'ambient') return undefined
  const injection = labels?.['istio-injection']
  return injection === 'enabled' || (injection === undefined && labels?.['istio.io/rev'])
    ? 'Istio'
    : undefined
}

/** The labels or annotations in which a pod template keeps Istio's sidecar away. */
export function keptFromIstio({ labels, annotations }: Workload): object | undefined {
  return [labels, annotations].find((one) => one['sidecar.istio.io/inject'] === 'false')
}

/**
 * Whether the input shows that Istio's sidecars are started before the other containers, and ended after them: they are
 * native ones, by a variable of istiod or by its release: from 1.27 on they are, on nodes of 1.33 and later. Sources:
 * istio/pilot/pkg/features/pilot.go (ENABLE_NATIVE_SIDECARS), istio/pkg/kube/inject/webhook.go (DetectNativeSidecar).
 * @param minor the target version, which nodes of manifests are taken to have: those of a cluster say theirs
 */
export function hasNativeSidecars(graph: Graph, minor: number): boolean {
  return graph.once(`native sidecars of Istio, ${minor}`, () => {
    const isSince133 = () =>
      graph.live ? graph.all('Node').every((node) => (kubeletMinor(node) ?? 0) >= 33) : minor >= 33
    return graph.workloads.some(({ running }) =>
      running.some(({ spec, image }) => {
        const written = spec.env?.find(({ name }) => name === 'ENABLE_NATIVE_SIDECARS')?.value
        return written === undefined || written === 'auto'
          ? isPilotSince127(image) && isSince133()
          : written === 'true'
      }),
    )
  })
}

/** Whether an image is istiod of 1.27 or later. */
function isPilotSince127(image = ''): boolean {
  const { repository, tag } = imageParts(image)
  const release = version(tag)
  return /istio[^/]*\/pilot$/.test(repository) && release !== undefined && inRange(release, '>=1.27.0')
}

/** Whether a configuration of Istio's proxy holds applications back until it is ready. */
export function asksToHold(configuration: string | undefined): boolean {
  return /holdApplicationUntilProxyStarts["']?:\s*true/.test(configuration ?? '')
}

/** Whether the mesh configuration of the input holds applications back until Istio's sidecar is ready. */
export function holdsApplications(graph: Graph): boolean {
  return graph.once('applications held by Istio', () =>
    graph
      .all('ConfigMap')
      .some(({ metadata, data }) => metadata?.name?.startsWith('istio') && asksToHold(data?.mesh)),
  )
}
