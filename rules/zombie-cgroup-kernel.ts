import {
  counted,
  firstOf,
  formatSpan,
  type Graph,
  inRange,
  kernelOf,
  nodesBy,
  type ObjectOf,
  rule,
  schedule,
} from '../src/rule.js'

type Node = ObjectOf<'Node'>

export default rule({
  title: 'An old kernel gets slower with every pod that has run on the node',
  category: 'node',
  severity: 'info',
  why: `The memory groups of containers that have ended stay in the kernel as long as a page is charged to
them. These kernels walk through all of them whenever somebody reads memory statistics, which cAdvisor does
every few seconds; the CPU that does it processes no packets meanwhile. Requests take 100 ms longer at
random, and more of them with every day that the node lives.`,
  remedy: 'Update the kernel; until then drain and reboot old nodes, and make fewer short-lived pods.',
  decides: `The kernel of a node is below \`kernelBelow\`, the node is older than \`days\`, and the CronJobs
of the cluster make \`podsPerDay\` pods or more for each node. How many groups the kernel holds the API does
not tell. Nodes with the same kernel are one finding. Kernels of Red Hat are left out: theirs got the cure
without a new number.`,
  sources: [
    'GitHub, Debugging network stalls on Kubernetes (cured in 4.19 and later)',
    'Linux kernel documentation, memory resource controller (cgroup v1)',
    'kubernetes/pkg/kubelet/cadvisor/cadvisor_linux.go',
  ],
  stories: ['github-network-stalls', 'datadog-10-ways'],
  needs: 'cluster',
  params: {
    kernelBelow: { type: 'string', default: '4.19.0', about: 'Kernels below it are affected.' },
    days: { type: 'integer', minimum: 0, default: 14, about: 'Age from which a node counts.' },
    podsPerDay: { type: 'integer', minimum: 1, default: 500, about: 'Pods a day and node that are many.' },
  },
  for: 'Node',
  check(node, { graph, params, report }) {
    const { live } = graph
    if (!live) return
    const alike = graph
      .once('nodes with slow memory statistics', () =>
        nodesBy(graph.all('Node'), (one) => {
          const kernel = kernelOf(one)
          const isOld = age(one, live.now) > params.days * 86400
          const isAffected =
            kernel && !/\.el\d/.test(kernel.text) && inRange(kernel.release, `<${params.kernelBelow}`)
          return isOld && isAffected ? kernel.text : undefined
        }),
      )
      .get(node)
    const pods = alike ? graph.once('pods that CronJobs make', () => churn(graph)) : 0
    const info = node.status?.nodeInfo
    if (!alike || !info || pods < params.podsPerDay) return
    const oldest = Math.max(...alike.map((one) => age(one, live.now)))
    report(
      info,
      'kernelVersion',
      `Requests can take 100 ms longer at random on ${counted(alike.length, 'node')}: kernel ${info.kernelVersion} has kept the groups of all pods for ${formatSpan(oldest)}.`,
      {
        onValue: true,
        evidence: [
          `CronJobs make ${Math.round(pods)} pods a day for each node`,
          ...(alike.length > 1 ? [firstOf(alike.map(({ metadata }) => metadata?.name ?? ''))] : []),
        ],
      },
    )
  },
})

/** The pods that CronJobs make in a day, for each node. */
function churn(graph: Graph): number {
  const runs = graph
    .all('CronJob')
    .filter(({ spec }) => spec?.suspend !== true)
    .map(({ spec }) => (schedule(spec?.schedule ?? '')?.starts().length ?? 0) / 31)
  return runs.reduce((sum, count) => sum + count, 0) / Math.max(1, graph.all('Node').length)
}

function age({ metadata }: Node, now: number): number {
  return (now - (Date.parse(metadata?.creationTimestamp ?? '') || now)) / 1000
}
