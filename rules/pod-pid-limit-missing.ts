import {
  atMost,
  conditionOf,
  configurationsIn,
  countOf,
  type Fault,
  type Graph,
  isKind,
  type Live,
  numberAt,
  type ObjectOf,
  objectAt,
  placeOfCondition,
  rule,
  set,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'One pod may use up the process ids of its node',
  category: 'node',
  severity: 'warning',
  why: `Process ids, like inotify watches and file handles, belong to the node, not to the pod. A process
that forks without end takes all of them; then no probe can be executed, no container starts, and the kubelet
and sshd cannot fork either. Without a limit for each pod everything on that node goes with it.`,
  remedy:
    'Set `podPidsLimit` (4096 suits most), and let nodes evict by `pid.available: 10%` in `evictionHard`, beside all its other signals: one alone switches the defaults of the others off.',
  decides: `A KubeletConfiguration (a file, or inside a ConfigMap) that switches the limit off: \`podPidsLimit\` 0
or below. One that leaves it out, which means the same, is an info; and so is, where the rule is asked for, one with
a limit whose \`evictionHard\` has no \`pid.available\`.

In a cluster nodes with the condition \`PIDPressure\` are an error. Nodes on which two pods or more could not fork,
or had too many files or watches open, by their events, are a warning: one pod may have met a limit of its own. One is
enough where not even its sandbox could be made, for which the node's own runtime and network plugin run. "No
space left on device" counts where watches are named.`,
  falsePositives: 'Images of managed nodes may set the limit with a flag that the file does not show.',
  sources: [
    'kubernetes/pkg/kubelet/apis/config/v1beta1/defaults.go (PodPidsLimit)',
    'kubernetes/pkg/kubelet/eviction/defaults_linux.go (no pid.available)',
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (FailedCreatePodSandBox)',
  ],
  stories: ['dfds-inotify', 'airbnb-weird-ways', 'datadog-10-ways', 'thredup-moving'],
  for: ['kubelet.config.k8s.io/KubeletConfiguration', 'ConfigMap', 'Node'],
  check(subject, { graph, report }) {
    if (isKind(subject, 'Node')) {
      const fault = faultOfNode(subject, graph)
      if (fault) report(...fault)
      return
    }
    for (const found of configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration')) {
      const fault = faultOfConfiguration(found)
      if (fault) report(...fault)
    }
  },
})

/** That a node of a cluster has no process ids left, or what its pods say of it. */
function faultOfNode(subject: Node, graph: Graph): Fault | undefined {
  const pressure = conditionOf(subject, 'PIDPressure')
  const isShort = pressure?.status === 'True'
  const seen = graph.live ? exhaustionOn(subject, graph.live, graph) : []
  if (!isShort && seen.length < 2 && !seen.some(({ isSandbox }) => isSandbox)) return undefined
  const [node, field] = isShort ? placeOfCondition(subject, 'PIDPressure') : [subject, undefined]
  const lines = seen.map(({ line }) => line)
  return [
    node,
    field,
    `Probes fail and containers do not start on ${subject.metadata?.name ?? 'this node'}: its ${isShort ? 'process ids' : 'process ids, files or watches'} are used up.`,
    {
      severity: isShort ? 'error' : 'warning',
      evidence: [...(isShort ? [pressure.message ?? 'PIDPressure'] : []), ...atMost(3, lines)],
    },
  ]
}

/** That the kubelet is told of no limit for a pod, or of none for all of them. */
function faultOfConfiguration({
  value,
  place,
}: ReturnType<typeof configurationsIn>[number]): Fault | undefined {
  const limit = numberAt(value, 'podPidsLimit')
  if (limit !== undefined && limit > 0) {
    const hard = objectAt(value, 'evictionHard')
    if (!hard || hard['pid.available'] !== undefined) return undefined
    return [
      ...place(value, 'evictionHard'),
      'Pods can together use up the process ids of their node: evictionHard has no pid.available, and no default.',
      { severity: 'info', recommended: false },
    ]
  }
  const [node, field] = place(value, 'podPidsLimit')
  return [
    node,
    field,
    `A pod that forks without end stops everything on its node: ${limit === undefined ? 'podPidsLimit is absent, which means none' : `podPidsLimit ${limit} means none`}.`,
    {
      severity: limit === undefined ? 'info' : 'warning',
      fix: node === value ? set(value, 'podPidsLimit', 4096) : undefined,
    },
  ]
}

const exhausted =
  /fork.*resource temporarily unavailable|pthread_create failed|too many open files|inotify.*no space left|no space left.*inotify/i

/** The reason of the kubelet's event when the runtime of the node can't make the sandbox of a pod. */
const sandboxFailure = 'FailedCreatePodSandBox'

interface Exhaustion {
  /** For the evidence. */
  readonly line: string
  readonly isSandbox: boolean
}

/** The events of a node's pods that say so, one for each pod: the newest, or that about its sandbox where there is one. */
function exhaustionOn(node: Node, live: Live, graph: Graph): readonly Exhaustion[] {
  const byNode = graph.once('events about used-up processes', () => {
    const found = new Map<string, Map<string, Exhaustion>>()
    for (const { message, involvedObject, source, reason, ...event } of live.events) {
      const what = exhausted.exec(message ?? '')?.[0]
      const host = source?.host
      if (!what || !host) continue
      const pod = `${involvedObject?.namespace}/${involvedObject?.name}`
      const count = countOf(event)
      const pods = found.get(host) ?? new Map<string, Exhaustion>()
      const known = pods.get(pod)
      const isSandbox = reason === sandboxFailure
      const line = `${pod}: ${reason}, ${what}${count > 1 ? `, ${count} times` : ''}`
      if (!known || (isSandbox && !known.isSandbox)) pods.set(pod, { line, isSandbox })
      found.set(host, pods)
    }
    return found
  })
  const own = byNode.get(node.metadata?.name ?? '')?.values() ?? []
  return [...own].sort((a, b) => (a.line < b.line ? -1 : 1))
}
