import {
  at,
  atMost,
  bytes,
  type ContainerState,
  configuredLately,
  containerStates,
  counted,
  countOf,
  type Eviction,
  evictionsOf,
  type Fault,
  failingCalls,
  formatBytes,
  formatEvictions,
  formatRestarts,
  type Graph,
  isCrashing,
  isGone,
  isReady,
  type Live,
  lastEnd,
  memoryTrouble,
  type Pod,
  patience,
  presentPods,
  probeKillsOf,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A workload crashes again and again, or its crashes would churn all endpoints',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `The kubelet starts a container that ended again, after 10 s, 20 s and so on up to five minutes.
Without a readiness probe a container counts as ready the moment it starts: each
short life of a crashing pod is then two changes of its Service's endpoints, and every kube-proxy of the
cluster processes each of them. Twenty crashing pods have overloaded all nodes that way. \`minReadySeconds\` does not
delay the endpoints; it keeps a rollout from replacing more pods while the new ones crash.`,
  remedy:
    'Cure the crash or scale the workload down; a readiness probe dampens the churn, and `minReadySeconds` of a few seconds keeps a bad rollout to its first pods.',
  decides: `In manifests: a workload behind a Service with more than \`minPods\` pods at least, no readiness
or startup probe in any container, and \`minReadySeconds\` 0. Headless Services don't count: kube-proxy does not
watch their endpoints.

In a cluster: a container waits in CrashLoopBackOff, or has been restarted \`restarts\` times for each day of its
pod and ended within the last hour. So does a workload of which \`evictions\` pods were evicted within the last hour
for want of memory or disk, unless what its own containers used explains it: then the rules about memory and volumes
say so. An error when no pod of the workload is ready. Exit codes, what the kubelet said of probes and hooks, and
which ConfigMaps and Secrets of the pods were written within the last hour, stand below the finding. A rollout that
hangs on crashing pods is \`rollout-stalled\`, and containers that their liveness probe has killed before they answered are
\`liveness-probe-aggressive\`, where that rule reports the probe.`,
  versions:
    'From 1.35 on a node may have a shorter longest delay (`crashLoopBackOff.maxContainerRestartPeriod` of the kubelet).',
  sources: [
    'k8s.io/endpointslice/utils.go (podToEndpoint: the condition Ready of the pod alone)',
    'kubernetes/cmd/kube-proxy/app/server.go (noHeadlessEndpoints)',
    'k8s.io/api/apps/v1/types.go (MinReadySeconds)',
    'kubernetes/pkg/kubelet/kubelet.go (MaxCrashLoopBackOff)',
  ],
  stories: ['oneandone-open-issues', 'dfds-kiam-cert', 'dfds-agent-system-oom', 'betz-chat-message'],
  params: {
    minPods: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Pods up to which the churn does not matter.',
    },
    restarts: {
      type: 'integer',
      minimum: 1,
      default: patience.restarts,
      about: 'Restarts a day from which on a container is reported that has ended within the last hour.',
    },
    evictions: {
      type: 'integer',
      minimum: 2,
      default: 3,
      about: 'Pods of one workload that may be evicted within an hour.',
    },
  },
  unless: ['rollout-stalled'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    const crashing = live ? crashesOf(live.troubledPodsOf(workload), live, params.restarts) : []
    if (live && crashing.length > 0) {
      report(...crashFault(crashing, workload, graph, live))
      return
    }
    const evicted = live && evictionFault(workload, live, params.evictions)
    if (evicted) {
      report(...evicted)
      return
    }
    const churn = churnOf(workload, graph, params.minPods)
    if (churn) report(workload.template, undefined, churn.message, { see: churn.see })
  },
})

interface Crashing {
  readonly pod: Pod
  readonly container: ContainerState
}

/** That containers of the workload crash again and again. */
function crashFault(crashing: readonly Crashing[], workload: Workload, graph: Graph, live: Live): Fault {
  const pods = presentPods(workload, live)
  const ready = pods.filter(isReady).length
  const names = [...new Set(crashing.map(({ container }) => container.name ?? ''))]
  const [name = ''] = names
  const first = workload.containers.find((container) => container.name === name)
  const count = new Set(crashing.map(({ pod }) => pod)).size
  const lastEndAt = Math.max(...crashing.map(({ container }) => lastEnd(container)?.endedAt ?? 0))
  const calls = failingCalls(workload, graph, live.seen)
  const which = names.length > 1 ? `${names.length} containers` : `container ${name}`
  return [
    first?.spec ?? workload.template,
    undefined,
    workload.batch
      ? `Pods of ${workload.name} get nothing done: ${which} ${names.length > 1 ? 'fail and are' : 'fails and is'} started again and again.`
      : `${readyOf(ready, pods.length, workload)}: ${which} ${howTheyEnd(crashing, names, workload, graph, live)} again and again${shareOf(count, pods.length)}.`,
    {
      severity: severityOf(ready, workload),
      evidence: [
        ...evidenceOf(crashing, workload, live),
        ...calls.said,
        ...configuredLately(workload, graph, live, lastEndAt).slice(0, 2),
      ],
      see: [calls.route],
      symptomOf: isOfProbes(crashing, workload, live)
        ? { rules: ['liveness-probe-aggressive'], objects: [workload.object], seen: true }
        : undefined,
    },
  ]
}

/** That nodes evict pods of the workload as fast as they are made: at least so many within the last hour. */
function evictionFault(workload: Workload, live: Live, least: number): Fault | undefined {
  const evicted = evictedLately(workload, live)
  const [first] = evicted
  if (!first || evicted.length < least) return undefined
  const ready = live.podsOf(workload).filter(isReady).length
  return [
    workload.template,
    undefined,
    `${ready === 0 ? 'No pod' : counted(ready, 'pod')} of ${workload.name} ${ready < 2 ? 'is' : 'are'} ready: their nodes evict them as fast as they are made, ${evicted.length} within the last hour.`,
    { severity: severityOf(ready, workload), evidence: [formatEvictions(evicted), first.message] },
  ]
}

/** Nobody waits for an answer of a Job's pods. */
function severityOf(ready: number, { batch }: Workload): 'error' | 'warning' {
  return ready === 0 && !batch ? 'error' : 'warning'
}

function readyOf(ready: number, pods: number, { name }: Workload): string {
  return ready === 0
    ? `No pod of ${name} is ready`
    : `${ready} of ${pods} pods of ${name} ${ready === 1 ? 'is' : 'are'} ready`
}

/** In how many of the pods it is so; nothing where there is only one. */
function shareOf(count: number, pods: number): string {
  if (pods < 2) return ''
  if (count < pods) return ` in ${count} of ${pods}`
  return count === 2 ? ' in both' : ` in all ${count}`
}

/** At their limit of memory, or we do not know why. */
function howTheyEnd(
  crashing: readonly Crashing[],
  [name, ...others]: readonly string[],
  workload: Workload,
  graph: Graph,
  live: Live,
): string {
  if (others.length > 0) return 'crash'
  const own = workload.containers.find((container) => container.name === name)
  const limit = bytes(own?.spec.resources?.limits?.memory)
  return limit !== undefined &&
    crashing.every(({ container }) => lastEnd(container)?.reason === 'OOMKilled') &&
    memoryTrouble(workload, graph, live).nodes.length === 0
    ? `is killed at its memory limit of ${formatBytes(limit)}`
    : 'crashes'
}

/** Whether all that crash are healthy processes that their liveness probes have killed: their finding says more. */
function isOfProbes(crashing: readonly Crashing[], workload: Workload, live: Live): boolean {
  const killed = workload.running.flatMap((container) => {
    const kills = probeKillsOf(container, workload, live)
    return kills?.isOfProbe ? kills.states : []
  })
  return crashing.every(({ container }) => killed.includes(container))
}

/** The containers that crash, the one with most restarts first. */
function crashesOf(pods: readonly Pod[], live: Live, restarts: number): readonly Crashing[] {
  return pods
    .filter((pod) => !isGone(pod))
    .flatMap((pod) => containerStates(pod).map((container) => ({ pod, container })))
    .filter(({ pod, container }) => isCrashing(container, pod, live, restarts))
    .sort((a, b) => (b.container.restartCount ?? 0) - (a.container.restartCount ?? 0))
}

/** The pods that were evicted within the last hour for no reason that another rule gives, the last one first. */
function evictedLately(workload: Workload, live: Live): readonly Eviction[] {
  const memory = hasTightMemory(workload) ? evictionsOf(workload, live, 'memory') : []
  const disk = evictionsOf(workload, live, 'disk').filter(({ message }) => !/limit|EmptyDir/.test(message))
  return [...memory, ...disk]
    .filter(({ time, excess }) => live.now - time < 3_600_000 && !isHog(excess))
    .sort((a, b) => b.time - a.time)
}

/** More than this beyond a request is told by the rules about what a pod takes of its node. */
function isHog(excess: Eviction['excess']): boolean {
  return excess !== undefined && excess.used - excess.requested > 2 ** 30
}

/** Whether no container may use much more memory than it asks for. */
function hasTightMemory({ running }: Workload): boolean {
  return running.every(({ spec }) => {
    const limit = bytes(spec.resources?.limits?.memory)
    return limit !== undefined && limit <= 3 * (bytes(spec.resources?.requests?.memory) ?? limit)
  })
}

/** The worst pods, and what probes and hooks said. */
function evidenceOf(crashing: readonly Crashing[], workload: Workload, live: Live): string[] {
  const pods = crashing.map(({ pod, container }) => formatRestarts(pod, container, live))
  const probes = live
    .eventsOf(workload)
    .filter(
      ({ reason, message }) => reason === 'Unhealthy' && /^(Liveness|Startup) probe/.test(message ?? ''),
    )
  const [probe] = probes
  const failures = probes.reduce((sum, event) => sum + countOf(event), 0)
  return [
    ...atMost(3, pods),
    ...(probe ? [`${failures} times in the events: ${(probe.message ?? '').slice(0, 140)}`] : []),
  ]
}

/** A workload whose crashes would churn the endpoints, by its manifest. */
function churnOf(workload: Workload, graph: Graph, minPods: number) {
  const fewest = graph.fewestPods(workload)
  // kube-proxy does not watch the endpoints of headless Services.
  const service = graph.servicesOf(workload).find(({ spec }) => spec?.clusterIP !== 'None')
  if (
    !fewest ||
    !service ||
    fewest.pods <= minPods ||
    workload.running.some(({ spec }) => spec.readinessProbe ?? spec.startupProbe)
  )
    return undefined
  const minReady = workload.scale?.node as { minReadySeconds?: unknown } | undefined
  if (typeof minReady?.minReadySeconds === 'number' && minReady.minReadySeconds > 0) return undefined
  return {
    message: `If ${workload.name} crashes at start, ${fewest.pods} pods flip their endpoints again and again on every node: without a probe each counts as ready when it starts.`,
    see: [at(service, service), at(fewest.of, fewest.node, fewest.field, fewest.note)],
  }
}
