import {
  atMost,
  type Compute,
  counted,
  formatCompute,
  type Graph,
  groupBy,
  isFor,
  type Live,
  mayGrow,
  type ObjectOf,
  quantity,
  requestOf,
  requestOfPod,
  rule,
  type Workload,
} from '../src/rule.js'

const resources = ['cpu', 'memory'] as const

export default rule({
  title: 'An autoscaler may ask for more pods than its nodes can hold',
  category: 'autoscaling',
  severity: 'info',
  why: `An autoscaler sets a number and does not ask where the pods shall run. Those that fit on no node stay
Pending while the load that they were to take stays on the others. The reserve that \`maxReplicas\` promises is
found to be missing at the moment it is needed.`,
  remedy:
    'Add nodes, ask for less for each pod, or set `maxReplicas` to what the nodes hold and alert on it.',
  decides: `The pods of the target are laid on the nodes that their labels and taints open to them, as if these were
empty: by CPU, memory and the number of pods in \`status.allocatable\`. Reported when fewer than \`maxReplicas\` fit; a
warning when more than \`near\` of those that fit are there already. A pod asks for what those that run ask
for; without one, for what its template says.

Exempt: clusters with a node autoscaler (Karpenter, Cluster Autoscaler), and those of providers whose autoscaler is not
visible in the cluster.`,
  falsePositives: 'A maximum that is meant as no limit at all.',
  sources: [
    'kubernetes/pkg/scheduler/framework/plugins/noderesources/fit.go',
    'kubernetes/pkg/controller/podautoscaler/horizontal.go',
  ],
  stories: ['grafana-hosted-metrics-capacity'],
  params: {
    near: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.5,
      about: 'The part of the pods that fit from which on it is a warning.',
    },
  },
  needs: 'cluster',
  unless: ['hpa-at-limit'],
  for: 'HorizontalPodAutoscaler',
  check(hpa, { graph, params, report }) {
    const { live } = graph
    const { spec } = hpa
    const most = spec?.maxReplicas
    const target = graph.targetOf(hpa)
    if (!live || !spec || most === undefined || !target || mayGrow(graph)) return
    const request = requestIn(target, live)
    const rooms = roomsOf(target, request, graph)
    const room = rooms?.reduce((sum, pods) => sum + pods, 0) ?? 0
    // Where none fits, other rules say so.
    if (!rooms || room === 0 || room >= most) return
    const placed = live.podsOf(target).filter((pod) => pod.spec?.nodeName !== undefined).length
    // They may ask for less than what is counted here, or be on their way out.
    if (placed > room) return
    report(
      spec,
      'maxReplicas',
      `Under load ${target.name} stops at ${room} of ${most} pods: its nodes hold no more, even if nothing else runs there.`,
      {
        severity: placed > params.near * room ? 'warning' : 'info',
        evidence: [
          `each pod asks for ${formatCompute(request) || 'nothing'}; ${placed} are there`,
          ...linesOf(rooms),
        ],
      },
    )
  },
})

/** The least that a pod of the target asks for. */
function requestIn(target: Workload, live: Live): Compute {
  const pods = live.podsOf(target)
  const least = (resource: string) =>
    pods.length > 0
      ? Math.min(...pods.map((pod) => requestOfPod(pod, resource)))
      : requestOf(target, resource)
  return { cpu: least('cpu'), memory: least('memory') }
}

/** How many of the pods each of their nodes holds; undefined when a node does not say what it has. */
function roomsOf({ pod }: Workload, request: Compute, graph: Graph): readonly number[] | undefined {
  const rooms = graph
    .all('Node')
    .filter((node) => isFor(node, pod))
    .map((node) => roomOn(node, request))
  return rooms.every((room) => room !== undefined) ? rooms : undefined
}

function roomOn({ status }: ObjectOf<'Node'>, request: Compute): number | undefined {
  const has = (resource: string) => quantity(status?.allocatable?.[resource])
  const pods = has('pods')
  const rooms = resources.map((resource) => {
    const size = has(resource)
    // Binary fractions: three times 0.1 is a little more than 0.3.
    return request[resource] === 0 ? Number.POSITIVE_INFINITY : size && size / request[resource] + 1e-6
  })
  return pods === undefined || rooms.includes(undefined)
    ? undefined
    : Math.floor(Math.min(pods, ...rooms.filter((room) => room !== undefined)))
}

function linesOf(rooms: readonly number[]): string[] {
  const nodes = [...groupBy(rooms, (room) => room)].sort(([a], [b]) => b - a)
  return atMost(
    3,
    nodes.map(([room, { length }]) => `${counted(length, 'node')} with room for ${room}`),
  )
}
