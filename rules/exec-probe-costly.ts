import { advise, at, countOf, type Live, type Probe, rule, shellOf, type Workload } from '../src/rule.js'

/** The API server's defaults. Source: kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_Probe). */
const defaults = { period: 10, timeout: 1 }
const fields = ['livenessProbe', 'readinessProbe'] as const

export default rule({
  title: 'A probe starts processes in its container all the time',
  category: 'workload-lifecycle',
  severity: 'info',
  recommended: false,
  why: `Each run of a command probe makes the runtime start a process in the container, which costs it far more
than an HTTP request: with many such pods on a node the runtime falls behind, and so does the kubelet that
waits for it. A command that does not end in time fails the probe, and what it started itself may stay behind
as a zombie where process 1 is the application.`,
  remedy: 'Use `httpGet`, `tcpSocket` or `grpc`, or run the command less often, with time to end.',
  decides: `A liveness or readiness probe of an ordinary container or native sidecar runs a command more often
than every \`minPeriodSeconds\`. The shell, which starts more processes, and a timeout of one second stand in
the message. One finding per workload, about the most frequent one; a \`startupProbe\` ends by itself. Asked for, the
rule also names those without \`timeoutSeconds\`, which then is one second, and scripts of several commands.

A warning in a cluster where events of the last hour say that a command was not done in time.`,
  versions: '`timeoutSeconds` holds for commands from 1.20 on. Probes by gRPC are stable from 1.27 on.',
  sources: [
    'kubernetes/pkg/kubelet/prober/prober.go (runProbe)',
    'kubernetes/pkg/features/kube_features.go (ExecProbeTimeout, GRPCContainerProbe)',
  ],
  stories: ['datadog-10-ways', 'airbnb-weird-ways'],
  params: {
    minPeriodSeconds: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Seconds between two runs of a command that cost too little to matter.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch) return
    const probes = workload.running
      .flatMap(({ name, spec }) =>
        fields.flatMap((field) => {
          const probe = spec[field]
          return probe?.exec ? [{ name, spec, field, probe, period: periodOf(probe) }] : []
        }),
      )
      .sort((a, b) => a.period - b.period)
    const evidence = graph.live ? timeoutsIn(workload, graph.live) : []
    const [first] = probes
    const isCostly = first && (first.period < params.minPeriodSeconds || evidence.length > 0)
    const most = isCostly
      ? first
      : probes.find(({ probe }) => probe.timeoutSeconds === undefined || isScript(probe))
    if (!most) return
    const { name, spec, field, probe, period } = most
    const command = probe.exec?.command ?? []
    const [program = ''] = command
    const timeout = probe.timeoutSeconds ?? defaults.timeout
    const started = shellOf(command)
      ? `a shell and its ${isScript(probe) ? 'commands' : 'command'}`
      : 'a process'
    report(
      spec,
      field,
      `The ${field === 'livenessProbe' ? 'liveness' : 'readiness'} probe of ${name} starts ${started} every ${period} s${timeout <= 1 ? ', each with one second to end' : ''}.`,
      {
        severity: evidence.length > 0 ? 'warning' : 'info',
        recommended: isCostly === true,
        evidence,
        see: [probe.periodSeconds === undefined ? undefined : at(workload, probe, 'periodSeconds')],
        fix: advise(
          command.some((word) => word.includes('grpc_health_probe'))
            ? `grpc: {port: …} instead of ${program}`
            : 'httpGet, tcpSocket or grpc, or a longer periodSeconds',
        ),
      },
    )
  },
})

/** Whether a probe starts several commands by a shell. */
function isScript({ exec }: Probe): boolean {
  const command = exec?.command ?? []
  return command.length > 2 && /[|;&]/.test(command.at(-1) ?? '')
}

const periodOf = (probe: Probe) => probe.periodSeconds ?? defaults.period

/** Commands of probes that were not done in time. */
function timeoutsIn(workload: Workload, live: Live): string[] {
  const events = live
    .eventsOf(workload)
    .filter(({ reason, message }) => reason === 'Unhealthy' && /command.*timed out/.test(message ?? ''))
  const [last] = events
  const count = events.reduce((sum, event) => sum + countOf(event), 0)
  return last ? [`${count} times in the events: ${(last.message ?? '').slice(0, 140).trim()}`] : []
}
