import {
  at,
  type Graph,
  imageNamed,
  isGuess,
  type KubernetesObject,
  matchesSelector,
  type NetworkPolicy,
  objectAt,
  rule,
  type Service,
  type ServicePort,
  type Sight,
  valueAt,
  type Workload,
  wordsOf,
} from '../src/rule.js'

export default rule({
  title: 'The pods see a node address where they need the client',
  category: 'networking',
  severity: 'warning',
  why: `With \`externalTrafficPolicy: Cluster\`, the default, a node forwards the packet to any of the pods, its own or another
node's, and replaces the client's address by its own so that the answer comes back that way. Access rules, rate
limits and logs then act on nodes: everybody is let in, or everybody is blocked at once.`,
  remedy: 'Use `externalTrafficPolicy: Local` with spread replicas, or the PROXY protocol.',
  decides: `A Service of type LoadBalancer or NodePort with policy Cluster, and a sign that the client's address
matters to its pods:

- a NetworkPolicy with \`ipBlock\` that selects them for one of its ports (whatever pods they are, where it asks for
  no more than the Service), as an info where all blocks are private: the nodes may be meant;
- an Ingress of this controller with an allow list or a limit per address;
- a Middleware of Traefik with \`ipAllowList\` and no \`ipStrategy\`;
- a server for mail or SIP, told by its image.

Asked for, the rule takes the port of SSH, mail, DNS or SIP for a sign, too.

Exempt: PROXY protocol, targets of type ip, \`use-forwarded-headers\` behind a balancer for HTTP, and the class
\`tailscale\`, whose clients come through a pod. So are data planes that keep the address: a FelixConfiguration with
\`bpfEnabled\`, and a ConfigMap \`cilium-config\` with \`bpf-lb-mode\` dsr, or hybrid for a Service of TCP ports.`,
  falsePositives: 'A data plane that keeps the address and that the input does not show.',
  sources: [
    'Kubernetes documentation, Using Source IP',
    'k8s.io/api/core/v1/types.go',
    'kubernetes/pkg/proxy/iptables/proxier.go (masquerade for external destinations)',
    'Calico documentation, eBPF data plane',
    'Cilium documentation, kube-proxy replacement (direct server return)',
    'Tailscale documentation, Kubernetes operator architecture',
  ],
  stories: ['oneandone-source-ip-loss'],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['postfix', 'dovecot', 'haraka', 'opensips', 'kamailio', 'asterisk'],
      about: 'Parts of image names of servers that act on the client address.',
    },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const { spec } = service
    if (
      !spec ||
      (spec.type !== 'LoadBalancer' && spec.type !== 'NodePort') ||
      spec.externalTrafficPolicy === 'Local' ||
      spec.loadBalancerClass === 'tailscale'
    )
      return
    const annotations = JSON.stringify(service.metadata?.annotations ?? {})
    if (/proxy-protocol|target-type":"ip|balancer-type":"nlb-ip|cloud\.google\.com\/neg/.test(annotations))
      return
    const backends = graph.backendsOf(service)
    const [sign] =
      backends.length > 0
        ? backends.flatMap((workload) => signOf(workload, service, graph, params.images) ?? [])
        : [policySign(policiesFor(service, graph), service)]
    const found = sign ?? portSign(service, backends[0])
    if (!found || keepsAddresses(service, graph)) return
    report(
      spec,
      spec.externalTrafficPolicy ? 'externalTrafficPolicy' : 'type',
      `${found.of ?? `What stands behind ${graph.describe(service)}`} sees the addresses of nodes instead of its clients': ${found.text}.`,
      {
        severity: found === sign && !found.isPrivate ? 'warning' : 'info',
        recommended: found === sign,
        see: [found.see],
      },
    )
  },
})

interface Sign {
  /** What sees the wrong addresses; undefined where the input does not show it. */
  readonly of?: string
  readonly text: string
  readonly see: Sight
  /** Addresses as nodes have them: they may be meant. */
  readonly isPrivate?: boolean
}

/** Servers that keep lists of, or log, who comes: by the port that their clients use. */
const servers: Readonly<Record<number, string>> = {
  22: 'SSH',
  25: 'SMTP',
  53: 'DNS',
  143: 'IMAP',
  465: 'SMTP',
  587: 'SMTP',
  993: 'IMAP',
  5060: 'SIP',
}

/** A port of the Service by which its server is known. */
function portSign(service: Service, workload: Workload | undefined): Sign | undefined {
  const port = service.spec?.ports?.find((one) => one.port !== undefined && Object.hasOwn(servers, one.port))
  return port?.port === undefined
    ? undefined
    : {
        ...(workload && { of: workload.name }),
        text: `lists, limits and logs of ${servers[port.port]} act on the wrong ones`,
        see: at(service, port, 'port'),
      }
}

/** The NetworkPolicies that select whatever pods the Service selects: all that they ask for, it asks for, too. */
function policiesFor(service: Service, graph: Graph): readonly NetworkPolicy[] {
  const pods = service.spec?.selector
  return pods
    ? graph
        .siblings('NetworkPolicy', service)
        .filter(
          (policy) =>
            !policy.spec?.podSelector?.matchExpressions &&
            matchesSelector(policy.spec?.podSelector, pods) &&
            !isGuess(policy, service, graph),
        )
    : []
}

/**
 * Whether the data plane of the whole cluster keeps the addresses of a Service's clients: Calico in eBPF mode, Cilium with
 * direct server return, which in mode hybrid is for TCP.
 */
function keepsAddresses({ spec }: Service, graph: Graph): boolean {
  const mode = graph.once('client addresses are kept', () => {
    const felix = [
      ...graph.all('projectcalico.org/FelixConfiguration'),
      ...graph.all('crd.projectcalico.org/FelixConfiguration'),
    ]
    if (felix.some((one) => valueAt(one, 'spec', 'bpfEnabled') === true)) return 'ebpf'
    const cilium = graph.all('ConfigMap').find(({ metadata }) => metadata?.name === 'cilium-config')?.data
    return cilium?.['bpf-lb-mode'] ?? cilium?.['node-port-mode']
  })
  return mode === 'hybrid'
    ? (spec?.ports ?? []).every(({ protocol = 'TCP' }) => protocol === 'TCP')
    : mode === 'ebpf' || mode === 'dsr'
}

const byClient =
  /whitelist-source-range|allowlist-source-range|denylist-source-range|limit-rps|limit-rpm|limit-connections/

/** Ranges for private networks: RFC 1918, RFC 4193. */
const privateRange = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|f[cd])/i

function policySign(policies: readonly NetworkPolicy[], { spec }: Service): Sign | undefined {
  const blocks = policies.flatMap((policy) =>
    (policy.spec?.ingress ?? []).flatMap(({ from = [], ports }) =>
      from.flatMap((peer) => {
        const range = mayBeAbout(ports, spec?.ports ?? []) && peer.ipBlock?.cidr
        return !range || range === '0.0.0.0/0' || range === '::/0' ? [] : [{ policy, peer, range }]
      }),
    ),
  )
  const open = blocks.find(({ range }) => !privateRange.test(range))
  const first = open ?? blocks[0]
  return (
    first && {
      text: `NetworkPolicy ${first.policy.metadata?.name ?? ''} acts on the wrong ones`,
      see: at(first.policy, first.peer, 'ipBlock'),
      isPrivate: open === undefined,
    }
  )
}

type IngressRule = NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]

/** Whether a policy's rule is for a port that the Service leads to, as far as both are numbers. */
function mayBeAbout(allowed: IngressRule['ports'] = [], ports: readonly ServicePort[]): boolean {
  const targets = ports.map(({ port, targetPort }) => targetPort || port)
  return (
    allowed.length === 0 ||
    allowed.some(({ port, endPort = port }) =>
      targets.some(
        (target) =>
          typeof port !== 'number' ||
          typeof endPort !== 'number' ||
          typeof target !== 'number' ||
          (port <= target && target <= endPort),
      ),
    )
  )
}

function signOf(
  workload: Workload,
  service: Service,
  graph: Graph,
  images: readonly string[],
): Sign | undefined {
  const of = workload.name
  const policy = policySign(graph.policiesOf(workload), service)
  if (policy) return { of, ...policy }
  if (imageNamed(workload.running[0]?.image, ['ingress-nginx', 'nginx-ingress-controller'])) {
    for (const ingress of graph.all('Ingress')) {
      const annotations = ingress.metadata?.annotations
      const key = Object.keys(annotations ?? {}).find((one) => byClient.test(one))
      if (
        annotations &&
        key &&
        !graph
          .all('ConfigMap')
          .some(
            (one) =>
              one.data?.['use-proxy-protocol'] === 'true' || one.data?.['use-forwarded-headers'] === 'true',
          )
      ) {
        return {
          of,
          text: `${key.split('/')[1] ?? key} of Ingress ${ingress.metadata?.name ?? ''} acts on the wrong ones`,
          see: at(ingress, annotations, key),
        }
      }
    }
  }
  const list = allowListOf(workload, graph)
  if (list)
    return {
      of,
      text: `the allow list of Middleware ${list.metadata?.name ?? ''} acts on the wrong ones`,
      see: at(list, list, 'spec'),
    }
  const server = workload.running.find(({ image }) => imageNamed(image, images))
  return server
    ? { of, text: `${server.name} decides by the wrong ones`, see: at(workload, server.spec, 'image') }
    : undefined
}

const traefik = ['library/traefik', 'traefik/traefik', 'traefik']

/** What Traefik lets in by the address of its peer: no strategy looks into headers, and no flag trusts what a balancer says. */
function allowListOf({ running }: Workload, graph: Graph): KubernetesObject | undefined {
  const [container] = running
  if (!container || !imageNamed(container.image, traefik) || imageNamed(container.image, ['forward-auth']))
    return undefined
  if (/proxyprotocol|forwardedheaders/i.test(wordsOf(container.spec).join(' '))) return undefined
  return graph.seenObjects.find(
    (one) =>
      one.kind === 'Middleware' &&
      one.apiVersion?.startsWith('traefik.') &&
      ['ipAllowList', 'ipWhiteList'].some(
        (field) => objectAt(one, 'spec', field) && valueAt(one, 'spec', field, 'ipStrategy') === undefined,
      ),
  )
}
