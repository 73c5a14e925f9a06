import { rule } from '../src/rule.js'

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
traffic selects. With \`defaultDeny\` it is a warning. Namespaces named \`kube-*\` and inputs with policies
of Cilium or Calico are exempt.`,
  falsePositives: 'A network plugin that does not enforce policies.',
  sources: ['Kubernetes documentation, Network Policies'],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    defaultDeny: { type: 'boolean', default: false, about: 'The platform drops what no policy allows.' },
  },
  for: 'Service',
  check(service, { graph, params, report }) {
    if (
      graph.namespaceOf(service).startsWith('kube-') ||
      graph.all('cilium.io/CiliumNetworkPolicy').length > 0 ||
      graph.all('projectcalico.org/NetworkPolicy').length > 0
    )
      return
    const backends = graph.backendsOf(service).filter((workload) => !workload.pod.hostNetwork)
    const [first] = backends
    const covered = (policy: {
      readonly spec?: { readonly policyTypes?: readonly string[] | undefined } | undefined
    }) => (policy.spec?.policyTypes ?? ['Ingress']).includes('Ingress')
    if (!first || backends.some((workload) => graph.policiesOf(workload).some(covered))) return
    report(
      service,
      undefined,
      params.defaultDeny
        ? `Connections to ${graph.describe(service)} are dropped by default: no NetworkPolicy allows them.`
        : `Every pod of the cluster may connect to ${graph.describe(service)}: no NetworkPolicy selects ${first.name}.`,
      {
        severity: params.defaultDeny ? 'warning' : 'info',
      },
    )
  },
})
