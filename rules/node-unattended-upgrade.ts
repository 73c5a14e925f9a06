import {
  arrayAt,
  counted,
  type Fault,
  firstOf,
  type Graph,
  groupBy,
  imageNamed,
  isKind,
  isObject,
  type KubernetesObject,
  madeAt,
  nodesBy,
  type ObjectOf,
  objectAt,
  objectsAt,
  rule,
  stringAt,
} from '../src/rule.js'

export default rule({
  title: 'The operating system of the nodes updates itself',
  category: 'node',
  severity: 'warning',
  why: `Ubuntu and Debian install security updates on their own, at about the same hour on every machine. An
update that restarts networking removes the routes that the CNI plugin made; one that fails to boot takes
the node. It reaches the whole fleet before anybody has looked, past every staged rollout of yours.`,
  remedy:
    'Switch automatic updates off in the bootstrap, and roll new node images through the stages of your clusters instead.',
  decides: `Bootstrap data of Ubuntu and Debian nodes in kops (InstanceGroup and Cluster), and of these and Flatcar in
Cluster API (KubeadmConfigTemplate, KubeadmControlPlane) and Karpenter (EC2NodeClass), that is written out and mentions neither
\`unattended-upgrades\`, the apt timers, \`locksmithd\` nor \`update-engine\`. kops: \`updatePolicy: external\` says
that somebody else decides about them; of Flatcar it stops the reboots itself. An operator for Flatcar updates in the input counts as well.

In a cluster: nodes of one pool that were made within ten minutes of each other, from one image then, and
run different kernels of Ubuntu or Debian. Reported once a pool, and not where kured is installed to reboot
after updates. Where the rule is asked for, all nodes of Ubuntu and Debian are listed, as an info a release.

Exempt: image-based systems (Bottlerocket, COS, Talos), and node definitions whose operating system the
manifest does not tell.`,
  falsePositives: 'The image may have been built with automatic updates off: suppress with that reason.',
  sources: [
    'kops documentation, Images (security updates), and nodeup/pkg/model/update_service.go (updatePolicy; locksmithd is masked from 1.27 on)',
    'Ubuntu Server documentation, automatic updates',
  ],
  stories: ['datadog-systemd-2023', 'heroku-2025-upgrade', 'zalando-misc-races'],
  for: [
    'kops.k8s.io/InstanceGroup',
    'bootstrap.cluster.x-k8s.io/KubeadmConfigTemplate',
    'controlplane.cluster.x-k8s.io/KubeadmControlPlane',
    'karpenter.k8s.aws/EC2NodeClass',
    'Node',
  ],
  check(subject, { graph, isAsked, report }) {
    const fault = isKind(subject, 'Node')
      ? (faultOfPool(subject, graph) ?? (isAsked ? faultOfRelease(subject, graph) : undefined))
      : faultOfBootstrap(subject, graph)
    if (fault) report(...fault)
  },
})

/** That nodes of one pool and age run different kernels, on the first of them. */
function faultOfPool(node: Node, graph: Graph): Fault | undefined {
  const drift = graph.once('pools that updated themselves', () => driftsIn(graph)).get(node)
  const info = node.status?.nodeInfo
  if (!drift || !info) return undefined
  return [
    info,
    'kernelVersion',
    `Nodes of ${drift.pool} install updates on their own: they were made together and run ${drift.kernels.size} kernels.`,
    {
      onValue: true,
      evidence: [...drift.kernels].slice(0, 4).map(([kernel, name]) => `${name}: ${kernel}`),
    },
  ]
}

/** That nodes have a release which updates itself, on the first of them. */
function faultOfRelease(node: Node, graph: Graph): Fault | undefined {
  const alike = graph.once('nodes that update themselves', () => updatersAmong(graph)).get(node)
  const info = node.status?.nodeInfo
  if (!alike || !info) return undefined
  return [
    info,
    'osImage',
    `Nodes may restart networking at any hour: ${info.osImage} installs security updates on its own unless its image was built without (${counted(alike.length, 'node')}).`,
    {
      severity: 'info',
      recommended: false,
      onValue: true,
      evidence: alike.length > 1 ? [firstOf(alike.map(({ metadata }) => metadata?.name ?? ''))] : [],
    },
  ]
}

/** That nodes are to be made that update themselves. */
function faultOfBootstrap(subject: KubernetesObject, graph: Graph): Fault | undefined {
  const { kind = '' } = subject
  const spec = objectAt(subject, 'spec')
  if (!spec || /unattended-upgrade|apt-daily|locksmith|update-engine/i.test(JSON.stringify(spec)))
    return undefined
  const found = bootstrapOf(kind, spec)
  const system = found && systemIn(found.hint)
  if (!found || !system) return undefined
  const isFlatcar = system === 'Flatcar'
  // kops masks locksmithd, which reboots, on every Flatcar node.
  if (kind === 'InstanceGroup' && (isFlatcar || kopsUpdatesExternally(spec, graph))) return undefined
  if (isFlatcar && hasFlatcarOperator(graph)) return undefined
  return [
    found.node,
    found.field,
    isFlatcar
      ? 'Flatcar nodes install updates and reboot on their own: the bootstrap leaves automatic updates on.'
      : `${system} nodes install updates and restart services on their own, all within the hour: the bootstrap leaves automatic updates on.`,
  ]
}

/** The operating system that a text tells of, if it is one that updates itself. */
function systemIn(hint: string): string | undefined {
  if (/flatcar|coreos/i.test(hint)) return 'Flatcar'
  if (/ubuntu/i.test(hint)) return 'Ubuntu'
  return /debian/i.test(hint) ? 'Debian' : undefined
}

/** Whether something rolls the updates of Flatcar nodes. */
function hasFlatcarOperator(graph: Graph): boolean {
  return graph.workloads.some(({ containers }) =>
    containers.some(({ image }) => image?.includes('linux-update-operator')),
  )
}

/** The mapping and field that hold the bootstrap, and a text that tells the operating system. */
function bootstrapOf(kind: string, spec: object): { node: object; field: string; hint: string } | undefined {
  if (kind === 'InstanceGroup')
    return {
      node: spec,
      field: arrayAt(spec, 'additionalUserData').length ? 'additionalUserData' : 'image',
      hint: stringAt(spec, 'image') ?? '',
    }
  if (kind === 'EC2NodeClass') {
    const images = objectsAt(spec, 'amiSelectorTerms').map(
      (term) => `${stringAt(term, 'name')} ${stringAt(term, 'alias')}`,
    )
    const hint = [stringAt(spec, 'amiFamily') ?? '', ...images].join(' ')
    return stringAt(spec, 'userData') === undefined ? undefined : { node: spec, field: 'userData', hint }
  }
  const config =
    kind === 'KubeadmControlPlane' ? objectAt(spec, 'kubeadmConfigSpec') : objectAt(spec, 'template', 'spec')
  const commands = arrayAt(config, 'preKubeadmCommands').filter((one) => typeof one === 'string')
  if (!isObject(config) || commands.length === 0) return undefined
  const hint = commands.some((command) => /\bapt(-get)?\s/.test(command)) ? 'ubuntu' : commands.join(' ')
  return { node: config, field: 'preKubeadmCommands', hint }
}

function kopsUpdatesExternally(group: object, graph: Graph): boolean {
  return (
    stringAt(group, 'updatePolicy') === 'external' ||
    graph
      .all('kops.k8s.io/Cluster')
      .some((cluster) => stringAt(cluster, 'spec', 'updatePolicy') === 'external')
  )
}

type Node = ObjectOf<'Node'>

interface Drift {
  /** `kops.k8s.io/instancegroup=nodes` */
  readonly pool: string
  /** A node for each kernel. */
  readonly kernels: ReadonlyMap<string, string>
}

const pools = [
  'karpenter.sh/nodepool',
  'eks.amazonaws.com/nodegroup',
  'kops.k8s.io/instancegroup',
  'cluster.x-k8s.io/deployment-name',
]

/** Nodes of one pool and one age with different kernels, under the first of them. */
function driftsIn(graph: Graph): ReadonlyMap<Node, Drift> {
  const found = new Map<Node, Drift>()
  if (hasKured(graph) || !graph.live) return found
  const byPool = groupBy(graph.all('Node'), ({ metadata, status }) => {
    const label = pools.find((one) => metadata?.labels?.[one] !== undefined)
    return label && /^(Ubuntu|Debian)/.test(status?.nodeInfo?.osImage ?? '')
      ? `${label}=${metadata?.labels?.[label]}`
      : undefined
  })
  for (const [pool, nodes] of byPool) {
    const sorted = [...nodes].sort((a, b) => madeAt(a) - madeAt(b))
    for (const first of sorted) {
      const same = sorted.filter((one) => Math.abs(madeAt(one) - madeAt(first)) < 600_000)
      const kernels = new Map(
        same.map(({ status, metadata }) => [status?.nodeInfo?.kernelVersion ?? '', metadata?.name ?? '']),
      )
      if (kernels.size < 2) continue
      found.set(first, { pool, kernels })
      break
    }
  }
  return found
}

/** Nodes of Ubuntu and Debian, which install security updates as they are installed, under the first with the same release. */
function updatersAmong(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const drifted = graph.once('pools that updated themselves', () => driftsIn(graph))
  return drifted.size > 0 || hasKured(graph)
    ? new Map()
    : nodesBy(graph.all('Node'), ({ spec, status }) =>
        // Nodes that are containers themselves boot nothing.
        spec?.providerID?.startsWith('kind:')
          ? undefined
          : /^(Ubuntu|Debian).*?\d+/.exec(status?.nodeInfo?.osImage ?? '')?.[0],
      )
}

function hasKured(graph: Graph): boolean {
  return graph.workloads.some(({ running }) => running.some(({ image }) => imageNamed(image, ['kured'])))
}
