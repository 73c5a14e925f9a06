import {
  at,
  type Container,
  enumerateFew,
  type Fault,
  type Graph,
  hasDefault,
  heavyPods,
  imageNamed,
  isAsleep,
  isMirror,
  isParked,
  memoryTrouble,
  rule,
  secondsOfRun,
  type Unbounded,
  type Unstated,
  unboundedFor,
  unstatedFor,
  verticalAutoscalerOf,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The scheduler does not know what the pods need',
  category: 'resources',
  severity: 'warning',
  why: `Without requests a pod counts as nothing: the scheduler puts as many of them on one node as it may have pods, the
autoscaler adds no node for them before that, and when memory runs out they are the first to be killed. On every
node (a DaemonSet) it is worse: the sum is missing in the plan of the whole cluster.`,
  remedy: 'Set requests for memory and CPU from measurement.',
  decides: `Ordinary containers and native sidecars without a request for memory (and without a limit, which the API
server copies into the request). A missing CPU request is reported with it, and alone when \`cpu\` is on. Pod-level
resources count. One finding per workload.

In manifests also any container without a request or limit for CPU or memory that a quota of the namespace counts and
no LimitRange gives it, and pods none of whose containers has a limit (request) where a LimitRange for pods has a maximum
(minimum): the API server demands it then. A warning, as a LimitRange may be elsewhere, and an error with
\`--complete\`.

Exempt:

- namespaces whose LimitRange in the input gives containers a memory request (by \`defaultRequest\`, or by
  \`default\`, \`max\` or \`min\`, which stand in for it);
- workloads that a VerticalPodAutoscaler manages (not in mode \`Off\`);
- Jobs that no CronJob makes (unless \`jobs\` is on), and single Pods (unless the rule is asked for);
- workloads with \`replicas: 0\` that KEDA doesn't scale;
- pods that a kubelet runs from a file, and \`pause\` containers.

What another manifest adds to a container can't be known: suppress there.

An info for containers that only wait (\`sleep infinity\`), in which somebody opens a shell now and then, for jobs that only print something, and for pods of the class \`system-node-critical\`: the kubelet evicts none of them, and the kernel kills them
last.

In a cluster with the metrics API, pods without a request that use more than a fifth of their node's memory at this
moment stand below, and so do pods of the workload that were evicted for memory.`,
  versions: 'Pod-level `spec.resources`: on by default from 1.34.',
  sources: [
    'kubernetes/pkg/apis/core/v1/defaults.go (limits become requests)',
    'kubernetes/pkg/quota/v1/evaluator/core/pods.go (Constraints)',
    'kubernetes/plugin/pkg/admission/limitranger/admission.go (minConstraint, maxConstraint)',
    'kubernetes/pkg/kubelet/eviction, pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust)',
  ],
  stories: [
    'saltside-first-outage',
    'bluematador-node-oom',
    'moonlight-anti-affinity',
    'nunl-elastalert-oom',
    'betz-resource-limits',
    'dfds-agent-system-oom',
  ],
  params: {
    cpu: {
      type: 'boolean',
      default: false,
      asked: true,
      about: 'Report a missing CPU request where memory is set, too.',
    },
    jobs: { type: 'boolean', default: false, asked: true, about: 'Look at Jobs that no CronJob makes, too.' },
  },
  unless: ['telemetry-agent-unbounded'],
  for: 'Workload',
  check(workload, { graph, params, minor, report }) {
    if (isMirror(workload)) return
    if (isParked(workload, graph)) return
    const isFilledIn = graph.live !== undefined || verticalAutoscalerOf(workload, graph) !== undefined
    const unstated = isFilledIn ? undefined : unstatedFor(workload, graph, minor)
    const unbounded = isFilledIn || unstated ? undefined : unboundedFor(workload, graph, minor)
    if (unstated) report(...refusedBy(unstated, workload, graph))
    if (unbounded) report(...refusedByRange(unbounded, workload, graph))
    if (unstated || unbounded) return
    if (workload.kind === 'Job' && !params.jobs) return
    const ranges = graph.siblings('LimitRange', workload.object)
    const given = new Set(resources.filter((resource) => hasDefault(ranges, 'request', resource)))
    const isBare = (container: Container, resource: (typeof resources)[number]) =>
      !given.has(resource) && lacks(container, workload, resource)
    const bare = workload.running.filter(
      (container) =>
        !imageNamed(container.image, ['pause']) &&
        // One with neither name nor image, as an exercise has it, is refused: another finding says so.
        container.name !== '' &&
        (isBare(container, 'memory') || (params.cpu && isBare(container, 'cpu'))),
    )
    const [first] = bare
    if (!first || verticalAutoscalerOf(workload, graph)) return
    // From 1.32 on the kernel kills native sidecars no sooner than the containers that they serve: pkg/kubelet/qos/policy.go.
    const isSpared = isCritical(workload) || (minor >= 32 && bare.every(({ role }) => role === 'sidecar'))
    const bareNames = bare.map(({ name }) => name)
    // Workloads of one container are told alike by their own names, whatever the container is called.
    const names = workload.running.length === 1 ? workload.name : enumerateFew(bareNames, 'container', 'and')
    const kinds = [isBare(first, 'memory') ? 'memory' : '', isBare(first, 'cpu') ? 'CPU' : '']
      .filter((kind) => kind !== '')
      .join(' or ')
    report(
      first.spec,
      'resources',
      `Nodes are filled as if ${names} needed no ${kinds}${isSpared || !isBare(first, 'memory') ? '' : `, and ${bare.length > 1 ? 'they are' : 'it is'} killed first when memory runs out`}.`,
      {
        severity: isCritical(workload) || isIdle(workload, bare) ? 'info' : 'warning',
        recommended: workload.kind !== 'Pod',
        ...(first.spec.resources && {
          label: kinds.includes(' or ') ? 'no requests' : `no ${kinds} request`,
        }),
        evidence: [
          ...(graph.live ? memoryTrouble(workload, graph, graph.live).evicted : []),
          ...heavyPods(workload, graph, 0.2),
        ],
        // A patch may say it for the whole pod.
        restsOn: [[workload.pod, 'resources']],
        see: bare.slice(1, 3).map((container) => at(workload, container.spec, 'name', 'no requests either')),
      },
    )
  },
})

/** That a quota lets the API server refuse the pods. */
function refusedBy({ container, key, quota, hard }: Unstated, { name, pod }: Workload, graph: Graph): Fault {
  const unless = graph.complete ? '' : ' unless a LimitRange gives it one'
  return [
    container.spec,
    'resources',
    `Pods of ${name} are refused${unless}: the quota of the namespace counts ${key}, and container ${container.name} has none.`,
    {
      severity: graph.complete ? 'error' : 'warning',
      see: [at(quota, hard, key)],
      // A patch may say it for the whole pod.
      restsOn: [[pod, 'resources']],
    },
  ]
}

/** That a LimitRange for pods lets the API server refuse them. */
function refusedByRange(
  { container, of, resource, range, bounds }: Unbounded,
  { name, pod }: Workload,
  graph: Graph,
): Fault {
  const unless = graph.complete ? '' : ' unless another LimitRange gives them one'
  return [
    container.spec,
    'resources',
    `Pods of ${name} are refused${unless}: the LimitRange bounds the ${resource} ${of} of a pod, and no container has one.`,
    {
      severity: graph.complete ? 'error' : 'warning',
      see: [at(range, bounds, resource)],
      // A patch may say it for the whole pod.
      restsOn: [[pod, 'resources']],
    },
  ]
}

const resources = ['memory', 'cpu'] as const

function lacks({ spec }: Container, { pod }: Workload, resource: 'memory' | 'cpu'): boolean {
  return [spec.resources, pod.resources].every(
    (one) => one?.requests?.[resource] === undefined && one?.limits?.[resource] === undefined,
  )
}

/** Whether the containers only wait, or a job prints something and ends: next to nothing is what they need. */
function isIdle({ batch, pod }: Workload, bare: readonly Container[]): boolean {
  return (batch && secondsOfRun(pod) !== undefined) || bare.every(({ spec }) => isAsleep(spec))
}

/** The kernel spares these last, whatever they request. Source: kubernetes/pkg/kubelet/qos/policy.go. */
function isCritical({ pod }: Workload): boolean {
  return pod.priorityClassName === 'system-node-critical'
}
