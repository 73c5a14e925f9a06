import {
  at,
  type Compute,
  exact,
  formatBytes,
  formatCompute,
  type Graph,
  hasEnded,
  isFor,
  type Live,
  mayGrow,
  type ObjectOf,
  type Pod,
  pendingPods,
  quantity,
  quantityPattern,
  type ReportOptions,
  requestOf,
  rule,
  set,
  surgeBeforeStop,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A rollout needs room for a very large extra pod',
  category: 'scheduling',
  severity: 'info',
  why: `With \`maxUnavailable: 0\` each step of a rollout starts the new pod before it stops an old one, so it
needs a free place of the pod's whole size. A pod of a quarter of a node finds one seldom: the rollout
stalls, or, with a priority class, evicts others for it.`,
  remedy:
    'Use `maxSurge: 0` with `maxUnavailable: 1`, smaller pods, or keep a place free by pods of low priority.',
  decides: `A Deployment whose rollout resolves to maxUnavailable 0 with maxSurge 1 or more, and whose pod
asks for \`largeCpu\` or \`largeMemory\` or more, or, in a cluster, for a quarter of the largest node that it
may run on. In manifests those with two pods or more are reported, all of which need the place; single ones where the
rule is asked for. A warning in a cluster without node autoscaler in which no such node has that much left: what its
pods ask for is taken from \`status.allocatable\`. With an autoscaler nothing is reported there.`,
  sources: [
    'kubernetes/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts)',
    'kubernetes/pkg/scheduler/framework/plugins/noderesources/fit.go',
  ],
  stories: ['grafana-pod-priorities', 'grafana-hosted-metrics-capacity', 'betz-resource-limits'],
  unless: [
    'request-exceeds-node',
    'node-selector-unsatisfiable',
    'anti-affinity-rollout-deadlock',
    'cluster-scale-up-blocked',
  ],
  params: {
    largeCpu: {
      type: 'string',
      pattern: quantityPattern,
      default: '4',
      about: 'CPU from which a pod is large.',
    },
    largeMemory: {
      type: 'string',
      pattern: quantityPattern,
      default: '15Gi',
      about: 'Memory from which a pod is large.',
    },
  },
  for: 'Deployment',
  check(deployment, { graph, params, report }) {
    const workload = graph.workload(deployment)
    const { spec } = deployment
    const replicas = (workload && graph.fewestPods(workload)?.pods) ?? 1
    if (!workload || !spec || !needsExtraPod(spec, replicas)) return
    const asked = { cpu: requestOf(workload, 'cpu'), memory: requestOf(workload, 'memory') }
    const nodes = graph.all('Node').filter((node) => isFor(node, workload.pod))
    const isLarge =
      asked.cpu >= (quantity(params.largeCpu) ?? Number.POSITIVE_INFINITY) ||
      asked.memory >= (quantity(params.largeMemory) ?? Number.POSITIVE_INFINITY) ||
      (graph.live !== undefined && takesQuarter(asked, nodes))
    if (!isLarge) return
    const size = formatCompute(asked)
    const rolling = spec.strategy?.rollingUpdate
    const options: ReportOptions = {
      see: [rolling ? at(deployment, rolling, 'maxUnavailable') : at(deployment, spec, 'replicas')],
      fix: set(
        spec,
        'strategy',
        { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
        'maxSurge: 0, maxUnavailable: 1',
      ),
    }
    if (!graph.live) {
      report(
        workload.pod,
        'containers',
        `A rollout of ${workload.name} waits until some node has ${size} free: it starts a new pod of that size before it stops one.`,
        { ...options, recommended: replicas > 1 },
      )
      return
    }
    const best = mayGrow(graph) ? undefined : bestOfTooSmall(asked, roomOn(nodes, loadsOf(graph, graph.live)))
    if (!best) return
    // Where no node could hold the pod alone, to stop the old one first would leave none.
    const fits = roomOn(nodes, new Map()).some((one) => holds(one, asked))
    const has = fits ? 'has that much left' : 'is that large'
    report(
      workload.pod,
      'containers',
      pendingPods(graph.live, workload).length > 0
        ? `The rollout of ${workload.name} stalls: its new pod asks for ${size}, and no node ${has}.`
        : `The next rollout of ${workload.name} stalls: it starts with a new pod of ${size}, and no node ${has}.`,
      {
        ...options,
        severity: 'warning',
        fix: fits ? options.fix : undefined,
        evidence: [
          `most is left on ${best.name}: ${[
            // What a node does not tell is not what keeps the pod from it.
            ...(Number.isFinite(best.cpu) ? [`${Number(Math.max(0, best.cpu).toFixed(2))} CPU`] : []),
            ...(Number.isFinite(best.memory) ? [formatBytes(Math.max(0, best.memory))] : []),
          ].join(' and ')}`,
        ],
      },
    )
  },
})

type Spec = NonNullable<ObjectOf<'Deployment'>['spec']>

/** Whether a rollout starts a pod before it stops one. */
function needsExtraPod({ strategy }: Spec, replicas: number): boolean {
  if ((strategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return false
  return replicas > 0 && surgeBeforeStop(strategy?.rollingUpdate, replicas) >= 1
}

/** Whether a pod asks for a quarter of the largest of the nodes, or more. */
function takesQuarter(asked: Compute, nodes: readonly ObjectOf<'Node'>[]): boolean {
  const takes = (resource: keyof Compute) => {
    const most = Math.max(0, ...nodes.map((node) => quantity(node.status?.allocatable?.[resource]) ?? 0))
    return most > 0 && asked[resource] >= most / 4
  }
  return takes('cpu') || takes('memory')
}

interface Room extends Compute {
  /** Of the node. */
  readonly name: string
}

function holds(room: Compute, { cpu, memory }: Compute): boolean {
  return room.cpu >= cpu && room.memory >= memory
}

/** The node that has most of what is asked for; undefined where one has all of it, or there is none. */
function bestOfTooSmall(asked: Compute, rooms: readonly Room[]): Room | undefined {
  if (rooms.some((room) => holds(room, asked))) return undefined
  const share = ({ cpu, memory }: Room) => Math.min(cpu / (asked.cpu || 1), memory / (asked.memory || 1))
  return rooms.toSorted((a, b) => share(b) - share(a))[0]
}

/** What is left on the nodes that take new pods. */
function roomOn(nodes: readonly ObjectOf<'Node'>[], loads: ReadonlyMap<string, Compute>): readonly Room[] {
  return nodes
    .filter(({ spec }) => !spec?.unschedulable)
    .map(({ metadata, status }) => {
      const name = metadata?.name ?? ''
      const left = (resource: keyof Compute) =>
        exact(
          (quantity(status?.allocatable?.[resource]) ?? Number.POSITIVE_INFINITY) -
            (loads.get(name)?.[resource] ?? 0),
        )
      return { name, cpu: left('cpu'), memory: left('memory') }
    })
}

/** What the pods on each node ask for together. */
function loadsOf(graph: Graph, live: Live): ReadonlyMap<string, Compute> {
  return graph.once('surge-pod-does-not-fit', () => {
    const loads = new Map<string, Compute>()
    const counted = new Set<Pod>()
    const add = (workload: Workload) => {
      const cpu = requestOf(workload, 'cpu')
      const memory = requestOf(workload, 'memory')
      for (const pod of live.podsOf(workload)) {
        const { nodeName } = pod.spec ?? {}
        if (nodeName === undefined || hasEnded(pod) || counted.has(pod)) continue
        counted.add(pod)
        const load = loads.get(nodeName)
        loads.set(nodeName, { cpu: (load?.cpu ?? 0) + cpu, memory: (load?.memory ?? 0) + memory })
      }
    }
    for (const workload of graph.workloads) add(workload)
    return loads
  })
}
