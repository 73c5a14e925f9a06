import { at, type Graph, imageNamed, rule, valueAt, type Workload } from '../src/rule.js'

export default rule({
  title: 'The pods see a node address where they need the client',
  category: 'networking',
  severity: 'warning',
  why: `With \`externalTrafficPolicy: Cluster\`, the default, a node that has no pod forwards the packet to
one that has, and replaces the client's address by its own so that the answer comes back. Access rules, rate
limits and logs then act on nodes: everybody is let in, or everybody is blocked at once.`,
  remedy: 'Use `externalTrafficPolicy: Local` with spread replicas, or the PROXY protocol.',
  decides: `A Service of type LoadBalancer or NodePort with policy Cluster, and a sign that the client's
address matters to its pods: a NetworkPolicy with \`ipBlock\` that selects them; an Ingress of this
controller with an allow list or a limit per address; a server for mail or SIP by its image. PROXY protocol, targets of type ip, and \`use-forwarded-headers\` behind a balancer for HTTP are exempt, as
are data planes that keep the address: a FelixConfiguration with \`bpfEnabled\`, a ConfigMap \`cilium-config\` with
\`bpf-lb-mode\` dsr or hybrid.`,
  falsePositives: 'A data plane that keeps the address and that the input does not show.',
  sources: [
    'Kubernetes documentation, Using Source IP',
    'k8s.io/api/core/v1/types.go',
    'Calico documentation, eBPF data plane',
    'Cilium documentation, kube-proxy replacement (direct server return)',
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
      spec.externalTrafficPolicy === 'Local'
    )
      return
    const annotations = JSON.stringify(service.metadata?.annotations ?? {})
    if (/proxy-protocol|target-type":"ip|cloud\.google\.com\/neg/.test(annotations)) return
    for (const workload of graph.backendsOf(service)) {
      const sign = signOf(workload, graph, params.images)
      if (!sign || graph.once('client addresses are kept', () => keepsAddresses(graph))) continue
      report(
        spec,
        spec.externalTrafficPolicy ? 'externalTrafficPolicy' : 'type',
        `${workload.name} sees the addresses of nodes instead of its clients': ${sign.text}.`,
        { see: [sign.see] },
      )
      return
    }
  },
})

/**
 * Whether the data plane of the whole cluster keeps the addresses of clients: Calico in eBPF mode,
 * Cilium with direct server return.
 */
function keepsAddresses(graph: Graph): boolean {
  const felix = ['projectcalico.org/FelixConfiguration', 'crd.projectcalico.org/FelixConfiguration'] as const
  return (
    felix.some((kind) => graph.all(kind).some((one) => valueAt(one, 'spec', 'bpfEnabled') === true)) ||
    graph.all('ConfigMap').some(({ metadata, data }) => {
      const mode = data?.['bpf-lb-mode'] ?? data?.['node-port-mode']
      return metadata?.name === 'cilium-config' && (mode === 'dsr' || mode === 'hybrid')
    })
  )
}

const byClient =
  /whitelist-source-range|allowlist-source-range|denylist-source-range|limit-rps|limit-rpm|limit-connections/

function signOf(workload: Workload, graph: Graph, images: readonly string[]) {
  for (const policy of graph.policiesOf(workload)) {
    for (const ingress of policy.spec?.ingress ?? []) {
      const block = ingress.from?.find(
        (peer) => peer.ipBlock?.cidr && peer.ipBlock.cidr !== '0.0.0.0/0' && peer.ipBlock.cidr !== '::/0',
      )
      if (block?.ipBlock)
        return {
          text: `NetworkPolicy ${policy.metadata?.name ?? ''} acts on the wrong ones`,
          see: at(policy, block, 'ipBlock'),
        }
    }
  }
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
          text: `${key.split('/')[1] ?? key} of Ingress ${ingress.metadata?.name ?? ''} acts on the wrong ones`,
          see: at(ingress, annotations, key),
        }
      }
    }
  }
  const server = workload.running.find(({ image }) => imageNamed(image, images))
  return server
    ? { text: `${server.name} decides by the wrong ones`, see: at(workload, server.spec, 'image') }
    : undefined
}
