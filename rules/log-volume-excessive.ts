import {
  at,
  atMost,
  bytes,
  type Container,
  configurationsIn,
  flagOf,
  type Graph,
  imageNamed,
  isGone,
  isWorkload,
  namespaceNamed,
  numberAt,
  quantity,
  quantityPattern,
  rule,
  type Sight,
  set,
  takenVariables,
  valueAt,
  type Workload,
} from '../src/rule.js'

const names = /^(?:[A-Z0-9_]*_)?LOG_?LEVEL$|^RUST_LOG$|^LOGGING_LEVEL_ROOT$/i
const loud = /^(debug|trace|all|finest|verbose|silly)$|(^|[,=])(debug|trace)$/i

export default rule({
  title: 'The workload logs at debug level',
  category: 'observability',
  severity: 'info',
  why: `Every line is paid for three times: the container runtime writes it, an agent on the node tails and
parses it, and a store keeps it. One chatty workload takes disk, CPU and API quota from all others of its
node, most of all in an incident, when everything logs more.`,
  remedy: 'Log at info, and raise the level for the time of an investigation only.',
  decides: `Reported are

- environment variables such as LOG_LEVEL and RUST_LOG with the value debug or trace, written out or taken from a
  ConfigMap of the input;
- \`--log-level=debug\` (\`verbose\`, but for Multus and Whereabouts, which have no \`info\`), and klog's \`--v\` of 6 or more;
- a KubeletConfiguration that lets one container keep more than \`maxSize\` of logs per file or more than ten files.

Namespaces named dev or test are exempt; Pods without a controller and Jobs that no CronJob makes are looked at
where the rule is asked for, and so are \`--debug\` and DEBUG. One finding per workload.

In a cluster agents of the same nodes that read logs and take more than 5 % of a node's CPU stand below it (where the
metrics API tells).`,
  sources: [
    'k8snetworkplumbingwg/whereabouts and multus-cni, pkg/logging/logging.go (panic, error, verbose, debug)',
    'kubernetes/pkg/kubelet/apis/config/v1beta1/defaults.go (containerLogMaxSize 10Mi, containerLogMaxFiles 5)',
  ],
  stories: ['betz-log-tailing', 'bluematador-node-oom'],
  params: {
    quietNamespaces: {
      type: 'array',
      items: { type: 'string' },
      default: ['dev', 'development', 'test', 'sandbox'],
      about: 'Parts of namespace names where debug logs are fine.',
    },
    maxSize: {
      type: 'string',
      pattern: quantityPattern,
      default: '100Mi',
      about: 'The largest containerLogMaxSize that is fine.',
    },
  },
  for: ['Workload', 'kubelet.config.k8s.io/KubeletConfiguration', 'ConfigMap'],
  check(subject, { graph, params, report, isAsked }) {
    if (!isWorkload(subject)) {
      for (const { value, place } of configurationsIn(
        subject,
        'kubelet.config.k8s.io/KubeletConfiguration',
      )) {
        const size = valueAt(value, 'containerLogMaxSize')
        const files = numberAt(value, 'containerLogMaxFiles')
        if ((bytes(size) ?? 0) > (bytes(params.maxSize) ?? 0))
          report(
            ...place(value, 'containerLogMaxSize'),
            `One container may fill the node's disk with logs: each file grows to ${String(size)} (default 10Mi).`,
          )
        else if (files !== undefined && files > 10)
          report(
            ...place(value, 'containerLogMaxFiles'),
            `One container may fill the node's disk with logs: ${files} files are kept (default 5).`,
          )
      }
      return
    }
    if (namespaceNamed(subject.namespace, params.quietNamespaces)) return
    const isAlone = subject.kind === 'Pod' || subject.kind === 'Job'
    for (const container of subject.running) {
      const found =
        loudness(container) ?? loudnessFrom(container, subject, graph) ?? (isAsked && debugging(container))
      if (!found) continue
      report(
        found.node,
        found.field,
        `Container ${container.name} logs far more than it must: ${found.setting}.`,
        {
          recommended: !isAlone && !found.isVague,
          fix: found.env ? set(found.node, 'value', 'info') : undefined,
          evidence: busyAgents(subject, graph),
          see: found.see ? [found.see] : [],
        },
      )
      return
    }
  },
})

/** Images of agents that read the logs of their node. */
const agents = [
  'fluentd',
  'fluent-bit',
  'filebeat',
  'promtail',
  'alloy',
  'vector',
  'datadog/agent',
  'datadoghq/agent',
  'opentelemetry-collector',
  'otel-collector',
]

/** The part of a node's CPU that is much for the reading of logs. */
const busyShare = 0.05

/** The agents that are busy with the logs of nodes on which the workload runs, in lines for evidence. */
function busyAgents(workload: Workload, graph: Graph): readonly string[] {
  const live = graph.live?.seen
  if (!live) return []
  const busy = graph.once('log-volume-excessive: busy agents', () => {
    const sizes = new Map(
      graph
        .seen('Node')
        .map(({ metadata, status }) => [metadata?.name, quantity(status?.allocatable?.cpu) ?? 0] as const),
    )
    return graph.seenWorkloads
      .filter(
        ({ kind, running }) => kind === 'DaemonSet' && running.some(({ image }) => imageNamed(image, agents)),
      )
      .flatMap((agent) => live.podsOf(agent))
      .filter((pod) => !isGone(pod))
      .map((pod) => {
        const node = pod.spec?.nodeName ?? ''
        const cpu = (live.usageOf(pod) ?? []).reduce((sum, one) => sum + one.cpu, 0)
        return {
          pod: pod.metadata?.name ?? '',
          node,
          share: cpu / (sizes.get(node) || Number.POSITIVE_INFINITY),
        }
      })
      .filter(({ share }) => share > busyShare)
      .sort((a, b) => b.share - a.share || (a.pod < b.pod ? -1 : 1))
  })
  if (busy.length === 0) return []
  const nodes = new Set(live.podsOf(workload).map(({ spec }) => spec?.nodeName))
  return atMost(
    2,
    busy
      .filter(({ node }) => nodes.has(node))
      .map(
        ({ pod, node, share }) =>
          `pod ${pod} takes ${Math.round(share * 100)} % of the CPU of node ${node} for the logs there now`,
      ),
  )
}

interface Loudness {
  readonly node: object
  readonly field: string
  readonly setting: string
  /** Whether it is a variable that is written out. */
  readonly env: boolean
  readonly see?: Sight
  /** What it turns on besides logs, the manifest does not tell. */
  readonly isVague?: true
}

/** The same in a ConfigMap of the input that the container takes variables from. */
function loudnessFrom({ spec }: Container, workload: Workload, graph: Graph): Loudness | undefined {
  const found = takenVariables(spec, workload, graph).find(
    ({ name, value }) => names.test(name) && loud.test(value.trim()),
  )
  if (!found) return undefined
  const { name, value, config, key, reference } = found
  return {
    node: reference,
    field: 'name',
    setting: `${name} is ${value.trim()} in ConfigMap ${config.metadata?.name}`,
    env: false,
    see: at(config, config.data ?? config, key),
  }
}

function debugging(container: Container): Loudness | undefined {
  const { spec } = container
  const variable = (spec.env ?? []).find(
    ({ name, value = '' }) => /^([A-Z0-9_]+_)?DEBUG$/.test(name ?? '') && /^(1|true|yes|on|\*)$/i.test(value),
  )
  if (variable)
    return {
      node: variable,
      field: 'value',
      setting: `${variable.name} is ${variable.value}`,
      env: false,
      isVague: true,
    }
  return flagOf(container, 'debug') === 'true'
    ? { node: spec, field: spec.args ? 'args' : 'command', setting: '--debug', env: false, isVague: true }
    : undefined
}

function loudness(container: Container): Loudness | undefined {
  const { spec } = container
  const variable = (spec.env ?? []).find((one) => names.test(one.name ?? '') && loud.test(one.value ?? ''))
  if (variable)
    return { node: variable, field: 'value', setting: `${variable.name} is ${variable.value}`, env: true }
  const level =
    flagOf(container, 'log-level') ??
    flagOf(container, 'loglevel') ??
    flagOf(container, 'log.level') ??
    flagOf(container, 'zap-log-level')
  const verbosity = Number(flagOf(container, 'v') ?? Number.NaN)
  const field = spec.args ? 'args' : 'command'
  // They have no level between this one and that of errors.
  const isPlain = level === 'verbose' && imageNamed(container.image, ['whereabouts', 'multus'])
  if (level && loud.test(level) && !isPlain)
    return { node: spec, field, setting: `its log level is ${level}`, env: false }
  if (verbosity >= 6 && verbosity < 2 ** 31)
    // A level is a number of 32 bits. Source: k8s.io/klog/v2/klog.go (Level).
    return { node: spec, field, setting: `--v=${verbosity}`, env: false }
  return undefined
}
