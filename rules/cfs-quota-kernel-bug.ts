import {
  configurationsIn,
  counted,
  firstOf,
  type Graph,
  inRange,
  kernelOf,
  nodesBy,
  type ObjectOf,
  rule,
} from '../src/rule.js'

export default rule({
  title: 'The kernel throttles containers that are below their CPU limit',
  category: 'node',
  severity: 'warning',
  why: `A CPU limit is handed out in small slices to each CPU. These kernels throw away the rest of a slice
at the end of a period, or let the clocks of CPUs drift apart and do so at once: a process with many threads
stands still although its average is far below the limit. It answers late and fails its probes.`,
  remedy: 'Update the kernel; until then remove the CPU limits of services with many threads.',
  decides: `The kernel of a node (\`status.nodeInfo.kernelVersion\`) is in one of the ranges \`affected\` or
\`clockDrift\`, and a pod with a CPU limit runs there. Nodes with the same kernel are one finding.

Exempt: a KubeletConfiguration with \`cpuCFSQuota: false\`, and kernels of Red Hat, Debian, Ubuntu and SUSE,
which take fixes in without a new number. Amazon's kernels carry the number of the stable release.`,
  falsePositives: 'A kernel of your own with the fixes in it: set the ranges.',
  sources: [
    'Linux commit 512ac999d275 (4.18, 4.14.95)',
    'Linux commit de53fd7aedb1 (5.4, 4.14.154, 4.19.84, 5.3.9)',
    'kubernetes issue 67577',
  ],
  stories: ['oneandone-cfs-throttling', 'omio-cpu-throttling', 'buffer-cpu-limits', 'zalando-misc-races'],
  needs: 'cluster',
  params: {
    affected: {
      type: 'array',
      items: { type: 'string' },
      default: ['<4.14.154', '>=4.15.0 <4.19.84', '>=4.20.0 <5.3.9'],
      about: 'Kernels that throw the rest of a slice away.',
    },
    clockDrift: {
      type: 'array',
      items: { type: 'string' },
      default: ['<4.14.95', '>=4.15.0 <4.18.0'],
      about: 'Kernels that do so at once when the clocks of CPUs differ.',
    },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const limited = graph.once('nodes with CPU limits', () => limitedOn(graph))
    const alike = graph
      .once('nodes with the CFS quota bug', () =>
        nodesBy(graph.all('Node'), (one) => {
          const kernel = kernelOf(one)
          const isAffected = (ranges: readonly string[]) =>
            kernel?.isUpstream && ranges.some((range) => inRange(kernel.release, range))
          return limited.has(nameOf(one)) && (isAffected(params.affected) || isAffected(params.clockDrift))
            ? kernel?.text
            : undefined
        }),
      )
      .get(node)
    const info = node.status?.nodeInfo
    if (!alike || !info) return
    const workloads = new Set(alike.flatMap((one) => limited.get(nameOf(one)) ?? []))
    report(
      info,
      'kernelVersion',
      `Containers stand still below their CPU limit on ${counted(alike.length, 'node')}: kernel ${info.kernelVersion} miscounts what they have left.`,
      {
        onValue: true,
        evidence: [
          ...(alike.length > 1 ? [firstOf(alike.map(nameOf))] : []),
          `CPU limits: ${firstOf([...workloads].sort())}`,
        ],
      },
    )
  },
})

const nameOf = ({ metadata }: ObjectOf<'Node'>) => metadata?.name ?? ''

/** The workloads with CPU limits by the nodes that their pods run on. */
function limitedOn(graph: Graph): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  const isOff = graph
    .all('ConfigMap')
    .some((one) =>
      configurationsIn(one, 'kubelet.config.k8s.io/KubeletConfiguration').some(
        ({ value }) => value.cpuCFSQuota === false,
      ),
    )
  if (isOff || !graph.live) return found
  for (const workload of graph.workloads) {
    if (!workload.running.some(({ spec }) => spec.resources?.limits?.cpu !== undefined)) continue
    const name = `${workload.namespace}/${workload.name}`
    for (const { spec, status } of graph.live.podsOf(workload)) {
      if (!spec?.nodeName || status?.phase !== 'Running') continue
      const names = found.get(spec.nodeName) ?? []
      if (!names.includes(name)) found.set(spec.nodeName, [...names, name])
    }
  }
  return found
}
