import {
  configurationsIn,
  firstOf,
  imageParts,
  isKind,
  isWorkload,
  nodesBy,
  type ObjectOf,
  objectAt,
  rule,
  stringAt,
  version,
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
    const say = (what: string, release: string) =>
      `${what} ${release} is the first release of its minor version, before any of its regressions were fixed.`
    if (isWorkload(subject)) {
      for (const { image, spec } of subject.running) {
        const parts = image ? imageParts(image) : undefined
        const known = parts && params.components.some((one) => `/${parts.repository}`.endsWith(`/${one}`))
        // etcd's images have a revision of their own behind the release.
        if (parts?.tag && known && isFirst(parts.tag.replace(/-\d+$/, '')))
          return report(spec, 'image', say(parts.name === 'node' ? 'calico' : parts.name, parts.tag))
      }
      return
    }
    if (isKind(subject, 'Node')) {
      const all = graph.once('kubelets of first releases', () => nodesBy(graph.all('Node'), firstKubelet))
      const same = all.get(subject)
      const release = firstKubelet(subject)
      if (same && release && subject.status?.nodeInfo)
        report(subject.status.nodeInfo, 'kubeletVersion', say('Kubelet', release), {
          evidence: [`on ${firstOf(same.map(({ metadata }) => metadata?.name ?? ''))}`],
        })
      return
    }
    const spec = objectAt(subject, 'spec')
    const field = subject.kind === 'Cluster' ? 'kubernetesVersion' : 'version'
    const release = subject.kind === 'ConfigMap' ? undefined : stringAt(spec, field)
    if (spec && release && isFirst(release)) report(spec, field, say('Kubernetes', release))
    for (const { value, place } of configurationsIn(subject, 'kubeadm.k8s.io/ClusterConfiguration')) {
      const written = stringAt(value, 'kubernetesVersion')
      if (written && isFirst(written))
        report(...place(value, 'kubernetesVersion'), say('Kubernetes', written))
    }
  },
})

/** The kubelet's release when it is the first of its minor version. */
function firstKubelet({ status }: ObjectOf<'Node'>): string | undefined {
  const written = status?.nodeInfo?.kubeletVersion ?? ''
  const release = written.replace(/(\+.*|-(eks|gke|aks|tke|aliyun|mirantis).*)$/, '')
  return isFirst(release) ? written : undefined
}

/** `v1.34.0`, but neither `v1.34` (any patch) nor a pre-release. */
function isFirst(text: string): boolean {
  return /^v?\d+\.\d+\.0$/.test(text) && version(text) !== undefined
}
