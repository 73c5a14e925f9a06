import { bytes, cpuCores, memoryTrouble, rule } from '../src/rule.js'

export default rule({
  title: 'Limits are many times the requests',
  category: 'resources',
  severity: 'info',
  recommended: false,
  why: `The scheduler fills nodes by requests; the pods may use up to their limits. With memory limits
several times the requests a node can be full on paper and promise three times its memory: in the hour when
all pods need it, the kernel chooses who dies.`,
  remedy: 'Bring the requests near to what the pods use at their busiest; for memory, near to the limit.',
  decides: `\`limits.memory\` above \`memoryRatio\` times the request, or \`limits.cpu\` above \`cpuRatio\`
times it, in a container of a workload that is no Job. One finding per workload, memory first. A warning in a
cluster where pods of the workload were evicted for the memory of their node, or where their nodes are short of
it.`,
  sources: ['Kubernetes documentation, node-pressure eviction and quality of service'],
  stories: ['moonlight-anti-affinity', 'betz-resource-limits', 'airbnb-weird-ways', 'dfds-agent-system-oom'],
  params: {
    memoryRatio: {
      type: 'number',
      minimum: 1,
      default: 3,
      about: 'How many times its request a memory limit may be.',
    },
    cpuRatio: {
      type: 'number',
      minimum: 1,
      default: 10,
      about: 'How many times its request a CPU limit may be.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch) return
    for (const { name, spec } of workload.running) {
      const { limits, requests } = spec.resources ?? {}
      if (!limits || !requests) continue
      for (const [field, read, most] of [
        ['memory', bytes, params.memoryRatio],
        ['cpu', cpuCores, params.cpuRatio],
      ] as const) {
        const limit = read(limits[field])
        const request = read(requests[field])
        if (!limit || !request || limit / request <= most) continue
        const seen = field === 'memory' && graph.live ? memoryTrouble(workload, graph, graph.live) : undefined
        const evidence = [...(seen?.evicted ?? []), ...(seen?.nodes ?? [])]
        report(
          limits,
          field,
          `${name} may use ${Number((limit / request).toFixed(1))} times the ${field === 'cpu' ? 'CPU' : 'memory'} that its node has set aside for it: limit ${limits[field]}, request ${requests[field]}.`,
          { severity: evidence.length > 0 ? 'warning' : 'info', evidence },
        )
        return
      }
    }
  },
})
