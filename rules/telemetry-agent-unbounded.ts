import {
  type Container,
  type Fault,
  type Graph,
  heavyPods,
  imageNamed,
  isWorkload,
  type Live,
  memoryTrouble,
  type ObjectOf,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'A log, metrics or trace agent has no bounds',
  category: 'observability',
  severity: 'warning',
  why: `An agent runs on every node or in every pod, and its buffers grow exactly when something else fails:
the store is slow, an application logs in a loop. Without a memory limit it then takes the memory of the
whole node, and the kernel may kill the neighbours; without requests the scheduler does not count it at all.`,
  remedy: 'Give the agent requests and a memory limit, and its buffers a size.',
  decides: `DaemonSets, and sidecars beside other containers, whose image is one of \`images\`: no memory
limit, or no requests (which default to the limits). Pod-level resources count. Aggregators (Deployments and
StatefulSets of the agent alone) are left to \`memory-limit-missing\`, and a Fluent Bit each of whose inputs has a
\`Mem_Buf_Limit\` or buffers on disk, in a ConfigMap that it mounts, to \`resource-requests-missing\`. Where the rule is asked for, an info for
ConfigMaps of Fluent Bit and fluentd whose buffers have no bound.

In a cluster an error when the kernel has killed such an agent, the kubelet has evicted its pod for the memory of
the node, or a node of its pods names it as the process that was killed when all memory was gone (\`SystemOOM\`).
With the metrics API, agents that use more than a fifth of their node's memory at this moment stand below.`,
  sources: [
    'Kubernetes documentation, resource management for pods and containers',
    'Fluent Bit documentation, buffering and storage (Mem_Buf_Limit: the input is paused)',
    'fluentd/lib/fluent/plugin/buf_file.rb (DEFAULT_TOTAL_LIMIT_SIZE)',
  ],
  stories: [
    'bluematador-node-oom',
    'target-cascading',
    'dfds-agent-system-oom',
    'betz-log-tailing',
    'civis-large-cluster',
  ],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'fluentd',
        'fluent-bit',
        'fluentd-kubernetes-sumologic',
        'filebeat',
        'metricbeat',
        'logstash',
        'vector',
        'promtail',
        'alloy',
        'grafana-agent',
        'grafana/agent',
        'telegraf',
        'datadog',
        'datadog/agent',
        'datadoghq/agent',
        'opentelemetry-collector',
        'otel-collector',
        'otelcol',
        'jaeger-agent',
        'splunk',
        'newrelic',
        'sysdig',
        'elastic-agent',
      ],
      about: 'Parts of image names of agents.',
    },
  },
  for: ['Workload', 'ConfigMap'],
  check(subject, { graph, params, isAsked, report }) {
    const faults = isWorkload(subject)
      ? faultsOfAgents(subject, params.images, graph)
      : isAsked
        ? faultsOfConfiguration(subject)
        : []
    for (const fault of faults) report(...fault)
  },
})

/** The entries of a ConfigMap by which something grows without a bound. */
function faultsOfConfiguration({ data }: ObjectOf<'ConfigMap'>): readonly Fault[] {
  return Object.entries(data ?? {}).flatMap(([key, text]): readonly Fault[] => {
    const growth = growthIn(text)
    return growth && data ? [[data, key, `${growth}.`, { severity: 'info', recommended: false }]] : []
  })
}

/** The first agent without a bound, where it runs on every node or beside something else. */
function faultsOfAgents(workload: Workload, images: readonly string[], graph: Graph): readonly Fault[] {
  const agents = workload.batch ? [] : workload.running.filter(({ image }) => imageNamed(image, images))
  const perNode = workload.kind === 'DaemonSet'
  if (!perNode && agents.length === workload.running.length) return []
  for (const agent of agents) {
    const missing = missingIn(agent, workload)
    if (missing.length === 0) continue
    const seen = graph.live ? seenOf(agent, workload, graph, graph.live.seen) : []
    const isSeen = seen.length > 0
    if (!isSeen && isHeldBack(agent, workload, graph)) continue
    const harm = isSeen
      ? `A node ran out of memory under ${agent.name}, and it was killed there`
      : `${agent.name} can take the memory of ${perNode ? 'every node' : 'its pod and node'} when its store is slow`
    return [
      [
        agent.spec,
        'resources',
        `${harm}: it has ${missing.join(' and ')}.`,
        {
          severity: isSeen ? 'error' : 'warning',
          evidence: [...seen, ...heavyPods(workload, graph, 0.2, [agent.name])],
          // A patch may say it for the whole pod.
          restsOn: [[workload.pod, 'resources']],
        },
      ],
    ]
  }
  return []
}

const sectionStart = /^\s*(?=\[[A-Z_]+\])/m
const bound = /^\s*(?:mem_buf_limit|storage\.type\s+filesystem)\b/im

/** Whether it is a Fluent Bit that stops reading when its store is slow, by the configuration that its pod mounts. */
function isHeldBack(agent: Container, workload: Workload, graph: Graph): boolean {
  if (!imageNamed(agent.image, ['fluent-bit'])) return false
  const names = (workload.pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? [])
  const inputs = names
    .flatMap((name) => Object.values(graph.find('ConfigMap', name, workload.object)?.data ?? {}))
    .flatMap((text) => text.split(sectionStart))
    .filter((section) => section.startsWith('[INPUT]'))
  return inputs.length > 0 && inputs.every((input) => bound.test(input))
}

/** What grows without a bound by a configuration of Fluent Bit or fluentd. */
function growthIn(text: string): string | undefined {
  const sections = text.split(sectionStart)
  const tails = sections.filter((one) => one.startsWith('[INPUT]') && /^\s*name\s+tail\s*$/im.test(one))
  if (tails.some((one) => !bound.test(one)))
    return 'Fluent Bit takes more and more memory while its store is slow: a tail input has no Mem_Buf_Limit'
  const endless = sections.some(
    (one) =>
      one.startsWith('[OUTPUT]') &&
      /^\s*retry_limit\s+(false|no_limits)\s*$/im.test(one) &&
      !/^\s*storage\.total_limit_size\b/im.test(one),
  )
  if (endless && tails.some((one) => /^\s*storage\.type\s+filesystem\b/im.test(one)))
    return 'Fluent Bit fills the disk of its node while its store is away: it retries without end, and no storage.total_limit_size ends the buffer'
  const buffers = text.match(/<buffer\b[^>]*>[\s\S]*?<\/buffer>/g) ?? []
  return buffers.some((one) => /@type\s+file\b/.test(one) && !/total_limit_size/.test(one))
    ? 'fluentd fills up to 64 GB of the disk of its node while its store is away: a buffer of files has no total_limit_size'
    : undefined
}

function missingIn({ spec }: Container, { pod }: Workload): string[] {
  const limits = { ...pod.resources?.limits, ...spec.resources?.limits }
  const requests = { ...limits, ...pod.resources?.requests, ...spec.resources?.requests }
  return [
    limits.memory === undefined ? 'no memory limit' : '',
    requests.memory === undefined ? 'no memory request' : '',
  ].filter((one) => one !== '')
}

/** What was seen of the agent's own memory, a line each. */
function seenOf(agent: Container, workload: Workload, graph: Graph, live: Live): readonly string[] {
  const { killed, evicted, nodes } = memoryTrouble(workload, graph, live)
  const own = killed.filter(({ container }) => container === agent.name).map(({ line }) => line)
  // The kernel knows processes by the first 15 characters of their names.
  const process = agent.name.slice(0, 15)
  return [
    ...own.slice(0, 2),
    ...(workload.kind === 'DaemonSet' ? evicted.slice(0, 2) : []),
    ...nodes.filter((line) => line.includes(`victim process: ${process}`)),
  ]
}
