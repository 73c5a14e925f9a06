import {
  advise,
  type Context,
  type Graph,
  isReady,
  isWorkload,
  kubeletMinor,
  type ObjectOf,
  objectAt,
  presentPods,
  rule,
  troubles,
  type Workload,
} from '../src/rule.js'

interface Removed {
  /** The first minor version whose kubelet and controllers do nothing for it. */
  readonly gone: number
  /** The minor version that deprecated it. */
  readonly deprecated: number
  /** The in-tree provisioner that went with it, where it had one. */
  readonly provisioner?: string
  readonly instead: string
}

const move = 'Copy the data to a volume of a CSI driver while an older node can still mount it'

// The plugins were compared in pkg/volume of 1.21 to 1.36. Those whose calls are handed to a CSI driver (awsElasticBlockStore,
// azureDisk, azureFile, cinder, gcePersistentDisk, portworxVolume, vsphereVolume) work where that is installed.
const removed: ReadonlyMap<string, Removed> = new Map([
  [
    'gitRepo',
    { gone: 33, deprecated: 11, instead: 'Clone in an init container into an emptyDir, or mount an image' },
  ],
  ['rbd', { gone: 31, deprecated: 28, provisioner: 'kubernetes.io/rbd', instead: 'Use rbd.csi.ceph.com' }],
  ['cephfs', { gone: 31, deprecated: 28, instead: 'Use cephfs.csi.ceph.com' }],
  ['glusterfs', { gone: 26, deprecated: 25, provisioner: 'kubernetes.io/glusterfs', instead: move }],
  ['flocker', { gone: 25, deprecated: 22, provisioner: 'kubernetes.io/flocker', instead: move }],
  [
    'quobyte',
    { gone: 25, deprecated: 22, provisioner: 'kubernetes.io/quobyte', instead: 'Use csi.quobyte.com' },
  ],
  ['storageos', { gone: 25, deprecated: 22, provisioner: 'kubernetes.io/storageos', instead: move }],
  [
    'scaleIO',
    {
      gone: 22,
      deprecated: 16,
      provisioner: 'kubernetes.io/scaleio',
      instead: 'Use csi-vxflexos.dellemc.com',
    },
  ],
  [
    'photonPersistentDisk',
    { gone: 16, deprecated: 11, provisioner: 'kubernetes.io/photon-pd', instead: move },
  ],
])
const types = [...removed.keys()]

export default rule({
  title: 'A volume is of a type that Kubernetes has stopped mounting',
  category: 'storage',
  severity: 'error',
  why: `The API server still takes \`gitRepo\`, \`rbd\`, \`cephfs\`, \`glusterfs\` and their like, so an apply succeeds
and nothing in it looks wrong. The code behind them is gone: the kubelet finds no plugin for the volume and the pod
stays in ContainerCreating. Pods that run are not touched by the upgrade that took it away; they fail one by one when
they are rescheduled, on the first node with the newer kubelet. A StorageClass of such a provisioner leaves its claims Pending.`,
  remedy:
    'Move the data to a volume of a CSI driver before the upgrade; clone repositories in an init container.',
  decides: `The volumes of pods and the source of PersistentVolumes: \`photonPersistentDisk\` (gone with 1.16), \`scaleIO\` (1.22),
\`flocker\`, \`quobyte\`, \`storageos\` (1.25), \`glusterfs\` (1.26), \`cephfs\`, \`rbd\` (1.31) and \`gitRepo\` (1.33), and StorageClasses
whose \`provisioner\` was theirs. An error when the target version is without it, a warning from the version on that
deprecated it.

In a cluster the kubelets decide, as they may be older than the API server: the newest of its nodes. A warning where
a pod of the workload is ready all the same, which the next one need not be; PersistentVolumes that no claim has are
left alone.

Not reported are types whose calls Kubernetes hands to a CSI driver (\`awsElasticBlockStore\`, \`gcePersistentDisk\`, \`vsphereVolume\` and
others), and \`flexVolume\`, which is deprecated and still there.`,
  falsePositives:
    'Nodes of 1.33 to 1.35 that were started with the feature gate `GitRepoVolumeDriver`. From 1.36 on it cannot be switched on.',
  versions: 'Each type has its own version, see above.',
  sources: [
    'kubernetes/pkg/volume of 1.21 to 1.36, which plugins there are',
    'kubernetes/pkg/api/pod/warnings.go and pkg/api/persistentvolume/util.go',
    'kubernetes/pkg/features/kube_features.go and pkg/volume/git_repo (GitRepoVolumeDriver)',
    'k8s.io/csi-translation-lib/plugins (what is handed to CSI drivers)',
  ],
  stories: [],
  for: ['Workload', 'PersistentVolume', 'StorageClass'],
  check(subject, context) {
    if (isWorkload(subject)) checkPod(subject, context)
    else if (subject.kind === 'StorageClass') checkClass(subject as ObjectOf<'StorageClass'>, context)
    else checkVolume(subject as ObjectOf<'PersistentVolume'>, context)
  },
})

type Of = Pick<Context<Record<never, never>>, 'graph' | 'minor' | 'report'>

function checkPod(workload: Workload, { graph, minor, report }: Of): void {
  const kubelet = kubeletOf(graph, minor)
  for (const volume of workload.pod.volumes ?? []) {
    const type = typeIn(volume)
    if (!type) continue
    const now = stateOf(type, kubelet)
    if (!now) continue
    const pods = graph.live ? presentPods(workload, graph.live) : []
    const runs = pods.some(isReady)
    const { name, kind } = workload
    const hanging = runs
      ? `The next pod of ${name} hangs`
      : kind === 'Pod'
        ? `Pod ${name} hangs`
        : `Pods of ${name} hang`
    report(
      volume,
      type,
      `${hanging} in ContainerCreating${now.when}: no kubelet mounts ${type} from 1.${now.gone} on.`,
      {
        severity: now.isGone && !runs ? 'error' : 'warning',
        evidence: graph.live ? troubles(pods, graph.live) : undefined,
        label: volume.name,
        fix: advise(now.instead),
      },
    )
  }
}

function checkVolume(volume: ObjectOf<'PersistentVolume'>, { graph, minor, report }: Of): void {
  const { spec, status } = volume
  const type = spec && typeIn(spec)
  const now = type && stateOf(type, kubeletOf(graph, minor))
  if (!spec || !now || (graph.live && status?.phase !== 'Bound')) return
  report(
    spec,
    type,
    `Pods with volume ${volume.metadata?.name ?? ''} hang in ContainerCreating${now.when}: no kubelet mounts ${type} from 1.${now.gone} on.`,
    { severity: now.isGone ? 'error' : 'warning', fix: advise(now.instead) },
  )
}

function checkClass(storage: ObjectOf<'StorageClass'>, { minor, report }: Of): void {
  const { provisioner } = storage
  const type = types.find((one) => provisioner !== undefined && removed.get(one)?.provisioner === provisioner)
  const now = type && stateOf(type, minor)
  if (!now) return
  report(
    storage,
    'provisioner',
    `Claims of class ${storage.metadata?.name ?? ''} stay Pending${now.when}: ${provisioner} is gone from 1.${now.gone} on.`,
    { severity: now.isGone ? 'error' : 'warning', onValue: true, fix: advise(now.instead) },
  )
}

/** The removed type that a volume is of. */
function typeIn(volume: object): string | undefined {
  return types.find((type) => objectAt(volume, type))
}

/** What a version does with a type; undefined before it was deprecated. */
function stateOf(type: string, minor: number) {
  const { gone, deprecated, instead } = removed.get(type) as Removed
  if (minor < deprecated) return undefined
  const isGone = minor >= gone
  return { gone, instead, isGone, when: isGone ? '' : ` after the upgrade to 1.${gone}` }
}

/** The newest kubelet of a cluster, that of the target version elsewhere. */
function kubeletOf(graph: Graph, minor: number): number {
  if (!graph.live) return minor
  return graph.once('newest kubelet', () => {
    const minors = graph
      .seen('Node')
      .map(kubeletMinor)
      .filter((one) => one !== undefined)
    return minors.length > 0 ? Math.max(...minors) : minor
  })
}
