import {
  absentFor,
  conditionOf,
  countOf,
  failingCalls,
  formatSpan,
  type Graph,
  isDefaultClass,
  type Live,
  linesOf,
  objectsAt,
  type Pending,
  type PersistentVolumeClaim,
  pendingPods,
  rule,
  stringAt,
  times,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Pods are Pending and no node comes for them',
  category: 'autoscaling',
  severity: 'warning',
  why: `A pod that fits on no node waits until one is free or added. Where an autoscaler does not add one, only its
own events and status tell the reason: the pool is at its maximum, no machine of that type is to be had, addresses
or quota of the provider are used up, new machines never join, or no pool would fit the pod.`,
  remedy: 'Follow the reason that the scheduler and the autoscaler give.',
  decides: `Pods of a workload that the scheduler has called unschedulable for \`minutes\` or longer; an error when
none of the workload's pods runs, or calls to a Service fail as none is ready. Below stand the scheduler's words,
what became of claims that they wait for, what the autoscaler says of them, node groups that back off by the
ConfigMap \`cluster-autoscaler-status\`, and Karpenter's NodeClaims that got no machine.

Exempt: pods with scheduling gates, and workloads for which another rule names the cause.`,
  falsePositives: 'Work that is meant to wait for room, as low-priority batch jobs are.',
  sources: [
    'k8s.io/api/core/v1/types.go (PodReasonUnschedulable)',
    'autoscaler/cluster-autoscaler/clusterstate/api/types.go, clusterstate.go (ScaleUpTimedOut)',
    'kubernetes/pkg/controller/volume/persistentvolume/pv_controller.go (syncUnboundClaim)',
    'Karpenter documentation, NodeClaims',
  ],
  stories: [
    'loveholidays-gke-ips',
    'freenow-node-join',
    'datadog-10-ways',
    'dfds-agent-system-oom',
    'grafana-hosted-metrics-capacity',
  ],
  needs: 'cluster',
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      diagnosed: 0,
      about: 'How long pods may wait for a node.',
    },
  },
  unless: [
    'node-selector-unsatisfiable',
    'request-exceeds-node',
    'anti-affinity-rollout-deadlock',
    'volume-zone-mismatch',
  ],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const { live } = graph
    if (!live || workload.controlled) return
    const pending = pendingPods(live, workload)
    const [longest] = pending
    if (!longest || longest.since < params.minutes * 60) return
    const pods = live.podsOf(workload)
    const running = pods.filter(({ status }) => status?.phase === 'Running').length
    const { name, kind } = workload
    const span = formatSpan(longest.since)
    const claims = unboundClaims(pending, workload, graph)
    const calls = failingCalls(workload, graph, live.seen)
    const obstacle = obstacleFor(pending.length, kind, claims[0])
    report(
      workload.object,
      undefined,
      kind === 'Pod'
        ? `Pod ${name} has been Pending for ${span}: ${obstacle}.`
        : `${running === 0 ? `No pod of ${name} runs` : `${name} runs with ${running} of ${running + pending.length} pods`}: ${pending.length === 1 ? 'one has been Pending for' : `${pending.length} have been Pending for up to`} ${span} and ${obstacle}.`,
      {
        severity: (running === 0 && !workload.batch) || calls.said.length > 0 ? 'error' : 'warning',
        see: [calls.route],
        // The rule's are about nodes that did not come.
        ...(claims.length > 0 && { stories: [] }),
        symptomOf: pending.every(({ pod }) => absentFor(pod, live).length > 0)
          ? { rules: ['referenced-config-missing'], objects: [workload.object] }
          : { rules: ['class-missing'], objects: claims },
        evidence: [
          ...linesOf(pending, 1),
          ...calls.said,
          ...claims.slice(0, 1).map((one) => lineOf(one, live, graph)),
          ...saidByAutoscaler(workload, pending, live),
          ...(claims.length > 0 ? [] : blocked(graph)),
        ],
      },
    )
  },
})

/** What keeps pods from a node. */
function obstacleFor(count: number, kind: string, claim: PersistentVolumeClaim | undefined): string {
  if (claim)
    return count === 1 ? `its claim ${claim.metadata?.name} is not bound` : 'their claims are not bound'
  if (kind !== 'DaemonSet') return `no node has taken ${count === 1 ? 'it' : 'them'}`
  return count === 1 ? 'its node has no room for it' : 'their nodes have no room for them'
}

/** The claims without a volume that pods wait for by what the scheduler says. */
function unboundClaims(
  pending: readonly Pending[],
  workload: Workload,
  graph: Graph,
): readonly PersistentVolumeClaim[] {
  const templates = objectsAt(workload.object, 'spec', 'volumeClaimTemplates')
  const own = (workload.pod.volumes ?? []).flatMap(
    ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
  )
  return pending
    .filter(({ message }) => message.includes('unbound immediate PersistentVolumeClaims'))
    .flatMap(({ pod }) => [
      ...templates.map((one) => `${stringAt(one, 'metadata', 'name')}-${pod.metadata?.name}`),
      ...own,
    ])
    .flatMap((name) => graph.find('PersistentVolumeClaim', name, workload.object) ?? [])
    .filter(({ status }) => status?.phase === 'Pending')
}

/** What the provisioner said of a claim, or which class it asks for. */
function lineOf(claim: PersistentVolumeClaim, live: Live, graph: Graph): string {
  const said = live.eventsOf(claim).find(({ message }) => message)
  const of = `PersistentVolumeClaim ${claim.metadata?.name}`
  return said
    ? `${of}: ${said.reason}, ${times(countOf(said))}: ${(said.message ?? '').slice(0, 240)}`
    : `${of}: Pending${classOf(claim, graph)}`
}

/**
 * Of which class a claim is; without one nothing makes its volume. Source:
 * kubernetes/pkg/controller/volume/persistentvolume/pv_controller.go (syncUnboundClaim), which says so in a normal event.
 */
function classOf({ spec }: PersistentVolumeClaim, graph: Graph): string {
  if (spec?.storageClassName) return `, of StorageClass ${spec.storageClassName}`
  if (spec?.storageClassName === '') return ', for a volume that no StorageClass makes'
  const isKnown = graph.hasRead('StorageClass') && !graph.seen('StorageClass').some(isDefaultClass)
  return isKnown ? ', names no StorageClass, and the cluster has no default one' : ''
}

/**
 * What Karpenter or an autoscaler says about the pods. Source: cluster-autoscaler/processors/status/eventing_scale_up_processor.go
 * (NotTriggerScaleUp is a normal event).
 */
function saidByAutoscaler(workload: Workload, pending: readonly Pending[], live: Live): string[] {
  const names = new Set(pending.map(({ pod }) => pod.metadata?.name))
  const event = live
    .eventsOf(workload)
    .find(
      ({ reason, source, involvedObject }) =>
        names.has(involvedObject?.name) &&
        ((reason === 'FailedScheduling' && source?.component === 'karpenter') ||
          reason === 'FailedScaleUp' ||
          reason === 'NotTriggerScaleUp'),
    )
  return event?.message ? [`${event.source?.component ?? 'autoscaler'}: ${event.message.slice(0, 240)}`] : []
}

/** Why the cluster gets no nodes, whatever the pod: once for all. */
function blocked(graph: Graph): readonly string[] {
  return graph.once('cluster-scale-up-blocked', () => {
    const { live } = graph
    const status = graph
      .seen('ConfigMap')
      .find(
        (one) =>
          one.metadata?.name === 'cluster-autoscaler-status' && one.metadata.namespace === 'kube-system',
      )
    const failures = (live && status ? live.eventsOf(status) : [])
      .filter(({ reason }) => reason === 'FailedToScaleUpGroup' || reason === 'ScaleUpTimedOut')
      .slice(0, 1)
      .map(
        (event) =>
          `cluster-autoscaler, ${times(countOf(event))}: ${event.message?.slice(0, 240) ?? event.reason ?? ''}`,
      )
    const text = status?.data?.status ?? ''
    const backsOff = /scaleUp:\s+(?:status:\s*)?Backoff/i.test(text)
    const unhealthy = /health:\s+(?:status:\s*)?Unhealthy/i.test(text)
    const claims = graph.seen('karpenter.sh/NodeClaim').flatMap((claim) => {
      const failed = ['Launched', 'Registered']
        .map((type) => conditionOf(claim, type))
        .find((one) => one !== undefined && one.status !== 'True')
      return failed?.message
        ? [`NodeClaim ${claim.metadata?.name ?? ''}: ${failed.message.slice(0, 240)}`]
        : []
    })
    return [
      ...failures,
      ...(backsOff && failures.length === 0 ? ['cluster-autoscaler-status: scale-up is in Backoff'] : []),
      ...(unhealthy ? ['cluster-autoscaler-status: Unhealthy'] : []),
      ...claims.sort().slice(0, 1),
    ]
  })
}
