import {
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
  decides: `Both probes of a container call the same HTTP path or gRPC service on the same port, and
liveness gives up (\`periodSeconds\`, or a longer \`timeoutSeconds\`, × \`failureThreshold\`) before
\`ratio\` times the time of readiness. A warning when the path's own name says that it looks further than
the process (\`readinessPaths\`: /ready, /actuator/health…), else an info, and then only where liveness
gives up no later than readiness, and not where the names of ports or Services show that only a scraper asks the container,
or where none of the Services beside it selects the pods. gRPC health services, which most servers answer without a look at anything
else, only with \`grpc\`.

In a cluster an error (a warning where the path says nothing) when two pods or more were restarted within a minute of each
other during the last hour, and events say that their liveness probes failed.

TCP checks and commands are left alone: most look at their own process only, and so do the paths that
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
    for (const container of workload.running) {
      const { name, spec } = container
      const { livenessProbe: live, readinessProbe: ready } = spec
      const question = live && questionOf(live)
      if (!live || !ready || !question || question !== questionOf(ready)) continue
      const path = (live.httpGet?.path ?? '/').replace(/\?.*$/, '').replace(/(.)\/$/, '$1')
      const isOneOf = (ends: readonly string[]) => ends.some((end) => path.endsWith(`/${end}`))
      if (isOneOf(params.processPaths)) continue
      const dependent = isOneOf(params.readinessPaths)
      if (live.grpc && !params.grpc) continue
      if (budgetOf(live) >= budgetOf(ready) * (dependent ? params.ratio : 1.01)) continue
      const what = live.httpGet ? `GET ${path}` : 'the same gRPC service'
      const restarts = graph.live ? restartedTogether(workload, name, graph.live.seen) : []
      if (!dependent && restarts.length === 0 && !isAsked(container, workload, graph)) continue
      report(
        live,
        undefined,
        restarts.length > 0
          ? `${restarts.length} pods of ${workload.name} were restarted within a minute where they should have rested: both probes of ${name} ask ${what}.`
          : dependent
            ? `Container ${name} of ${workload.name} is restarted where it should only rest, once ${what} gets no answer for ${budgetOf(live)} s: both probes ask it.`
            : `Overload restarts container ${name} of ${workload.name} instead of resting it: both probes ask ${what}, and liveness gives up no later.`,
        {
          severity: severityOf(dependent, restarts.length > 0),
          evidence: atMost(3, restarts),
          see: [at(workload, ready, undefined, `readiness gives up after ${budgetOf(ready)} s`)],
        },
      )
      return
    }
  },
})

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

/** What an HTTP or gRPC probe asks, as text. */
function questionOf({ httpGet, grpc }: Probe): string | undefined {
  if (httpGet)
    return JSON.stringify([httpGet.path ?? '/', httpGet.port, httpGet.scheme ?? 'HTTP', httpGet.host ?? ''])
  return grpc ? JSON.stringify([grpc.port, grpc.service ?? '']) : undefined
}

/** Seconds until the probe gives up on a process that does not answer; defaults 10, 1 and 3. Probes don't overlap. */
function budgetOf(probe: Probe): number {
  return Math.max(probe.periodSeconds ?? 10, probe.timeoutSeconds ?? 1) * (probe.failureThreshold ?? 3)
}
