import {
  type Container,
  enumerateFew,
  hasDefault,
  heavyPods,
  imageNamed,
  isMirror,
  isParked,
  memoryTrouble,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'One leak can take the memory of the whole node',
  category: 'resources',
  severity: 'warning',
  why: `A container without a memory limit may grow until the node has nothing left. The kernel then kills by its
own scores: it may be a neighbour that asked for little, or a daemon of the node, before it is the one that leaks. A
pod that is evicted for it moves to the next node and does the same there.`,
  remedy: 'Set a memory limit of about one and a half times the highest use that you have measured.',
  decides: `Ordinary containers and native sidecars without \`limits.memory\`, where requests are set (without any
the finding is \`resource-requests-missing\`). Pod-level limits count. One finding per workload.

Exempt:

- namespaces whose LimitRange in the input gives containers a limit (by \`default\`, or by \`max\`, which stands in
  for it);
- the control plane, and images in \`exemptImages\`;
- single Pods and Jobs (unless the rule is asked for);
- pods that a kubelet runs from a file;
- workloads with \`replicas: 0\` that KEDA doesn't scale.

An info where no container of the workload has a limit, which may be a choice; a warning where some have one and
these do not. In a cluster a warning, too, where nodes of its pods are short of memory, and an error where the
kernel has killed its containers, or the kubelet has evicted its pods for the memory of their node. Nodes that are
short of memory stand below the finding, and so do pods whose containers without a limit use more than a fifth of
their node (where the metrics API tells).`,
  falsePositives: 'Databases on nodes of their own, which may use all of the memory there.',
  sources: [
    'Kubernetes documentation, resource management for pods and containers',
    'kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_LimitRangeItem)',
    'kubernetes/pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust)',
  ],
  stories: [
    'nunl-elastalert-oom',
    'bluematador-node-oom',
    'universe-job-restart',
    'saltside-first-outage',
    'dfds-agent-system-oom',
    'oath-101-ways',
  ],
  params: {
    exemptImages: {
      type: 'array',
      items: { type: 'string' },
      default: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'etcd', 'pause'],
      about: 'Parts of image names that may go without a limit.',
    },
  },
  unless: ['resource-requests-missing', 'telemetry-agent-unbounded'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (isMirror(workload)) return
    if (isParked(workload, graph)) return
    const bare = workload.running.filter(
      (container) =>
        isUnlimited(container, workload) &&
        !imageNamed(container.image, params.exemptImages) &&
        // One with neither name nor image, as an exercise has it, is refused: another finding says so.
        container.name !== '',
    )
    const [first] = bare
    if (!first || hasDefault(graph.siblings('LimitRange', workload.object), 'limit', 'memory')) return
    const bareNames = bare.map(({ name }) => name)
    const names = enumerateFew(bareNames, 'container', 'or')
    const seen = graph.live && memoryTrouble(workload, graph, graph.live)
    const killed = (seen?.killed ?? []).filter(({ container }) => bare.some(({ name }) => name === container))
    // Who limits some containers means to limit them all; who limits none may have chosen so.
    const isForgotten = workload.running.some((container) => !isUnlimited(container, workload))
    const own = [...killed.map(({ line }) => line).slice(0, 2), ...(seen?.evicted ?? [])]
    report(
      first.spec,
      'resources',
      own.length > 0
        ? `The nodes of ${workload.name} have run out of memory, and nothing limits what ${names} ${bare.length > 1 ? 'take' : 'takes'}.`
        : `A leak in ${names} takes the memory of its whole node and of the pods beside it: nothing limits it.`,
      {
        severity: own.length > 0 ? 'error' : seen?.nodes.length || isForgotten ? 'warning' : 'info',
        recommended: workload.kind !== 'Pod' && !workload.batch,
        evidence: [...own.slice(0, 3), ...(seen?.nodes ?? []), ...heavyPods(workload, graph, 0.2, bareNames)],
        // A patch may say it for the whole pod.
        restsOn: [[workload.pod, 'resources']],
      },
    )
  },
})

function isUnlimited({ spec }: Container, { pod }: Workload): boolean {
  return spec.resources?.limits?.memory === undefined && pod.resources?.limits?.memory === undefined
}
