import {
  advise,
  allowanceOf,
  at,
  type Container,
  type ContainerSpec,
  conditionOf,
  cpuCores,
  failingCalls,
  formatCondition,
  idleProgram,
  imageParts,
  isKind,
  type Live,
  type Probe,
  probeKillsOf,
  type RuleFix,
  rule,
  type Sight,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'The liveness probe kills slow but healthy processes',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A liveness probe that allows a few seconds fails first under load, when garbage is collected or CPU
is throttled. The restart loses caches and connections and puts the load on the other replicas, which then
fail the same probe: one after the other, a healthy service goes down. A slow start under such a probe never
ends: each attempt is killed.`,
  remedy:
    'Allow at least half a minute of failures and some seconds per probe, and use a `startupProbe` for slow starts.',
  decides: `The time that an HTTP, gRPC or command probe allows a slow process is below \`minBudgetSeconds\`. That
is \`failureThreshold\` times \`periodSeconds\`, or \`timeoutSeconds\` when that is longer: the next probe waits for
the last one. Or, for TCP probes without a startup probe, the process must listen within less than
\`minStartSeconds\` after its start (\`initialDelaySeconds\` plus that time). A TCP connection to a running process
is made by the kernel, slow or not, until its queue is full, so its budget hardly matters later. A command without a shell that always succeeds (\`echo\`, \`true\`) kills nothing.
A CPU limit below one core or a timeout of one second adds to the message. An error for etcd and kube-apiserver, an info for other Pods of their own. One
finding per workload; batch work is exempt.

Asked for, the rule names as infos also such probes that allow less than 30 s, those under which a start may take
less than 30 s, and the defaults, 30 s and a second for each answer, where a CPU limit below one core makes answers
slow.

In a cluster an error where it has happened: events of the last hour say that a container that has the probe was killed for it
(\`Killing\`), or, where none says that of its pod, that the probe failed, and the container was restarted by SIGTERM or SIGKILL
(exit code 143 or 137) and not for its memory. That tells of probes that
are not reported otherwise, too, the defaults among them, where the probe waited in vain for an answer or the container was killed
before it listened. Where all crashes of a workload are such kills they are this finding alone, and a process that crashes
again and again and says itself that it is not healthy is \`crashloop-restart-storm\` alone.`,
  falsePositives: 'Small processes whose check costs nothing and that restart within a second.',
  versions:
    'Defaults: periodSeconds 10, failureThreshold 3, timeoutSeconds 1, initialDelaySeconds 0. kubeadm uses 8 failures and 15 seconds for the control plane.',
  sources: [
    'kubernetes/pkg/apis/core/v1/defaults.go',
    'kubernetes/pkg/kubelet/prober/worker.go (run)',
    'kubernetes/pkg/probe/http/http.go, pkg/probe/grpc/grpc.go, pkg/probe/exec/exec.go (what a probe says that failed)',
    'kubernetes/cmd/kubeadm/app/util/staticpod/utils.go',
  ],
  stories: [
    'nrelabs-etcd-liveness',
    'thredup-moving',
    'omio-cpu-throttling',
    'oneandone-cfs-throttling',
    'airmap-pleg',
  ],
  params: {
    minBudgetSeconds: {
      type: 'integer',
      minimum: 1,
      default: 20,
      about: 'Seconds of failures that a running process must be allowed.',
    },
    minStartSeconds: {
      type: 'integer',
      minimum: 1,
      default: 15,
      about: 'Seconds that a process behind a TCP probe without a startup probe must be allowed to start.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch) return
    const { live } = graph
    const probed = workload.running
      .flatMap((container) => probedBy(container, params) ?? [])
      .map((one) => (live ? withKills(one, workload, live) : { ...one, evidence: nothing, isSymptom: false }))
      .filter(({ isUsual, evidence }) => !isUsual || evidence.length > 0)
    const one = probed.find(({ recommended }) => recommended) ?? probed[0]
    if (!one) return
    const { probe, recommended, isStart, period, failures, evidence, isSymptom } = one
    const patience = failuresFor(isStart ? params.minStartSeconds : params.minBudgetSeconds, period)
    const enough = Math.max(patience, failuresFor(generous, period))
    const calls = evidence.length > 0 && live ? failingCalls(workload, graph, live) : undefined
    const harm = isStart ? harmAtStart(one) : harmLater(one, workload)
    report(probe, undefined, harm.message, {
      severity: evidence.length > 0 ? 'error' : harm.severity,
      recommended,
      evidence: [...evidence, ...(evidence.length > 0 ? stallOf(workload) : []), ...(calls?.said ?? [])],
      symptomOf: isSymptom ? { rules: ['crashloop-restart-storm'], objects: [workload.object] } : undefined,
      see: [harm.see, calls?.route],
      fix: enough > failures ? set(probe, 'failureThreshold', enough) : harm.fix,
    })
  },
})

/** What a probe does, as far as the manifest tells. */
interface Harm {
  readonly message: string
  readonly severity: 'error' | 'warning' | 'info'
  readonly see?: Sight | undefined
  /** What helps where the probe has failures enough. */
  readonly fix: RuleFix
}

type Probed = NonNullable<ReturnType<typeof probedBy>>

/** What it does to a container that starts. */
function harmAtStart({ container, start, recommended }: Probed): Harm {
  return {
    message: `A start of ${container.name} that takes longer than ${start} s never ends: its liveness probe kills each attempt.`,
    severity: recommended ? 'warning' : 'info',
    fix: advise('a startupProbe with the same check, for as long as a start may take'),
  }
}

/** What it does to one that has started. */
function harmLater({ container, probe, failures, budget, recommended }: Probed, workload: Workload): Harm {
  const slow = slowness(container, probe)
  const count = failures === 1 ? '1 failed probe is' : `${failures} failed probes within ${budget} s are`
  const which = container.name === workload.name ? container.name : `${container.name} of ${workload.name}`
  const usual = workload.kind === 'Pod' || !recommended ? 'info' : 'warning'
  return {
    message: `A slow moment restarts container ${which}, however healthy: ${count} enough${slow ? `, and ${slow.why}` : ''}.`,
    severity: recommended && isControlPlane(container) ? 'error' : usual,
    see: slow?.node && at(workload, slow.node, slow.field),
    fix: set(probe, 'timeoutSeconds', 5),
  }
}

/** What a Deployment says of a rollout that waits for the pods. */
function stallOf({ object }: Workload): readonly string[] {
  const progress = isKind(object, 'Deployment') ? conditionOf(object, 'Progressing') : undefined
  return progress?.status === 'False' ? [`its rollout does not progress: ${formatCondition(progress)}`] : []
}

const nothing: readonly string[] = []

/** Seconds of failures that any process can do with. */
const generous = 30

/** A liveness probe that may kill a healthy process. Those that are not recommended leave it some time. */
function probedBy(
  container: Container,
  {
    minBudgetSeconds,
    minStartSeconds,
  }: { readonly minBudgetSeconds: number; readonly minStartSeconds: number },
) {
  const { livenessProbe: probe, startupProbe } = container.spec
  if (!probe) return undefined
  const { timeout, ...allowed } = allowanceOf(probe)
  const { budget, start } = allowed
  const facts = { container, probe, ...allowed, isUsual: false }
  // Only a cluster can show that even this took too long.
  if (idleProgram(probe)) return { ...facts, recommended: false, isStart: false, isUsual: true }
  if (!probe.tcpSocket && budget < minBudgetSeconds) return { ...facts, recommended: true, isStart: false }
  if (!startupProbe && start < (probe.tcpSocket ? minStartSeconds : generous))
    return { ...facts, recommended: probe.tcpSocket !== undefined, isStart: true }
  if (probe.tcpSocket || (budget >= generous && timeout > 1)) return undefined
  // A second for each answer is the default: by itself it is no sign of trouble.
  const isUsual = budget > generous || (budget === generous && !isThrottled(container.spec))
  return { ...facts, recommended: false, isStart: false, isUsual }
}

const failuresFor = (seconds: number, period: number) => Math.ceil(seconds / Math.max(1, period))

function isControlPlane({ image }: Container): boolean {
  return image !== undefined && ['etcd', 'kube-apiserver'].includes(imageParts(image).name)
}

function isThrottled({ resources }: ContainerSpec): boolean {
  return (cpuCores(resources?.limits?.cpu) ?? 1) < 1
}

/** What makes the process slow or the probe strict besides. */
function slowness({ spec }: Container, probe: Probe) {
  const { limits } = spec.resources ?? {}
  if (limits && isThrottled(spec))
    return { why: `CPU beyond ${limits.cpu} is throttled`, node: limits, field: 'cpu' }
  const { timeout } = allowanceOf(probe)
  return timeout <= 1
    ? {
        why: `each must answer within ${timeout} s`,
        node: probe.timeoutSeconds === undefined ? undefined : probe,
        field: 'timeoutSeconds',
      }
    : undefined
}

/** A probe with what a cluster shows of the restarts that it is to blame for; with them it is worth a word to anybody. */
function withKills(one: Probed, workload: Workload, live: Live) {
  const kills = probeKillsOf(one.container, workload, live)
  if (!kills) return { ...one, evidence: nothing, isSymptom: false }
  const { evidence, isDuringStart, isOfProbe, isStorm } = kills
  return {
    ...one,
    evidence,
    isStart: isDuringStart || (one.isStart && !isOfProbe),
    recommended: one.recommended || isOfProbe,
    isSymptom: isStorm && !isOfProbe,
  }
}
