/** Services, endpoints, Ingresses and NetworkPolicies. */
import type { Ingress, Service } from '../../kubernetes.js'
import { isIP } from '../../values/ip.js'
import { isPlaceholder } from '../format.js'
import { addresses, choice, companions, filled, labels, nameOf, names, prefixed } from './forms.js'
import { type Checks, merged, on, type Say, type Spec } from './say.js'

interface EndpointSlice {
  readonly addressType?: string
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[]
  readonly ports?: readonly { readonly name?: string }[]
}

interface Addressed {
  readonly type?: string
  readonly ipFamilies?: readonly string[]
  readonly ipFamilyPolicy?: string
  readonly externalTrafficPolicy?: string
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly healthCheckNodePort?: number
  readonly selector?: Readonly<Record<string, string>>
}

const slice = on<EndpointSlice>(({ addressType, endpoints = [], ports = [] }, say) => {
  const version = addressType === 'IPv4' ? 4 : addressType === 'IPv6' ? 6 : undefined
  if (version !== undefined)
    for (const [i, { addresses = [] }] of endpoints.entries())
      for (const [j, address] of addresses.entries())
        if (isIP(address) !== version && !isPlaceholder(address))
          say.conflict(
            ['endpoints', i, 'addresses', j],
            `is no ${addressType} address: ${JSON.stringify(address)}`,
            address,
          )
  const [, second] = ports.flatMap(({ name }, i) => (name ? [] : [i]))
  if (second !== undefined) say.lacks(['ports', second, 'name'], 'and another one has none either')
})

/**
 * A new Service without a policy is for one family, unless it is headless and selects nothing. Source:
 * kubernetes/pkg/registry/core/service/storage/alloc.go (initIPFamilyFields).
 */
function twoFamilies(
  { type, ipFamilies = [], ipFamilyPolicy, clusterIP, clusterIPs = [], selector = {} }: Addressed,
  say: Say,
): void {
  const isFree = clusterIP === 'None' && Object.keys(selector).length === 0
  if (type === 'ExternalName' || (ipFamilies.length !== 2 && clusterIPs.length !== 2)) return
  if (ipFamilyPolicy === 'SingleStack' || (!ipFamilyPolicy && !isFree)) {
    const two = ipFamilies.length === 2 ? ipFamilies.join(' and ') : 'two clusterIPs'
    if (ipFamilyPolicy)
      say.conflict(
        ['ipFamilyPolicy'],
        `is SingleStack, and has to be RequireDualStack or PreferDualStack for ${two}`,
      )
    else say.lacks(['ipFamilyPolicy'], `and ${two} take RequireDualStack or PreferDualStack`)
  }
}

/** Of several ports each needs a name. Of one that is written twice duplicate-entry tells. */
function nameless(ports: NonNullable<Spec<Service>['ports']>, say: Say): void {
  if (new Set(ports.map(({ port, protocol = 'TCP' }) => `${port} ${protocol}`)).size < 2) return
  const [one, ...more] = ports.flatMap(({ name }, i) => (name ? [] : [i]))
  const others =
    more.length === 1
      ? ', another one has none either'
      : more.length > 1
        ? `, ${more.length} others have none either`
        : ''
  if (one !== undefined) say.lacks(['ports', one, 'name'], `and there is more than one port${others}`)
}

export const services: Checks = merged(
  {
    'discovery.EndpointSlice': [slice],
    'core.EndpointSubset': [
      on<{ readonly ports?: readonly { readonly name?: string }[] }>(({ ports = [] }, say) => {
        if (ports.length > 1)
          for (const [i, { name }] of ports.entries())
            if (!name) say.lacks(['ports', i, 'name'], 'and there is more than one port')
      }),
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
          say.conflict(
            ['clusterIP'],
            `is neither None nor an address: ${JSON.stringify(clusterIP)}`,
            clusterIP,
          )
        if ((ports ?? []).length === 0 && !external && clusterIP !== 'None')
          say.lacks(['ports'], 'and only headless and ExternalName Services do without')
        if (external && !externalName) say.lacks(['externalName'], 'and type is ExternalName')
        if (ports && ports.length > 1) nameless(ports, say)
        ports?.forEach((port, i) => {
          say.name(['ports', i, 'name'], 'label', port.name)
        })
        labels(selector, say, ['selector'])
        if (external) say.name(['externalName'], 'subdomain', externalName?.replace(/\.$/, ''))
      }),
      on<Spec<Service>>(({ sessionAffinity, sessionAffinityConfig }, say) => {
        // Without affinity the defaults drop its configuration before anybody looks at it: core/v1/defaults.go.
        if (sessionAffinity === 'ClientIP')
          say.bounds(
            ['sessionAffinityConfig', 'clientIP', 'timeoutSeconds'],
            sessionAffinityConfig?.clientIP?.timeoutSeconds,
            1,
            86_400,
          )
      }),
      on<Spec<Service>>(({ type, externalTrafficPolicy, externalIPs }, say) => {
        if (
          externalTrafficPolicy &&
          (type ?? 'ClusterIP') === 'ClusterIP' &&
          (externalIPs ?? []).length === 0
        )
          say.conflict(['externalTrafficPolicy'], 'goes with type LoadBalancer or NodePort only')
      }),
      on<Addressed>(
        ({ type, externalTrafficPolicy, clusterIP, clusterIPs = [], healthCheckNodePort }, say) => {
          if (clusterIPs.length > 0 && !clusterIP) say.conflict(['clusterIPs'], 'goes with clusterIP only')
          if (healthCheckNodePort && (type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local'))
            say.conflict(
              ['healthCheckNodePort'],
              'goes with type LoadBalancer and externalTrafficPolicy Local only',
            )
        },
      ),
      on<Addressed>((spec, say) => {
        const { type = 'ClusterIP', clusterIP } = spec
        if (clusterIP === 'None' && (type === 'LoadBalancer' || type === 'NodePort'))
          say.conflict(['clusterIP'], `is None, which a Service of type ${type} cannot have`)
        if (type !== 'ExternalName') return
        if (clusterIP) say.conflict(['clusterIP'], 'cannot stand beside type ExternalName')
        for (const field of ['ipFamilies', 'ipFamilyPolicy'] as const)
          if (spec[field]?.length) say.conflict([field], 'cannot stand beside type ExternalName')
      }),
      on<Addressed>(twoFamilies),
      on<Spec<Service>>(({ type, ports = [] }, say) => {
        if (type && type !== 'ClusterIP') return
        for (const [i, { nodePort }] of ports.entries())
          if (nodePort) say.conflict(['ports', i, 'nodePort'], 'goes with type NodePort or LoadBalancer only')
      }),
    ],
    'networking.HTTPIngressPath': [
      on<{ readonly path?: string; readonly pathType?: string }>(({ path, pathType }, say) => {
        if (path?.startsWith('/') || isPlaceholder(path)) return
        if (path || pathType === 'Exact' || pathType === 'Prefix')
          say.conflict(['path'], 'has to start with /', path)
      }),
    ],
    'networking.IngressTLS': [
      on<{ readonly hosts?: readonly string[]; readonly secretName?: string }>(
        ({ hosts, secretName }, say) => {
          say.name(['secretName'], 'subdomain', secretName)
          for (const [i, host] of (hosts ?? []).entries())
            if (host === '') say.conflict(['hosts', i], 'is empty')
            else say.name(['hosts', i], 'subdomain', host.replace(/^\*\./, ''))
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
    'networking.NetworkPolicySpec': [
      on<{ readonly policyTypes?: readonly string[] }>(({ policyTypes = [] }, say) => {
        if (policyTypes.length > 2) say.conflict(['policyTypes'], 'has more than two entries')
      }),
    ],
    'networking/v1.IngressSpec': [
      on<Spec<Ingress> & { readonly backend?: unknown }>(({ defaultBackend, rules, backend }, say) => {
        // As v1beta1 called the default: that it is unknown says it all.
        if (!defaultBackend && (rules ?? []).length === 0 && backend === undefined)
          say.lacks(['rules'], 'and so is defaultBackend')
      }),
    ],
  },
  filled({
    'core.ServicePort': ['appProtocol'],
    'core.ServiceSpec': ['loadBalancerClass'],
    'discovery.Endpoint': ['hostname', 'nodeName'],
    'discovery.EndpointPort': ['appProtocol'],
    'networking.IngressClassParametersReference': ['apiGroup'],
    'networking/v1.IngressSpec': ['ingressClassName'],
  }),
  prefixed({ 'networking.IngressClassSpec': 'controller' }),
  companions({
    'networking.IngressClassParametersReference': [
      { field: 'namespace', of: 'scope', value: 'Namespace', needed: true },
    ],
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
