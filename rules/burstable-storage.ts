import {
  advise,
  at,
  bytes,
  numberAt,
  objectAt,
  objectsAt,
  type RuleFix,
  rule,
  set,
  stringAt,
} from '../src/rule.js'

/** From which size on, in bytes, a disk does without credits; none is so large of the type sc1. Source: Amazon EBS documentation. */
const steadyFrom: ReadonlyMap<string, number> = new Map([
  ['gp2', 1000 * 2 ** 30],
  ['st1', 12.5 * 2 ** 40],
  ['sc1', Number.POSITIVE_INFINITY],
])

/** From this minor version on the API server's own plugin makes no disks any more. */
const migrated = 23

/** Whether a disk does without credits, as all of the other types do. */
const isSteady = (type: string, size: number | undefined) => (size ?? 0) >= (steadyFrom.get(type) ?? 0)

export default rule({
  title: 'The disks live on burst credits',
  category: 'storage',
  severity: 'info',
  why: `A gp2 disk below 1000 GiB, an st1 disk below 12.5 TiB and any sc1 disk may do more than its size pays for only
while its credits last. In a busy hour, or while a node pulls many images, the credits end and every write of the node or database takes
many times as long.`,
  remedy:
    'Use gp3, which does not depend on credits and costs less than gp2, but more than st1 and sc1; a StorageClass that exists has to be deleted and made anew for it. The in-tree provisioner before 1.23 knows no gp3.',
  decides: `A StorageClass of AWS EBS with \`type\` gp2, st1 or sc1, or before 1.23 without a type for
the in-tree provisioner (gp2; since then its classes are passed to the CSI driver, whose default is gp3); \`volumeType\` of those in Karpenter's EC2NodeClass; \`rootVolume\` type gp2 of
kops. Silent where the disks are so large that their size pays for all that they may do: 1000 GiB for gp2, 12.5 TiB for
st1. Of a class all claims have to be.`,
  sources: [
    'Amazon EBS documentation, General Purpose SSD volumes (gp2: 3 IOPS per GiB, bursts to 3000)',
    'Amazon EBS documentation, Throughput Optimized HDD and Cold HDD volumes (st1: 40 MiB/s per TiB, bursts to 500; sc1: 12, bursts to 250)',
    'kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md and pkg/cloud/cloud.go (default gp3)',
    'k8s.io/csi-translation-lib/plugins/aws_ebs.go (TranslateInTreeStorageClassToCSI); kubernetes/pkg/features/kube_features.go of 1.23 (CSIMigrationAWS on)',
    'kubernetes/pkg/apis/storage/validation/validation.go (ValidateStorageClassUpdate)',
  ],
  stories: ['bluematador-node-oom'],
  for: ['StorageClass', 'karpenter.k8s.aws/EC2NodeClass', 'kops.k8s.io/InstanceGroup'],
  check(subject, { graph, minor, report }) {
    const say = (type: string) =>
      `Disks get many times slower when their burst credits end: they are of type ${type}.`
    if (subject.kind === 'StorageClass') {
      const storage = subject as {
        readonly provisioner?: string
        readonly parameters?: Readonly<Record<string, string>>
      }
      const inTree = storage.provisioner === 'kubernetes.io/aws-ebs'
      if (!inTree && storage.provisioner !== 'ebs.csi.aws.com') return
      // It knows no gp3: k8s.io/legacy-cloud-providers/aws/aws.go of 0.22 (CreateDisk).
      const isOld = inTree && minor < migrated
      const type = storage.parameters?.type ?? (isOld ? 'gp2' : 'gp3')
      if (!steadyFrom.has(type)) return
      const claims = graph
        .all('PersistentVolumeClaim')
        .filter((claim) => claim.spec?.storageClassName === subject.metadata?.name)
      const sizes = claims.map((claim) => bytes(claim.spec?.resources?.requests?.storage))
      if (sizes.length > 0 && sizes.every((size) => isSteady(type, size))) return
      const [claim] = claims
      report(storage.parameters ?? subject, storage.parameters ? 'type' : undefined, say(type), {
        see: [claim ? at(claim, claim) : undefined],
        fix: isOld
          ? advise('type: gp3 of the provisioner ebs.csi.aws.com')
          : storage.parameters && fixOf(storage.parameters, 'type', type),
      })
      return
    }
    for (const mapping of objectsAt(subject, 'spec', 'blockDeviceMappings')) {
      const ebs = objectAt(mapping, 'ebs')
      const type = stringAt(ebs, 'volumeType')
      if (ebs && type && !isSteady(type, bytes(stringAt(ebs, 'volumeSize'))))
        return report(ebs, 'volumeType', say(type), { fix: fixOf(ebs, 'volumeType', type) })
    }
    const root = objectAt(subject, 'spec', 'rootVolume') ?? objectAt(subject, 'spec')
    // In GB, which EBS takes for GiB. Source: kops/pkg/apis/kops/instancegroup.go (RootVolumeSize).
    const size = 2 ** 30 * (numberAt(root, 'size') ?? numberAt(root, 'rootVolumeSize') ?? 0)
    for (const field of ['type', 'rootVolumeType']) {
      const type = stringAt(root, field)
      if (root && type && !isSteady(type, size))
        return report(root, field, say(type), { fix: fixOf(root, field, type) })
    }
  },
})

/** Disks of the other types are chosen for their price, which gp3 does not have. */
function fixOf(node: object, field: string, type: string): RuleFix {
  return type === 'gp2'
    ? set(node, field, 'gp3')
    : advise('gp3, which costs more, or a disk so large that it needs no credits')
}
