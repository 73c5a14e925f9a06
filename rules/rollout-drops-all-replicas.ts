import {
  allOf,
  arrayAt,
  at,
  type Custom,
  changedAt,
  conditionOf,
  type DaemonSet,
  type Deployment,
  formatTurnover,
  type Graph,
  intOrPercent,
  isKind,
  isScrapedOnly,
  type Node,
  objectAt,
  rollingBounds,
  rule,
  type Sight,
  type StatefulSet,
  set,
  spanSince,
  valueAt,
  type Workload,
} from '../src/rule.js'

/** The percentage of a DaemonSet's pods that anybody can miss. */
const most = 20

export default rule({
  title: 'A rollout takes all pods of a Service away',
  category: 'workload-lifecycle',
  severity: 'warning',
  countsPods: true,
  why: `With \`strategy: Recreate\`, or when as many pods may be unavailable as there are, the controller stops
every old pod before a new one is ready. Each ordinary rollout is then an outage as long as pull and start
take, and a rollout of an image that can't be pulled or started is one until somebody rolls back.`,
  remedy: 'Use `maxUnavailable: 0` and `maxSurge: 1`, where the pods may run side by side.',
  decides: `A Deployment behind a Service

- with \`strategy: Recreate\` and two pods or more, or one that an Ingress or route leads to;
- whose \`maxUnavailable\`, rounded down, is not less than its pods at least (autoscaler, \`replicas\`, 1). Where
  maxSurge and maxUnavailable both come to 0 the controller takes one pod.

The same for a Rollout of Argo with the strategy canary, without steps and traffic routing, which keep old pods; the
\`maxUnavailable\` of blueGreen is about restarts only. From 1.37 on a StatefulSet behind a Service, of two pods or
more and without a partition, whose \`maxUnavailable\` is not less than its pods: servers drop the field before. A
DaemonSet behind a Service of which \`maxDaemonUnavailable\` or more may be replaced at the same time; an info from
20 % on where the rule is asked for.

A warning where there are two pods or more, which were to keep the Service up, where a rolling update takes the only pod of
a Service that something outside calls, and for DaemonSets. An info for the only pod of an internal Service, which is away at
each drain as well, and for Recreate of a single pod: whoever writes that has chosen it.

Exempt: pods with a claim or a port of their node, which can't run side by side, headless Services, and those that
are named for metrics, or whose ports are all for metrics, profiles or probes. An error while such a rollout goes on
in a cluster and nothing is available. In a cluster it says, too, how many rollouts of the last seven days have left
a ReplicaSet.`,
  falsePositives:
    'Pods that must not run side by side, such as singletons that write: suppress with that reason.',
  sources: [
    'kubernetes/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts, MaxUnavailable)',
    'kubernetes/pkg/controller/deployment/recreate.go',
    'kubernetes/pkg/controller/daemon/update.go',
    'kubernetes/pkg/controller/statefulset/stateful_set_utils.go (getStatefulSetMaxUnavailable)',
    'argo-rollouts/utils/replicaset/canary.go (CalculateReplicaCountsForBasicCanary), pkg/apis/rollouts/v1alpha1/types.go',
  ],
  stories: ['dfds-image-pull-qps', 'loveholidays-gke-upgrade', 'render-mass-restart'],
  params: {
    maxDaemonUnavailable: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 50,
      about: 'The percentage of a DaemonSet behind a Service from which on it is reported.',
    },
  },
  unless: ['dns-server-not-redundant', 'rollout-stalled', 'rwo-volume-rolling-update'],
  for: ['Deployment', 'StatefulSet', 'DaemonSet', 'argoproj.io/Rollout'],
  check(subject, { graph, params, minor, report }) {
    const workload = graph.workload(subject)
    const service =
      workload &&
      graph
        .servicesOf(workload)
        .find((one) => one.spec?.clusterIP !== 'None' && !isScrapedOnly(one, workload))
    if (!workload || !service || workload.controlled) return
    const found = isKind(subject, 'StatefulSet')
      ? minor >= 37 && ofStatefulSet(subject, workload, graph)
      : !isTied(workload) &&
        (isKind(subject, 'Deployment')
          ? ofDeployment(subject, workload, graph)
          : isKind(subject, 'DaemonSet')
            ? ofDaemonSet(subject, Math.min(params.maxDaemonUnavailable, most))
            : ofRollout(subject, workload, graph))
    if (!found) return
    const { share = 100 } = found
    const isFew = share < params.maxDaemonUnavailable
    const going = isKind(subject, 'Deployment') ? goingOn(subject, graph) : undefined
    // What of the strategy is to stay is not known then.
    const isRefused = graph
      .problems(subject)
      .some(({ kind, path }) => kind === 'conflict' && /^(?:update)?strategy$/i.test(String(path[1])))
    report(
      found.node,
      found.field,
      going
        ? `Nothing answers behind ${graph.describe(service)} ${going}: ${found.why}.`
        : `${found.share === undefined ? 'Nothing answers' : `${found.share} % of the pods do not answer`} behind ${graph.describe(service)} during each rollout: ${found.why}.`,
      {
        severity: going ? 'error' : isFew || found.isChosen ? 'info' : 'warning',
        recommended: !isFew,
        often: formatTurnover(workload, graph, ['rollouts']),
        see: [at(service, service), found.see],
        symptomOf: isRefused ? { rules: ['conflicting-fields'], objects: [subject] } : undefined,
        fix: found.most === undefined ? undefined : set(found.node, found.field, found.most),
      },
    )
  },
})

/** What lets a rollout take pods away. */
interface Loss {
  readonly node: Node
  readonly field: string
  readonly why: string
  readonly see?: Sight
  /** The percentage of the pods, where it is not all of them. */
  readonly share?: number | undefined
  /** Whether the owner does with one pod, and no rollout is expected to pass unnoticed. */
  readonly isChosen?: boolean
  /** What `maxUnavailable` is to be. */
  readonly most?: number | string
}

/** Whether two pods can't run side by side: a claim, or a port or the network of the node. */
function isTied({ pod }: Workload): boolean {
  return (
    (pod.volumes ?? []).some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined) ||
    pod.hostNetwork === true ||
    (pod.containers ?? []).some(({ ports }) => ports?.some(({ hostPort }) => hostPort !== undefined))
  )
}

/** The pods that there are at least: `all 3 pods`, and what says so. None where it is scaled to 0. */
function fewestOf(workload: Workload, graph: Graph) {
  const fewest = graph.fewestPods(workload)
  if (!fewest || fewest.pods === 0) return undefined
  const { pods, of, node, field } = fewest
  return {
    pods,
    all: pods === 1 ? 'its only pod' : allOf(pods, 'pod'),
    see: at(of, node, field, pods === 1 ? 'one pod' : `${pods} pods`),
  }
}

function ofDeployment({ spec }: Deployment, workload: Workload, graph: Graph): Loss | undefined {
  const fewest = fewestOf(workload, graph)
  if (!spec || !fewest) return undefined
  const { pods, all, see } = fewest
  const { strategy } = spec
  if (strategy?.type === 'Recreate') {
    const isPublic = graph.servicesOf(workload).some((service) => graph.routesTo(service).length > 0)
    return pods > 1 || isPublic
      ? {
          node: strategy,
          field: 'type',
          why: `Recreate stops ${all} before a new one starts`,
          see,
          isChosen: pods === 1,
        }
      : undefined
  }
  const update = strategy?.rollingUpdate
  if (!update) return undefined
  if (rollingBounds(update, pods).unavailable < pods) return undefined
  return {
    node: update,
    field: update.maxUnavailable === undefined ? 'maxSurge' : 'maxUnavailable',
    why: `${all} may be taken away before a new one is ready`,
    see,
    isChosen: isInternalOne(workload, pods, graph),
  }
}

/** Whether it is a single pod that nothing outside the cluster calls. */
function isInternalOne(workload: Workload, pods: number, graph: Graph): boolean {
  return pods === 1 && !graph.servicesOf(workload).some((service) => graph.entranceOf(service))
}

/** Without steps a canary has all of the traffic from the start, and no old pod is kept for the others. */
function ofRollout(rollout: Custom, workload: Workload, graph: Graph): Loss | undefined {
  const canary = objectAt(rollout, 'spec', 'strategy', 'canary')
  const fewest = fewestOf(workload, graph)
  if (!canary || !fewest || arrayAt(canary, 'steps').length > 0 || objectAt(canary, 'trafficRouting'))
    return undefined
  const { pods, all, see } = fewest
  const unavailable = intOrPercent(valueAt(canary, 'maxUnavailable'), pods, 'down') ?? 0
  return unavailable < pods
    ? undefined
    : {
        node: canary,
        field: 'maxUnavailable',
        why: `${all} may be taken away before a new one is ready`,
        see,
        isChosen: isInternalOne(workload, pods, graph),
      }
}

/** Its pods never run side by side with their successors: only the number of those that go at the same time counts. */
function ofStatefulSet({ spec }: StatefulSet, workload: Workload, graph: Graph): Loss | undefined {
  const { type, rollingUpdate: update } = spec?.updateStrategy ?? {}
  const fewest = fewestOf(workload, graph)
  if (!update || !fewest || type === 'OnDelete' || (update.partition ?? 0) > 0 || fewest.pods === 1)
    return undefined
  const { pods, all, see } = fewest
  const unavailable = intOrPercent(update.maxUnavailable, pods, 'down') ?? 0
  return unavailable < pods
    ? undefined
    : {
        node: update,
        field: 'maxUnavailable',
        why: `${all} may be replaced at the same time`,
        see,
        most: 1,
      }
}

function ofDaemonSet({ spec, status }: DaemonSet, least: number): Loss | undefined {
  const update = spec?.updateStrategy?.rollingUpdate
  const desired = status?.desiredNumberScheduled
  const written = update?.maxUnavailable
  const share =
    typeof written === 'number'
      ? desired !== undefined && desired > 1
        ? Math.min(100, Math.round((written / desired) * 100))
        : 0
      : (intOrPercent(written, 100, 'up') ?? 0)
  if (!update || share < least) return undefined
  return {
    node: update,
    field: 'maxUnavailable',
    why: `${share === 100 ? 'all pods' : 'as many'} may be replaced at the same time`,
    share: share === 100 ? undefined : share,
    most: '5%',
  }
}

/**
 * Since when a rollout has left nothing available. The condition Available alone does not tell: it stays True where
 * maxUnavailable lets all pods go. Source: kubernetes/pkg/controller/deployment/sync.go (calculateStatus).
 */
function goingOn(deployment: Deployment, graph: Graph): string | undefined {
  const { status } = deployment
  if (!graph.live || !status || (status.availableReplicas ?? 0) > 0) return undefined
  if (conditionOf(deployment, 'Progressing')?.reason === 'NewReplicaSetAvailable') return undefined
  // The first rollout takes nothing away.
  if (graph.live.replicaSetsOf(deployment).length < 2) return undefined
  const available = conditionOf(deployment, 'Available')
  const since = available?.status === 'False' ? changedAt(available) : 0
  return since === 0 ? 'now' : `for ${spanSince(since, graph.live)}`
}
