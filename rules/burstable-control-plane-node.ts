import {
  at,
  type Custom,
  firstOf,
  type Graph,
  isControlPlane,
  isKind,
  namespaceNamed,
  nodesBy,
  type ObjectOf,
  objectAt,
  rule,
  stringAt,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'The control plane runs on burstable machines',
  category: 'control-plane',
  severity: 'warning',
  why: `A burstable machine has a part of a core, and more for a while: until its CPU credits are gone (AWS, Azure,
Alibaba), or while its host has time left (Google). etcd must write to disk and answer its peers within a
fraction of a second; when the burst ends elections time out and
with them the API server, in the busiest hour of all.`,
  remedy: 'Use a machine type with fixed performance for etcd and the control plane.',
  decides: `The machine type of kops InstanceGroups with role Master or ControlPlane, of the machine
template that a Cluster API KubeadmControlPlane names (AWS, GCP, Azure), and of Nodes with the control-plane
label or a pod of etcd, compared with the patterns of burstable families. Nodes of one type are one finding. AWS runs T3, T3a and T4g without a
limit unless told otherwise, for money: they count with \`cpuCredits: standard\` in the InstanceGroup, and
without it they are an info where the rule is asked for. With \`cpuCredits: unlimited\` no type counts: T2 runs on, too.

Exempt: clusters whose names say that they are for development or tests.`,
  falsePositives: 'Clusters for development and tests.',
  sources: [
    'AWS, Google Cloud and Azure documentation of burstable machine families',
    'cluster-api/api/controlplane/kubeadm/v1beta2/kubeadm_control_plane_types.go (infrastructureRef)',
    'kops/pkg/apis/kops/instancegroup.go (CPUCredits)',
  ],
  stories: ['zalando-t2-etcd', 'saltside-first-outage'],
  params: {
    patterns: {
      type: 'array',
      items: { type: 'string', format: 'regex' },
      default: ['^t[12]\\.', '^e2-(micro|small|medium)$', '^(f1|g1)-', '^Standard_B', '^ecs\\.t'],
      about: 'Regular expressions of burstable machine types.',
    },
  },
  for: ['kops.k8s.io/InstanceGroup', 'controlplane.cluster.x-k8s.io/KubeadmControlPlane', 'Node'],
  check(subject, { graph, params, report }) {
    const burstable = (type: string | undefined) =>
      type !== undefined && params.patterns.some((pattern) => new RegExp(pattern).test(type))
    const say = (type: string | undefined, mayPay = isPaidFor(type)) =>
      `etcd stalls when the CPU burst of ${type} is used up, and the API server with it${mayPay ? ', unless AWS may bill for more' : ''}.`
    const judge = (type: string | undefined) =>
      burstable(type) ? {} : isPaidFor(type) ? ({ severity: 'info', recommended: false } as const) : undefined
    if (isKind(subject, 'Node')) {
      const alike = alikeOf(subject, graph)
      const labels = subject.metadata?.labels
      const label = alike && typeLabels.find((one) => judge(labels?.[one]))
      if (labels && label)
        report(labels, label, say(labels[label]), {
          ...judge(labels[label]),
          evidence:
            alike.length > 1 ? [firstOf(alike.map(({ metadata }) => metadata?.name ?? '').sort())] : [],
        })
      return
    }
    if (namespaceNamed((clusterOf(subject) ?? '').replaceAll('.', '-'), ['dev', 'test', 'sandbox'])) return
    const spec = objectAt(subject, 'spec')
    if (!spec) return
    if (subject.kind === 'InstanceGroup') {
      const type = stringAt(spec, 'machineType')
      const credits = stringAt(spec, 'cpuCredits')
      const options = credits === 'standard' && isPaidFor(type) ? {} : judge(type)
      const isUnlimited = credits === 'unlimited'
      if (/^(Master|ControlPlane)$/i.test(stringAt(spec, 'role') ?? '') && options && !isUnlimited)
        report(spec, 'machineType', say(type, credits !== 'standard' && isPaidFor(type)), options)
      return
    }
    const template = templateOf(subject, graph)
    const machine = objectAt(template, 'spec', 'template', 'spec')
    if (!template || !machine) return
    const field = ['instanceType', 'vmSize'].find((one) => judge(stringAt(machine, one)))
    if (field)
      report(spec, 'machineTemplate', say(stringAt(machine, field)), {
        ...judge(stringAt(machine, field)),
        see: [at(template, machine, field, 'the machine type')],
      })
  },
})

/** The labels of a node with its machine type, today's first. */
const typeLabels = ['node.kubernetes.io/instance-type', 'beta.kubernetes.io/instance-type']

/** The nodes of the control plane with the machine type of one, at the first of them. */
function alikeOf(node: Node, graph: Graph): readonly Node[] | undefined {
  return graph
    .once('nodes of the control plane by machine type', () =>
      nodesBy(
        graph.all('Node').filter((one) => isControlPlane(one) || holdsEtcd(one, graph)),
        ({ metadata }) => typeLabels.map((one) => metadata?.labels?.[one] ?? '').join(' '),
      ),
    )
    .get(node)
}

/** Families of AWS that run on without credits, for money, unless told otherwise. */
function isPaidFor(type: string | undefined): boolean {
  return /^t(3|3a|4g)\./.test(type ?? '')
}

/** Whether a member of the cluster's etcd runs on the node. */
function holdsEtcd(node: Node, graph: Graph): boolean {
  const hosts = graph.once(
    'nodes of etcd',
    () =>
      new Set(
        graph.workloads
          .filter(({ namespace, labels }) => namespace === 'kube-system' && labels.component === 'etcd')
          .map(({ pod }) => pod.nodeName),
      ),
  )
  return hosts.has(node.metadata?.name)
}

/** The cluster that a machine definition is of, by the labels of kops and Cluster API, or the name of the definition. */
function clusterOf({ metadata }: Custom): string | undefined {
  const labels = metadata?.labels ?? {}
  return labels['kops.k8s.io/cluster'] ?? labels['cluster.x-k8s.io/cluster-name'] ?? metadata?.name
}

const templates = [
  'infrastructure.cluster.x-k8s.io/AWSMachineTemplate',
  'infrastructure.cluster.x-k8s.io/AzureMachineTemplate',
  'infrastructure.cluster.x-k8s.io/GCPMachineTemplate',
] as const

/**
 * The machine template that the control plane names. Source: cluster-api/api/controlplane/kubeadm/v1beta1 and v1beta2
 * (kubeadm_control_plane_types.go); before v1beta1 it was `infrastructureTemplate`.
 */
function templateOf(controlPlane: Custom, graph: Graph): Custom | undefined {
  const name =
    stringAt(controlPlane, 'spec', 'machineTemplate', 'spec', 'infrastructureRef', 'name') ??
    stringAt(controlPlane, 'spec', 'machineTemplate', 'infrastructureRef', 'name') ??
    stringAt(controlPlane, 'spec', 'infrastructureTemplate', 'name')
  return templates.map((kind) => graph.find(kind, name, controlPlane)).find((found) => found !== undefined)
}
