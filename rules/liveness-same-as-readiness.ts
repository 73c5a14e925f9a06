import {
  allowanceOf,
  areForScrapers,
  at,
  atMost,
  type Container,
  containerStates,
  formatEnd,
  type Graph,
  isScrapedOnly,
  isUnhealthy,
  type Live,
  lastEnd,
  type Probe,
  rule,
  spanSince,
  type Workload,
} from '../src/rule.js'

/** Pods that are restarted within this time, in milliseconds, are restarted for one reason. */
const together = 60_000
/** How long an API server keeps events by default, in milliseconds. */
const eventsLast = 3_600_000

export default rule({
  title: 'The check that should take a pod out of service restarts it',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A readiness check fails when the pod can't serve, often because a dependency is slow; the pod leaves
the Service and comes back. When the liveness probe asks the same question and gives up as early, the
kubelet restarts all replicas instead: readiness never gets to do its work, and an outage of the dependency
becomes an outage of its own.`,
  remedy: 'Let liveness ask the process only (another path), or give it a several times longer time to fail.',
  decides: `Both probes of a container call the same HTTP path or gRPC service on the same port, and liveness gives
up (\`periodSeconds\`, or a longer \`timeoutSeconds\`, × \`failureThreshold\`) before \`ratio\` times the time of
readiness. A warning when the path's own name says that it looks further than the process (\`readinessPaths\`:
/ready, /actuator/health…), else an info. That info is only for containers on which liveness gives up no later than
readiness. It is not given where the names of ports or Services show that only a scraper asks the container, nor
where none of the Services beside it selects the pods. gRPC health services, which most servers answer without a
look at anything else, count only with \`grpc\`.

In a cluster an error (a warning where the path says nothing) when two pods or more were restarted within a minute
of each other during the last hour, and events say that their liveness probes failed.

TCP checks and commands are left alone, as most look at their own process only, unless the rule is asked for: then
all that liveness gives up on before \`ratio\` times the time of readiness is an info, but for the paths that
\`processPaths\` names. One finding per workload; left out where \`liveness-probe-aggressive\` reports it.`,
  falsePositives: 'An endpoint that never looks at a dependency can serve both probes: suppress and say so.',
  sources: [
    'k8s.io/api/core/v1/types.go (Probe)',
    'kubernetes/pkg/apis/core/v1/defaults.go',
    'Kubernetes documentation, Configure liveness, readiness and startup probes (a higher failureThreshold for liveness)',
  ],
  stories: ['thredup-moving', 'airmap-pleg', 'zalando-cronjob-apiserver'],
  params: {
    grpc: { type: 'boolean', default: false, asked: true, about: 'Look at gRPC health services, too.' },
    ratio: {
      type: 'number',
      minimum: 1,
      default: 2,
      about: 'How many times longer liveness must allow failures than readiness.',
    },
    processPaths: {
      type: 'array',
      items: { type: 'string' },
      default: ['livez', 'live', 'liveness', 'alive', 'ping', '-/healthy'],
      about: 'Last parts of paths that look at nothing but the process.',
    },
    readinessPaths: {
      type: 'array',
      items: { type: 'string' },
      default: ['ready', 'readyz', 'readiness', 'actuator/health'],
      about: 'Last parts of paths that look at dependencies.',
    },
  },
  unless: ['liveness-probe-aggressive'],
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const shared = workload.running.flatMap((container) => sharedBy(container, workload, graph, params) ?? [])
    const one = shared.find(({ recommended }) => recommended) ?? shared[0]
    if (!one) return
    const { name, live, ready, what, dependent, isOwn, isLater, restarts, recommended } = one
    report(
      live,
      undefined,
      restarts.length > 0
        ? `${restarts.length} pods of ${workload.name} were restarted within a minute where they should have rested: both probes of ${name} ask ${what}.`
        : dependent
          ? `Container ${name} of ${workload.name} is restarted where it should only rest, once ${what} gets no answer for ${allowanceOf(live).budget} s: both probes ask it.`
          : isOwn
            ? `What makes container ${name} of ${workload.name} unready restarts it, too: both probes ask ${what}, and liveness gives up ${isLater ? 'soon after' : 'no later'}.`
            : `Overload restarts container ${name} of ${workload.name} instead of resting it: both probes ask ${what}, and liveness gives up ${isLater ? 'soon after' : 'no later'}.`,
      {
        severity: severityOf(dependent, restarts.length > 0),
        recommended,
        evidence: atMost(3, restarts),
        see: [at(workload, ready, undefined, `readiness gives up after ${allowanceOf(ready).budget} s`)],
      },
    )
  },
})

interface Wanted {
  readonly grpc: boolean
  readonly ratio: number
  readonly processPaths: readonly string[]
  readonly readinessPaths: readonly string[]
}

/** The check that both probes of a container make; undefined when they differ, or liveness is patient enough. */
function sharedBy(container: Container, workload: Workload, graph: Graph, params: Wanted) {
  const { name, spec } = container
  const { livenessProbe: live, readinessProbe: ready } = spec
  const question = live && questionOf(live, spec)
  if (!live || !ready || !question || question !== questionOf(ready, spec)) return undefined
  const path = (live.httpGet?.path ?? '/').replace(/\?.*$/, '').replace(/(.)\/$/, '$1')
  const isOneOf = (ends: readonly string[]) => ends.some((end) => path.endsWith(`/${end}`))
  const times = allowanceOf(live).budget / allowanceOf(ready).budget
  if (isOneOf(params.processPaths) || (live.grpc && !params.grpc) || times >= params.ratio) return undefined
  const dependent = isOneOf(params.readinessPaths)
  // Most of these look at their own process only.
  const isOwn = live.tcpSocket !== undefined || live.exec !== undefined
  const isLater = !dependent && times >= 1.01
  const restarts = graph.live && !isOwn && !isLater ? restartedTogether(workload, name, graph.live.seen) : []
  const isPlain = !isOwn && !isLater && (restarts.length > 0 || isAsked(container, workload, graph))
  return {
    name,
    live,
    ready,
    dependent,
    isOwn,
    isLater,
    restarts,
    what: nameOf(live, path),
    recommended: dependent || isPlain,
  }
}

function nameOf({ httpGet, tcpSocket, exec }: Probe, path: string): string {
  if (httpGet) return `GET ${path}`
  if (tcpSocket) return `TCP port ${tcpSocket.port}`
  return exec ? 'the same command' : 'the same gRPC service'
}

/** Whether clients may ask the container: what only a scraper asks, or no Service of many, has no load to rest from. */
function isAsked({ spec }: Container, workload: Workload, graph: Graph): boolean {
  const services = graph.servicesOf(workload)
  const isBehindNone = services.length === 0 && graph.siblings('Service', workload.object).length > 0
  return (
    !isBehindNone &&
    !areForScrapers(spec.ports) &&
    !(services.length > 0 && services.every((one) => isScrapedOnly(one, workload)))
  )
}

function severityOf(dependent: boolean, hasBegun: boolean): 'error' | 'warning' | 'info' {
  if (dependent) return hasBegun ? 'error' : 'warning'
  return hasBegun ? 'warning' : 'info'
}

/** The most pods that their liveness probe has restarted within a minute; none when there were not two. */
function restartedTogether(workload: Workload, name: string, live: Live): string[] {
  const ends = live
    .troubledPodsOf(workload)
    .flatMap((pod) => {
      const state = containerStates(pod).find((one) => one.name === name)
      const end = state && lastEnd(state)
      return end && end.reason !== 'OOMKilled' && isUnhealthy(pod, name, live)
        ? [
            {
              at: end.endedAt,
              text: `pod ${pod.metadata?.name ?? ''}: liveness probe failed, ${formatEnd(end)} ${spanSince(end.endedAt, live)} ago`,
            },
          ]
        : []
    })
    .filter(({ at }) => live.now - at < eventsLast)
    .sort((a, b) => a.at - b.at)
  let most: typeof ends = []
  for (const [i, first] of ends.entries()) {
    const group = ends.slice(i).filter(({ at }) => at - first.at <= together)
    if (group.length > most.length) most = group
  }
  return most.length > 1 ? most.map(({ text }) => text) : []
}

/** What a probe asks, as text; ports by their numbers where their names are known. */
function questionOf(
  { httpGet, grpc, tcpSocket, exec }: Probe,
  { ports = [] }: Container['spec'],
): string | undefined {
  const numberOf = (port: unknown) => ports.find(({ name }) => name === port)?.containerPort ?? port
  if (httpGet)
    return JSON.stringify([
      httpGet.path ?? '/',
      numberOf(httpGet.port),
      httpGet.scheme ?? 'HTTP',
      httpGet.host ?? '',
    ])
  if (tcpSocket) return JSON.stringify([numberOf(tcpSocket.port), tcpSocket.host ?? ''])
  if (exec) return JSON.stringify(exec.command)
  return grpc ? JSON.stringify([grpc.port, grpc.service ?? '']) : undefined
}
