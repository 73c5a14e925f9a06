/** Services, endpoints, Ingresses and NetworkPolicies. */
import { isIP } from 'node:net'
import type { Ingress, Service } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { addresses, choice, companions, labels, nameOf, names } from './forms.js'
import { type Checks, merged, on, type Spec } from './say.js'

export const services: Checks = merged(
  {
    'core.EndpointSubset': [
      on<{ readonly addresses?: readonly unknown[]; readonly notReadyAddresses?: readonly unknown[] }>(
        ({ addresses = [], notReadyAddresses = [] }, say) => {
          if (addresses.length + notReadyAddresses.length === 0)
            say.conflict([], 'needs addresses or notReadyAddresses')
        },
      ),
    ],
    'core.ServiceSpec': [
      on<Spec<Service>>(({ type, clusterIP, ports, externalName, selector }, say) => {
        const external = type === 'ExternalName'
        if (clusterIP && clusterIP !== 'None' && !isIP(clusterIP) && !isPlaceholder(clusterIP))
          say.conflict(['clusterIP'], `is neither None nor an address: ${JSON.stringify(clusterIP)}`)
        if ((ports ?? []).length === 0 && !external && clusterIP !== 'None')
          say.lacks(['ports'], 'and only headless and ExternalName Services do without')
        if (external && !externalName) say.lacks(['externalName'], 'and type is ExternalName')
        if ((ports ?? []).length > 1)
          for (const [i, port] of (ports ?? []).entries())
            if (!port.name) say.lacks(['ports', i, 'name'], 'and there is more than one port')
        for (const [i, port] of (ports ?? []).entries()) say.name(['ports', i, 'name'], 'label', port.name)
        labels(selector, say, ['selector'])
        if (external) say.name(['externalName'], 'subdomain', externalName?.replace(/\.$/, ''))
      }),
      on<Spec<Service>>(({ type, externalTrafficPolicy, externalIPs }, say) => {
        if (
          externalTrafficPolicy &&
          (type ?? 'ClusterIP') === 'ClusterIP' &&
          (externalIPs ?? []).length === 0
        )
          say.conflict(['externalTrafficPolicy'], 'goes with type LoadBalancer or NodePort only')
      }),
    ],
    'networking.HTTPIngressPath': [
      on<{ readonly path?: string; readonly pathType?: string }>(({ path, pathType }, say) => {
        if (path?.startsWith('/') || isPlaceholder(path)) return
        if (path || pathType === 'Exact' || pathType === 'Prefix')
          say.conflict(['path'], 'has to start with /')
      }),
    ],
    'networking.IngressTLS': [
      on<{ readonly hosts?: readonly string[]; readonly secretName?: string }>(
        ({ hosts, secretName }, say) => {
          say.name(['secretName'], 'subdomain', secretName)
          for (const [i, host] of (hosts ?? []).entries())
            say.name(['hosts', i], 'subdomain', host.replace(/^\*\./, ''))
        },
      ),
    ],
    'networking/v1.IngressBackend': [choice(['service', 'resource'], 1)],
    'networking.IngressRule': [
      on<{ readonly host?: string }>(({ host }, say) =>
        say.name(['host'], 'subdomain', host?.replace(/^\*\./, '')),
      ),
    ],
    'networking.IngressServiceBackend': [nameOf('name', 'label')],
    'networking.NetworkPolicyPort': [
      on<{ readonly port?: number | string; readonly endPort?: number }>(({ port, endPort }, say) => {
        if (endPort === undefined || isPlaceholder(port)) return
        if (typeof port !== 'number') say.conflict(['endPort'], 'goes with a port that is a number only')
        else if (endPort < port) say.conflict(['endPort'], `is ${endPort}, less than port, ${port}`)
      }),
    ],
    'networking.NetworkPolicyPeer': [
      on<object>((peer, say) => {
        const found = Object.keys(peer)
        if (found.length === 0) say.conflict([], 'needs one of ipBlock, namespaceSelector or podSelector')
        else if (found.includes('ipBlock') && found.length > 1)
          say.conflict(['ipBlock'], 'cannot stand beside a selector')
      }),
    ],
    'networking.ServiceBackendPort': [choice(['name', 'number'], 1), nameOf('name', 'port')],
    'networking/v1.IngressSpec': [
      on<Spec<Ingress>>(({ defaultBackend, rules }, say) => {
        if (!defaultBackend && (rules ?? []).length === 0) say.lacks(['rules'], 'and so is defaultBackend')
      }),
    ],
  },
  companions({
    'core.ServiceSpec': [
      { field: 'allocateLoadBalancerNodePorts', of: 'type', value: 'LoadBalancer' },
      { field: 'loadBalancerClass', of: 'type', value: 'LoadBalancer' },
      { field: 'loadBalancerSourceRanges', of: 'type', value: 'LoadBalancer' },
    ],
  }),
  names({
    'discovery.Endpoint': { hostname: 'label', nodeName: 'subdomain' },
    'discovery.EndpointPort': { name: 'label' },
    'networking.IngressClassParametersReference': { apiGroup: 'subdomain' },
    'networking/v1.IngressSpec': { ingressClassName: 'subdomain' },
  }),
  addresses({
    'core.EndpointAddress': { ip: 'address' },
    'core.ServiceSpec': { externalIPs: 'address', loadBalancerSourceRanges: 'CIDR' },
    'networking.IPBlock': { cidr: 'CIDR', except: 'CIDR' },
    'networking.ServiceCIDRSpec': { cidrs: 'CIDR' },
  }),
)
