import { at, imageNamed, type Probe, rule } from '../src/rule.js'

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

Exempt: data planes apart from their control plane (Envoy), which keep their last configuration.`,
  falsePositives: 'Controllers whose health path does not depend on the API server.',
  sources: ['Documentation of the ingress controllers named in `images`'],
  stories: [
    'zalando-cronjob-apiserver',
    'zalando-fallacies-2017',
    'openai-telemetry',
    'dfds-traefik-malformed',
  ],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['skipper', 'traefik', 'haproxy-ingress', 'kubernetes-ingress', 'nginx-ingress'],
      about: 'Parts of image names of ingress controllers whose health may depend on the API server.',
    },
  },
  for: 'Workload',
  check(workload, { params, report }) {
    for (const { image, name, spec } of workload.running) {
      if (!imageNamed(image, params.images) || workload.batch) continue
      const { livenessProbe: live, readinessProbe: ready } = spec
      if (!live || !ready || address(live) === undefined || address(live) !== address(ready)) continue
      report(
        spec,
        'livenessProbe',
        `If the API server is away ${name} may be restarted without any routes: liveness asks ${live.httpGet?.path ?? '/'}, as readiness does.`,
        { see: [at(workload, spec, 'readinessProbe')] },
      )
      return
    }
  },
})

function address({ httpGet }: Probe): string | undefined {
  return httpGet && `${String(httpGet.port)}${httpGet.path ?? '/'}`
}
