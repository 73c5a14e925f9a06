import {
  advise,
  at,
  type Deployment,
  firstOf,
  type Graph,
  isDefaultClass,
  isForOneNode,
  isKind,
  isOfOneHost,
  isReady,
  isStranded,
  type KubernetesObject,
  matchesSelector,
  objectAt,
  type PersistentVolume,
  type PersistentVolumeClaim,
  presentPods,
  push,
  type ReportOptions,
  rule,
  set,
  spanSince,
  surgeBeforeStop,
  timeOf,
  valueAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The new pod waits for a volume that the old one holds',
  category: 'storage',
  severity: 'error',
  why: `A ReadWriteOnce volume is attached to one node at a time. A rolling update starts the new pod before
it stops the old one; when the new pod is placed on another node it waits for the volume, the old one waits
for the new one to be ready, and the rollout never ends. With several replicas, or several workloads that
share the volume, the same happens to all that are not on its node.`,
  remedy:
    'Use `strategy: {type: Recreate}`, a StatefulSet with a claim per pod, or for shared files a volume that is ReadWriteMany.',
  decides: `A Deployment, ReplicaSet, StatefulSet or Rollout that mounts a PersistentVolumeClaim of the input whose access modes
are only ReadWriteOnce or ReadWriteOncePod, and that runs

- two pods or more, or
- one pod, with a rolling update that starts the new one before it stops the old one (maxSurge one or more and
  maxUnavailable none, as is the default for one pod).

In manifests, all workloads that share such a claim are one finding, whatever their number of pods. An error where
only ReadWriteOncePod is allowed; else a warning, as pods that happen to stand on one node share the volume.

In a cluster an error when it has begun: a pod that is not ready waits for the volume by its events
(\`FailedAttachVolume\`, \`FailedMount\`), while another pod of the workload holds it on a node that is ready.

Exempt: \`strategy: Recreate\`, claims mounted read-only, pods held on one node by selector or affinity, and claims
that the input does not show. So are volumes that no node has for itself or that bring every pod to their node: NFS
and other file shares, hostPath and local ones, told by the PersistentVolume (of the claim, those that its selector finds,
or all of its class), or the provisioner or name of the class (\`standard\` in a
manifest that names minikube, too); of a claim without one that of the default class, or of all
classes of the input where none is called the default.`,
  sources: [
    'Kubernetes documentation, Persistent Volumes (access modes)',
    'kubernetes/pkg/controller/deployment/util/deployment_util.go',
    'Argo Rollouts documentation, specification (maxSurge, maxUnavailable)',
    'kubernetes/pkg/scheduler/framework/plugins/volumerestrictions (ReadWriteOncePod)',
    'kubernetes/pkg/controller/volume/attachdetach/reconciler/reconciler.go (reportMultiAttachError)',
  ],
  stories: ['dfds-pvc-stuck', 'zalando-misc-races'],
  for: ['Deployment', 'ReplicaSet', 'StatefulSet', 'argoproj.io/Rollout'],
  check(subject, { graph, report }) {
    const workload = graph.workload(subject)
    const fewest = workload && graph.fewestPods(workload)
    // A number that is still to be filled in is none of 0.
    if (!workload || workload.controlled || fewest?.pods === 0 || isPinned(workload)) return
    for (const { name = '', persistentVolumeClaim: source } of workload.pod.volumes ?? []) {
      const claim =
        source && !source.readOnly
          ? graph.find('PersistentVolumeClaim', source.claimName, subject)
          : undefined
      if (!source || !claim?.spec || !isForOneNode(claim) || isNeverAttached(claim, graph)) continue
      const users = usersOf(claim, graph)
      // What several workloads share is told at the first of them.
      if (users.length > 1 && users[0] !== workload) continue
      const isForOnePod = !claim.spec.accessModes?.includes('ReadWriteOnce')
      const evidence = waitingFor(name, claim, workload, graph)
      const mode = at(claim, claim.spec, 'accessModes', claim.spec.accessModes?.join(', '))
      const use: Use = { name: source.claimName ?? '', isForOnePod, hasBegun: evidence.length > 0 }
      const fault =
        users.length > 1
          ? sharedBy(users, use)
          : (usedBySeveral(workload, use, graph) ?? heldByOldPod(subject, workload, use))
      if (!fault) continue
      const { message, see = [], ...options } = fault
      report(source, 'claimName', message, {
        ...options,
        see: [mode, ...see],
        // Pods that happen to stand on one node share it, unless the mode allows one pod only.
        severity: use.isForOnePod || use.hasBegun ? 'error' : 'warning',
        evidence,
      })
      return
    }
  },
})

/** How a workload uses a volume that goes to one node. */
interface Use {
  /** Of the claim. */
  readonly name: string
  readonly isForOnePod: boolean
  /** Whether pods wait for it. */
  readonly hasBegun: boolean
}

/** What is to be said of a use of a volume, and what is to be shown beside the claim. */
type Trouble = Partial<Pick<ReportOptions, 'see' | 'fix'>> & { readonly message: string }

/** That several workloads share a volume. */
function sharedBy(users: readonly Workload[], use: Use): Trouble {
  return {
    message: whenShared(users, use),
    see: users.slice(1, 4).map((other) => at(other, other.object)),
    fix: advise('a volume that is ReadWriteMany, or one for each of them'),
  }
}

/** That a workload runs several pods which use it. */
function usedBySeveral(workload: Workload, use: Use, graph: Graph): Trouble | undefined {
  const fewest = graph.fewestPods(workload)
  if (!fewest || fewest.pods <= 1) return undefined
  const more = isScaled(workload, graph) ? ' or more' : ''
  return {
    message: `${workload.name} runs ${fewest.pods} pods${more}, and volume ${use.name} goes to ${reachOf(use)}.`,
    see: [at(fewest.of, fewest.node, fewest.field, fewest.note)],
  }
}

/** That a rollout starts a pod before it stops the one that holds the volume. */
function heldByOldPod(subject: KubernetesObject, workload: Workload, use: Use): Trouble | undefined {
  const message = whenReplaced(workload, use)
  if (isKind(subject, 'Deployment'))
    return subject.spec && startsBeforeItStops(subject)
      ? { message, fix: set(subject.spec, 'strategy', { type: 'Recreate' }) }
      : undefined
  return subject.kind === 'Rollout' && rolloutStartsFirst(subject) ? { message } : undefined
}

/** Whether something may make it run more pods than are written. */
function isScaled(workload: Workload, graph: Graph): boolean {
  return graph.autoscalerOf(workload) !== undefined || graph.scaledObjectOf(workload) !== undefined
}

function whenShared(users: readonly Workload[], use: Use): string {
  return `${firstOf(users.map(({ name }) => name))} share volume ${use.name}, which goes to ${reachOf(use)}.`
}

function reachOf({ isForOnePod }: Use): string {
  return isForOnePod
    ? 'one pod: the others stay Pending'
    : 'one node: pods on any other hang in ContainerCreating'
}

function whenReplaced(workload: Workload, { name, isForOnePod, hasBegun }: Use): string {
  if (hasBegun)
    return `The rollout of ${workload.name} hangs: its new pod waits for volume ${name}, which the old one holds on another node, and the old one for the new one.`
  return isForOnePod
    ? `Every rollout of ${workload.name} hangs: its new pod waits for volume ${name}, which only one pod may use, and the old pod for the new one.`
    : `A rollout of ${workload.name} hangs when its new pod lands on another node: the old one still holds volume ${name}.`
}

/** Whether the new pod of a Deployment with one pod is started while the old one runs. */
function startsBeforeItStops({ spec }: Deployment): boolean {
  const { strategy } = spec ?? {}
  // Where the old pod may go first it does not wait for the new one.
  return strategy?.type !== 'Recreate' && surgeBeforeStop(strategy?.rollingUpdate, 1) >= 1
}

/** The same of a Rollout of Argo: blue and green run side by side; a canary surges as a Deployment does. */
function rolloutStartsFirst(rollout: KubernetesObject): boolean {
  const canary = objectAt(rollout, 'spec', 'strategy', 'canary')
  if (!canary) return true
  const bound = (field: string) => {
    const value = valueAt(canary, field)
    return typeof value === 'number' || typeof value === 'string' ? value : undefined
  }
  return surgeBeforeStop({ maxSurge: bound('maxSurge'), maxUnavailable: bound('maxUnavailable') }, 1) >= 1
}

/**
 * The workloads that mount the claim, in the order of the input, those first that rules are asked about. Those of a cluster
 * run as they are.
 */
function usersOf(claim: PersistentVolumeClaim, graph: Graph): readonly Workload[] {
  if (graph.live) return []
  const users = graph.once('rwo-volume-rolling-update: users of claims', () => {
    const found = new Map<PersistentVolumeClaim, Workload[]>()
    for (const workload of graph.workloads) {
      if (workload.batch || workload.controlled || isPinned(workload)) continue
      for (const { persistentVolumeClaim: source } of workload.pod.volumes ?? []) {
        const claim =
          source && !source.readOnly
            ? graph.find('PersistentVolumeClaim', source.claimName, workload.object)
            : undefined
        const others = claim && found.get(claim)
        // Another version of the same workload does not run beside it.
        if (claim && !others?.some((one) => one.kind === workload.kind && one.name === workload.name))
          push(found, claim, workload)
      }
    }
    return found
  })
  return (users.get(claim) ?? []).toSorted((a, b) => rank(a) - rank(b))
}

/** What has one claim for all of its pods as it is meant to be; then what might have one for each; then what rules are not asked about. */
function rank({ kind }: Workload): number {
  if (kind === 'StatefulSet') return 1
  return ['Deployment', 'ReplicaSet', 'Rollout'].includes(kind) ? 0 : 2
}

/** Whether all pods of the workload stand on one node. */
function isPinned({ pod }: Workload): boolean {
  const { requiredDuringSchedulingIgnoredDuringExecution: beside = [] } = pod.affinity?.podAffinity ?? {}
  // Beside others in a zone or rack there are many nodes.
  const isBesideOne = beside.some(({ topologyKey }) => topologyKey === 'kubernetes.io/hostname')
  return isOfOneHost(pod) || isBesideOne
}

const shares = ['nfs', 'cephfs', 'glusterfs', 'azureFile', 'hostPath', 'local'] as const
const shareClass =
  /(^|[-_./])(nfs|efs|fsx|cephfs|glusterfs|smb|cifs|azure-?file|filestore|local(-?path)?|host-?path)|^file\.csi\.azure\.com$/i

/** Whether the volume is not attached to a node at all, or stands on one node and takes its pods there. */
function isNeverAttached(claim: PersistentVolumeClaim, graph: Graph): boolean {
  const { spec, metadata } = claim
  const isShare = (one: PersistentVolume) => shares.some((source) => one.spec?.[source])
  const volume = graph.all('PersistentVolume').find((one) => one.metadata?.name === spec?.volumeName)
  if (volume) return isShare(volume)
  // For a claim with a selector no volume is made: it gets one that is there.
  const selected = spec?.selector
    ? graph.all('PersistentVolume').filter((one) => matchesSelector(spec.selector, one.metadata?.labels))
    : []
  if (selected.length > 0) return selected.every(isShare)
  const name = spec?.storageClassName ?? metadata?.annotations?.['volume.beta.kubernetes.io/storage-class']
  // The provisioner for NFS takes the folder from an annotation of the claim.
  if (name === undefined)
    return (
      Object.keys(metadata?.annotations ?? {}).some((key) => key.startsWith('nfs.io/')) ||
      (spec?.volumeName === undefined && isShareByDefault(graph))
    )
  const made = graph.all('PersistentVolume').filter((one) => (one.spec?.storageClassName ?? '') === name)
  const storage = graph.all('StorageClass').find((one) => one.metadata?.name === name)
  // Without a class that makes volumes the claim gets one of those that are there.
  if (!storage && made.length > 0) return made.every(isShare)
  if (storage) return shareClass.test(storage.provisioner ?? '') || shareClass.test(name)
  // Minikube's own class makes folders of its nodes; it is the only one whose manifests say so.
  return shareClass.test(name) || (name === 'standard' && !graph.live && graph.mentions(claim, 'minikube'))
}

/** What the controller says of a volume that another node has: in these words up to 1.36, and from 1.37 on. */
function isAttachedElsewhere(message: string, volume: string): boolean {
  return ['Multi-Attach error', 'Waiting for detach'].some((words) =>
    message.startsWith(`${words} for volume "${volume}"`),
  )
}

/** Whether a claim that names no class gets such a volume: the class that the input calls the default makes them, or each that it has. */
function isShareByDefault(graph: Graph): boolean {
  const classes = graph.all('StorageClass')
  const marked = classes.filter(isDefaultClass)
  const likely = marked.length > 0 ? marked : classes
  return likely.length > 0 && likely.every((one) => shareClass.test(one.provisioner ?? ''))
}

/**
 * The pods that wait for the volume while another one holds it, a line each. One whose node is gone is told by the
 * rules about nodes: there the volume hangs whatever the strategy.
 */
function waitingFor(
  volume: string,
  claim: PersistentVolumeClaim,
  workload: Workload,
  graph: Graph,
): readonly string[] {
  const live = graph.live?.seen
  if (!live) return []
  const pods = presentPods(workload, live).filter(({ spec }) => spec?.nodeName)
  const holder = pods.find((pod) => isReady(pod) && !isStranded(pod, graph, workload.object))
  if (!holder) return []
  return pods
    .filter((pod) => !isReady(pod) && pod.spec?.nodeName !== holder.spec?.nodeName)
    .flatMap((pod) => {
      const event = live
        .eventsOf(pod)
        .find(({ reason, message = '' }) =>
          reason === 'FailedAttachVolume'
            ? isAttachedElsewhere(message, claim.spec?.volumeName ?? '')
            : reason === 'FailedMount' &&
              /unmounted volumes=\[([^\]]*)\]/.exec(message)?.[1]?.split(/[ ,]+/).includes(volume),
        )
      if (!event) return []
      return [
        `pod ${pod.metadata?.name ?? ''} on ${pod.spec?.nodeName ?? ''}, ${spanSince(timeOf(event), live)} ago: ${(event.message ?? '').slice(0, 160)}`,
        `pod ${holder.metadata?.name ?? ''} holds it on ${holder.spec?.nodeName ?? ''}`,
      ]
    })
    .slice(0, 2)
}
