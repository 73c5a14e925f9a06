import {
  configurationsIn,
  type Fault,
  firstOf,
  type Graph,
  isControlPlane,
  isKind,
  type KubernetesObject,
  numberAt,
  type ObjectOf,
  objectAt,
  objectsAt,
  rule,
  stringAt,
} from '../src/rule.js'

const clusterConfiguration = 'kubeadm.k8s.io/ClusterConfiguration'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'The control plane tolerates no failure, or has members that add nothing',
  category: 'control-plane',
  severity: 'warning',
  why: `etcd writes only while more than half of its members agree. One member bears no loss, and neither do
two: losing either of them stops every write. An even number bears no more losses than the odd one below it,
and gives one more machine that can fail.`,
  remedy: 'Run three or five members, in three zones.',
  decides: `\`replicas\` of a KubeadmControlPlane, or members of the main etcd of a kops Cluster: 1 (an info), even
(an error for Cluster API, which refuses it), or above \`maxMembers\`. Where the rule is asked for, a
ClusterConfiguration of kubeadm without \`controlPlaneEndpoint\`, which no second machine can join: an info. In a
cluster: a single node with the label of the control plane while there are other nodes, an even number of etcd pods
or more than \`maxMembers\`, and all nodes of the control plane in one zone while others stand elsewhere.

Exempt: managed control planes (no such nodes are visible), clusters of one node, kind, minikube and k3s.`,
  sources: [
    'etcd documentation, FAQ (cluster size)',
    'cluster-api/controlplane/kubeadm/webhooks/admission/kubeadmcontrolplane.go (an even number when etcd is stacked)',
    'kubernetes/cmd/kubeadm/app/cmd/phases/join/preflight.go (controlPlaneEndpoint)',
    'Kubernetes documentation, options for highly available topology',
  ],
  stories: ['nrelabs-etcd-liveness', 'nordstrom-101-ways', 'monzo-linkerd-etcd'],
  params: {
    maxMembers: {
      type: 'integer',
      minimum: 1,
      default: 7,
      about: 'More members than this slow writes down.',
    },
  },
  for: [
    'controlplane.cluster.x-k8s.io/KubeadmControlPlane',
    'kops.k8s.io/Cluster',
    clusterConfiguration,
    'ConfigMap',
    'Node',
  ],
  check(subject, { graph, params, report }) {
    if (subject.kind === 'ClusterConfiguration' || isKind(subject, 'ConfigMap')) {
      for (const { value, place } of configurationsIn(subject, clusterConfiguration))
        if (!value.controlPlaneEndpoint)
          report(
            ...place(value),
            'The loss of one machine stops the cluster, and no second one can join its control plane: it has no controlPlaneEndpoint.',
            { severity: 'info', recommended: false },
          )
      return
    }
    const fault = isKind(subject, 'Node')
      ? faultOfNodes(subject, params.maxMembers, graph)
      : subject.kind === 'Cluster'
        ? faultOfKops(subject, params.maxMembers)
        : faultOfReplicas(subject, params.maxMembers)
    if (fault) report(...fault)
  },
})

/** What is to be said of the members of etcd that a Cluster of kOps has. */
function faultOfKops(cluster: KubernetesObject, most: number): Fault | undefined {
  const main = objectsAt(cluster, 'spec', 'etcdClusters').find((one) => stringAt(one, 'name') === 'main')
  const members = objectsAt(main, 'etcdMembers').length
  const trouble = troubleOf(members, most)
  return main && trouble
    ? [main, 'etcdMembers', trouble, { severity: members === 1 ? 'info' : 'warning' }]
    : undefined
}

/** What is to be said of the replicas of a control plane of Cluster API. */
function faultOfReplicas(controlPlane: KubernetesObject, most: number): Fault | undefined {
  const spec = objectAt(controlPlane, 'spec')
  const count = numberAt(spec, 'replicas')
  if (!spec || count === undefined) return undefined
  const isExternal =
    objectAt(spec, 'kubeadmConfigSpec', 'clusterConfiguration', 'etcd', 'external') !== undefined
  if (!isExternal && count > 0 && count % 2 === 0)
    return [
      spec,
      'replicas',
      `Cluster API refuses ${count} replicas: with etcd on the same machines their number is odd, as ${count} bear no more losses than ${count - 1}.`,
      { severity: 'error' },
    ]
  const trouble = count === 1 || !isExternal ? troubleOf(count, most) : undefined
  return trouble ? [spec, 'replicas', trouble, { severity: count === 1 ? 'info' : 'warning' }] : undefined
}

/** What is to be said of the control plane of a cluster, at the first of its nodes. */
function faultOfNodes(node: Node, most: number, graph: Graph): Fault | undefined {
  if (!graph.live) return undefined
  const own = graph.all('Node').filter(isControlPlane)
  const [first] = [...own].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  if (node !== first || isForTests(first) || graph.all('Node').length === 1) return undefined
  const trouble =
    own.length === 1
      ? `The loss of node ${nameOf(first)} stops the cluster: it is the only one of the control plane.`
      : (troubleOf(membersOf(graph), most) ?? zoneTrouble(own, graph))
  return trouble
    ? [first, 'metadata', trouble, { evidence: [firstOf(own.map(nameOf).sort(), 7)] }]
    : undefined
}

const nameOf = ({ metadata }: Node) => metadata?.name ?? ''

function isForTests(node: Node): boolean {
  return (
    /\+k3s/.test(node.status?.nodeInfo?.kubeletVersion ?? '') ||
    /^kind:/.test(node.spec?.providerID ?? '') ||
    Object.keys(node.metadata?.labels ?? {}).some((label) => label.startsWith('minikube.k8s.io/'))
  )
}

/** The static pods of etcd; none where it runs elsewhere. */
function membersOf(graph: Graph): number {
  return graph.workloads.filter(
    ({ namespace, labels, kind }) =>
      kind === 'Pod' && namespace === 'kube-system' && labels.component === 'etcd',
  ).length
}

function troubleOf(members: number, most: number): string | undefined {
  if (members === 1) return 'The loss of one machine stops the cluster: its control plane has no second one.'
  if (members === 2)
    return 'The loss of either of 2 members stops all writes: etcd needs more than half of them.'
  if (members > 0 && members % 2 === 0)
    return `${members} members of etcd bear ${members / 2 - 1} lost, no more than ${members - 1} do, and one more can fail.`
  return members > most
    ? `Each write waits for ${(members + 1) / 2} of ${members} members of etcd.`
    : undefined
}

function zoneTrouble(own: readonly Node[], graph: Graph): string | undefined {
  const zones = (nodes: readonly Node[]) =>
    new Set(nodes.map(({ metadata }) => metadata?.labels?.['topology.kubernetes.io/zone']))
  const [zone, ...others] = zones(own)
  return zone !== undefined && others.length === 0 && zones(graph.all('Node')).size > 1
    ? `The outage of zone ${zone} stops the cluster: all ${own.length} nodes of its control plane are there.`
    : undefined
}
