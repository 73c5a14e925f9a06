import {
  absentFor,
  advise,
  type Cause,
  changedAt,
  conditionOf,
  configuredLately,
  containerStates,
  controllerOf,
  counted,
  type DaemonSet,
  type Deployment,
  type Fault,
  failingCalls,
  formatCondition,
  formatSpan,
  type Graph,
  intOrPercent,
  isGone,
  isKind,
  type Live,
  type Pod,
  probeKillsOf,
  rule,
  type StatefulSet,
  saidOfAddress,
  spanSince,
  troubles,
  unreadyFor,
  unreadySince,
} from '../src/rule.js'

type Subject = Deployment | StatefulSet | DaemonSet
type Stall = { readonly node: object; readonly field: string | undefined; readonly message: string }

/**
 * The deadline that stands for none. Source: kubernetes/pkg/apis/apps/v1/defaults.go,
 * deployment_util.go (HasProgressDeadline).
 */
const noDeadline = 2_147_483_647

export default rule({
  title: 'A rollout does not progress',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A rollout waits for its new pods. While they do not become ready, part of the workload runs the old
template and part the new one, and nothing rolls back by itself. A Deployment says so after
\`progressDeadlineSeconds\` in a condition that nobody looks at; a StatefulSet or a DaemonSet never says it.
The new pods are often the first to meet a lack of capacity, addresses or quota.`,
  remedy: 'Cure what the new pods wait for, or roll back.',
  decides: `In manifests: a Deployment with \`paused: true\`, of which no change is ever rolled out, and one whose
deadline is switched off by \`progressDeadlineSeconds: ${noDeadline}\` (an info: converted manifests of
\`extensions/v1beta1\` have it).

In a cluster:

- a Deployment whose condition \`Progressing\` is False, or \`ReplicaFailure\` True for a minute;
- a Deployment without a deadline, a StatefulSet or a DaemonSet that has pods to replace, while one of its pods has
  not been ready for \`stuckMinutes\` (as many where \`maxUnavailable\` of a parallel StatefulSet lets several go at
  a time);
- a StatefulSet of ordered pods that lacks pods for as long.

An error when a Deployment has no pod that serves, or calls to a Service fail as no pod of the others is ready. Why
the newest pods are not ready stands below the finding. Images that will not come are \`image-unavailable\`, and pods that
their liveness probe kills before they answer are \`liveness-probe-aggressive\`, where that rule reports the probe.`,
  sources: [
    'kubernetes/pkg/controller/deployment/progress.go',
    'kubernetes/pkg/controller/statefulset/stateful_set_control.go, stateful_set_utils.go',
    'kubernetes/pkg/features/kube_features.go (MaxUnavailableStatefulSet: on by default from 1.37)',
    'kubernetes/pkg/controller/daemon/update.go',
  ],
  stories: [
    'loveholidays-gke-ips',
    'freenow-node-join',
    'zalando-credentials-queue',
    'dfds-image-pull-qps',
    'render-mass-restart',
  ],
  params: {
    stuckMinutes: {
      type: 'integer',
      minimum: 0,
      default: 15,
      diagnosed: 1,
      about: 'How long a pod may take to become ready where nothing else sets a deadline.',
    },
  },
  unless: ['image-unavailable'],
  for: ['Deployment', 'StatefulSet', 'DaemonSet'],
  check(subject, { graph, minor, params, report }) {
    const { live } = graph
    if (controllerOf(subject)) return
    if (isKind(subject, 'Deployment')) {
      const fault =
        (live && deploymentStall(subject, params.stuckMinutes, graph, live)) ?? unendingWait(subject)
      if (fault) report(...fault)
      return
    }
    if (!live) return
    const stuck = stuckPods(live.troubledPodsOf(subject), live, params.stuckMinutes)
    const stall = isKind(subject, 'DaemonSet')
      ? daemonStall(subject, stuck, live)
      : orderedStall(subject, stuck, minor, live)
    if (!stall) return
    const wake = wakeOf(subject, stuck, graph, live)
    report(stall.node, stall.field, stall.message, {
      severity: wake.isDown ? 'error' : 'warning',
      evidence: [...troubles(stuck, live), ...wake.evidence],
      see: [wake.route],
      symptomOf: causeOf(stuck, subject, graph, live),
    })
  },
})

/** What the manifest alone tells. */
function unendingWait({ spec }: Deployment): Fault | undefined {
  if (spec?.paused === true)
    return [spec, 'paused', 'No change of the pod template is rolled out, new images included: it is paused.']
  return spec?.progressDeadlineSeconds === noDeadline
    ? [
        spec,
        'progressDeadlineSeconds',
        'A rollout that hangs is never said to have failed: its deadline is switched off.',
        { severity: 'info', fix: advise('progressDeadlineSeconds: 600') },
      ]
    : undefined
}

/** That a rollout does not go on, or a Deployment gets no pods. */
function deploymentStall(subject: Deployment, minutes: number, graph: Graph, live: Live): Fault | undefined {
  const { spec, status } = subject
  const progress = conditionOf(subject, 'Progressing')
  const refused = conditionOf(subject, 'ReplicaFailure')
  const replicas = spec?.replicas ?? 1
  const [newest, ...older] = live.replicaSetsOf(subject)
  const pods = newest ? live.troubledPodsOf(newest) : []
  const stuck = stuckPods(pods, live, 0)
  const late = progress?.status === 'False'
  const silent =
    spec?.progressDeadlineSeconds === noDeadline &&
    stuckPods(pods, live, minutes).length > 0 &&
    (status?.updatedReplicas ?? 0) < replicas
  // A webhook that fails once is tried again within seconds.
  const isRefused = refused?.status === 'True' && live.now - changedAt(refused) >= 60_000
  if (!spec || replicas === 0 || (!late && !silent && !isRefused)) return undefined
  // The condition turns when the deadline is over.
  const waited = late ? (spec.progressDeadlineSeconds ?? 600) * 1000 : 0
  const since = changedAt(late ? progress : refused)
  const span = since === 0 ? '' : ` for ${spanSince(since - waited, live)}`
  const updated = status?.updatedReplicas ?? 0
  const serving = status?.availableReplicas ?? 0
  const old = older.some((set) => (set.status?.replicas ?? 0) > 0)
  const unready = stuck.length > 0 ? notReady(stuck.length, Math.max(updated, stuck.length)) : undefined
  const why = unready ?? (isRefused ? 'no new pod can be made' : undefined)
  const wake = wakeOf(subject, stuck, graph, live)
  const refusal = refused?.message ? [formatCondition(refused)] : []
  return [
    status ?? subject,
    'conditions',
    `${servingOf(serving, replicas)}: the ${old ? 'rollout' : 'Deployment'} has not progressed${span}${why === undefined ? '' : `, ${why}`}.`,
    {
      severity: serving === 0 ? 'error' : 'warning',
      // Failed pods are replaced, and tell why all the same.
      evidence: [...refusal, ...troubles([...stuck, ...pods.filter(isFailed)], live), ...wake.evidence],
      see: [wake.route],
      symptomOf: causeOf(stuck, subject, graph, live) ?? refusedBy(stuck, refused?.message, subject, graph),
    },
  ]
}

function servingOf(serving: number, replicas: number): string {
  return serving === 0
    ? 'Nothing serves'
    : `${serving} of ${counted(replicas, 'pod')} ${serving === 1 ? 'serves' : 'serve'}`
}

/** The finding about what holds up all pods that the rollout waits for. */
function causeOf(stuck: readonly Pod[], subject: object, graph: Graph, live: Live): Cause | undefined {
  if (stuck.length === 0) return undefined
  if (stuck.every((pod) => live.eventsOf(pod).some((event) => saidOfAddress(event) !== undefined)))
    return { rules: ['pod-ip-exhaustion'], objects: graph.seen('Node') }
  const objects = [subject]
  if (stuck.every((pod) => absentFor(pod, live).length > 0))
    return { rules: ['referenced-config-missing'], objects }
  if (stuck.every((pod) => conditionOf(pod, 'PodScheduled')?.reason === 'Unschedulable'))
    return { rules: ['cluster-scale-up-blocked'], objects }
  if (stuck.every((pod) => live.eventsOf(pod).some(({ message = '' }) => withoutPlugin.test(message))))
    return { rules: ['volume-plugin-removed'], objects }
  const workload = graph.workload(subject)
  const killed = (workload?.running ?? []).flatMap((container) => {
    const kills = workload && probeKillsOf(container, workload, live)
    return kills?.isOfProbe ? kills.states : []
  })
  const isKilled = (pod: Pod) =>
    containerStates(pod).every((one) => one.ready === true || killed.some((state) => state === one))
  return stuck.every(isKilled) ? { rules: ['liveness-probe-aggressive'], objects, seen: true } : undefined
}

/** What a kubelet says of a volume whose type it does not know any more. Source: kubernetes/pkg/volume/plugins.go and git_repo. */
const withoutPlugin = /no volume plugin matched|volume plugin has been disabled/

function isFailed({ status }: Pod): boolean {
  return status?.phase === 'Failed'
}

/**
 * The finding about what lets no pod be made: an account or class that is missing, the level of the namespace, a webhook that does not answer, a
 * LimitRange or a quota. Source:
 * k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go, pkg/admission/plugin/webhook/errors/statuserror.go.
 */
function refusedBy(
  stuck: readonly Pod[],
  refusal = '',
  subject: Deployment,
  graph: Graph,
): Cause | undefined {
  if (stuck.length > 0) return undefined
  if (/serviceaccount "[^"]+" not found/.test(refusal))
    return { rules: ['referenced-config-missing'], objects: [subject] }
  if (refusal.includes('violates PodSecurity')) return { rules: ['pod-security-refused'], objects: [subject] }
  if (/no PriorityClass with name|pod rejected: RuntimeClass /.test(refusal))
    return { rules: ['class-missing'], objects: [subject] }
  if (
    /imum \S+ usage per |max limit to request ratio per |must be less than or equal to \S+ limit/.test(
      refusal,
    )
  )
    return { rules: ['limit-range-refused', 'request-exceeds-node'], objects: [subject] }
  const webhook = /failed calling webhook "([^"]+)"/.exec(refusal)?.[1]
  if (webhook !== undefined) {
    const rules = [
      'webhook-backend-unavailable',
      ...(/x509|tls:/.test(refusal) ? ['webhook-cabundle-invalid'] : []),
    ]
    return { rules, objects: configurationsOf(webhook, graph) }
  }
  const name = /(?:exceeded|failed) quota: ([^,:]+)/.exec(refusal)?.[1]
  const quota = graph.find('ResourceQuota', name, subject)
  return quota && { rules: ['quota-exhausted'], objects: [quota] }
}

/** The webhook configurations that have a webhook of that name. */
function configurationsOf(webhook: string, graph: Graph): readonly object[] {
  return [
    ...graph.seen('ValidatingWebhookConfiguration'),
    ...graph.seen('MutatingWebhookConfiguration'),
  ].filter(({ webhooks = [] }) => webhooks.some(({ name }) => name === webhook))
}

/** What fails with it, and the configuration that crashing pods have read and that was written lately. */
function wakeOf(subject: Subject, stuck: readonly Pod[], graph: Graph, live: Live) {
  const workload = graph.workload(subject)
  if (!workload) return { isDown: false, evidence: [], route: undefined }
  const { said, route } = failingCalls(workload, graph, live.seen)
  const isCrash = (pod: Pod) => containerStates(pod).some(({ restartCount = 0 }) => restartCount > 0)
  const written = stuck.some(isCrash) ? configuredLately(workload, graph, live, live.now).slice(0, 1) : []
  return { isDown: said.length > 0, evidence: [...said, ...written], route }
}

function notReady(count: number, all: number): string {
  if (all === 1) return 'its new pod is not ready'
  return count === all
    ? `none of ${all} new pods is ready`
    : `${count} of ${all} new pods ${count === 1 ? 'is' : 'are'} not ready`
}

/** The pods that have not been ready for some minutes, the longest first. */
function stuckPods(pods: readonly Pod[], live: Live, minutes: number): readonly Pod[] {
  return pods
    .filter((pod) => !isGone(pod))
    .filter((pod) => unreadySince(pod) !== undefined && unreadyFor(pod, live) >= minutes * 60)
    .sort((a, b) => unreadyFor(b, live) - unreadyFor(a, live))
}

/**
 * A StatefulSet makes and replaces its pods one by one and waits for each of them. Only those that it makes in parallel it
 * replaces, from 1.37 on, as many at a time as `maxUnavailable` says, a percentage rounded down and one at least. Sources:
 * stateful_set_control.go (processReplica), stateful_set_utils.go (getStatefulSetMaxUnavailable),
 * kubernetes/pkg/features/kube_features.go (MaxUnavailableStatefulSet).
 */
function orderedStall(
  subject: StatefulSet,
  stuck: readonly Pod[],
  minor: number,
  live: Live,
): Stall | undefined {
  const { spec, status } = subject
  const [first] = stuck
  const replicas = spec?.replicas ?? 1
  if (!status || !first || replicas === 0) return undefined
  const strategy = spec?.updateStrategy
  const { partition = 0, maxUnavailable = 1 } = strategy?.rollingUpdate ?? {}
  const due = Math.max(0, replicas - partition)
  const updated = status.updatedReplicas ?? 0
  const ordered = spec?.podManagementPolicy !== 'Parallel'
  const atOnce = ordered || minor < 37 ? 1 : Math.max(1, intOrPercent(maxUnavailable, replicas, 'down') ?? 1)
  const replaces =
    strategy?.type !== 'OnDelete' &&
    status.currentRevision !== status.updateRevision &&
    updated < due &&
    stuck.length >= atOnce
  const name = first.metadata?.name ?? ''
  const missing = replicas - (status.replicas ?? 0)
  const lacks = ordered && missing > 0
  if (!replaces && !lacks) return undefined
  const span = formatSpan(unreadyFor(first, live))
  return {
    node: status,
    field: replaces ? 'updatedReplicas' : 'replicas',
    message: replaces
      ? `${due - updated} of ${replicas} pods ${due - updated === 1 ? 'keeps' : 'keep'} the old template: the rollout has waited for ${name} for ${span}${ordered ? ', and so would a corrected template' : ''}.`
      : `${missing} of ${replicas} pods ${missing === 1 ? 'is' : 'are'} missing: the next one is made when ${name} is ready, which it has not been for ${span}.`,
  }
}

function daemonStall({ spec, status }: DaemonSet, stuck: readonly Pod[], live: Live): Stall | undefined {
  const [first] = stuck
  const desired = status?.desiredNumberScheduled ?? 0
  const left = desired - (status?.updatedNumberScheduled ?? desired)
  if (!status || !first || left <= 0 || spec?.updateStrategy?.type === 'OnDelete') return undefined
  const waits =
    stuck.length === 1
      ? `the pod on node ${first.spec?.nodeName ?? 'unknown'}`
      : `the pods on ${stuck.length} nodes`
  return {
    node: status,
    field: 'updatedNumberScheduled',
    message: `${left} of ${desired} nodes ${left === 1 ? 'keeps' : 'keep'} the old pod: the rollout waits for ${waits}, not ready for ${formatSpan(unreadyFor(first, live))}.`,
  }
}
