import { objectsAt, rule, set } from '../src/rule.js'

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
  title: 'The zone of a volume is chosen before that of its pod',
  category: 'storage',
  severity: 'warning',
  why: `With immediate binding the disk is made as soon as the claim exists, in any zone. The pod can then
run in that zone only: when its node selector, its anti-affinity or the free capacity say otherwise it stays
Pending, and no new node helps.`,
  remedy:
    'Create a StorageClass with `volumeBindingMode: WaitForFirstConsumer` and move to it; the field can not be changed.',
  decides: `A StorageClass of a provisioner of zonal disks whose \`volumeBindingMode\` is Immediate or
missing (the default). Exempt are classes whose author chose the zone (one in \`allowedTopologies\`, or the
parameters \`zone\`, \`zones\` and \`availability\`), and disks that stand in several zones or in none:
regional ones of Google Cloud, ZRS ones of Azure, and Azure's disks in a storage account.`,
  falsePositives: 'Clusters in a single zone.',
  sources: [
    'k8s.io/csi-translation-lib/plugins (parameters of the older provisioners)',
    'k8s.io/api/storage/v1/types.go (VolumeBindingMode)',
    'kubernetes/pkg/apis/storage/v1/defaults.go',
  ],
  stories: ['zalando-misc-races', 'datadog-10-ways', 'render-mass-restart'],
  params: {
    provisioners: {
      type: 'array',
      items: { type: 'string' },
      default: zonal,
      about: 'Provisioners of disks that live in one zone.',
    },
  },
  for: 'StorageClass',
  check(storage, { params, report }) {
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
    if (zones.length === 1) return
    report(
      storage,
      'volumeBindingMode',
      `A pod stays Pending when class ${storage.metadata?.name ?? ''} made its disk in a zone where it can't run: the zone is chosen before the pod is placed.`,
      { fix: set(storage, 'volumeBindingMode', 'WaitForFirstConsumer') },
    )
  },
})

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
