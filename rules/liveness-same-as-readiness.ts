import { at, type Probe, rule } from '../src/rule.js'

export default rule({
  title: 'The check that should take a pod out of service restarts it',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A readiness check fails when the pod can't serve, often because a dependency is slow; the pod leaves the Service and comes back. When the liveness probe asks the same question and gives up as early, the kubelet
restarts all replicas instead, and an outage of the dependency becomes an outage of its own.`,
  remedy: 'Let liveness ask the process only (another path), or give it a several times longer time to fail.',
  decides: `Both probes of a container call the same HTTP path, gRPC service or command, and liveness gives up (\`periodSeconds\` × \`failureThreshold\`) before \`ratio\` times the time of readiness. Equal TCP checks and commands are an
info: most look at their own process only. Paths that by convention look at the process only (\`processPaths\`) are exempt. One finding per workload.`,
  falsePositives: 'An endpoint that never looks at a dependency can serve both probes: suppress and say so.',
  sources: ['k8s.io/api/core/v1/types.go (Probe)', 'kubernetes/pkg/apis/core/v1/defaults.go'],
  stories: ['zalando-cronjob-apiserver', 'thredup-moving', 'airmap-pleg'],
  params: {
    ratio: {
      type: 'number',
      minimum: 1,
      default: 2,
      about: 'How many times longer liveness must allow failures than readiness.',
    },
    processPaths: {
      type: 'array',
      items: { type: 'string' },
      default: ['/livez', '/healthz/live', '/live', '/health/live', '/ping'],
      about: 'Paths that look at nothing but the process.',
    },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    for (const { name, spec } of workload.running) {
      const { livenessProbe: live, readinessProbe: ready } = spec
      if (!live || !ready) continue
      const handler = handlerOf(live)
      if (!handler || handler !== handlerOf(ready) || params.processPaths.includes(live.httpGet?.path ?? ''))
        continue
      if (budgetOf(live) >= budgetOf(ready) * params.ratio) continue
      const what = live.httpGet
        ? `GET ${live.httpGet.path ?? '/'}`
        : live.exec
          ? 'the same command'
          : live.grpc
            ? 'the same gRPC check'
            : 'the same TCP check'
      report(
        spec,
        'livenessProbe',
        `A slow dependency restarts every pod of ${workload.name} instead of resting it: both probes of ${name} use ${what}, and liveness gives up after ${budgetOf(live)} s.`,
        {
          severity: live.httpGet || live.grpc ? 'warning' : 'info',
          see: [at(workload, spec, 'readinessProbe', `gives up after ${budgetOf(ready)} s`)],
        },
      )
      return
    }
  },
})

/** The question that a probe asks, as text. */
function handlerOf({ httpGet, tcpSocket, exec, grpc }: Probe): string | undefined {
  if (httpGet)
    return JSON.stringify([
      'http',
      httpGet.path ?? '/',
      httpGet.port,
      httpGet.scheme ?? 'HTTP',
      httpGet.host ?? '',
    ])
  if (tcpSocket) return JSON.stringify(['tcp', tcpSocket.port, tcpSocket.host ?? ''])
  if (grpc) return JSON.stringify(['grpc', grpc.port, grpc.service ?? ''])
  return exec?.command ? JSON.stringify(['exec', exec.command]) : undefined
}

/** Seconds of failures until the probe gives up; defaults 10 and 3. */
function budgetOf(probe: Probe): number {
  return (probe.periodSeconds ?? 10) * (probe.failureThreshold ?? 3)
}
