import { configurationsIn, objectAt, quantity, rule, stringAt, type Untyped, valueAt } from '../src/rule.js'

export default rule({
  title: 'Nodes keep nothing back for the kubelet and the system',
  category: 'node',
  severity: 'warning',
  why: `Without a reservation the scheduler gives all memory of a node to pods. When they use it, the
kubelet, the container runtime and sshd compete with them, the kernel kills whatever it finds first, and a
node dies where one pod should have. Setting a single \`evictionHard\` signal also switches the defaults of
all others off.`,
  remedy:
    'Set `kubeReserved` and `systemReserved` with memory, and write every `evictionHard` signal when you write one.',
  decides: `A KubeletConfiguration (a file, inside a ConfigMap, or \`spec.kubelet\` of a kops cluster):
\`memory.available\` eviction switched off (0, or missing beside other signals while
\`mergeDefaultEvictionSettings\` is not true); \`enforceNodeAllocatable\` empty or \`none\`; or neither
\`kubeReserved\` nor \`systemReserved\` with memory. One finding per configuration, the gravest cause.`,
  falsePositives:
    'The flags of the kubelet or the node image may add a reservation that the file does not show.',
  sources: [
    'kubernetes/pkg/kubelet/eviction/defaults_linux.go',
    'k8s.io/kubelet/config/v1beta1/types.go (EvictionHard, EnforceNodeAllocatable)',
  ],
  stories: [
    'nordstrom-101-ways',
    'nunl-elastalert-oom',
    'buffer-cpu-limits',
    'dfds-agent-system-oom',
    'saltside-first-outage',
  ],
  for: ['kubelet.config.k8s.io/KubeletConfiguration', 'ConfigMap', 'kops.k8s.io/Cluster'],
  check(subject, { report }) {
    if (subject.kind === 'Cluster') {
      const kubelet = objectAt(subject, 'spec', 'kubelet')
      const hard = stringAt(kubelet, 'evictionHard')
      if (kubelet && hard !== undefined && !hard.includes('memory.available'))
        report(kubelet, 'evictionHard', starves('evictionHard names no memory.available'))
      return
    }
    for (const { value, place } of configurationsIn(subject, 'kubelet.config.k8s.io/KubeletConfiguration')) {
      const found = causeIn(value)
      if (found) report(...place(found.node, found.field), starves(found.cause))
    }
  },
})

const starves = (cause: string) =>
  `Pods can take the kubelet's memory and the node dies instead of a pod: ${cause}.`

function causeIn(kubelet: Untyped): { node: object; field: string; cause: string } | undefined {
  const hard = objectAt(kubelet, 'evictionHard')
  if (hard) {
    const memory = hard['memory.available']
    if (
      memory === undefined &&
      Object.keys(hard).length > 0 &&
      kubelet.mergeDefaultEvictionSettings !== true
    ) {
      return {
        node: kubelet,
        field: 'evictionHard',
        cause: 'evictionHard leaves out memory.available, which switches its default of 100Mi off',
      }
    }
    if (memory !== undefined && (quantity(memory) === 0 || /^0(\.0*)?%$/.test(String(memory))))
      return { node: hard, field: 'memory.available', cause: `eviction by memory is off (${String(memory)})` }
  }
  const enforce = valueAt(kubelet, 'enforceNodeAllocatable')
  if (Array.isArray(enforce) && (enforce.length === 0 || enforce.includes('none')))
    return {
      node: kubelet,
      field: 'enforceNodeAllocatable',
      cause: 'enforceNodeAllocatable holds pods to no limit',
    }
  const reserved = [objectAt(kubelet, 'kubeReserved'), objectAt(kubelet, 'systemReserved')]
  if (
    reserved.some((one) => (quantity(one?.memory) ?? 0) > 0) ||
    (quantity(hard?.['memory.available']) ?? 0) >= 500 * 2 ** 20
  )
    return undefined
  return {
    node: kubelet,
    field: 'kubeReserved',
    cause: 'neither kubeReserved nor systemReserved keeps memory back',
  }
}
