import {
  at,
  type Context,
  type Custom,
  firstOf,
  type Graph,
  imageParts,
  isKind,
  isWorkload,
  kubeletMinor,
  objectAt,
  rule,
  stringAt,
  version,
  type Workload,
} from '../src/rule.js'

/** How many minor versions a component may be behind the API server. */
const behind: ReadonlyMap<string, number> = new Map([
  ['kube-controller-manager', 1],
  ['kube-scheduler', 1],
  ['cloud-controller-manager', 1],
])

export default rule({
  title: 'A kubelet or component is too far from the version of the API server',
  category: 'node',
  severity: 'error',
  why: `Nobody tests such pairs. A component that is newer than the API server asks for fields and resources that
the server does not know; one that is too old uses API versions that are gone, and the kubelet is the one that
loses pods and heartbeats over it. Managed control planes are upgraded on a date: nodes at the limit then fall
out of support in one night, or the provider upgrades them by force.`,
  remedy: 'Upgrade the nodes before the control plane; never a node above it.',
  decides: `\`status.nodeInfo.kubeletVersion\` of nodes, and the image tags of kube-proxy, kube-controller-manager,
kube-scheduler and cloud-controller-manager in kube-system, against the version of the API server. An error when one
is newer, or when a kubelet or kube-proxy is more than 3 minor versions older (2 for one below 1.25), a controller
manager or scheduler more than one. So is \`version\` of a MachineDeployment of Cluster API against the
KubeadmControlPlane of its cluster, where the input has both. A warning for kubelets that have reached the limit.
Nodes of the same minor version are one finding; virtual kubelets are left out.`,
  versions: 'Three versions since 1.28 (kubelets and kube-proxies from 1.25 on), two before.',
  sources: ['Kubernetes documentation, version skew policy'],
  stories: ['betz-gke-upgrade', 'loveholidays-gke-upgrade', 'monzo-linkerd-etcd', 'zalando-upgrade-5xx'],
  for: ['Node', 'Workload', 'cluster.x-k8s.io/MachineDeployment'],
  check(subject, { graph, minor, report }) {
    if (!isWorkload(subject) && !isKind(subject, 'Node')) {
      checkMachines(subject, graph, report)
      return
    }
    if (!graph.live) return
    if (isWorkload(subject)) {
      checkComponent(subject, minor, (node, message) => report(node, 'image', message))
      return
    }
    const kubelet = kubeletMinor(subject)
    const info = subject.status?.nodeInfo
    if (kubelet === undefined || !info) return
    const most = kubelet < 25 ? 2 : 3
    const lag = minor - kubelet
    if (lag >= 0 && lag < most) return
    const alike = graph.all('Node').filter((one) => kubeletMinor(one) === kubelet)
    const names = alike.map(({ metadata }) => metadata?.name ?? '').sort()
    if (names[0] !== subject.metadata?.name) return
    const who = names.length === 1 ? `node ${names[0]}` : `${names.length} nodes`
    const evidence = names.length > 1 ? [firstOf(names, 4)] : []
    if (lag < 0)
      report(
        info,
        'kubeletVersion',
        `Pods on ${who} may fail in ways nobody has tested: kubelet 1.${kubelet} is newer than the API server, 1.${minor}.`,
        { evidence },
      )
    else if (lag > most)
      report(
        info,
        'kubeletVersion',
        `Pods on ${who} may fail in ways nobody has tested: kubelet 1.${kubelet} is ${lag} versions behind the API server, 1.${minor}; ${most} are supported.`,
        { evidence },
      )
    else
      report(
        info,
        'kubeletVersion',
        `The next upgrade of the control plane leaves ${who} unsupported: kubelet 1.${kubelet} is the oldest that goes with 1.${minor}.`,
        { evidence, severity: 'warning' },
      )
  },
})

/** Machines that Cluster API makes, against the control plane of the same cluster where the input has it. */
function checkMachines(
  machines: Custom,
  graph: Graph,
  report: Context<Record<never, never>>['report'],
): void {
  const template = objectAt(machines, 'spec', 'template', 'spec')
  const controlPlane = controlPlaneOf(stringAt(machines, 'spec', 'clusterName'), machines, graph)
  const kubelet = version(stringAt(template, 'version'))?.[1]
  const server = version(stringAt(controlPlane, 'spec', 'version'))?.[1]
  const spec = objectAt(controlPlane, 'spec')
  if (!template || !controlPlane || !spec || kubelet === undefined || server === undefined) return
  const most = kubelet < 25 ? 2 : 3
  const lag = server - kubelet
  if (lag >= 0 && lag <= most) return
  report(
    template,
    'version',
    `Pods on ${machines.metadata?.name} may fail in ways nobody has tested: kubelet 1.${kubelet} is ${lag < 0 ? 'newer than' : `${lag} versions behind`} the API server, 1.${server}${lag < 0 ? '' : `; ${most} are supported`}.`,
    { onValue: true, see: [at(controlPlane, spec, 'version', 'the control plane')] },
  )
}

/** The control plane of a cluster of Cluster API: by the Cluster that names it, by its label, or by the cluster's name. */
function controlPlaneOf(cluster: string | undefined, near: Custom, graph: Graph): Custom | undefined {
  if (cluster === undefined) return undefined
  const kind = 'controlplane.cluster.x-k8s.io/KubeadmControlPlane'
  const named = graph.find('cluster.x-k8s.io/Cluster', cluster, near)
  const name = stringAt(named, 'spec', 'controlPlaneRef', 'name')
  return name === undefined
    ? graph
        .siblings(kind, near)
        .find(({ metadata }) => metadata?.labels?.['cluster.x-k8s.io/cluster-name'] === cluster)
    : graph.find(kind, name, near)
}

function checkComponent(
  { namespace, running }: Workload,
  minor: number,
  report: (node: object, message: string) => void,
) {
  if (namespace !== 'kube-system') return
  for (const { spec, image } of running) {
    const { name, tag } = imageParts(image ?? '')
    const [major, own] = version(tag) ?? []
    // Some providers count the releases of their own controller manager otherwise.
    if (own === undefined || major !== 1 || (name !== 'kube-proxy' && !behind.has(name))) continue
    const most = behind.get(name) ?? (own < 25 ? 2 : 3)
    const lag = minor - own
    if (lag >= 0 && lag <= most) continue
    report(
      spec,
      `${name} may fail in ways nobody has tested: ${tag} is ${lag < 0 ? 'newer than' : `${lag} versions behind`} the API server, 1.${minor}${lag < 0 ? '' : `; ${most === 1 ? 'one is' : `${most} are`} supported`}.`,
    )
  }
}
