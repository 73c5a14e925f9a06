/** Services, Ingresses and NetworkPolicies. */
import type { Ingress, Service } from '../../kubernetes.js'
import { cidr } from '../../values/cidr.js'
import { isIP } from '../../values/ip.js'
import { isPlaceholder } from '../format.js'
import { special } from './endpoints.js'
import { addresses, choice, companions, faultOf, filled, labels, nameOf, names, prefixed } from './forms.js'
import { type Checks, merged, on, type Say, type Spec } from './say.js'

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

/** Several addresses of a Service in the cluster. Source: ValidateServiceClusterIPsRelatedFields. */
function families({ type, clusterIP, clusterIPs = [], ipFamilies = [] }: Addressed, say: Say): void {
  if (type === 'ExternalName' || clusterIPs.length === 0 || clusterIPs.some(isPlaceholder)) return
  const versions = clusterIPs.map((one) => isIP(one))
  const wrong = clusterIPs.findIndex((one, i) => versions[i] === 0 && !(i === 0 && one === 'None'))
  if (clusterIP && clusterIPs[0] !== clusterIP && !isPlaceholder(clusterIP))
    say.conflict(
      ['clusterIPs', 0],
      `is ${JSON.stringify(clusterIPs[0])}, and clusterIP is ${JSON.stringify(clusterIP)}`,
    )
  if (clusterIPs.length > 2) say.conflict(['clusterIPs'], 'has more than two entries')
  else if (wrong >= 0)
    say.conflict(['clusterIPs', wrong], `is no address: ${JSON.stringify(clusterIPs[wrong])}`)
  else if (clusterIPs[0] === 'None') {
    if (clusterIPs.length > 1) say.conflict(['clusterIPs', 1], 'cannot stand beside None')
  } else if (versions.length === 2 && versions[0] === versions[1])
    say.conflict(['clusterIPs', 1], `is a second IPv${versions[1]} address`)
  else
    for (const [i, family] of ipFamilies.entries())
      if (versions[i] !== undefined && family !== `IPv${versions[i]}`)
        say.conflict(['clusterIPs', i], `is no ${family} address, as ipFamilies wants it`)
}

const sourceRanges = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const topologyHints = 'service.kubernetes.io/topology-aware-hints'
const topologyMode = 'service.kubernetes.io/topology-mode'

/** Annotations of a Service that the server judges as fields. */
const annotated = on<Service>(({ metadata, spec }, say) => {
  const { annotations = {}, name } = metadata ?? {}
  const at = (key: string) => ['metadata', 'annotations', key]
  // RelaxedServiceNameValidation is on by default from 1.36. Source: NameIsDNS1035Label.
  if (say.minor < 36 && name && /^\d/.test(name))
    say.conflict(
      ['metadata', 'name'],
      `is ${JSON.stringify(name)}, and starts with a letter before 1.36`,
      name,
    )
  const ranges = annotations[sourceRanges]
  if (ranges !== undefined && !isPlaceholder(ranges) && (spec?.loadBalancerSourceRanges ?? []).length === 0) {
    if ((spec?.type ?? 'ClusterIP') !== 'LoadBalancer' && !isPlaceholder(spec?.type))
      say.conflict(at(sourceRanges), 'goes with type LoadBalancer only')
    for (const range of ranges.trim() ? ranges.split(',') : []) {
      const fault = faultOf(range.trim(), 'CIDR', say.minor)
      if (fault) say.conflict(at(sourceRanges), `${fault}: ${JSON.stringify(range.trim())}`, range)
    }
  }
  const [hints, mode] = [annotations[topologyHints], annotations[topologyMode]]
  if (
    say.minor >= 27 &&
    hints !== undefined &&
    mode !== undefined &&
    hints !== mode &&
    ![hints, mode].some(isPlaceholder)
  )
    say.conflict(
      at(topologyMode),
      `is ${JSON.stringify(mode)}, and the annotation topology-aware-hints ${JSON.stringify(hints)}`,
    )
})

const ingressClass = 'kubernetes.io/ingress.class'

/** The class of an Ingress in its old place and in its new one. Source: ValidateIngressCreate. */
const classes = on<Ingress>(({ metadata, spec }, say) => {
  const old = metadata?.annotations?.[ingressClass]
  const own = spec?.ingressClassName
  if (old === undefined || own == null || [old, own].some(isPlaceholder)) return
  const path = ['metadata', 'annotations', ingressClass]
  if (say.minor < 27) say.conflict(path, 'cannot stand beside ingressClassName before 1.27')
  else if (old !== own)
    say.conflict(path, `is ${JSON.stringify(old)}, and ingressClassName is ${JSON.stringify(own)}`)
})

interface Block {
  readonly cidr?: string
  readonly except?: readonly string[]
}

/** What is taken out of a range has to be in it. Source: ValidateIPBlock. */
const exceptions = on<Block>(({ cidr: text, except = [] }, say) => {
  const all = cidr(text)
  if (!all) return
  for (const [i, one] of except.entries()) {
    const part = cidr(one)
    if (!part || !one.includes('/')) continue
    if (part.width !== all.width || part.first < all.first || part.last > all.last || part.bits <= all.bits)
      say.conflict(['except', i], `is ${one}, which is no part of ${text}`, one)
  }
})

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
    'core.Service': [annotated],
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
        const isOpen = type && type !== 'ClusterIP'
        const seen = new Set<string>()
        for (const [i, { nodePort, protocol = 'TCP' }] of ports.entries()) {
          if (!nodePort) continue
          const path = ['ports', i, 'nodePort']
          if (!isOpen) say.conflict(path, 'goes with type NodePort or LoadBalancer only')
          else if (seen.has(`${nodePort} ${protocol}`))
            say.conflict(path, `is ${nodePort}, which another port has, too`)
          seen.add(`${nodePort} ${protocol}`)
        }
      }),
      on<Addressed>(families),
      special('externalIPs'),
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
      on<{ readonly host?: string }>(({ host }, say) => {
        if (host && isIP(host)) say.conflict(['host'], `is an address, and has to be a name: ${host}`, host)
        else say.name(['host'], 'subdomain', host?.replace(/^\*\./, ''))
      }),
    ],
    'networking.IPBlock': [exceptions],
    'networking.IngressServiceBackend': [
      nameOf('name', 'label'),
      on<{ readonly name?: string }>(({ name }, say) => {
        if (say.minor < 36 && name && /^\d/.test(name) && !isPlaceholder(name))
          say.conflict(['name'], `is ${JSON.stringify(name)}, and starts with a letter before 1.36`, name)
      }),
    ],
    'networking.IngressClassSpec': [
      on<{ readonly controller?: string }>(({ controller = '' }, say) => {
        if (controller.length > 250)
          say.conflict(['controller'], `has ${controller.length} characters, and takes 250 at most`)
      }),
    ],
    'networking/v1.Ingress': [classes],
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
    'core.ServicePort': { appProtocol: 'label key' },
    'core.ServiceSpec': { loadBalancerClass: 'label key' },
    'networking.IngressClassParametersReference': {
      apiGroup: 'subdomain',
      kind: 'path segment',
      name: 'path segment',
      namespace: 'label',
    },
    'networking/v1.IngressSpec': { ingressClassName: 'subdomain' },
  }),
  addresses({
    'core.ServiceSpec': { externalIPs: 'address', loadBalancerSourceRanges: 'CIDR' },
    'networking.IPBlock': { cidr: 'CIDR', except: 'CIDR' },
    'networking.ServiceCIDRSpec': { cidrs: 'CIDR' },
  }),
)
