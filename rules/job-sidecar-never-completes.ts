import {
  advise,
  type Container,
  containerStates,
  enumerate,
  type Fault,
  type Graph,
  hasNativeSidecars,
  imageNamed,
  keptFromIstio,
  type Live,
  lastEnd,
  type Mesh,
  meshOf,
  numberAt,
  type Pod,
  proxyNames,
  rule,
  shellOf,
  spanSince,
  type Workload,
  wordsOf,
} from '../src/rule.js'

/** How a container asks a proxy beside it to end, or waits for a signal to do so. */
const endings =
  /quitquitquit|\/quit\b|\/shutdown|\bkill\b|pkill|killall|kubexit|scuttle|linkerd-await|\btrap\b|\btimeout\b|inotifywait|\bwhile\b|\buntil\b|wait-for/i

export default rule({
  title: 'A helper beside a Job keeps it running for ever',
  category: 'batch',
  severity: 'error',
  why: `A pod has ended when all its ordinary containers have. A proxy or a log shipper beside the work has no
reason to end: the work is done, the pod runs on, and the Job never completes. Under
\`concurrencyPolicy: Forbid\` no other run starts, and what waits for the Job, a deployment perhaps, waits
for ever.`,
  remedy:
    'Make the helper an init container with `restartPolicy: Always`: the kubelet ends it after the work.',
  decides: `A Job or CronJob with an ordinary container whose image or name is one of \`helpers\`, beside
others that are not. A warning when the run has a deadline: the work is done, and the Job fails.

Exempt: helpers that run by a shell, pods that share one process namespace, and pods of which any command
tells how the helper is ended (\`quitquitquit\`, \`kill\`, kubexit and the like).

In a cluster also: a pod in which a container ended with exit code 0 more than \`minutes\` ago, while only
helpers and containers that its template does not name, injected ones, still run. Asked for, the rule names Jobs in
manifests whose pods Istio or Linkerd inject, too: whether they do so as init containers with
\`restartPolicy: Always\`, which end with the work, is not to be seen there.`,
  versions: 'Init containers with `restartPolicy: Always` are on by default from 1.29, stable in 1.33.',
  sources: [
    'kubernetes/pkg/kubelet/kubelet_pods.go (getPhase)',
    'kubernetes/pkg/features/kube_features.go of 1.36 (SidecarContainers)',
    'cloud-sql-proxy documentation, job with a sidecar',
  ],
  stories: ['lyft-cronjobs', 'exponea-istio', 'target-cascading'],
  params: {
    helpers: {
      type: 'array',
      items: { type: 'string' },
      default: [
        ...proxyNames,
        'fluent-bit',
        'fluentd',
        'filebeat',
        'opentelemetry-collector',
        'otel-collector',
        'vault-agent',
        'datadog-agent',
      ],
      about: 'Parts of image names, or container names, of helpers that do not end by themselves.',
    },
    minutes: {
      type: 'integer',
      minimum: 0,
      default: 5,
      about: 'How long a helper may outlive the work in a cluster.',
    },
  },
  for: ['Job', 'CronJob'],
  check(subject, { graph, params, minor, report }) {
    const workload = graph.workload(subject)
    if (!workload || workload.controlled) return
    const isHelper = ({ name, image }: Container) =>
      params.helpers.includes(name) || imageNamed(image, params.helpers)
    const { live } = graph
    const stuck = live && stuckIn(workload, live, params.minutes, isHelper)
    if (stuck) {
      const written = workload.containers.find(({ name }) => name === stuck.names[0])
      report(
        written?.spec ?? workload.template,
        undefined,
        `Pod ${stuck.pod.metadata?.name ?? ''} did its work ${stuck.span} ago and has not ended: ${enumerate(stuck.names, 'and')} still ${stuck.names.length > 1 ? 'run' : 'runs'}.`,
        { evidence: stuck.evidence, fix: fixFor(minor) },
      )
      return
    }
    const ordinary = workload.containers.filter(({ role }) => role === 'ordinary')
    const helper = ordinary.find((container) => isHelper(container) && !endsItself(container))
    const work = ordinary.filter((container) => !isHelper(container))
    if (work.length === 0 || workload.pod.shareProcessNamespace || work.some(endsOthers)) return
    const mesh = helper || live ? undefined : injectedBy(workload, graph, minor)
    const fault = helper
      ? faultOfHelper(helper, work, workload, minor)
      : mesh && faultOfMesh(mesh, work, workload)
    if (fault) report(...fault)
  },
})

/** That a helper in the manifest runs on. */
function faultOfHelper(
  helper: Container,
  work: readonly Container[],
  workload: Workload,
  minor: number,
): Fault {
  const deadline = deadlineOf(workload)
  return [
    helper.spec,
    'name',
    deadline === undefined
      ? `${workload.name} never completes: ${helper.name} runs on when ${ended(work)}.`
      : `${workload.name} fails after ${deadline} s although its work is done: ${helper.name} runs on until the deadline.`,
    { severity: deadline === undefined ? 'error' : 'warning', fix: fixFor(minor) },
  ]
}

/** That the proxy of a mesh runs on. */
function faultOfMesh(mesh: Mesh, work: readonly Container[], workload: Workload): Fault {
  const deadline = deadlineOf(workload)
  const harm =
    deadline === undefined ? 'never completes' : `fails after ${deadline} s although its work is done`
  return [
    workload.template,
    undefined,
    `${workload.name} ${harm} where ${mesh} injects its proxy as an ordinary container: it runs on when ${ended(work)}.`,
    {
      severity: 'warning',
      recommended: false,
      fix: advise(
        mesh === 'Istio'
          ? 'label sidecar.istio.io/inject: "false" on the pods, or native sidecars'
          : 'annotation linkerd.io/inject: disabled on the pods, or native sidecars',
      ),
    },
  ]
}

/** `load and save have ended` */
function ended(work: readonly Container[]): string {
  const names = work.map(({ name }) => name)
  return `${enumerate(names, 'and')} ${names.length > 1 ? 'have' : 'has'} ended`
}

/** The mesh that gives the pods a proxy, as far as the input tells. */
function injectedBy(workload: Workload, graph: Graph, minor: number): Mesh | undefined {
  const mesh = meshOf(workload, graph)
  if (
    workload.pod.hostNetwork ||
    (mesh === 'Istio' && (keptFromIstio(workload) || hasNativeSidecars(graph, minor)))
  )
    return undefined
  const isNative = Object.entries(workload.annotations).some(
    ([key, value]) => /native-?sidecar/i.test(key) && value !== 'false',
  )
  return isNative ? undefined : mesh
}

function fixFor(minor: number) {
  return advise(
    minor >= 29
      ? 'move the helper to initContainers, with restartPolicy: Always'
      : 'let the work ask the helper to end, or run the Job without it',
  )
}

function deadlineOf({ object, pod }: Workload): number | undefined {
  const path = object.kind === 'CronJob' ? ['spec', 'jobTemplate', 'spec'] : ['spec']
  return numberAt(object, ...path, 'activeDeadlineSeconds') ?? pod.activeDeadlineSeconds
}

/** Run by a shell, it may well wait for a sign to end. */
function endsItself(container: Container): boolean {
  const words = wordsOf(container.spec)
  return shellOf(words) !== undefined || words.some((word) => endings.test(word))
}

function endsOthers(container: Container): boolean {
  const { lifecycle, env } = container.spec
  const texts = [
    ...wordsOf(container.spec),
    ...(lifecycle?.preStop?.exec?.command ?? []),
    ...(env ?? []).map(({ name, value }) => `${name ?? ''}=${value ?? ''}`),
  ]
  return texts.some((word) => endings.test(word))
}

/** The pod whose work is done for the longest time, while helpers run on. */
function stuckIn(workload: Workload, live: Live, minutes: number, isHelper: (one: Container) => boolean) {
  const found = live
    .podsOf(workload)
    .flatMap((pod) => {
      const done = doneAt(pod, workload, isHelper)
      return done && live.now - done.at >= minutes * 60_000 ? [{ pod, ...done }] : []
    })
    .sort((a, b) => a.at - b.at)
  const [first] = found
  if (!first) return undefined
  return {
    pod: first.pod,
    names: first.names,
    span: spanSince(first.at, live),
    evidence: found.length > 1 ? [`${found.length} pods of ${workload.name} are like this`] : [],
  }
}

function doneAt(pod: Pod, workload: Workload, isHelper: (one: Container) => boolean) {
  if (pod.status?.phase !== 'Running' || pod.metadata?.deletionTimestamp !== undefined) return undefined
  const names: string[] = []
  const ends: number[] = []
  const inits = new Set((pod.status.initContainerStatuses ?? []).map(({ name }) => name))
  for (const container of containerStates(pod)) {
    const name = container.name ?? ''
    if (inits.has(name)) continue
    const written = workload.containers.find((one) => one.name === name)
    if (container.state?.running) {
      if (written && !isHelper(written)) return undefined
      names.push(name)
    } else {
      const end = container.state?.terminated && lastEnd(container)
      if (end?.exitCode !== 0) return undefined
      ends.push(end.endedAt)
    }
  }
  return names.length > 0 && ends.length > 0 ? { names, at: Math.max(...ends) } : undefined
}
