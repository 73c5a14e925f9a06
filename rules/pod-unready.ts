import {
  absentFor,
  type Container,
  causeOf,
  conditionOf,
  containerStates,
  counted,
  firstOf,
  formatSpan,
  type Graph,
  imageParts,
  isAway,
  isCrashing,
  isGone,
  isReady,
  type KubernetesObject,
  type Live,
  makersOfPods,
  numberAt,
  type Pod,
  type PodMaker,
  patience,
  push,
  refusalOf,
  rule,
  saidOfAddress,
  schedule,
  seconds,
  standbysOf,
  stringAt,
  throttledBy,
  troubles,
  unreadyFor,
  valueAt,
  type Waiting,
  type Workload,
  waitingForImages,
} from '../src/rule.js'

export default rule({
  title: 'Pods stay unready',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `Once a rollout is over nobody waits for the pods any more. A pod that is moved later and finds no image, no
volume or no network, or whose readiness probe fails for good, stays as it is. The Deployment remains available with
the others; a StatefulSet, a DaemonSet or a Job has no condition for it. The workload runs with less than it was
given until the next pod is lost, too.`,
  remedy: 'Follow the reason that the state of the pod and its events give.',
  decides: `A pod has not been ready for \`minutes\`, or for as long as its startup probes allow where that is more;
of a Job, none of its containers has started. Pods are grouped under what made them, those of an operator under its
own object's name. An error when none is ready and a Service leads to them. When pods of three workloads or more
wait for the same registry, the network of the same node or the same storage driver, that is one finding.

Left to other rules:

- pods without a node (\`cluster-scale-up-blocked\`) or on one that is away (\`node-not-ready\`);
- pods in a crash loop (\`crashloop-restart-storm\`), without an address (\`pod-ip-exhaustion\`) or without a Secret
  or ConfigMap (\`referenced-config-missing\`);
- pods of a Service of which none is ready (\`service-without-ready-endpoints\`);
- images that are pulled too often (\`image-pull-throttled\`) or will not come (\`image-unavailable\`);
- Jobs that hang (\`job-without-deadline\`).

Exempt: pods with scheduling gates, those that end, and standbys. That is where a Service leads to the workload, the
only ready pod holds a Lease and renews it, and the others run and have not been ready since it took the Lease, or
since they started.`,
  falsePositives: `Standbys of a leader that is chosen without a Lease, and init containers that copy data for long: raise
\`minutes\`, or suppress it for them.`,
  sources: [
    'kubernetes/pkg/kubelet/status/generate.go (GeneratePodReadyCondition)',
    'k8s.io/api/core/v1/types.go (PodCondition)',
  ],
  stories: [],
  needs: 'cluster',
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 15,
      diagnosed: 1,
      about: 'How long a pod may take to become ready.',
    },
  },
  unless: [
    'rollout-stalled',
    'registry-in-own-cluster',
    'iam-agent-unprotected',
    'network-policy-agent-degraded',
    'credentials-provider-down',
    'cronjob-silent-failure',
  ],
  for: 'Object',
  check(object, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const { found, shared } = graph.once(`unready for ${params.minutes} min`, () =>
      unreadyIn(graph, live, params.minutes * 60),
    )
    const group = found.get(object)
    if (!group) return
    const together = group.cause === undefined ? undefined : shared.get(group.cause)
    if (together && together[0] !== group) return
    const groups = together ?? [group]
    const isDown = groups.some(
      ({ ready, workload }) => ready === 0 && !workload.batch && graph.servicesOf(workload).length > 0,
    )
    report(object, undefined, together ? sharedMessage(group, together, live) : messageOf(group, live), {
      severity: isDown ? 'error' : 'warning',
      evidence: [
        ...troubles(group.stuck, live),
        ...nodesOf(groups),
        ...(together ? [firstOf(together.map(({ workload }) => graph.describe(workload.object)))] : []),
      ],
      symptomOf: group.stuck.every((pod) => absentFor(pod, live).length > 0)
        ? { rules: ['referenced-config-missing'], objects: [object] }
        : undefined,
    })
  },
})

/** Pods of one maker that nobody else speaks of, the longest first. */
interface Group {
  /** What made the pods, or one of them where that is no workload. */
  readonly workload: Workload
  /** Of what made them: `api`, `Cluster db`. */
  readonly name: string
  readonly stuck: readonly Pod[]
  readonly ready: number
  readonly all: number
  /** What holds all of them up and may hold up pods of others, too: `nothing is pulled from ghcr.io`. */
  readonly cause: string | undefined
}

/** All groups by the object that they are reported on, and those of one cause, three or more. */
function unreadyIn(graph: Graph, live: Live, least: number) {
  const away = new Set(
    graph.seen('Node').flatMap((node) => (isAway(node) ? (node.metadata?.name ?? '') : [])),
  )
  const found = new Map<KubernetesObject, Group>()
  const shared = new Map<string, Group[]>()
  for (const made of makersOfPods(graph, live)) {
    const group = groupOf(made, away, graph, live, least)
    if (!group) continue
    found.set(group.workload.object, group)
    if (group.cause !== undefined) push(shared, group.cause, group)
  }
  return { found, shared: new Map([...shared].filter(([, groups]) => groups.length >= 3)) }
}

/** @param away the names of nodes that are not ready */
function groupOf(
  { workload, name, pods, isLookedAt }: PodMaker,
  away: ReadonlySet<string>,
  graph: Graph,
  live: Live,
  least: number,
): Group | undefined {
  if (isLookedAt && live.troubledPodsOf(workload).length === 0) return undefined
  const present = pods.filter((pod) => !isGone(pod))
  const ready = present.filter(isReady).length
  if (ready === present.length) return undefined
  const standbys = standbysOf(present, workload, graph, live)
  const allowed = Math.max(
    least,
    rolloutSeconds(workload.object, isLookedAt),
    ...workload.running.map(startupSeconds),
  )
  const stuck = present
    .filter((pod) => unreadyFor(pod, live) >= allowed && !away.has(pod.spec?.nodeName ?? ''))
    .filter((pod) => !isReady(pod) && (!workload.batch || isWaiting(pod)))
    .filter((pod) => !isTold(pod, workload, live, isLookedAt))
    .filter((pod) => !standbys.includes(pod))
    .sort((a, b) => unreadyFor(b, live) - unreadyFor(a, live))
  if (stuck.length === 0 || lacksReference(workload, graph) || isBehindDeadService(workload, graph, live))
    return undefined
  const [cause, ...more] = new Set(stuck.map((pod) => causeBeyond(pod, live)))
  return { workload, name, stuck, ready, all: present.length, cause: more.length === 0 ? cause : undefined }
}

/** Where the pods are. */
function nodesOf(groups: readonly Group[]): readonly string[] {
  const names = groups.flatMap(({ stuck }) => stuck.flatMap(({ spec }) => spec?.nodeName ?? []))
  const nodes = [...new Set(names)].sort()
  return nodes.length === 0 ? [] : [`on ${nodes.length === 1 ? 'node' : 'nodes'} ${firstOf(nodes)}`]
}

/** Whether another rule speaks of the pod, or somebody else is to let it start. */
function isTold(pod: Pod, workload: Workload, live: Live, isLookedAt: boolean): boolean {
  const placed = conditionOf(pod, 'PodScheduled')
  if (placed?.status === 'False' && placed.reason === 'SchedulingGated') return true
  if (!isLookedAt) return false
  if (placed?.status === 'False' && placed.reason === 'Unschedulable') return true
  if (containerStates(pod).some((one) => isCrashing(one, pod, live, patience.restarts))) return true
  const [waiting] = waitingForImages([pod])
  const said = [waiting?.message ?? '', ...live.eventsOf(pod).map(({ message }) => message ?? '')]
  if (waiting)
    return (
      said.some((text) => throttledBy(text) !== undefined) ||
      ranBefore(waiting, workload) ||
      // Of images that the template names no longer `image-unavailable` does not speak.
      (refusalOf(waiting, live) !== undefined &&
        workload.containers.some(({ name, image }) => name === waiting.container && image === waiting.image))
    )
  return (
    live.eventsOf(pod).some((event) => saidOfAddress(event) !== undefined) || isHungRun(pod, workload, live)
  )
}

/** Whether `image-pull-always` tells: the node had the image. */
function ranBefore({ pod, container }: Waiting, workload: Workload): boolean {
  const ran = containerStates(pod).some(
    ({ name, restartCount = 0 }) => name === container && restartCount > 0,
  )
  return (
    ran &&
    workload.containers.some(({ name, spec }) => name === container && spec.imagePullPolicy === 'Always')
  )
}

/** Whether `job-without-deadline` tells: something has been wrong with the run for so long. */
function isHungRun(pod: Pod, { object, batch, pod: template }: Workload, live: Live): boolean {
  const job = valueAt(object, 'spec', 'jobTemplate', 'spec') ?? valueAt(object, 'spec')
  if (!batch || numberAt(job, 'activeDeadlineSeconds') !== undefined) return false
  if (template.activeDeadlineSeconds !== undefined || causeOf(pod, live) === undefined) return false
  const interval = schedule(stringAt(object, 'spec', 'schedule') ?? '')?.longestInterval ?? 0
  return unreadyFor(pod, live) > Math.max(seconds(patience.hungRun) ?? 0, patience.hungIntervals * interval)
}

/** Whether no container of the pod has started. */
function isWaiting(pod: Pod): boolean {
  return pod.status?.phase === 'Pending' && !containerStates(pod).some(({ state }) => state?.running)
}

/** How long a rollout that goes on may take; for ever when it is late and `rollout-stalled` tells. */
function rolloutSeconds(object: KubernetesObject, isLookedAt: boolean): number {
  const progress = conditionOf(object, 'Progressing')
  if (!progress || progress.reason === 'NewReplicaSetAvailable') return 0
  if (progress.status === 'False')
    return isLookedAt && object.kind === 'Deployment' ? Number.POSITIVE_INFINITY : 0
  return numberAt(object, 'spec', 'progressDeadlineSeconds') ?? 600
}

/**
 * How long the startup probe of a container lets it start. Defaults:
 * kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Probe).
 */
function startupSeconds({ spec: { startupProbe } }: Container): number {
  if (!startupProbe) return 0
  const { failureThreshold = 3, periodSeconds = 10, initialDelaySeconds = 0 } = startupProbe
  return initialDelaySeconds + failureThreshold * periodSeconds
}

/** Whether `referenced-config-missing` tells. */
function lacksReference(workload: Workload, graph: Graph): boolean {
  return graph.referencesOf(workload).some(({ kind, name, optional, as }) => {
    return !optional && as !== 'imagePullSecret' && !graph.exists(kind, name, workload.object)
  })
}

/** Whether `service-without-ready-endpoints` tells. */
function isBehindDeadService(workload: Workload, graph: Graph, live: Live): boolean {
  if (workload.batch) return false
  return graph.servicesOf(workload).some((service) => {
    const pods = graph
      .backendsOf(service)
      .filter(({ batch }) => !batch)
      .flatMap((one) => live.podsOf(one))
    return (
      !service.spec?.publishNotReadyAddresses &&
      pods.every(
        (pod) => isGone(pod) || (!isReady(pod) && unreadyFor(pod, live) >= patience.deadService * 60),
      )
    )
  })
}

/** What holds the pod up and is no matter of its workload. */
function causeBeyond(pod: Pod, live: Live): string | undefined {
  const [waiting] = waitingForImages([pod])
  const events = live.eventsOf(pod)
  if (waiting) {
    const failed = events.find(({ message }) => message?.startsWith('Failed to pull image'))
    const unreachable =
      /dial tcp|timeout|no such host|connection refused|unexpected EOF|status(?: code)? 5\d\d/i
    return [waiting.message, failed?.message].some((text) => unreachable.test(text ?? ''))
      ? `nothing is pulled from ${imageParts(waiting.image).registry}`
      : undefined
  }
  for (const { reason, message = '' } of events) {
    if (reason === 'FailedCreatePodSandBox')
      return `node ${pod.spec?.nodeName ?? ''} gives pods no network or sandbox`
    const driver = /driver name (\S+) not found in the list of registered CSI drivers/.exec(message)?.[1]
    if (driver) return `storage driver ${driver} does not run on their nodes`
  }
  return undefined
}

function sharedMessage({ cause }: Group, groups: readonly Group[], live: Live): string {
  const pods = groups.flatMap(({ stuck }) => stuck)
  const longest = Math.max(...pods.map((pod) => unreadyFor(pod, live)))
  return `${counted(pods.length, 'pod')} of ${groups.length} workloads have not been ready for up to ${formatSpan(longest)}: ${cause}.`
}

function messageOf({ workload, name, stuck, ready, all }: Group, live: Live): string {
  const [first] = stuck
  const span = formatSpan(first ? unreadyFor(first, live) : 0)
  const one = first?.metadata?.name ?? 'one'
  if (workload.batch)
    return `No work is done for ${workload.kind} ${name}: ${stuck.length === 1 ? `pod ${one} has not started` : `${stuck.length} pods have not started`} for ${stuck.length === 1 ? '' : 'up to '}${span}.`
  if (all === 1)
    return `${workload.kind === 'Pod' ? 'Pod ' : 'The only pod of '}${name} has not been ready for ${span}.`
  if (stuck.length === all) {
    const last = Math.min(...stuck.map((pod) => unreadyFor(pod, live)))
    return `No pod of ${name} has been ready for ${formatSpan(last)}.`
  }
  const rest =
    stuck.length === 1 ? `${one} has not been for ${span}` : `${stuck.length} have not been for up to ${span}`
  return ready === 0
    ? `No pod of ${name} is ready: ${rest}.`
    : `${ready} of ${all} pods of ${name} ${ready === 1 ? 'is' : 'are'} ready: ${rest}.`
}
