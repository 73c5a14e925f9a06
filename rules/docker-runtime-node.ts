import {
  counted,
  firstOf,
  inRange,
  isKind,
  isWorkload,
  nodesBy,
  rule,
  stringAt,
  valueAt,
  version,
} from '../src/rule.js'

const socket = /^(\/var)?\/run\/docker\.sock$/

export default rule({
  title: 'The workload or node depends on the Docker engine',
  category: 'node',
  severity: 'warning',
  why: `The kubelet has not used the Docker engine since 1.24: nodes run containerd or CRI-O, and a pod that
mounts Docker's socket finds nothing there, or a second runtime whose containers Kubernetes neither counts
nor evicts. Where the engine does run, one hung daemon takes the whole node with it.`,
  remedy:
    'Talk to the CRI socket or the kubelet instead; build images with BuildKit or another builder that needs no daemon.',
  decides: `hostPath volumes at \`docker.sock\`, and at \`/var/lib/docker\` when \`type: Directory\` makes
the pod wait for it, where a container mounts them; kops clusters with \`containerRuntime: docker\`. Log
agents that mount \`/var/lib/docker/containers\` beside \`/var/log\` out of habit are not reported.

In a cluster: nodes whose \`containerRuntimeVersion\` is Docker's while their kubelet is below 1.24, the
same versions as one finding. Newer kubelets reach Docker through cri-dockerd, which somebody has chosen.`,
  falsePositives:
    'CI builders on nodes of their own that do run the Docker engine: name their containers in `builders`.',
  versions: 'dockershim was removed in 1.24.',
  sources: ['KEP-2221', 'kops/pkg/apis/kops/cluster.go'],
  stories: ['zalando-misc-races', 'target-cascading', 'google-playbook'],
  params: {
    builders: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      about: 'Names of workloads that may use the Docker socket.',
    },
  },
  for: ['Workload', 'kops.k8s.io/Cluster', 'Node'],
  check(subject, { graph, params, report }) {
    if (isKind(subject, 'Node')) {
      const alike = graph
        .once('nodes with dockershim', () =>
          nodesBy(graph.all('Node'), ({ status }) => {
            const { containerRuntimeVersion = '', kubeletVersion } = status?.nodeInfo ?? {}
            const release = version(kubeletVersion)
            return containerRuntimeVersion.startsWith('docker://') && release && inRange(release, '<1.24.0')
              ? `${kubeletVersion} ${containerRuntimeVersion}`
              : undefined
          }),
        )
        .get(subject)
      const info = subject.status?.nodeInfo
      if (alike && info)
        report(
          info,
          'containerRuntimeVersion',
          `One hung daemon stops all pods of a node, and 1.24 speaks no Docker: kubelet ${info.kubeletVersion} uses it on ${counted(alike.length, 'node')}.`,
          { onValue: true, evidence: [firstOf(alike.map(({ metadata }) => metadata?.name ?? ''))] },
        )
      return
    }
    if (!isWorkload(subject)) {
      const spec = valueAt(subject, 'spec')
      if (stringAt(spec, 'containerRuntime') === 'docker')
        report(
          spec as object,
          'containerRuntime',
          'Nodes fail to join: the kubelet speaks no Docker since 1.24.',
          { onValue: true },
        )
      return
    }
    if (params.builders.includes(subject.name)) return
    const mounted = new Set(
      subject.containers.flatMap(({ spec }) => (spec.volumeMounts ?? []).map((mount) => mount.name)),
    )
    for (const volume of subject.pod.volumes ?? []) {
      const path = volume.hostPath?.path?.replace(/\/+$/, '') ?? ''
      if (!volume.hostPath || !mounted.has(volume.name)) continue
      if (socket.test(path)) {
        report(
          volume.hostPath,
          'path',
          `${subject.kind} ${subject.name} needs the Docker engine's socket, which nodes no longer have since 1.24.`,
        )
        return
      }
      if (/^\/var\/lib\/docker(\/|$)/.test(path) && volume.hostPath.type === 'Directory') {
        report(
          volume.hostPath,
          'path',
          `Pods wait in ContainerCreating on nodes without the Docker engine: ${path} must exist there.`,
        )
        return
      }
    }
  },
})
