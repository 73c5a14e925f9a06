import {
  firstOf,
  type Graph,
  isChosen,
  isFor,
  isLeaving,
  isWorkload,
  linesOf,
  objectsAt,
  type PersistentVolumeClaim,
  pendingPods,
  rule,
  set,
  stringAt,
  type Workload,
} from '../src/rule.js'

const zonal = [
  'ebs.csi.aws.com',
  'kubernetes.io/aws-ebs',
  'pd.csi.storage.gke.io',
  'kubernetes.io/gce-pd',
  'disk.csi.azure.com',
  'kubernetes.io/azure-disk',
  'cinder.csi.openstack.org',
  'kubernetes.io/cinder',
]

export default rule({
  title: 'A volume may be in a zone where its pod cannot run',
  category: 'storage',
  severity: 'warning',
  why: `With immediate binding the disk is made as soon as the claim exists, in any zone. The pod can then
run in that zone only: when its node selector or its anti-affinity say otherwise it stays Pending, whatever nodes are
added, and where the zone has no room only a new node of that zone helps.`,
  remedy:
    'Create a StorageClass with `volumeBindingMode: WaitForFirstConsumer` and move to it; the field cannot be changed.',
  decides: `A StorageClass of a provisioner of zonal disks whose \`volumeBindingMode\` is Immediate or missing (the
default). Exempt are clusters whose Nodes are in one zone, classes whose author chose the zone (one in
\`allowedTopologies\`, or the parameters \`zone\`, \`zones\` and \`availability\`), and disks that stand in several
zones or in none: regional ones of Google Cloud, ZRS ones of Azure, and Azure's disks in a storage account.

In a cluster an error on a workload: the scheduler has said for \`minutes\` that a pod can't go to the nodes of its
volume, and no node has the labels that the PersistentVolume asks for, is meant for the pod and takes new pods.`,
  falsePositives: 'Clusters in a single zone.',
  versions:
    'The scheduler says "volume node affinity conflict" up to 1.32, "didn\'t match PersistentVolume\'s node affinity" later.',
  sources: [
    'k8s.io/csi-translation-lib/plugins (parameters of the older provisioners)',
    'k8s.io/api/storage/v1/types.go (VolumeBindingMode)',
    'kubernetes/pkg/apis/storage/v1/defaults.go',
    'kubernetes/pkg/scheduler/framework/plugins/volumebinding/binder.go (ErrReasonNodeConflict)',
  ],
  stories: ['zalando-misc-races', 'datadog-10-ways', 'render-mass-restart'],
  params: {
    provisioners: {
      type: 'array',
      items: { type: 'string' },
      default: zonal,
      about: 'Provisioners of disks that live in one zone.',
    },
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 10,
      diagnosed: 0,
      about: 'How long a pod may wait for a node that an autoscaler brings.',
    },
  },
  for: ['StorageClass', 'Workload'],
  check(subject, { graph, params, report }) {
    if (isWorkload(subject)) {
      const [stuck] = stuckIn(subject, graph, params.minutes * 60)
      if (!stuck) return
      const { pod, claim, place, others } = stuck
      report(
        subject.object,
        undefined,
        `Pod ${pod.pod.metadata?.name ?? ''} stays Pending: its volume ${claim.metadata?.name ?? ''} is in ${place}, where no node takes it.`,
        { severity: 'error', evidence: [...linesOf([pod]), ...others] },
      )
      return
    }
    const storage = subject
    const { provisioner, parameters, volumeBindingMode: mode } = storage
    if (
      !provisioner ||
      !params.provisioners.includes(provisioner) ||
      (mode ?? 'Immediate') !== 'Immediate' ||
      Object.entries(parameters ?? {}).some(freesOfZone)
    )
      return
    const zones = objectsAt(storage, 'allowedTopologies').flatMap((term) =>
      objectsAt(term, 'matchLabelExpressions').flatMap((one) =>
        Array.isArray(one.values) ? one.values : [],
      ),
    )
    if (zones.length === 1 || graph.once('single zone', () => isInOneZone(graph))) return
    report(
      storage,
      'volumeBindingMode',
      `A pod stays Pending when class ${storage.metadata?.name ?? ''} made its disk in a zone where it can't run: the zone is chosen before the pod is placed.`,
      { fix: set(storage, 'volumeBindingMode', 'WaitForFirstConsumer') },
    )
  },
})

/** Whether all nodes, as far as they are known, are in one zone. */
function isInOneZone(graph: Graph): boolean {
  const zones = new Set(
    graph.all('Node').map(({ metadata }) => metadata?.labels?.['topology.kubernetes.io/zone']),
  )
  return zones.size === 1 && !zones.has(undefined)
}

/** Whether a parameter of the class says that the zone is chosen already or does not matter. */
function freesOfZone([key, value]: readonly [string, unknown]): boolean {
  const text = String(value).toLowerCase()
  switch (key.toLowerCase()) {
    case 'zone':
    case 'zones':
    case 'availability':
      return text !== ''
    case 'replication-type':
      return text === 'regional-pd'
    case 'type':
      return text === 'hyperdisk-balanced-high-availability'
    case 'skuname':
    case 'storageaccounttype':
      return text.endsWith('_zrs')
    case 'kind':
      return text !== 'managed'
    case 'storageaccount':
      return true
    default:
      return false
  }
}

/** What the scheduler says when the nodes of a volume are not those of its pod. */
const conflict =
  /volume node affinity conflict|didn't match PersistentVolume's node affinity|had no available volume zone/

/** The pods that wait although no node could ever take them, for where their volumes are. */
function stuckIn(workload: Workload, graph: Graph, least: number) {
  if (!graph.live) return []
  const { pod: spec } = workload
  const waiting = pendingPods(graph.live, workload).filter(
    ({ since, message }) => since >= least && conflict.test(message),
  )
  return waiting.flatMap((pod) => {
    for (const claim of claimsOf(pod.pod.metadata?.name ?? '', workload, graph)) {
      const volume = graph
        .all('PersistentVolume')
        .find((one) => one.metadata?.name === claim.spec?.volumeName)
      const required = volume?.spec?.nodeAffinity?.required
      const [first] = required?.nodeSelectorTerms?.[0]?.matchExpressions ?? []
      if (!required || !first) continue
      const near = {
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
      }
      const nodes = graph.all('Node').filter((node) => isChosen(node, near))
      const open = nodes.filter((node) => isFor(node, spec) && !node.spec?.unschedulable && !isLeaving(node))
      if (open.length > 0) continue
      const { key = '', values = [] } = first
      const names = nodes.map(({ metadata }) => metadata?.name ?? '').sort()
      const others =
        nodes.length === 0
          ? ['no node has this label']
          : [`${firstOf(names)}: cordoned, about to leave or not meant for the pod`]
      return [{ pod, claim, place: `${key}=${values.join(',')}`, others }]
    }
    return []
  })
}

/** The claims of a workload's pod: those that its template names, and those that a StatefulSet made for it. */
function claimsOf(
  pod: string,
  { pod: spec, object }: Workload,
  graph: Graph,
): readonly PersistentVolumeClaim[] {
  const named = (spec.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? [])
  const made = objectsAt(object, 'spec', 'volumeClaimTemplates').map(
    (template) => `${stringAt(template, 'metadata', 'name') ?? ''}-${pod}`,
  )
  return [...named, ...made].flatMap((name) => graph.find('PersistentVolumeClaim', name, object) ?? [])
}
