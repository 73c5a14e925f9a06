import {
  atMost,
  containerStates,
  formatEnd,
  groupBy,
  type Live,
  lastEnd,
  type Pod,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

interface Crash {
  readonly pod: Pod
  readonly container: string
  readonly exitCode: number
  readonly reason: string
  readonly endedAt: number
}

export default rule({
  title: 'The replicas of a workload crashed at the same time',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `Replicas stand for each other as long as they fail alone. When most of them end with the same exit code
within minutes, on several nodes, it is rarely about a node. More often it was an input that all of them were given, by
a queue or by retries of a client, a dependency that all of them need, or a configuration that all of them read: it
comes back.`,
  remedy:
    'Find what they had in common at that time; bound retries, and set messages aside that fail again and again.',
  decides: `Containers of \`minPercent\` of a workload's pods, of \`minPods\` at least and on two nodes or more,
ended last within \`seconds\` of each other with the same exit code other than 0, during the last \`days\`. What the
runtime or the kubelet has lost sight of (exit code 255, or a reason that ends in Unknown: a node that restarted)
does not count.

Left out while the workload crashes again and again (\`crashloop-restart-storm\`), and during a rollout.`,
  sources: [
    'k8s.io/api/core/v1/types.go (ContainerStatus)',
    'kubernetes/pkg/kubelet/container/runtime.go (ContainerStatusUnknown)',
    'containerd/internal/cri/server/helpers.go (unknownContainerStatus, 255)',
  ],
  stories: ['betz-chat-message', 'zalando-skipper-oom', 'zalando-coredns-oom'],
  needs: 'cluster',
  params: {
    seconds: { type: 'integer', minimum: 1, default: 300, about: 'The time within which they ended.' },
    minPercent: { type: 'integer', minimum: 1, default: 60, about: 'The percentage of pods that crashed.' },
    minPods: { type: 'integer', minimum: 2, default: 3, about: 'The number of pods that crashed.' },
    days: { type: 'integer', minimum: 1, default: 7, about: 'How far back crashes count.' },
  },
  unless: ['crashloop-restart-storm', 'rollout-stalled'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || workload.batch || isRollingOut(workload, live)) return
    const pods = live.podsOf(workload)
    const oldest = live.now - params.days * 86_400_000
    const crashes = live
      .troubledPodsOf(workload)
      .flatMap(crashesOf)
      .filter(({ endedAt }) => endedAt >= oldest)
    const together = mostTogether(crashes, params.seconds * 1000)
    const [first] = together
    const last = together.at(-1)
    const nodes = new Set(together.map(({ pod }) => pod.spec?.nodeName)).size
    const percent = (together.length / pods.length) * 100
    if (!first || !last || together.length < params.minPods || percent < params.minPercent || nodes < 2)
      return
    const all =
      together.length === pods.length ? `All ${pods.length}` : `${together.length} of ${pods.length}`
    const written = workload.containers.find(({ name }) => name === first.container)
    report(
      written?.spec ?? workload.template,
      undefined,
      `${all} pods of ${workload.name} crashed within ${Math.max(1, Math.round((last.endedAt - first.endedAt) / 1000))} s of each other ${spanSince(last.endedAt, live)} ago, on ${nodes} nodes: ${formatEnd(first)}.`,
      {
        evidence: atMost(
          3,
          together.map(
            ({ pod, container, endedAt }) =>
              `pod ${pod.metadata?.name ?? ''} on ${pod.spec?.nodeName ?? 'no node'}, container ${container}: ${new Date(endedAt).toISOString().replace('.000Z', 'Z')}`,
          ),
        ),
      },
    )
  },
})

/** Whether pods of two templates run at the same time. */
function isRollingOut(workload: Workload, live: Live): boolean {
  return live.replicaSetsOf(workload).filter(({ status }) => (status?.replicas ?? 0) > 0).length > 1
}

function crashesOf(pod: Pod): Crash[] {
  return containerStates(pod).flatMap((state) => {
    const end = lastEnd(state)
    const isLost = end?.exitCode === 255 || /Unknown$/.test(end?.reason ?? '')
    if (!end || end.exitCode === 0 || end.endedAt === 0 || isLost) return []
    return [{ pod, container: state.name ?? '', ...end }]
  })
}

/** The most crashes of the same container with the same exit code within some milliseconds, in the order of time. */
function mostTogether(crashes: readonly Crash[], within: number): readonly Crash[] {
  const groups = groupBy(
    [...crashes].sort((a, b) => a.endedAt - b.endedAt),
    ({ container, exitCode }) => `${container} ${exitCode}`,
  )
  let most: readonly Crash[] = []
  for (const group of groups.values()) {
    let start = 0
    group.forEach((crash, end) => {
      while (crash.endedAt - (group[start]?.endedAt ?? 0) > within) start++
      if (end - start + 1 > most.length) most = group.slice(start, end + 1)
    })
  }
  return most
}
