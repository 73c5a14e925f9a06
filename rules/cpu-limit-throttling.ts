import { at, cpuCores, type Graph, imageNamed, remove, rule, type Workload } from '../src/rule.js'

export default rule({
  title: 'A CPU limit slows down a service that answers requests',
  category: 'resources',
  severity: 'info',
  why: `The kernel enforces a CPU limit in slices of 100 ms: a process that has used its share of a slice
stands still until the next one, however idle the node is. A service with many threads uses up its share in
a few milliseconds of a burst, and its slowest requests take the rest of the slice longer.`,
  remedy: 'Remove the CPU limit and keep an honest request, unless a quota or policy demands the limit.',
  decides: `A container of a workload behind a Service whose CPU limit is below one core, with a runtime of
many threads (Java, .NET, by image and environment variables): one slice is used up at once. With \`always\`
every other limit is an info, too. Whole cores with request equal to limit are exempt (the kubelet may pin
them), and so are Jobs and namespaces whose ResourceQuota counts \`limits.cpu\`.`,
  falsePositives: 'Where tenants share nodes without trust a limit is legitimate policy.',
  sources: [
    'Linux kernel documentation, CFS bandwidth control',
    'k8s.io/api/core/v1/types.go (ResourceRequirements)',
  ],
  stories: [
    'omio-cpu-throttling',
    'buffer-cpu-limits',
    'zalando-credentials-queue',
    'zalando-misc-races',
    'oneandone-cfs-throttling',
    'airbnb-weird-ways',
    'civis-large-cluster',
  ],
  params: {
    always: {
      type: 'boolean',
      default: false,
      about:
        'Report every CPU limit of a workload behind a Service, not only those of runtimes with many threads.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const [service] = graph.servicesOf(workload)
    if (!service || workload.batch || quotaDemandsLimit(workload, graph)) return
    for (const { name, image, spec } of workload.running) {
      const { limits, requests } = spec.resources ?? {}
      const limit = cpuCores(limits?.cpu)
      if (!limits || limit === undefined) continue
      const request = cpuCores(requests?.cpu) ?? limit
      if (limit === request && Number.isInteger(limit)) continue
      const threaded =
        spec.env?.some((one) => /^(JAVA_|JDK_JAVA_|DOTNET_)/.test(one.name ?? '')) ||
        imageNamed(image, ['openjdk', 'eclipse-temurin', 'dotnet'])
      if (!(threaded && limit < 1) && !params.always) continue
      report(
        limits,
        'cpu',
        `Requests to ${name} stand still for parts of each 100 ms when it uses more than ${limits.cpu} CPU${threaded && limit < 1 ? ', which its threads do in one burst' : ''}.`,
        {
          see: [at(service, service)],
          fix: remove(limits, 'cpu', 'remove limits.cpu'),
        },
      )
      return
    }
  },
})

function quotaDemandsLimit(workload: Workload, graph: Graph): boolean {
  return graph
    .siblings('ResourceQuota', workload.object)
    .some((quota) => 'limits.cpu' in (quota.spec?.hard ?? {}))
}
