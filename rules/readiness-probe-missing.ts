import {
  at,
  atMost,
  type Container,
  clientsFirst,
  containerStates,
  counted,
  enumerate,
  type Fault,
  formatEnd,
  formatTurnover,
  type Graph,
  hasRollouts,
  idleProgram,
  imageNamed,
  isAlone,
  isInjected,
  isScrapedOnly,
  type Live,
  lastEnd,
  rule,
  type Service,
  spanSince,
  type Workload,
} from '../src/rule.js'

/** Images that serve metrics and nothing else. */
const exporters = ['exporter', 'kube-state-metrics', 'kube-rbac-proxy']

/** Seconds within which a run that fails has never got going. */
const startsWithin = 60

export default rule({
  title: 'A Service sends traffic to containers that are not ready',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `Without a readiness probe a pod is an endpoint as soon as its processes run, before they listen,
have warmed up or reach their database. Every rollout and every restart sends requests into that gap, and a
rollout of a broken version goes on to the last pod, because each of them counts as ready.`,
  remedy: 'Add a readiness probe that answers when the process can serve.',
  decides: `A workload that a Service selects, where the container that owns the Service's port (all ordinary
containers when that can't be told) has neither a \`readinessProbe\` nor a \`startupProbe\` (until that succeeds the
container is not ready), and the pod has no \`readinessGates\`. A readiness probe that runs \`echo\`, \`printf\` or
\`true\` without a shell, and so can't fail, counts as none. The probe of another container does not stand in for
it. One finding per workload. Asked for, the rule names those with a startup probe alone, too.

An info where no other pod could answer meanwhile: there is one, and the next one starts after its end (a
StatefulSet, a ReplicationController, the strategy Recreate).

In a cluster the containers stand below the finding whose last run failed within a minute of its start: without a
probe they counted as ready until then. And how often pods were made in the last seven days, by rollouts and without
one, as far as that is still known.

Exempt: Jobs, single Pods, containers that an injector fills in (image \`auto\`), Services that publish addresses
before readiness for peer discovery, and those that have no port (or one called \`dummy\`). So is what only a
scraper or a developer asks: Services that are named for metrics, or whose ports, by their own names or those of the
containers, are all for metrics, profiles or probes, and exporters of metrics by the name of their image.`,
  falsePositives: 'A process that listens within milliseconds and never gets stuck.',
  sources: [
    'kubernetes/pkg/kubelet/prober/prober_manager.go (UpdatePodStatus)',
    'k8s.io/api/core/v1/types.go (ReadinessProbe)',
  ],
  stories: ['gke-upgrade-two-replicas', 'oneandone-open-issues', 'dfds-ami-latest'],
  for: 'Workload',
  check(workload, { graph, isAsked, report }) {
    if (workload.batch || workload.kind === 'Pod' || (workload.pod.readinessGates?.length ?? 0) > 0) return
    const services = graph
      .servicesOf(workload)
      .filter((one) => !one.spec?.publishNotReadyAddresses && !isScrapedOnly(one, workload) && isCalled(one))
    const fault =
      tooEarly(workload, listenedToFirst(workload, clientsFirst(services), graph), graph) ??
      (isAsked ? probedAtStart(workload, services, graph) : undefined)
    if (fault) report(...fault)
  },
})

/** The Services that lead to a port which a container declares come first: behind another one nothing may listen. */
function listenedToFirst(workload: Workload, services: readonly Service[], graph: Graph): readonly Service[] {
  if (services.length < 2) return services
  const isDeclared = ({ spec }: Service) => spec?.ports?.some((port) => graph.portOf(workload, port)?.port)
  return [...services.filter(isDeclared), ...services.filter((one) => !isDeclared(one))]
}

/** That containers behind a Service count as ready as soon as they run. */
function tooEarly(workload: Workload, services: readonly Service[], graph: Graph): Fault | undefined {
  for (const service of services) {
    const bare = unprobed(workload, service, graph)
    const [first] = bare
    if (!first) continue
    const { readinessProbe } = first.spec
    const idle = bare.length === 1 && readinessProbe ? idleProgram(readinessProbe) : undefined
    const names = enumerate(
      bare.map(({ name }) => name),
      'and',
    )
    const when = hasRollouts(workload) ? 'rollout and restart' : 'start of a pod'
    return [
      first.spec,
      'readinessProbe',
      `${graph.describe(service)} sends requests to ${names} before ${bare.length > 1 ? 'they' : 'it'} can answer, at every ${when}${idle === undefined ? '' : `: its probe runs ${idle}, which never fails`}.`,
      {
        ...(isAlone(workload, graph) && { severity: 'info' }),
        evidence: graph.live ? failedStarts(workload, bare, graph.live.seen) : [],
        often: formatTurnover(workload, graph, ['rollouts', 'made']),
        see: [at(service, service.spec ?? service, 'selector')],
      },
    ]
  }
  return undefined
}

/** That only the start of a container behind a Service is probed. */
function probedAtStart(workload: Workload, services: readonly Service[], graph: Graph): Fault | undefined {
  for (const service of services) {
    const first = graph
      .listeners(workload, service)
      .find(({ spec }) => !spec.readinessProbe && spec.startupProbe)
    if (!first) continue
    return [
      first.spec,
      'readinessProbe',
      `${graph.describe(service)} goes on to send requests to ${first.name} when it no longer answers: only its start is probed.`,
      { severity: 'info', recommended: false, see: [at(service, service.spec ?? service, 'selector')] },
    ]
  }
  return undefined
}

/** Whether requests can come through the Service: without a port, or with a dummy, it gives the pods their names, and no more. */
function isCalled({ spec }: Service): boolean {
  return spec?.ports?.some(({ name }) => name !== 'dummy') ?? false
}

/** The containers behind the Service that count as ready as soon as they run. */
function unprobed(workload: Workload, service: Service, graph: Graph) {
  const owners = graph.listeners(workload, service)
  const serving = (
    owners.length > 0 ? owners : workload.running.filter(({ role }) => role === 'ordinary')
  ).filter((one) => !isInjected(one) && !imageNamed(one.image, exporters))
  const bare = serving.filter(
    ({ spec }) =>
      !spec.startupProbe && (!spec.readinessProbe || idleProgram(spec.readinessProbe) !== undefined),
  )
  // A patch may add the container that has the port.
  if (owners.length === 0 && graph.patched(workload.object)) return []
  // Where the port's owner is unknown one probe may well be the owner's.
  return owners.length === 0 && bare.length < serving.length ? [] : bare
}

/** The containers whose last run ended soon after its start: Services sent to them all the while. */
function failedStarts(workload: Workload, bare: readonly Container[], live: Live): string[] {
  const names = new Set(bare.map(({ name }) => name))
  const failed = live.troubledPodsOf(workload).flatMap((pod) =>
    containerStates(pod).flatMap((state) => {
      const { name = '', restartCount = 0 } = state
      const end = lastEnd(state)
      if (!names.has(name) || !end || end.exitCode === 0 || end.startedAt === 0) return []
      const ran = (end.endedAt - end.startedAt) / 1000
      if (ran < 0 || ran > startsWithin) return []
      const restarts = restartCount > 0 ? `, ${counted(restartCount, 'restart')}` : ''
      const text = `pod ${pod.metadata?.name ?? ''}: container ${name} failed ${Math.round(ran)} s after its start, ${spanSince(end.endedAt, live)} ago: ${formatEnd(end)}${restarts}`
      return [{ restartCount, text }]
    }),
  )
  return atMost(
    3,
    failed.sort((a, b) => b.restartCount - a.restartCount).map(({ text }) => text),
  )
}
