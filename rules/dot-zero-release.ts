import {
  configurationsIn,
  type Fault,
  firstOf,
  type Graph,
  imageParts,
  isKind,
  isWorkload,
  type KubernetesObject,
  nodesBy,
  type ObjectOf,
  objectAt,
  rule,
  stringAt,
  version,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A cluster component runs the first release of a minor version',
  category: 'control-plane',
  severity: 'info',
  recommended: false,
  why: 'The first release of a minor version carries most of its regressions: features that were tried by few meet every cluster at once. The following patch releases are little but their cures.',
  remedy: 'Run `.1` or later in production.',
  decides: `\`kubernetesVersion\` of a kubeadm ClusterConfiguration and a kops Cluster, \`spec.version\` of a
KubeadmControlPlane, and image tags of the \`components\`, when they are \`X.Y.0\`. In a cluster the kubelets of its
nodes, those of one version together; what a vendor appends (\`-eks-…\`, \`+k3s1\`) does not count.`,
  falsePositives: 'Clusters that try releases for others.',
  sources: ['Kubernetes documentation, patch releases'],
  stories: ['machu-kube-proxy-ipvs'],
  params: {
    components: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'kube-apiserver',
        'kube-controller-manager',
        'kube-scheduler',
        'kube-proxy',
        'etcd',
        'coredns',
        'calico/node',
        'cilium/cilium',
      ],
      about:
        'Image names of the components to look at, with their project where the name alone is too short.',
    },
  },
  for: [
    'kubeadm.k8s.io/ClusterConfiguration',
    'ConfigMap',
    'kops.k8s.io/Cluster',
    'controlplane.cluster.x-k8s.io/KubeadmControlPlane',
    'Workload',
    'Node',
  ],
  check(subject, { graph, params, report }) {
    const faults = isWorkload(subject)
      ? faultsOfImages(subject, params.components)
      : isKind(subject, 'Node')
        ? faultsOfKubelet(subject, graph)
        : faultsOfControlPlane(subject)
    for (const fault of faults) report(...fault)
  },
})

function say(what: string, release: string): string {
  return `${what} ${release} is the first release of its minor version, before any of its regressions were fixed.`
}

/** The first of the containers that run one of the components. */
function faultsOfImages({ running }: Workload, components: readonly string[]): readonly Fault[] {
  for (const { image, spec } of running) {
    const parts = image ? imageParts(image) : undefined
    const known = parts && components.some((one) => `/${parts.repository}`.endsWith(`/${one}`))
    // etcd's images have a revision of their own behind the release.
    if (parts?.tag && known && isFirst(parts.tag.replace(/-\d+$/, '')))
      return [[spec, 'image', say(parts.name === 'node' ? 'calico' : parts.name, parts.tag)]]
  }
  return []
}

/** The kubelets of one release, on the first of their nodes. */
function faultsOfKubelet(node: Node, graph: Graph): readonly Fault[] {
  const all = graph.once('kubelets of first releases', () => nodesBy(graph.all('Node'), firstKubelet))
  const same = all.get(node)
  const release = firstKubelet(node)
  const info = node.status?.nodeInfo
  if (!same || !release || !info) return []
  const evidence = [`on ${firstOf(same.map(({ metadata }) => metadata?.name ?? ''))}`]
  return [[info, 'kubeletVersion', say('Kubelet', release), { evidence }]]
}

/** What Cluster API, kops or kubeadm is to install. */
function faultsOfControlPlane(subject: KubernetesObject): readonly Fault[] {
  const spec = objectAt(subject, 'spec')
  const field = subject.kind === 'Cluster' ? 'kubernetesVersion' : 'version'
  const release = subject.kind === 'ConfigMap' ? undefined : stringAt(spec, field)
  const own: readonly Fault[] =
    spec && release && isFirst(release) ? [[spec, field, say('Kubernetes', release)]] : []
  const configured = configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration').flatMap(
    ({ value, place }): readonly Fault[] => {
      const written = stringAt(value, 'kubernetesVersion')
      return written && isFirst(written)
        ? [[...place(value, 'kubernetesVersion'), say('Kubernetes', written)]]
        : []
    },
  )
  return [...own, ...configured]
}

type Node = ObjectOf<'Node'>

/** The kubelet's release when it is the first of its minor version. */
function firstKubelet({ status }: Node): string | undefined {
  const written = status?.nodeInfo?.kubeletVersion ?? ''
  const release = written.replace(/(\+.*|-(eks|gke|aks|tke|aliyun|mirantis).*)$/, '')
  return isFirst(release) ? written : undefined
}

/** `v1.34.0`, but neither `v1.34` (any patch) nor a pre-release. */
function isFirst(text: string): boolean {
  return /^v?\d+\.\d+\.0$/.test(text) && version(text) !== undefined
}
