import {
  advise,
  at,
  bytes,
  type Fault,
  type Graph,
  type KubernetesObject,
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
    const fault =
      subject.kind === 'StorageClass' ? faultOfClass(subject, minor, graph) : faultOfNodes(subject)
    if (fault) report(...fault)
  },
})

function slowed(type: string): string {
  return `Disks get many times slower when their burst credits end: they are of type ${type}.`
}

/** That the disks of a class live on credits, unless all that ask for them are so large that they need none. */
function faultOfClass(subject: KubernetesObject, minor: number, graph: Graph): Fault | undefined {
  const { provisioner, parameters } = subject as {
    readonly provisioner?: string
    readonly parameters?: Readonly<Record<string, string>>
  }
  const inTree = provisioner === 'kubernetes.io/aws-ebs'
  if (!inTree && provisioner !== 'ebs.csi.aws.com') return undefined
  // It knows no gp3: k8s.io/legacy-cloud-providers/aws/aws.go of 0.22 (CreateDisk).
  const isOld = inTree && minor < migrated
  const type = parameters?.type ?? (isOld ? 'gp2' : 'gp3')
  const claims = graph
    .all('PersistentVolumeClaim')
    .filter((claim) => claim.spec?.storageClassName === subject.metadata?.name)
  const sizes = claims.map((claim) => bytes(claim.spec?.resources?.requests?.storage))
  if (!steadyFrom.has(type) || (sizes.length > 0 && sizes.every((size) => isSteady(type, size))))
    return undefined
  const [claim] = claims
  return [
    parameters ?? subject,
    parameters ? 'type' : undefined,
    slowed(type),
    {
      see: [claim ? at(claim, claim) : undefined],
      fix: isOld
        ? advise('type: gp3 of the provisioner ebs.csi.aws.com')
        : parameters && fixOf(parameters, 'type', type),
    },
  ]
}

/** That a disk which Karpenter or kOps gives to nodes lives on credits. */
function faultOfNodes(subject: KubernetesObject): Fault | undefined {
  for (const mapping of objectsAt(subject, 'spec', 'blockDeviceMappings')) {
    const ebs = objectAt(mapping, 'ebs')
    const fault = faultOfDisk(ebs, 'volumeType', bytes(stringAt(ebs, 'volumeSize')))
    if (fault) return fault
  }
  const root = objectAt(subject, 'spec', 'rootVolume') ?? objectAt(subject, 'spec')
  // In GB, which EBS takes for GiB. Source: kops/pkg/apis/kops/instancegroup.go (RootVolumeSize).
  const size = 2 ** 30 * (numberAt(root, 'size') ?? numberAt(root, 'rootVolumeSize') ?? 0)
  return faultOfDisk(root, 'type', size) ?? faultOfDisk(root, 'rootVolumeType', size)
}

function faultOfDisk(disk: object | undefined, field: string, size: number | undefined): Fault | undefined {
  const type = stringAt(disk, field)
  return disk && type && !isSteady(type, size)
    ? [disk, field, slowed(type), { fix: fixOf(disk, field, type) }]
    : undefined
}

/** Disks of the other types are chosen for their price, which gp3 does not have. */
function fixOf(node: object, field: string, type: string): RuleFix {
  return type === 'gp2'
    ? set(node, field, 'gp3')
    : advise('gp3, which costs more, or a disk so large that it needs no credits')
}
