import {
  advise,
  atMost,
  bytes,
  formatBytes,
  formatMemoryKill,
  type Live,
  type MemoryKill,
  memoryKillsOf,
  memoryTrouble,
  type Pod,
  requested,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Containers are killed at their memory limit, again and again',
  category: 'resources',
  severity: 'warning',
  why: `When a container needs more than its limit the kernel kills it at once: no SIGTERM, no hook, no drain, and
all that it was working on is lost. The kubelet starts it again, the pod is ready soon after, and between two kills
everything looks well. A few kills a day never become a CrashLoopBackOff, so nothing says it but the last state of
the container.`,
  remedy:
    'Look at the memory over days: if it grows without end, find the leak; if it follows the load, raise the limit and the request with it.',
  decides: `The last run of a container with a memory limit ended with OOMKilled within \`days\`, in two pods of the
workload or in one whose container has been restarted \`restarts\` times. What the containers use now
(\`metrics.k8s.io\`) stands below, where the cluster tells it.

Exempt: Jobs; pods whose requests are not those of their template, as an autoscaler or a LimitRange may have set
their limits, too; workloads with a pod on a node that ran out of memory itself, where the limit need not be the
reason. A container that is killed many times a day is \`crashloop-restart-storm\`.`,
  falsePositives:
    'A process below the first one that was killed and that the container could do without, where the kernel kills one process alone (cgroup v1, a kubelet before 1.28, or its setting `singleProcessOOMKill`).',
  sources: [
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container.go (last state)',
    'kubernetes/pkg/kubelet/kuberuntime/kuberuntime_container_linux.go (memory.oom.group)',
    'Linux documentation, cgroup v2 (memory.max, memory.oom.group)',
  ],
  stories: ['grafana-hosted-metrics-capacity', 'zalando-skipper-oom'],
  params: {
    days: { type: 'number', minimum: 0, default: 3, about: 'Days within which the kill must have been.' },
    restarts: {
      type: 'integer',
      minimum: 1,
      default: 2,
      about: 'Restarts of a container that was killed in a single pod.',
    },
  },
  needs: 'cluster',
  unless: [
    'crashloop-restart-storm',
    'rollout-stalled',
    'control-plane-oomkilled',
    'dns-server-memory-tight',
    'shared-ingress-memory-cap',
    'namespace-limitrange-surprise',
    'telemetry-agent-unbounded',
  ],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || workload.batch) return
    const killed = killedIn(workload, live, params.days)
    const [last] = killed
    const often = killed.filter(({ container }) => container === last?.container)
    if (!last || (often.length < 2 && last.restarts < params.restarts)) return
    if (memoryTrouble(workload, graph, live).nodes.length > 0) return
    const pods = live.podsOf(workload).length
    report(
      last.limits,
      'memory',
      `Container ${last.container} of ${workload.name} is killed whenever it needs more than ${formatBytes(last.limit)}: ${pods > 1 ? `in ${often.length} of ${pods} pods, ` : ''}the last time ${spanSince(last.at, live)} ago.`,
      {
        evidence: atMost(
          3,
          often.map((one) => lineOf(one, live)),
        ),
        fix: advise('Find what takes the memory, or raise request and limit to what the load needs.'),
      },
    )
  },
})

interface Kill extends MemoryKill {
  /** Bytes. */
  readonly limit: number
  /** Where the template says it. */
  readonly limits: object
}

/** The containers that were last killed at a limit within so many days, the latest first. */
function killedIn(workload: Workload, live: Live, days: number): readonly Kill[] {
  return live
    .troubledPodsOf(workload)
    .flatMap(memoryKillsOf)
    .flatMap((kill): Kill[] => {
      const limits = limitsOf(workload, kill.pod, kill.container)
      const limit = bytes(limits?.memory)
      return live.now - kill.at <= days * 86_400_000 && limits && limit ? [{ ...kill, limit, limits }] : []
    })
    .sort((a, b) => b.at - a.at)
}

/**
 * The limits of a container by its template. Undefined where the pod asks for something else than the
 * template: it's older, or an autoscaler or a webhook has given it other sizes.
 */
function limitsOf(workload: Workload, { spec }: Pod, name: string) {
  const own = workload.running.find((one) => one.name === name)
  const given = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find(
    (one) => one.name === name,
  )
  return own && bytes(given?.resources?.requests?.memory) === requested(own, 'memory')
    ? own.spec.resources?.limits
    : undefined
}

function lineOf(kill: Kill, live: Live): string {
  const used = live.usageOf(kill.pod)?.find((one) => one.container === kill.container)?.memory
  const now = used === undefined ? '' : `, uses ${formatBytes(used)} of ${formatBytes(kill.limit)} now`
  return `${formatMemoryKill(kill, live)}${now}`
}
