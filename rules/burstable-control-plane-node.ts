import { at, type Custom, type Graph, isControlPlane, isKind, objectAt, rule, stringAt } from '../src/rule.js'

export default rule({
  title: 'The control plane runs on burstable machines',
  category: 'control-plane',
  severity: 'warning',
  why: `A burstable machine lives on CPU credits. etcd must write to disk and answer its peers within a
fraction of a second; when the credits are gone, or the provider moves the machine, elections time out and
with them the API server, in the busiest hour of all.`,
  remedy: 'Use a machine type with fixed performance for etcd and the control plane.',
  decides: `The machine type of kops InstanceGroups with role Master or ControlPlane, of the machine
template that a Cluster API KubeadmControlPlane names (AWS, GCP, Azure), and of Nodes with the control-plane
label, compared with the patterns of burstable families. AWS runs T3, T3a and T4g without a limit unless
told otherwise, for money: they count with \`cpuCredits: standard\` in the InstanceGroup.`,
  falsePositives: 'Clusters for development and tests.',
  sources: ['AWS, Google Cloud and Azure documentation of burstable machine families'],
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
    const say = (type: string | undefined) =>
      `etcd stalls when the CPU credits of ${type} are used up, and the API server with it.`
    if (isKind(subject, 'Node')) {
      const labels = subject.metadata?.labels
      if (!labels || !isControlPlane(subject)) return
      const label = ['node.kubernetes.io/instance-type', 'beta.kubernetes.io/instance-type'].find((one) =>
        burstable(labels[one]),
      )
      if (label) report(labels, label, say(labels[label]))
      return
    }
    const spec = objectAt(subject, 'spec')
    if (!spec) return
    if (subject.kind === 'InstanceGroup') {
      const type = stringAt(spec, 'machineType')
      const isLimited = stringAt(spec, 'cpuCredits') === 'standard' && /^t[34]/.test(type ?? '')
      if (/^(Master|ControlPlane)$/i.test(stringAt(spec, 'role') ?? '') && (isLimited || burstable(type)))
        report(spec, 'machineType', say(type))
      return
    }
    const template = templateOf(subject, graph)
    const machine = objectAt(template, 'spec', 'template', 'spec')
    if (!template || !machine) return
    const field = ['instanceType', 'vmSize'].find((one) => burstable(stringAt(machine, one)))
    if (field)
      report(spec, 'machineTemplate', say(stringAt(machine, field)), {
        see: [at(template, machine, field, 'the machine type')],
      })
  },
})

const templates = [
  'infrastructure.cluster.x-k8s.io/AWSMachineTemplate',
  'infrastructure.cluster.x-k8s.io/AzureMachineTemplate',
  'infrastructure.cluster.x-k8s.io/GCPMachineTemplate',
] as const

/** The machine template that the control plane names (`infrastructureRef`, before v1beta1 `infrastructureTemplate`). */
function templateOf(controlPlane: Custom, graph: Graph): Custom | undefined {
  const name =
    stringAt(controlPlane, 'spec', 'machineTemplate', 'infrastructureRef', 'name') ??
    stringAt(controlPlane, 'spec', 'infrastructureTemplate', 'name')
  return templates.map((kind) => graph.find(kind, name, controlPlane)).find((found) => found !== undefined)
}
