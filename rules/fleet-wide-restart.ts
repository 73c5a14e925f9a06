import {
  containerStates,
  controllerOf,
  countBy,
  counted,
  type Graph,
  type Live,
  mostFirst,
  type Pod,
  rule,
  spanSince,
} from '../src/rule.js'

export default rule({
  title: 'A large part of all pods started at the same time',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A change of a template that many workloads share, of a mesh, of a node image or of the network restarts
what runs on it. When it reaches everything within minutes, images are pulled and volumes attached by all of
them at the same time, and caches are empty everywhere: recovery takes as long as the slowest of these queues.`,
  remedy: 'Find what reached all of them, and make it go on in steps: by node pool, by namespace, by surge.',
  decides: `Of all running pods without Jobs, \`minPods\` at least, \`minPercent\` started within \`minutes\` during
the last \`hours\`, and more than two hours after the oldest namespace was made (a new cluster starts at once).
Reported once, at the namespace with most of them. Whether nodes were new, templates had changed, or containers
were restarted in place stands below the finding.`,
  sources: ['k8s.io/api/core/v1/types.go (PodStatus, ContainerStateRunning)'],
  stories: ['render-mass-restart', 'target-cascading', 'datadog-systemd-2023', 'zalando-upgrade-5xx'],
  needs: 'cluster',
  params: {
    minPercent: { type: 'integer', minimum: 1, default: 50, about: 'The percentage of pods that started.' },
    minutes: { type: 'integer', minimum: 1, default: 15, about: 'The time within which they started.' },
    minPods: { type: 'integer', minimum: 2, default: 50, about: 'Pods that the cluster must run.' },
    hours: { type: 'integer', minimum: 1, default: 48, about: 'How far back a start counts.' },
  },
  for: 'Namespace',
  check(namespace, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const wave = graph.once('fleet-wide-restart', () => waveIn(live, params.minutes * 60_000))
    const percent = Math.round((wave.starts.length / wave.all) * 100)
    const made = graph.all('Namespace').map(({ metadata }) => Date.parse(metadata?.creationTimestamp ?? ''))
    const cluster = Math.min(...made.filter((time) => !Number.isNaN(time)))
    const [first] = wave.starts
    if (!first || wave.all < params.minPods || percent < params.minPercent) return
    if (live.now - first.time > params.hours * 3_600_000 || first.time < cluster + 7_200_000) return
    if (namespace.metadata?.name !== wave.namespace) return
    const span = Math.max(1, Math.round(((wave.starts.at(-1)?.time ?? first.time) - first.time) / 60_000))
    report(
      namespace,
      undefined,
      `${percent} % of all ${wave.all} pods of the cluster started within ${span} min, ${spanSince(first.time, live)} ago.`,
      { evidence: causesOf(wave.starts, graph) },
    )
  },
})

interface Start {
  readonly pod: Pod
  /** When the last of its containers started, in milliseconds since 1970. */
  readonly time: number
  /** A container that was started again in a pod that is older. */
  readonly inPlace: boolean
}

/** The window with most starts; and the namespace with most of them. */
function waveIn(live: Live, within: number) {
  const starts: Start[] = []
  for (const pod of live.pods) {
    const start = pod.status?.phase === 'Running' && controllerOf(pod)?.kind !== 'Job' && startOf(pod)
    if (start) starts.push(start)
  }
  starts.sort((a, b) => a.time - b.time)
  let from = 0
  let size = 0
  let begin = 0
  starts.forEach((start, i) => {
    while (start.time - (starts[begin]?.time ?? 0) > within) begin++
    if (i - begin + 1 < size) return
    // Of windows of the same size the latest.
    size = i - begin + 1
    from = begin
  })
  const best = starts.slice(from, from + size)
  const counts = countBy(best, ({ pod }) => {
    const name = pod.metadata?.namespace ?? ''
    // Kubernetes keeps its own namespaces: nobody looks at findings there.
    return name.startsWith('kube-') ? undefined : name
  })
  return { starts: best, all: starts.length, namespace: mostFirst(counts)[0]?.[0] }
}

function startOf(pod: Pod): Start | undefined {
  let time = 0
  let isRestarted = false
  for (const { state, restartCount } of containerStates(pod)) {
    time = Math.max(time, Date.parse(state?.running?.startedAt ?? '') || 0)
    if (restartCount) isRestarted = true
  }
  if (time === 0) return undefined
  const begun = isRestarted ? Date.parse(pod.status?.startTime ?? '') : time
  return { pod, time, inPlace: time - begun > 600_000 }
}

/** What the starts have in common. */
function causesOf(starts: readonly Start[], graph: Graph): string[] {
  const first = starts[0]?.time ?? 0
  const last = starts.at(-1)?.time ?? 0
  const isNew = (made: string | undefined) => {
    const time = Date.parse(made ?? '')
    return time > first - 3_600_000 && time <= last
  }
  const nodes = new Set(
    graph
      .all('Node')
      .filter(({ metadata }) => isNew(metadata?.creationTimestamp))
      .map(({ metadata }) => metadata?.name),
  )
  const inPlace = starts.filter((start) => start.inPlace)
  const onNew = starts.filter(({ pod }) => nodes.has(pod.spec?.nodeName))
  const changed = graph.workloads.filter((workload) => {
    const [newest] = graph.live?.replicaSetsOf(workload) ?? []
    return newest && isNew(newest.metadata?.creationTimestamp)
  })
  return [
    ...(inPlace.length > 0
      ? [
          `${inPlace.length} ${inPlace.length === 1 ? 'was' : 'were'} restarted in place, on ${nodesOf(inPlace)}: runtime, kubelet, probes or a crash`,
        ]
      : []),
    ...(onNew.length > 0
      ? [`${onNew.length} ${onNew.length === 1 ? 'runs' : 'run'} on ${nodesOf(onNew, 'new node')}`]
      : []),
    ...(changed.length > 0 ? [`${counted(changed.length, 'Deployment')} had got a new template`] : []),
    ...(inPlace.length + onNew.length + changed.length === 0
      ? [`on ${nodesOf(starts)}, none of them new, with templates as before`]
      : []),
  ]
}

/** `3 nodes`, on which their pods are. */
function nodesOf(starts: readonly Start[], noun = 'node'): string {
  return counted(new Set(starts.map(({ pod }) => pod.spec?.nodeName)).size, noun)
}
