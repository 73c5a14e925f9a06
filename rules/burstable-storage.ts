import { at, bytes, objectAt, objectsAt, rule, set, stringAt } from '../src/rule.js'

export default rule({
  title: 'The disks live on burst credits',
  category: 'storage',
  severity: 'info',
  why: `A gp2 disk below one tebibyte, and an st1 or sc1 disk of nearly any size, may do more than its size pays for only
while its credits last. In a
busy hour, or while a node pulls many images, the credits end and every write of the node or database takes
many times as long.`,
  remedy:
    'Use gp3, which costs less and does not depend on credits; a StorageClass that exists has to be deleted and made anew for it.',
  decides: `A StorageClass of AWS EBS with \`type\` gp2, st1 or sc1, or without a type for the old in-tree
provisioner (default gp2); \`volumeType\` of those in Karpenter's EC2NodeClass; \`rootVolume\` type gp2 of
kops. A class of gp2 whose claims are all of a tebibyte and more is used for large disks: silent then.`,
  sources: [
    'Amazon EBS documentation, volume types',
    'kubernetes-sigs/aws-ebs-csi-driver documentation, parameters',
    'kubernetes/pkg/apis/storage/validation/validation.go (ValidateStorageClassUpdate)',
  ],
  stories: ['bluematador-node-oom'],
  for: ['StorageClass', 'karpenter.k8s.aws/EC2NodeClass', 'kops.k8s.io/InstanceGroup'],
  check(subject, { graph, report }) {
    const slow = (type: string | undefined) => type !== undefined && ['gp2', 'st1', 'sc1'].includes(type)
    const say = (type: string) =>
      `Disks get many times slower when their burst credits end: they are of type ${type}.`
    if (subject.kind === 'StorageClass') {
      const storage = subject as {
        readonly provisioner?: string
        readonly parameters?: Readonly<Record<string, string>>
      }
      const inTree = storage.provisioner === 'kubernetes.io/aws-ebs'
      if (!inTree && storage.provisioner !== 'ebs.csi.aws.com') return
      const type = storage.parameters?.type ?? (inTree ? 'gp2' : 'gp3')
      if (!slow(type)) return
      const claims = graph
        .all('PersistentVolumeClaim')
        .filter((claim) => claim.spec?.storageClassName === subject.metadata?.name)
      if (
        type === 'gp2' &&
        claims.length > 0 &&
        claims.every((claim) => (bytes(claim.spec?.resources?.requests?.storage) ?? 0) >= 2 ** 40)
      )
        return
      const [claim] = claims
      report(storage.parameters ?? subject, storage.parameters ? 'type' : undefined, say(type), {
        see: [claim ? at(claim, claim) : undefined],
        fix: storage.parameters ? set(storage.parameters, 'type', 'gp3') : undefined,
      })
      return
    }
    for (const mapping of objectsAt(subject, 'spec', 'blockDeviceMappings')) {
      const ebs = objectAt(mapping, 'ebs')
      const type = stringAt(ebs, 'volumeType')
      if (ebs && type && slow(type))
        return report(ebs, 'volumeType', say(type), { fix: set(ebs, 'volumeType', 'gp3') })
    }
    const root = objectAt(subject, 'spec', 'rootVolume') ?? objectAt(subject, 'spec')
    for (const field of ['type', 'rootVolumeType']) {
      const type = stringAt(root, field)
      if (root && type && slow(type)) return report(root, field, say(type), { fix: set(root, field, 'gp3') })
    }
  },
})
