import {
  atMost,
  type Container,
  formatMemoryKill,
  formatSpan,
  type Graph,
  isMirror,
  type Live,
  memoryKillsOf,
  rule,
  type Workload,
} from '../src/rule.js'

/** What the API itself runs on, by the image's name. */
const core = /^(kube-apiserver|etcd|kube-controller-manager|kube-scheduler)$/

export default rule({
  title: 'A component of the cluster was killed for lack of memory',
  category: 'control-plane',
  severity: 'error',
  why: `Many cascades begin like this: an API server, DNS or network component that is killed comes
back, reads all its objects again, often needs more memory for that than before, and is killed again. Each time everybody who
depends on it starts over, too.`,
  remedy:
    'Raise its memory limit or the size of its machine, then look for what grew: objects, watchers, pods or queries.',
  decides: `Pods in kube-system, or with a priority class \`system-…\`, that have a container whose last end was
\`OOMKilled\` within \`withinDays\`. The pods of a workload, and the static pods of a component on all machines,
are one finding.`,
  sources: ['k8s.io/api/core/v1/types.go (ContainerStateTerminated)'],
  stories: [
    'zalando-cronjob-apiserver',
    'datadog-10-ways',
    'civis-large-cluster',
    'openai-telemetry',
    'zalando-coredns-oom',
  ],
  needs: 'cluster',
  params: {
    withinDays: {
      type: 'integer',
      minimum: 1,
      default: 7,
      about: 'How long ago a kill still counts, in days.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || !isOfCluster(workload)) return
    const alike = membersOf(workload, graph)
    const oldest = live.now - params.withinDays * 86_400_000
    const kills = alike
      .flatMap((one) => live.podsOf(one))
      .flatMap(memoryKillsOf)
      .filter((kill) => kill.at >= oldest)
      .sort((a, b) => b.at - a.at)
    const [last] = kills
    const first = alike.find((one) => live.podsOf(one).some((pod) => kills.some((kill) => kill.pod === pod)))
    if (!last || first !== workload) return
    const container = workload.containers.find(({ name }) => name === last.container)
    const limit = container?.spec.resources?.limits?.memory
    const pods = alike.reduce((sum, one) => sum + live.podsOf(one).length, 0)
    const killed = new Set(kills.map(({ pod }) => pod)).size
    report(
      ...placeOf(workload, container),
      `${effectOf(last.container)}: ${killed === 1 && pods === 1 ? 'it' : `${killed} of ${pods} pods`} ran out of memory${limit ? ` at ${limit}` : ''}, the last time ${formatSpan((live.now - last.at) / 1000)} ago.`,
      {
        evidence: [
          ...atMost(
            3,
            kills.map((kill) => formatMemoryKill(kill, live)),
          ),
          ...sizeOf(last.container, graph, live),
        ],
      },
    )
  },
})

function isOfCluster({ namespace, pod, batch }: Workload): boolean {
  return (
    !batch &&
    (namespace === 'kube-system' || /^system-(cluster|node)-critical$/.test(pod.priorityClassName ?? ''))
  )
}

/** The workload, and of a static pod its fellows on other machines: the kubelet writes the machine into its name. */
function membersOf(workload: Workload, graph: Graph): readonly Workload[] {
  const { component } = workload.labels
  if (!isStatic(workload) || !component) return [workload]
  return graph.nearby(workload.object).filter((one) => isStatic(one) && one.labels.component === component)
}

function isStatic(workload: Workload): boolean {
  return workload.kind === 'Pod' && isMirror(workload)
}

function effectOf(container: string): string {
  return core.test(container)
    ? `The control plane stops and starts with ${container}`
    : `What depends on ${container} starts over each time it is killed`
}

function placeOf(
  workload: Workload,
  container: Container | undefined,
): readonly [object, string | undefined] {
  const { limits } = container?.spec.resources ?? {}
  return limits?.memory !== undefined ? [limits, 'memory'] : [container?.spec ?? workload.object, undefined]
}

/** What the control plane's memory is needed for. */
function sizeOf(container: string, graph: Graph, live: Live): readonly string[] {
  return core.test(container) && graph.hasRead('Pod') ? [`the cluster has ${live.pods.length} pods`] : []
}
