import {
  advise,
  atMost,
  type Custom,
  countBy,
  counted,
  type Graph,
  namespaceNamed,
  objectAt,
  objectsAt,
  rule,
  stringAt,
  valueAt,
  versionOf,
} from '../src/rule.js'

export default rule({
  title: 'New nodes take whatever machine image is newest',
  category: 'node',
  severity: 'warning',
  why: `With a floating image the fleet changes without a commit: the next scale-up brings a kernel, a
container runtime or a kubelet that nobody has tried, and nodes of one pool differ. Karpenter also replaces the nodes
that run as soon as there is a newer image (drift). A recalled image reaches
production with the next node.`,
  remedy: 'Name one image version, and move it forward through your stages.',
  decides: `Karpenter's EC2NodeClass: an alias that ends in \`@latest\`, an image name with a wildcard, an SSM
parameter of the newest release, or \`amiFamily\` without \`amiSelectorTerms\` (before v1, where it meant the
newest). kops InstanceGroup: an SSM parameter or a wildcard in \`image\`. In a cluster the operating systems and
kernels of the nodes that were made from it stand below the finding.

Exempt: those whose names say that they are not for production, and aliases of Windows, which have no other version.`,
  falsePositives: 'Test clusters that try new images first should float; suppress it there.',
  sources: [
    'Karpenter documentation, NodeClasses (amiSelectorTerms)',
    'karpenter-provider-aws/pkg/apis/v1/ec2nodeclass.go (AMISelectorTerm: drift with `latest`)',
    'kops documentation, instance groups',
  ],
  stories: ['dfds-ami-latest', 'freenow-node-join', 'zalando-misc-races'],
  params: {
    quietNames: {
      type: 'array',
      items: { type: 'string' },
      default: ['dev', 'development', 'test', 'sandbox', 'staging', 'nonprod'],
      about: 'Parts of names of node classes and groups that may float.',
    },
  },
  for: ['karpenter.k8s.aws/EC2NodeClass', 'kops.k8s.io/InstanceGroup'],
  check(subject, { graph, params, report }) {
    const spec = objectAt(subject, 'spec')
    if (!spec || namespaceNamed(subject.metadata?.name ?? '', params.quietNames)) return
    const say = (image: string) =>
      `An untested machine image reaches production with the next node: ${image}.`
    const fix = advise('name the version of the image that runs today')
    const options = { fix, evidence: imagesOf(subject, graph) }
    if (subject.kind === 'InstanceGroup') {
      const image = stringAt(spec, 'image') ?? ''
      if (/^ssm:.*(latest|recommended|current|stable)/.test(image) || image.includes('*'))
        report(spec, 'image', say(`image ${image} floats`), options)
      return
    }
    for (const term of objectsAt(spec, 'amiSelectorTerms')) {
      const alias = stringAt(term, 'alias')
      const name = stringAt(term, 'name')
      const parameter = stringAt(term, 'ssmParameter')
      if (alias?.endsWith('@latest') && !alias.startsWith('windows'))
        return report(term, 'alias', say(`alias ${alias} follows the newest release`), options)
      if (name?.includes('*'))
        return report(term, 'name', say(`the newest image named ${name} wins`), options)
      if (parameter && /\/(latest|recommended)(\/|$)/.test(parameter))
        return report(term, 'ssmParameter', say(`${parameter} follows the newest release`), options)
    }
    const family = stringAt(spec, 'amiFamily')
    const isOld = versionOf(subject.apiVersion ?? '') !== 'v1'
    if (isOld && family && family !== 'Custom' && valueAt(spec, 'amiSelectorTerms') === undefined)
      report(spec, 'amiFamily', say(`amiFamily ${family} alone means the newest release`), options)
  },
})

/**
 * What the nodes run that a node class or instance group made: `12 nodes: Bottlerocket OS 1.49.0, kernel
 * 6.12.46`.
 */
function imagesOf({ kind, metadata }: Custom, graph: Graph): readonly string[] {
  const label = kind === 'InstanceGroup' ? 'kops.k8s.io/instancegroup' : 'karpenter.k8s.aws/ec2nodeclass'
  const own = (graph.live ? graph.all('Node') : []).filter(
    (node) => node.metadata?.labels?.[label] === metadata?.name,
  )
  const counts = countBy(own, ({ status }) => {
    const { osImage, kernelVersion } = status?.nodeInfo ?? {}
    return osImage && `${osImage}${kernelVersion === undefined ? '' : `, kernel ${kernelVersion}`}`
  })
  if (counts.size < 2) return []
  const lines = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([image, count]) => `${counted(count, 'node')}: ${image}`)
  return atMost(3, lines)
}
