import {
  at,
  firstOf,
  type Graph,
  hasOtherPolicies,
  isForIngress,
  isUnenforced,
  push,
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
  decides: `A Service that selects workloads of the input, none of which a NetworkPolicy for incoming traffic
selects; where the rule is asked for, one whose pods are not in the input and whose namespace has no such policy
there, too. One finding for all Services of a namespace, in manifests without one for those of near folders: at the
first of them. With \`defaultDeny\` it is a warning. Namespaces named \`kube-*\`, pods in the network of their node
and inputs with policies of Cilium or Calico or of the administrator are exempt, as are clusters with flannel and no
agent that enforces policies.`,
  falsePositives: 'A network plugin that does not enforce policies.',
  sources: ['Kubernetes documentation, Network Policies'],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    defaultDeny: { type: 'boolean', default: false, about: 'The platform drops what no policy allows.' },
  },
  for: 'Service',
  check(service, { graph, params, report, isAsked }) {
    const group = graph.once('Services that no policy covers', () => openGroups(graph, isAsked)).get(service)
    if (!group) return
    const { what, lack } = described(group, graph)
    report(
      service,
      undefined,
      params.defaultDeny
        ? `Connections to ${what} are dropped by default: no NetworkPolicy ${lack}.`
        : `Every pod of the cluster may connect to ${what}: no NetworkPolicy ${lack}.`,
      {
        severity: params.defaultDeny ? 'warning' : 'info',
        see: group.slice(1, 4).map((one) => at(one, one)),
      },
    )
  },
})

type Group = [first: Service, ...others: Service[]]

/** The Services that belong together and that no policy covers, by the first of them. */
function openGroups(graph: Graph, isAsked: boolean): ReadonlyMap<Service, Readonly<Group>> {
  const groups = new Map<Service, Group>()
  if (isUnenforced(graph)) return groups
  const ofNamespace = new Map<string, Group[]>()
  for (const service of graph.all('Service')) {
    if (!isOpen(service, graph, isAsked)) continue
    const namespace = graph.namespaceOf(service)
    const group = ofNamespace.get(namespace)?.find(([first]) => graph.together(first, service))
    if (group) group.push(service)
    else {
      const own: Group = [service]
      groups.set(service, own)
      push(ofNamespace, namespace, own)
    }
  }
  return groups
}

/** @param isAsked whether Services count whose pods the input lacks */
function isOpen(service: Service, graph: Graph, isAsked: boolean): boolean {
  if (graph.namespaceOf(service).startsWith('kube-') || hasOtherPolicies(service, graph)) return false
  const backends = graph.backendsOf(service)
  if (backends.length === 0) return isAsked && mayBeOpen(service, graph)
  const covered = (workload: Workload) => graph.policiesOf(workload).some(isForIngress)
  return !backends.every(isOnHost) && !backends.some(covered)
}

/** The Services, and what no policy does. */
function described([service, ...others]: Readonly<Group>, graph: Graph) {
  if (others.length === 0) {
    const open = graph.backendsOf(service).find((workload) => !isOnHost(workload))
    return {
      what: graph.describe(service),
      lack: open ? `selects ${open.name}` : `of ${graph.source} can select its pods`,
    }
  }
  const names = [...new Set([service, ...others].map(({ metadata }) => metadata?.name ?? ''))]
  const namespace = graph.namespaceOf(service)
  return {
    what: `Services ${firstOf(names)}${namespace ? ` of namespace ${namespace}` : ''}`,
    lack: `${graph.complete ? '' : `of ${graph.source} `}selects their pods`,
  }
}

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
