import {
  atMost,
  enumerate,
  type Fault,
  firstOf,
  formatSpan,
  type Graph,
  groupBy,
  imageParts,
  isMirror,
  isWorkload,
  type KubernetesObject,
  kubeletMinor,
  type Live,
  nodesBy,
  type ObjectOf,
  poolLabels,
  rule,
  version,
  type Workload,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'The nodes of a pool, or the control plane, have stopped between two versions',
  category: 'control-plane',
  severity: 'info',
  why: `A mixture of versions is what nobody has tested: pods behave differently by the node that they are on,
and each new node is one of the new kind. An upgrade that stopped usually waits for something: a disruption
budget that never allows a drain, a pod that does not end, a machine that can't be made.`,
  remedy: 'Find out what the upgrade waits for, then finish it or roll it back.',
  decides: `Nodes of one pool (the labels of Karpenter, EKS, GKE, AKS and kops; all worker nodes where none has one)
whose kubelets have different minor versions, while the first node of the newest version is older than \`hours\`,
and so is one of the others. Different patch versions and images are ordinary where nodes are replaced one by one:
where the rule is asked for, pools that have run them side by side for as long are listed, too.

The API servers, controller managers or schedulers of several machines with different minor versions are a warning
when one of the newest is older than \`hours\`: the kubelet makes the pod of a file anew when the file changes.`,
  falsePositives:
    'Nodes that are upgraded in place keep their age: an upgrade of today then looks like an old one. In clusters of kubeadm no time is named for that reason.',
  sources: [
    'k8s.io/api/core/v1/types.go (NodeSystemInfo)',
    'kubernetes/pkg/kubelet/kubelet.go (tryReconcileMirrorPods)',
    'kubernetes/cmd/kubeadm/app/constants/constants.go (KubeadmConfigConfigMap)',
  ],
  stories: ['zalando-upgrade-5xx', 'machu-kube-proxy-ipvs', 'betz-gke-upgrade'],
  needs: 'cluster',
  params: {
    hours: { type: 'integer', minimum: 1, default: 24, about: 'How long the upgrade of a pool may take.' },
  },
  for: ['Node', 'Workload'],
  check(subject, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const least = params.hours * 3600
    const fault = isWorkload(subject)
      ? faultOfControlPlane(subject, least, graph, live)
      : faultOfPool(subject, least, graph, live)
    if (fault) report(...fault)
  },
})

/**
 * That a component of the control plane runs in several versions, told at the first of its pods.
 * @param least for how long, in seconds
 */
function faultOfControlPlane(workload: Workload, least: number, graph: Graph, live: Live): Fault | undefined {
  const mixed = isOfControlPlane(workload) ? mixedComponent(workload, graph, live) : undefined
  if (mixed?.first !== workload || mixed.age < least) return undefined
  return [
    workload.object,
    undefined,
    `The upgrade of the control plane is not finished: ${mixed.component} has run as ${enumerate(mixed.minors, 'and')} side by side for ${formatSpan(mixed.age)}.`,
    { severity: 'warning', evidence: atMost(3, mixed.lines) },
  ]
}

/**
 * That the nodes of a pool run several minor versions, told at the first of those that are not upgraded, or else other things that differ.
 * @param least for how long, in seconds
 */
function faultOfPool(node: Node, least: number, graph: Graph, live: Live): Fault | undefined {
  const pool = poolOf(node)
  const info = node.status?.nodeInfo
  if (!info || pool === undefined) return undefined
  const { alike, minors } = graph
    .once('versions of pools', () => versionsOf(graph.all('Node')))
    .get(pool) ?? { alike: [], minors: [] }
  const [subject, has, runs] = pool ? [`pool ${pool}`, 'has', 'runs'] : ['the nodes', 'have', 'run']
  if (minors.length < 2) {
    const mixture = alike[0] === node ? mixtureOf(alike, live) : undefined
    if (!mixture || mixture.age < least) return undefined
    return [
      info,
      mixture.field,
      `Pods may behave differently by the node they are on: ${subject} ${has} run ${enumerate([...mixture.nodes.keys()], 'and')} side by side for ${formatSpan(mixture.age)}.`,
      {
        recommended: false,
        onValue: true,
        evidence: [...mixture.nodes].map(([value, names]) => `${value}: ${firstOf(names.sort())}`),
      },
    ]
  }
  const newest = minors.at(-1)
  const old = alike.filter((one) => kubeletMinor(one) !== newest)
  const names = old.map(({ metadata }) => metadata?.name ?? '').sort()
  const upgraded = alike.filter((one) => kubeletMinor(one) === newest)
  const age = Math.min(ageOf(upgraded, live), ageOf(old, live))
  if (names[0] !== node.metadata?.name || age < least) return undefined
  const versions = enumerate(
    minors.map((one) => `1.${one}`),
    'and',
  )
  // It upgrades machines in place, and they keep their age.
  const isOfKubeadm = graph.find('ConfigMap', 'kubeadm-config', node, 'kube-system') !== undefined
  return [
    info,
    'kubeletVersion',
    `Pods behave differently by the node they are on: ${subject} ${isOfKubeadm ? runs : `${has} run`} ${versions} side by side${isOfKubeadm ? '' : ` for ${formatSpan(age)}`}.`,
    {
      evidence: [
        `${old.length} of ${alike.length} nodes ${old.length === 1 ? 'is' : 'are'} not upgraded: ${firstOf(names)}`,
      ],
    },
  ]
}

/**
 * The pool of a node, empty for workers without one; undefined for machines of the control
 * plane, which are upgraded apart.
 */
function poolOf({ metadata }: Node): string | undefined {
  const labels = metadata?.labels ?? {}
  const pool = poolLabels.map((label) => labels[label]).find((value) => value !== undefined)
  return pool ?? ('node-role.kubernetes.io/control-plane' in labels ? undefined : '')
}

/** The nodes of each pool, and their minor versions in order. */
function versionsOf(nodes: readonly Node[]) {
  return new Map(
    [...nodesBy(nodes, poolOf)].map(([first, alike]) => {
      const minors = [...new Set(alike.flatMap((one) => kubeletMinor(one) ?? []))].sort((a, b) => a - b)
      return [poolOf(first), { alike, minors }]
    }),
  )
}

/** What a node tells about its image, from what changes most. */
const fields = ['kubeletVersion', 'osImage', 'containerRuntimeVersion', 'kernelVersion'] as const

/** The first field in which nodes differ, and for how long in seconds: since the last of its values came. */
function mixtureOf(alike: readonly Node[], live: Live) {
  for (const field of fields) {
    const groups = groupBy(alike, ({ status }) => status?.nodeInfo?.[field] || undefined)
    if (groups.size < 2) continue
    const nodes = new Map(
      [...groups].map(([value, some]) => [value, some.map(({ metadata }) => metadata?.name ?? '')]),
    )
    return { field, nodes, age: Math.min(...[...groups.values()].map((some) => ageOf(some, live))) }
  }
  return undefined
}

const components = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']

/** Whether it is a pod of the control plane that a kubelet runs from a file. */
function isOfControlPlane(workload: Workload): boolean {
  return (
    isMirror(workload) &&
    workload.namespace === 'kube-system' &&
    components.includes(workload.labels.component ?? '')
  )
}

/** The first component of the control plane whose pods have different minor versions, and for how long in seconds. */
function mixedComponent({ object }: Workload, graph: Graph, live: Live) {
  for (const component of components) {
    const found = graph
      .nearby(object)
      .filter((one) => isOfControlPlane(one) && one.labels.component === component)
      .flatMap((workload) => {
        const { tag } = imageParts(workload.running[0]?.image ?? '')
        const minor = version(tag)?.[1]
        return minor === undefined ? [] : [{ workload, minor, tag }]
      })
      .sort((a, b) => a.minor - b.minor || (a.workload.name < b.workload.name ? -1 : 1))
    const [first] = found
    const newest = found.at(-1)?.minor
    if (!first || first.minor === newest) continue
    const objects = found.filter(({ minor }) => minor === newest).map(({ workload }) => workload.object)
    return {
      component,
      first: first.workload,
      minors: [...new Set(found.map(({ minor }) => `1.${minor}`))],
      age: ageOf(objects, live),
      lines: found
        .filter(({ minor }) => minor !== newest)
        .map(({ workload, tag }) => `${workload.name} runs ${tag}`),
    }
  }
  return undefined
}

/** The age of the oldest of some objects, in seconds. */
function ageOf(objects: readonly KubernetesObject[], { now }: Live): number {
  return Math.max(
    0,
    ...objects.map(({ metadata }) => (now - Date.parse(metadata?.creationTimestamp ?? '')) / 1000 || 0),
  )
}
