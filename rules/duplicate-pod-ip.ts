import { atMost, isGone, type ObjectOf, type Pod, push, rule, startOf, troubleOf } from '../src/rule.js'

type Node = ObjectOf<'Node'>

/** Who uses an address. */
interface User {
  readonly what: string
  readonly node: string
  readonly pod: Pod | undefined
  /** The annotation of the node that says so. */
  readonly field: string | undefined
}

export default rule({
  title: 'The address of a pod is in use twice',
  category: 'networking',
  severity: 'error',
  why: `Packets for the address reach one of the two. A pod that shares its address with the tunnel of its own
node answers its siblings and fails its probes from the node, so it looks like an application that dies on
one replica only; two pods with one address take connections from each other.`,
  remedy:
    'Delete the pod so that it gets another address, then let the network plugin check its records (`calicoctl ipam check`) and upgrade it.',
  decides: `The addresses of all pods that run and have an address of their own (no hostNetwork), compared with
each other, with the addresses of all nodes, and with the tunnel and WireGuard addresses in Calico's
annotations of the nodes. Reported on the node of the pod that came last, once for each node.

Exempt: pods that have ended or are being deleted, since their address may be in use again, and nodes that
have their only pod's address by design (Fargate, virtual kubelets).`,
  falsePositives: 'Virtual machines that are being migrated live (KubeVirt) share an address for seconds.',
  sources: [
    'k8s.io/api/core/v1/types.go (PodStatus.PodIPs)',
    'calico/libcalico-go/lib/backend/k8s/resources/node.go (annotations)',
    'projectcalico/calico issue 3589',
  ],
  stories: ['oneandone-calico-ip-collision'],
  needs: 'cluster',
  for: 'Node',
  check(node, { graph, report }) {
    const { live } = graph
    const name = node.metadata?.name
    if (!live || !name) return
    const clashes = graph.once('duplicate-pod-ip', () => clashesIn(usersOf(live.pods, graph.all('Node'))))
    const [worst, ...more] = clashes
      .filter(({ pod }) => pod.node === name)
      .sort((a, b) => Number(b.other.field !== undefined) - Number(a.other.field !== undefined))
    if (!worst) return
    const { address, pod, other } = worst
    report(
      (other.field === undefined || other.node !== name ? undefined : node.metadata?.annotations) ?? node,
      other.node === name ? other.field : undefined,
      `Part of the traffic to ${pod.what} is lost: its address ${address} is that of ${other.what}, too.`,
      {
        evidence: [
          ...(pod.pod ? [`${pod.what} on ${name}: ${troubleOf(pod.pod, live) ?? 'ready'}`] : []),
          ...atMost(
            2,
            more.map((one) => `${one.address}: ${one.pod.what} and ${one.other.what}`),
          ),
        ],
      },
    )
  },
})

/** The tunnel and WireGuard addresses that Calico keeps for a node, by the annotation of its group. */
const annotations = {
  IPv4IPIPTunnelAddr: 'the IPIP tunnel',
  IPv4VXLANTunnelAddr: 'the VXLAN tunnel',
  IPv6VXLANTunnelAddr: 'the VXLAN tunnel',
  IPv4WireguardInterfaceAddr: 'the WireGuard interface',
  IPv6WireguardInterfaceAddr: 'the WireGuard interface',
}

/** The addresses of pods that somebody else has, too. */
function clashesIn(users: ReadonlyMap<string, readonly User[]>) {
  return [...users].flatMap(([address, all]) => {
    const pods = all.filter(({ pod }) => pod).sort((a, b) => startOf(b.pod ?? {}) - startOf(a.pod ?? {}))
    // The youngest pod is the one that got an address which was in use.
    const [pod] = pods
    const other = all.find((one) => one.what !== pod?.what && isClash(pod, one))
    return pod && other ? [{ address, pod, other }] : []
  })
}

/** The users of each address that pods have. */
function usersOf(pods: readonly Pod[], nodes: readonly Node[]): ReadonlyMap<string, readonly User[]> {
  const users = new Map<string, User[]>()
  for (const pod of pods) {
    const { metadata, spec, status } = pod
    if (isGone(pod) || spec?.hostNetwork || !spec?.nodeName) continue
    const what = `pod ${metadata?.namespace}/${metadata?.name}`
    for (const ip of new Set([status?.podIP, ...(status?.podIPs ?? []).map((one) => one.ip)])) {
      if (ip) push(users, ip, { what, node: spec.nodeName, pod, field: undefined })
    }
  }
  for (const { metadata, status } of nodes) {
    const name = metadata?.name ?? ''
    for (const { address } of status?.addresses ?? [])
      users.get(address ?? '')?.push({ what: `node ${name}`, node: name, pod: undefined, field: undefined })
    for (const [key, what] of Object.entries(annotations)) {
      const field = `projectcalico.org/${key}`
      const address = metadata?.annotations?.[field]?.split('/')[0] ?? ''
      users.get(address)?.push({ what: `${what} of node ${name}`, node: name, pod: undefined, field })
    }
  }
  return users
}

/** The machine of a pod that has it for itself (Fargate, virtual kubelets) has the pod's address. */
function isClash(pod: User | undefined, other: User): boolean {
  return other.pod !== undefined || other.field !== undefined || other.node !== pod?.node
}
