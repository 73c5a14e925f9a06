import {
  at,
  atMost,
  type Container,
  countsCpuLimits,
  cpuCores,
  type Fault,
  type Graph,
  grouped,
  imageNamed,
  liftCpuLimit,
  rule,
  takenVariables,
  throttledOf,
  type Workload,
  wordsOf,
} from '../src/rule.js'

export default rule({
  title: 'A CPU limit slows down a service that answers requests',
  category: 'resources',
  severity: 'info',
  why: `The kernel enforces a CPU limit in slices of 100 ms: a process that has used its share of a slice
stands still until the next one, however idle the node is. A service with many threads uses up its share in
a few milliseconds of a burst, and its slowest requests take the rest of the slice longer.`,
  remedy:
    'Remove the CPU limit and keep an honest request, unless a quota or policy demands the limit; where a LimitRange gives one to containers without, raise it.',
  decides: `A container of a workload behind a Service whose CPU limit is below one core, with a runtime of many
threads (Java, .NET, by image, command and environment variables): one slice is used up at once. With \`always\`
every other limit is an info, too, and where the rule is asked for those of workloads without a Service. Whole cores
with request equal to limit are exempt (the kubelet may pin them), and so are Jobs and namespaces whose
ResourceQuota counts \`limits.cpu\`.

With \`scan --kubelet-metrics\` the kubelets tell how often limits stopped containers since they started. A
container that was stopped in \`throttled\` percent of the periods in which it wanted to run, over all its pods with
at least \`minPeriods\` of them, is a warning behind a Service and an info elsewhere, whatever its runtime and
limit.`,
  falsePositives: 'Where tenants share nodes without trust a limit is legitimate policy.',
  sources: [
    'Linux kernel documentation, CFS bandwidth control',
    'k8s.io/api/core/v1/types.go (ResourceRequirements)',
    'google/cadvisor, metrics/prometheus.go (container_cpu_cfs_throttled_periods_total)',
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
      asked: true,
      about:
        'Report every CPU limit of a workload behind a Service, not only those of runtimes with many threads.',
    },
    throttled: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 25,
      about: 'Percent of the periods of 100 ms in which the limit stopped a container.',
    },
    minPeriods: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      about: 'Periods from which the percentage of a container counts.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch) return
    const fault =
      stoppedNow(workload, params, graph) ??
      (countsCpuLimits(workload.object, graph) ? undefined : mayBeStopped(workload, params.always, graph))
    if (fault) report(...fault)
  },
})

/** That a limit has stopped a container of a cluster for much of its time. */
function stoppedNow(
  workload: Workload,
  params: { readonly throttled: number; readonly minPeriods: number },
  graph: Graph,
): Fault | undefined {
  const stopped = mostStopped(workload, graph, params)
  if (!stopped) return undefined
  const { name, spec, share, pods } = stopped
  const [service] = graph.servicesOf(workload)
  const { limits } = spec.resources ?? {}
  const isOwn = limits?.cpu !== undefined
  const limit = isOwn ? `its limit of ${limits.cpu} CPU` : 'the CPU limit of its pod'
  const lines = pods.map(
    (one) =>
      `pod ${one.pod}: stopped in ${grouped(one.stopped)} of ${grouped(one.periods)} periods since its start`,
  )
  return [
    isOwn ? limits : spec,
    isOwn ? 'cpu' : 'name',
    `${service ? `Requests to ${name} wait` : `${name} waits`}: ${limit} stopped it in ${share} % of the 100 ms periods in which it had work.`,
    {
      severity: service ? 'warning' : 'info',
      evidence: atMost(3, lines),
      see: service ? [at(service, service)] : [],
      fix: liftCpuLimit(spec, workload, graph),
    },
  ]
}

/** That a limit may stop a container: one of many threads uses up a share below one CPU at once. */
function mayBeStopped(workload: Workload, always: boolean, graph: Graph): Fault | undefined {
  const [service] = graph.servicesOf(workload)
  for (const { name, image, spec } of workload.running) {
    const { limits, requests } = spec.resources ?? {}
    const limit = cpuCores(limits?.cpu)
    if (!limits || limit === undefined) continue
    const request = cpuCores(requests?.cpu) ?? limit
    if (limit === request && Number.isInteger(limit)) continue
    const isBurst = limit < 1 && isThreaded(spec, image, workload, graph)
    if (!isBurst && !always) continue
    return [
      limits,
      'cpu',
      `${service ? `Requests to ${name} stand` : `${name} stands`} still for parts of each 100 ms when it uses more than ${limits.cpu} CPU${isBurst ? ', which its threads do in one burst' : ''}.`,
      {
        recommended: service !== undefined,
        see: service ? [at(service, service)] : [],
        fix: liftCpuLimit(spec, workload, graph),
      },
    ]
  }
  return undefined
}

/** Whether a runtime of many threads runs in it, by what it is started with, its variables and its image. */
function isThreaded(
  spec: Container['spec'],
  image: string | undefined,
  workload: Workload,
  graph: Graph,
): boolean {
  const variables = [
    ...(spec.env ?? []).map(({ name = '' }) => name),
    ...takenVariables(spec, workload, graph).map(({ name }) => name),
  ]
  return (
    variables.some((name) => /^(JAVA_|JDK_JAVA_|DOTNET_)|_JAVA_OPTS$/.test(name)) ||
    imageNamed(image, ['openjdk', 'eclipse-temurin', 'amazoncorretto', 'tomcat', 'dotnet']) ||
    wordsOf(spec).some((word) => /(^|[\s/])(java\s+(-|\w+\.)|dotnet\s)|(^|\/)(java|dotnet)$/.test(word))
  )
}

/** The container that was stopped in the largest part of its periods, when that is much. */
function mostStopped(
  workload: Workload,
  { live }: Graph,
  { throttled, minPeriods }: { readonly throttled: number; readonly minPeriods: number },
) {
  const all = live ? throttledOf(workload, live).filter(({ periods }) => periods >= minPeriods) : []
  return workload.running
    .map(({ name, spec }) => {
      const pods = all.filter(({ container }) => container === name)
      const sum = (field: 'periods' | 'stopped') => pods.reduce((total, one) => total + one[field], 0)
      return { name, spec, pods, share: Math.round((100 * sum('stopped')) / Math.max(1, sum('periods'))) }
    })
    .filter(({ share, pods }) => pods.length > 0 && share >= throttled)
    .sort((a, b) => b.share - a.share)[0]
}
