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
missing (the default). Regional disks of Google Cloud and classes that allow exactly one zone are exempt.`,
  falsePositives: 'Clusters in a single zone.',
  sources: [
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
      parameters?.['replication-type'] === 'regional-pd'
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
      `Pods stay Pending when their volume of class ${storage.metadata?.name ?? ''} was made in another zone: it is bound before the pod is placed.`,
      { fix: set(storage, 'volumeBindingMode', 'WaitForFirstConsumer') },
    )
  },
})
