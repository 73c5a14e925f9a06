import {
  type Graph,
  hasOtherPolicies,
  isForIngress,
  isUnenforced,
  rule,
  type Service,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'No NetworkPolicy covers the pods of a Service',
  category: 'networking',
  severity: 'info',
  recommended: false,
  why: `Without a policy every pod of the cluster may connect. That is no failure by itself; on a platform
that denies by default it means that the Service works by accident, until somebody tidies the policies of
the namespace.`,
  remedy: 'Write a NetworkPolicy that says who may reach these pods.',
  decides: `A Service that selects workloads of the input, none of which a NetworkPolicy for incoming
traffic selects; where the rule is asked for, one whose pods are not in the input and whose namespace has no such policy there, too. With \`defaultDeny\`
it is a warning. Namespaces named \`kube-*\`, pods in the network of their node and inputs with policies of Cilium or
Calico or of the administrator are exempt, as are clusters with flannel and no agent that enforces policies.`,
  falsePositives: 'A network plugin that does not enforce policies.',
  sources: ['Kubernetes documentation, Network Policies'],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    defaultDeny: { type: 'boolean', default: false, about: 'The platform drops what no policy allows.' },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    const namespace = graph.namespaceOf(service)
    if (namespace.startsWith('kube-') || hasOtherPolicies(service, graph) || isUnenforced(graph)) return
    const backends = graph.backendsOf(service)
    const covered = (workload: Workload) => graph.policiesOf(workload).some(isForIngress)
    if (backends.length > 0 ? backends.every(isOnHost) || backends.some(covered) : !mayBeOpen(service, graph))
      return
    const open = backends.find((workload) => !isOnHost(workload))
    const what = open ? `selects ${open.name}` : `of ${graph.source} can select its pods`
    report(
      service,
      undefined,
      params.defaultDeny
        ? `Connections to ${graph.describe(service)} are dropped by default: no NetworkPolicy ${what}.`
        : `Every pod of the cluster may connect to ${graph.describe(service)}: no NetworkPolicy ${what}.`,
      { severity: params.defaultDeny ? 'warning' : 'info', recommended: open !== undefined },
    )
  },
})

function isOnHost({ pod }: Workload): boolean {
  return pod.hostNetwork === true
}

/** Whether pods that the input lacks are selected, and no policy is there that may be for them. */
function mayBeOpen(service: Service, graph: Graph): boolean {
  return (
    !graph.complete &&
    Object.keys(service.spec?.selector ?? {}).length > 0 &&
    !graph.siblings('NetworkPolicy', service).some(isForIngress)
  )
}
