import {
  at,
  containerStates,
  counted,
  formatEnd,
  formatSpan,
  imageNamed,
  ingressControllers,
  type Live,
  lastEnd,
  type Probe,
  presentPods,
  rule,
  type Workload,
} from '../src/rule.js'

/** How long after the API server its victims are restarted, in milliseconds. */
const aftermath = 600_000

/** Ingress controllers that read their routes from the API server. */
const controllers = [...ingressControllers, 'kong/kubernetes-ingress-controller']

export default rule({
  title: 'The ingress controller may restart while the API server is away',
  category: 'networking',
  severity: 'warning',
  why: `An ingress controller reads its routes from the API server. A running one can go on with the routes
it has. If its liveness check fails with the API server, the kubelet restarts it into an empty table, and an
outage of the control plane becomes one of all customers. A balancer that sees all targets unhealthy may
then send to every node.`,
  remedy: 'Give liveness a check that needs no API server, and run several replicas with a budget.',
  decides: `A workload whose image is a known ingress controller: both probes ask the same HTTP path, or
liveness asks a path that includes the connection to the API server. Whether routes are kept can't be seen
in a manifest.

In a cluster an error when each pod was restarted within ten minutes after a kube-apiserver that runs as a pod had ended.
Where that is seen of another ingress controller, of all its pods on two nodes or more and not by a restart of the
nodes, it is a warning, whatever its probes ask.

Exempt: data planes apart from their control plane (Envoy), which keep their last configuration, and controllers
whose check asks the local proxy alone: those for HAProxy and NGINX, and Traefik, whose \`/ping\` fails only while
it stops.`,
  falsePositives: 'Controllers whose health path does not depend on the API server.',
  sources: [
    'Documentation of Skipper (health of the Kubernetes data client)',
    'traefik/pkg/ping/ping.go',
    'ingress-nginx/internal/ingress/controller/checker.go',
    'haproxytech/kubernetes-ingress/fs/usr/local/etc/haproxy/haproxy.cfg (monitor-uri)',
  ],
  stories: ['zalando-cronjob-apiserver', 'zalando-fallacies-2017', 'openai-telemetry'],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['skipper'],
      about: 'Parts of image names of ingress controllers whose health may depend on the API server.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    if (workload.batch) return
    for (const { image, name, spec } of workload.running) {
      if (!imageNamed(image, params.images)) {
        const seen =
          graph.live && imageNamed(image, controllers) ? endedWithServer(workload, name, graph.live.seen) : []
        if (seen.length === 0) continue
        report(
          spec,
          'image',
          `All pods of ${workload.name} were restarted when the API server was away, and one that starts without it has no routes.`,
          { evidence: seen },
        )
        return
      }
      const { livenessProbe: live, readinessProbe: ready } = spec
      if (!live || !ready || address(live) === undefined || address(live) !== address(ready)) continue
      const evidence = graph.live ? restartedWithServer(workload, name, graph.live.seen) : []
      const path = live.httpGet?.path ?? '/'
      report(
        spec,
        'livenessProbe',
        evidence.length > 0
          ? `All pods of ${workload.name} were restarted when the API server was away: liveness asks ${path}, as readiness does.`
          : `If the API server is away, ${name} may be restarted without any routes: liveness asks ${path}, as readiness does.`,
        {
          ...(evidence.length > 0 && { severity: 'error' }),
          evidence,
          see: [at(workload, spec, 'readinessProbe')],
        },
      )
      return
    }
  },
})

/** The same of pods on several nodes, where it is no restart of the nodes that took both. */
function endedWithServer(workload: Workload, name: string, live: Live): string[] {
  const pods = presentPods(workload, live)
  const nodes = new Set(pods.map(({ spec }) => spec?.nodeName))
  // What a runtime that was started anew says of containers that it lost.
  const isLost = pods
    .flatMap(containerStates)
    .some((state) => state.name === name && lastEnd(state)?.reason === 'Unknown')
  return nodes.size < 2 || isLost ? [] : restartedWithServer(workload, name, live)
}

/** When every pod's container ended last within minutes after a kube-apiserver. Those of a provider can't be seen. */
function restartedWithServer(workload: Workload, name: string, live: Live): string[] {
  const pods = presentPods(workload, live)
  const ends = pods
    .flatMap((pod) => containerStates(pod).filter((state) => state.name === name && state.restartCount))
    .map((state) => lastEnd(state)?.endedAt ?? 0)
  const [first, last] = [Math.min(...ends), Math.max(...ends)]
  if (ends.length === 0 || ends.length < pods.length || last - first > aftermath) return []
  for (const pod of live.pods)
    for (const state of containerStates(pod)) {
      const end = state.name === 'kube-apiserver' ? lastEnd(state) : undefined
      if (!end || first < end.endedAt || last > end.endedAt + aftermath) continue
      return [
        `pod ${pod.metadata?.name ?? ''}: ${formatEnd(end)} at ${new Date(end.endedAt).toISOString().replace('.000Z', 'Z')}`,
        `${counted(ends.length, 'pod')} of ${workload.name} restarted within ${formatSpan((last - end.endedAt) / 1000)} of it`,
      ]
    }
  return []
}

function address({ httpGet }: Probe): string | undefined {
  return httpGet && `${String(httpGet.port)}${httpGet.path ?? '/'}`
}
