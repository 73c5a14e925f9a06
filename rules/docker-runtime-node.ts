import {
  atMost,
  type Custom,
  conditionOf,
  counted,
  type Fault,
  firstOf,
  type Graph,
  inRange,
  isKind,
  isWorkload,
  nodesBy,
  type ObjectOf,
  objectAt,
  rule,
  stringAt,
  version,
  type Workload,
} from '../src/rule.js'

const socket = /^(\/var)?\/run\/docker\.sock$/
const otherSocket = /\/(?:containerd|crio|crio\/crio|podman|cri-dockerd)\.sock$|\/run\/containerd(?:\/|$)/

export default rule({
  title: 'The workload or node depends on the Docker engine',
  category: 'node',
  severity: 'warning',
  why: `The kubelet has not used the Docker engine since 1.24: most nodes run containerd or CRI-O, and a pod that
mounts Docker's socket finds nothing there, or a second runtime whose containers Kubernetes neither counts
nor evicts. Where the engine does run, one hung daemon takes the whole node with it.`,
  remedy:
    'Talk to the CRI socket or the kubelet instead; build images with BuildKit or another builder that needs no daemon.',
  decides: `hostPath volumes at \`docker.sock\`, and at \`/var/lib/docker\` when \`type: Directory\` makes the pod
wait for it, where a container mounts them; kops clusters with \`containerRuntime: docker\`. Log agents that mount
\`/var/lib/docker/containers\` beside \`/var/log\` out of habit are an info where the rule is asked for. Not
reported is who mounts the socket of containerd or CRI-O as well and takes what is there.

In a cluster: nodes whose \`containerRuntimeVersion\` is Docker's while their kubelet is below 1.24, the
same versions as one finding. Newer kubelets reach Docker through cri-dockerd, which somebody has chosen.`,
  falsePositives:
    'CI builders on nodes of their own that do run the Docker engine: name their containers in `builders`.',
  versions: 'dockershim was removed in 1.24.',
  sources: ['KEP-2221 (removing dockershim)', 'kops/pkg/apis/kops/cluster.go (ContainerRuntime)'],
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
    const fault = isKind(subject, 'Node')
      ? faultOfNode(subject, graph)
      : isWorkload(subject)
        ? faultOfWorkload(subject, params.builders)
        : faultOfCluster(subject)
    if (fault) report(...fault)
  },
})

/** One finding for all nodes that are alike. */
function faultOfNode(node: ObjectOf<'Node'>, graph: Graph): Fault | undefined {
  const alike = graph.once('nodes with dockershim', () => nodesBy(graph.all('Node'), dockershimOf)).get(node)
  const info = node.status?.nodeInfo
  if (!alike || !info) return undefined
  return [
    info,
    'containerRuntimeVersion',
    `One hung daemon stops all pods of a node, and 1.24 speaks no Docker: kubelet ${info.kubeletVersion} uses it on ${counted(alike.length, 'node')}.`,
    {
      onValue: true,
      evidence: [
        firstOf(alike.map(({ metadata }) => metadata?.name ?? '')),
        ...atMost(
          2,
          alike.flatMap((one) => hangOf(one, graph)),
        ),
      ],
    },
  ]
}

/**
 * What a node says of a runtime that does not answer. Source: kubernetes/pkg/kubelet/runtime.go (runtimeErrors),
 * pleg/generic.go (Healthy).
 */
function hangOf(node: ObjectOf<'Node'>, graph: Graph): readonly string[] {
  const { status, message = '' } = conditionOf(node, 'Ready') ?? {}
  const said = /container runtime is down|PLEG is not healthy|container runtime not ready/.exec(message)?.[0]
  const event = graph.live?.eventsOf(node).find(({ reason }) => reason === 'ContainerGCFailed')
  const what =
    status === 'False' && said ? said : event && `ContainerGCFailed, ${event.message ?? ''}`.slice(0, 120)
  return what ? [`node ${node.metadata?.name}: ${what}`] : []
}

/** The versions of a kubelet and of the Docker that it speaks to by itself; undefined where it does not. */
function dockershimOf({ status }: ObjectOf<'Node'>): string | undefined {
  const { containerRuntimeVersion = '', kubeletVersion } = status?.nodeInfo ?? {}
  const release = version(kubeletVersion)
  return containerRuntimeVersion.startsWith('docker://') && release && inRange(release, '<1.24.0')
    ? `${kubeletVersion} ${containerRuntimeVersion}`
    : undefined
}

/** What is wrong with a cluster of kops. */
function faultOfCluster(cluster: Custom): Fault | undefined {
  const spec = objectAt(cluster, 'spec')
  if (!spec || stringAt(spec, 'containerRuntime') !== 'docker') return undefined
  const release = version(stringAt(spec, 'kubernetesVersion'))
  const message =
    release && inRange(release, '<1.24.0')
      ? 'One hung daemon stops all pods of a node, and nodes of 1.24 would not join: their kubelet speaks no Docker.'
      : 'Nodes fail to join: the kubelet speaks no Docker since 1.24.'
  return [spec, 'containerRuntime', message, { onValue: true }]
}

function faultOfWorkload(
  { kind, name, pod, containers }: Workload,
  builders: readonly string[],
): Fault | undefined {
  if (builders.includes(name)) return undefined
  const mounted = new Set(
    containers.flatMap(({ spec }) => (spec.volumeMounts ?? []).map((mount) => mount.name)),
  )
  const takesOthers = pod.volumes?.some(
    (one) => mounted.has(one.name) && otherSocket.test(one.hostPath?.path ?? ''),
  )
  // The template of a pod has no name where a program gives it one.
  const whole = name === '' ? `The ${kind.toLowerCase()}` : `${kind} ${name}`
  let left: Fault | undefined
  for (const { name: volume, hostPath } of pod.volumes ?? []) {
    const path = hostPath?.path?.replace(/\/+$/, '') ?? ''
    if (!hostPath || !mounted.has(volume)) continue
    if (socket.test(path) && !takesOthers)
      return [hostPath, 'path', `${whole} needs the Docker engine's socket, which few nodes have since 1.24.`]
    if (!/^\/var\/lib\/docker(\/|$)/.test(path)) continue
    if (hostPath.type === 'Directory')
      return [
        hostPath,
        'path',
        `Pods wait in ContainerCreating on nodes without the Docker engine: ${path} must exist there.`,
      ]
    left ??= [
      hostPath,
      'path',
      `${whole} finds nothing in ${path}: the kubelet has not used the Docker engine since 1.24.`,
      { severity: 'info', recommended: false },
    ]
  }
  return left
}
