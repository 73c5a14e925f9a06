import { allOf, type Graph, imageNamed, type Live, rule, type Workload } from '../src/rule.js'

export default rule({
  title: 'All pods stand on machines that the provider may take away',
  category: 'scheduling',
  severity: 'info',
  why: `Spot and preemptible machines are reclaimed with 30 s to 2 min of notice, often many of one type or
zone at the same time, and there may be no others to be had. What runs on nothing else is gone until there
are. For admission webhooks, DNS and ingress that is an outage of everything.`,
  remedy: 'Let some replicas run on ordinary nodes: spread over the capacity type, with ScheduleAnyway.',
  decides: `\`nodeSelector\` or every term of the required node affinity asks for spot or preemptible nodes of
GKE, EKS, AKS or Karpenter, in a workload behind a Service; a warning for \`criticalImages\`. In a cluster also
such an image all of whose running pods are on such nodes without anybody having asked for it, when there are
others. Asked for, the rule names workloads without a Service that ask for such nodes, and in a cluster those with one
that happen to be on them.

Exempt: batch work.`,
  sources: [
    'Documentation of GKE (Spot VMs), EKS (managed node groups), AKS (spot node pools) and Karpenter (labels)',
  ],
  stories: ['heureka-gatekeeper', 'freenow-node-join', 'skyscanner-gitops-prune'],
  params: {
    criticalImages: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'gatekeeper',
        'kyverno',
        'coredns',
        'ingress-nginx/controller',
        'library/traefik',
        'traefik/traefik',
        'cert-manager-webhook',
      ],
      about: 'Parts of image names of what everything depends on.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { pod, name, batch, kind } = workload
    if (batch || kind === 'Pod' || kind === 'DaemonSet') return
    const critical = workload.running.some(({ image }) => imageNamed(image, params.criticalImages))
    const place = askedPlace(workload)
    const [service] = graph.servicesOf(workload)
    if (place) {
      report(
        place.node,
        place.field,
        `${service ? graph.describe(service) : name} is gone when spot machines are reclaimed: ${service ? name : 'it'} may run on nothing else.`,
        { severity: critical ? 'warning' : 'info', recommended: service !== undefined || critical },
      )
      return
    }
    const count = (critical || service) && graph.live ? podsOnSpot(workload, graph, graph.live) : 0
    if (count > 0)
      report(
        pod,
        'affinity',
        `${name} is gone when spot machines are reclaimed: ${count === 1 ? 'its only pod stands' : `${allOf(count, 'pod')} stand`} on such nodes.`,
        { severity: critical ? 'warning' : 'info', recommended: critical },
      )
  },
})

/** The labels of nodes of spot capacity. */
const labels: Readonly<Record<string, string>> = {
  'cloud.google.com/gke-spot': 'true',
  'cloud.google.com/gke-preemptible': 'true',
  'cloud.google.com/gke-provisioning': 'spot',
  'eks.amazonaws.com/capacityType': 'SPOT',
  'karpenter.sh/capacity-type': 'spot',
  'kubernetes.azure.com/scalesetpriority': 'spot',
}

/** The field that allows spot nodes alone. */
function askedPlace({ pod }: Workload): { readonly node: object; readonly field: string } | undefined {
  const { nodeSelector } = pod
  const key = Object.keys(labels).find((one) => nodeSelector?.[one] === labels[one])
  if (nodeSelector && key) return { node: nodeSelector, field: key }
  const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const terms = required?.nodeSelectorTerms ?? []
  const spot = terms.every((term) =>
    term.matchExpressions?.some(
      ({ key: label = '', operator, values = [] }) =>
        Object.hasOwn(labels, label) &&
        ((operator === 'In' && values.length > 0 && values.every((value) => value === labels[label])) ||
          (operator === 'Exists' && labels[label] === 'true')),
    ),
  )
  return required && terms.length > 0 && spot ? { node: required, field: 'nodeSelectorTerms' } : undefined
}

/** The number of the workload's running pods when all stand on spot nodes of a cluster that has others, else 0. */
function podsOnSpot(workload: Workload, graph: Graph, live: Live): number {
  const nodes = graph.all('Node')
  const spot = new Set(
    nodes
      .filter(({ metadata }) =>
        Object.entries(labels).some(([key, value]) => metadata?.labels?.[key] === value),
      )
      .map(({ metadata }) => metadata?.name),
  )
  const pods = live.podsOf(workload).filter(({ status }) => status?.phase === 'Running')
  return spot.size < nodes.length && pods.every(({ spec }) => spot.has(spec?.nodeName)) ? pods.length : 0
}
