import {
  atMost,
  conditionOf,
  containerStates,
  controllerOf,
  endOf,
  enumerate,
  firstOf,
  type Graph,
  groupBy,
  holds,
  isAway,
  isKind,
  isWorkload,
  type KubernetesObject,
  type Live,
  type ObjectOf,
  type Pod,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A deletion does not finish',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `What is deleted stays until its pods have ended and all its finalizers are gone. A finalizer is a
promise of a controller to clean up: when the controller is gone, or fails, the object stays for ever, with
its name, its volume or its load balancer. A namespace waits for everything in it, and for every API group
that can't be asked. To take finalizers away by force hides the cause, and leaves behind what they stand for.`,
  remedy:
    'Bring back, or repair, what must remove the finalizer; delete the pod by force only when its node is known to be off.',
  decides: `A pod whose \`deletionTimestamp\`, which already includes the grace period, is more than
\`minutes\` ago; and every other object that has been ending for as long. Pods are reported at their
workload, what ends with the object that controls it there, objects that the same finalizers hold once per kind and namespace, and those of a namespace that
ends at the namespace.

Exempt: pods of nodes that are not ready, which is \`node-not-ready\`.`,
  versions:
    'For a node that is off, the taint `node.kubernetes.io/out-of-service` (1.28) lets go of pods and volumes.',
  sources: [
    'kubernetes/pkg/controller/namespace/deletion/namespaced_resources_deleter.go',
    'kubernetes/pkg/controller/volume/pvcprotection/pvc_protection_controller.go',
    'k8s.io/apimachinery/pkg/apis/meta/v1/types.go (DeletionTimestamp)',
  ],
  stories: [
    'dfds-pvc-stuck',
    'saltside-first-outage',
    'fullstaq-dex-crs',
    'dfds-flux-unpinned',
    'oath-101-ways',
  ],
  needs: 'cluster',
  params: {
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 15,
      diagnosed: 1,
      about: 'How long something may take to end, after its grace period.',
    },
  },
  for: ['Workload', 'EndingObject'],
  check(subject, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const allowed = params.minutes * 60_000
    if (isWorkload(subject)) {
      const pods = stuckPods(subject, graph, live, allowed)
      const [first] = pods
      if (!first) return
      const longest = spanSince(endOf(first), live)
      report(
        subject.object,
        undefined,
        pods.length === 1
          ? `Pod ${first.metadata?.name ?? ''} of ${subject.name} should have ended ${longest} ago, and keeps its volumes and its name.`
          : `${pods.length} pods of ${subject.name} should have ended, up to ${longest} ago, and keep their volumes and names.`,
        { evidence: atMost(3, pods.map(stateOf)) },
      )
      return
    }
    if (isSeenElsewhere(subject, graph, live, allowed)) return
    const since = endOf(subject)
    if (live.now - since < allowed) return
    const { metadata } = subject
    const span = spanSince(since, live)
    if (isKind(subject, 'Namespace')) {
      const { why, evidence } = namespaceCause(subject)
      report(
        metadata ?? subject,
        'deletionTimestamp',
        `Namespace ${metadata?.name ?? ''} has been ending for ${span}${why && `: ${why}`}.`,
        { evidence },
      )
      return
    }
    const others = lateAndAlike(subject, graph, live, allowed).length - 1
    report(
      metadata ?? subject,
      'deletionTimestamp',
      `${graph.describe(subject)}${others > 0 ? ` and ${others} more like it` : ''} should have ended ${span} ago: ${holdOf(subject, graph)}.`,
      { evidence: subject.kind === 'Pod' ? [stateOf(subject)] : [] },
    )
  },
})

/** The pods of a workload that should have ended, the longest ago first. */
function stuckPods(workload: Workload, graph: Graph, live: Live, allowed: number): Pod[] {
  return live
    .troubledPodsOf(workload)
    .filter((pod) => live.now - endOf(pod) >= allowed && !isOnLostNode(pod, graph))
    .sort((a, b) => endOf(a) - endOf(b))
}

function isOnLostNode({ spec }: Pod, graph: Graph): boolean {
  const node = spec?.nodeName && graph.seen('Node').find(({ metadata }) => metadata?.name === spec.nodeName)
  return node ? isAway(node) : false
}

function stateOf(pod: Pod): string {
  const { metadata, spec } = pod
  const running = containerStates(pod).filter(({ state }) => state?.running)
  const finalizers = metadata?.finalizers ?? []
  const held =
    finalizers.length > 0
      ? `held by ${enumerate(finalizers, 'and')}`
      : running.length > 0
        ? `${enumerate(
            running.map(({ name }) => name ?? ''),
            'and',
          )} still running`
        : 'no container running'
  return `pod ${metadata?.name ?? ''} on node ${spec?.nodeName ?? 'none'}: ${held}`
}

/** Whether another finding tells of it: that of its workload, its node, its namespace, or of the first of its like. */
function isSeenElsewhere(subject: KubernetesObject, graph: Graph, live: Live, allowed: number): boolean {
  const namespace = graph
    .seen('Namespace')
    .find(({ metadata }) => metadata?.name === graph.namespaceOf(subject))
  if (namespace && live.now - endOf(namespace) >= allowed) return true
  const controller = controllerOf(subject)
  const maker = controller && graph.seenObjects.find(({ metadata }) => metadata?.uid === controller.uid)
  if (subject.kind === 'Pod') return maker !== undefined || isOnLostNode(subject, graph)
  // One that goes on says nothing of what it made and no longer wants.
  if (maker && (live.now - endOf(maker) >= allowed || waitsForItsOwn(subject))) return true
  const [first] = lateAndAlike(subject, graph, live, allowed)
  return first !== undefined && first !== subject
}

/** Whether nothing but what it made holds an object: that is told by itself. */
function waitsForItsOwn({ metadata }: KubernetesObject): boolean {
  return metadata?.finalizers?.join() === 'foregroundDeletion'
}

/** The objects of the same kind and namespace that should have ended, too, and are held by the same finalizers. */
function lateAndAlike(
  subject: KubernetesObject,
  graph: Graph,
  live: Live,
  allowed: number,
): readonly KubernetesObject[] {
  const keyOf = (one: KubernetesObject) =>
    [one.apiVersion, one.kind, graph.namespaceOf(one), ...(one.metadata?.finalizers ?? [])].join(' ')
  const groups = graph.once('pod-stuck-terminating', () =>
    groupBy(graph.seenObjects, (one) =>
      one.metadata?.deletionTimestamp === undefined ? undefined : keyOf(one),
    ),
  )
  return (groups.get(keyOf(subject)) ?? []).filter((one) => live.now - endOf(one) >= allowed)
}

/** What holds an object. */
function holdOf(subject: KubernetesObject, graph: Graph): string {
  const finalizers = subject.metadata?.finalizers ?? []
  const [first] = finalizers
  if (first === 'kubernetes.io/pvc-protection') {
    const users = graph
      .nearby(subject)
      .filter((workload) =>
        graph
          .referencesOf(workload)
          .some(({ kind, name }) => kind === 'PersistentVolumeClaim' && name === subject.metadata?.name),
      )
    return users.length > 0
      ? `${firstOf(users.map(({ object }) => graph.describe(object)))} still uses it`
      : 'a pod still uses it'
  }
  if (waitsForItsOwn(subject)) return 'it waits for what it made'
  if (finalizers.length > 0) return `nobody has removed ${firstOf(finalizers)}`
  return 'its kubelet has not let go of it'
}

/** Why a namespace does not end, by its conditions. */
function namespaceCause(namespace: ObjectOf<'Namespace'>) {
  const causes: Readonly<Record<string, string>> = {
    NamespaceDeletionDiscoveryFailure: 'an API group does not answer, and may hold something of it',
    NamespaceDeletionGroupVersionParsingFailure: 'an API group has an invalid name',
    NamespaceFinalizersRemaining: 'finalizers hold what is left in it',
    NamespaceDeletionContentFailure: 'something in it cannot be deleted',
    NamespaceContentRemaining: 'something is left in it',
  }
  const found = Object.keys(causes).filter((type) => holds(namespace, type))
  return {
    why: causes[found[0] ?? ''] ?? '',
    evidence: found
      .map((type) => conditionOf(namespace, type)?.message ?? '')
      .map((message) => message.slice(0, 200).replace(/\.$/, ''))
      .filter(Boolean),
  }
}
