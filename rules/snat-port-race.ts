import {
  advise,
  at,
  atMost,
  type Container,
  connectionClashes,
  type Fault,
  flagOf,
  imageParts,
  inRange,
  rule,
  set,
  version,
} from '../src/rule.js'

export default rule({
  title: 'Connections that leave the cluster race for source ports',
  category: 'networking',
  severity: 'warning',
  why: `Pods share the address of their node when they leave the cluster. Without fully random ports the kernel
gives two connections that start together the same port, drops the first packet of one, and its client waits 1
or 3 seconds for the second try. It looks like a slow service outside.`,
  remedy:
    'Let masquerading choose ports at random: `AWS_VPC_K8S_CNI_RANDOMIZESNAT: prng`; flannel 0.11 or newer.',
  decides: `The DaemonSet of the VPC CNI of AWS (\`aws-node\`) with \`AWS_VPC_K8S_CNI_RANDOMIZESNAT\` set to
\`none\`, or, as an info, to \`hashrandom\`, which is the default below 1.7.0; flannel below 0.11.0 with \`--ip-masq\`.

Exempt: \`AWS_VPC_K8S_CNI_EXTERNALSNAT: "true"\`, where a gateway outside the nodes translates.

With \`scan --node-metrics\` the insertions into the connection tracking table that have failed stand below it,
where a node has 100 or more: each loser of such a race is one.`,
  versions:
    'The VPC CNI uses prng by default from 1.7.0 on; flannel passes --random-fully from 0.11.0 on, where its iptables knows it.',
  sources: [
    'amazon-vpc-cni-k8s/README.md (AWS_VPC_K8S_CNI_RANDOMIZESNAT)',
    'amazon-vpc-cni-k8s PR 1048 and CHANGELOG.md (1.7.0)',
    'flannel v0.11.0, network/iptables.go (--random-fully; v0.10.0 has none)',
    'prometheus/node_exporter, collector/conntrack_linux.go',
  ],
  stories: ['prezi-snat-conntrack', 'mindtickle-eks-snat', 'xing-moving', 'datadog-10-ways'],
  for: 'DaemonSet',
  check(daemonSet, { graph, report }) {
    const workload = graph.workload(daemonSet)
    const evidence = graph.live ? atMost(3, connectionClashes(graph.live)) : []
    for (const container of workload?.running ?? []) {
      const fault = faultOfAmazon(container) ?? faultOfFlannel(container, daemonSet)
      if (!fault) continue
      const [node, field, message, more] = fault
      report(node, field, message, { ...more, evidence })
      return
    }
  },
})

const late = 'Connections that leave the cluster together may wait 1 to 3 s for their second try'

/** That the VPC CNI chooses ports as it should not, by what it is told or by default. */
function faultOfAmazon({ spec, image = '' }: Container): Fault | undefined {
  const { env = [] } = spec
  const random = env.find(({ name }) => name === 'AWS_VPC_K8S_CNI_RANDOMIZESNAT')
  const outside = env.find(({ name }) => name === 'AWS_VPC_K8S_CNI_EXTERNALSNAT')
  if (outside?.value === 'true') return undefined
  if (random) {
    const isNone = random.value === 'none'
    return isNone || random.value === 'hashrandom'
      ? [
          random,
          'value',
          `${late}: source ports are ${isNone ? 'not random' : 'chosen by a hash only'}.`,
          { severity: isNone ? 'warning' : 'info', fix: set(random, 'value', 'prng') },
        ]
      : undefined
  }
  const { name, tag } = imageParts(image)
  const release = name === 'amazon-k8s-cni' ? version(tag) : undefined
  return release && inRange(release, '<1.7.0')
    ? [
        spec,
        'image',
        `${late}: ${tag} chooses source ports by a hash only unless it is told otherwise.`,
        { severity: 'info', fix: advise('AWS_VPC_K8S_CNI_RANDOMIZESNAT: prng') },
      ]
    : undefined
}

/** That flannel masquerades, and is too old for random ports. */
function faultOfFlannel(container: Container, daemonSet: object): Fault | undefined {
  const { spec, image = '' } = container
  const { name, tag } = imageParts(image)
  const release =
    name === 'flannel' ? version(tag?.replace(/-(amd64|arm64|arm|ppc64le|s390x)$/, '')) : undefined
  const masked = flagOf(container, 'ip-masq')
  if (!release || !inRange(release, '<0.11.0') || masked === undefined || masked === 'false') return undefined
  return [
    spec,
    'image',
    `${late}: flannel ${release.join('.')} does not choose source ports at random.`,
    { see: [at(daemonSet, spec, spec.args ? 'args' : 'command')] },
  ]
}
