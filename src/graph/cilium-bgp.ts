/** What Cilium announces by BGP. */
import type { KubernetesObject } from '../kubernetes.js'
import { arrayAt, objectAt, objectsAt, stringAt } from '../values/untyped.js'
import type { Graph } from './graph.js'

/**
 * Whether a CiliumBGPPeeringPolicy or CiliumBGPClusterConfig makes its nodes announce addresses of Services, and not those of pods
 * alone. Undefined where the advertisements of the latter may be elsewhere.
 * Source: cilium/pkg/k8s/apis/cilium.io/v2alpha1 (bgpp_types.go, ServiceSelector; bgp_advert_types.go, AdvertisementType).
 */
export function announcesServices(config: KubernetesObject, graph: Graph): boolean | undefined {
  if (config.kind === 'CiliumBGPPeeringPolicy')
    return objectsAt(config, 'spec', 'virtualRouters').some(
      (one) =>
        arrayAt(one, 'serviceSelector', 'matchExpressions').length > 0 ||
        Object.keys(objectAt(one, 'serviceSelector', 'matchLabels') ?? {}).length > 0,
    )
  const all = graph.all('cilium.io/CiliumBGPAdvertisement')
  if (all.length === 0 && !graph.complete) return undefined
  return all.some((one) =>
    objectsAt(one, 'spec', 'advertisements').some(
      // Without a selector it is about none.
      (part) => stringAt(part, 'advertisementType') === 'Service' && objectAt(part, 'selector') !== undefined,
    ),
  )
}
