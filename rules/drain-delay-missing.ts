import {
  at,
  type Container,
  delayOfCommand,
  type Graph,
  rule,
  type Service,
  set,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Pods stop while they still receive requests',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `When a pod is deleted, two things start at the same time: the kubelet sends SIGTERM, and the endpoint is removed
from every kube-proxy, ingress controller and load balancer. The second takes seconds. A server that closes its socket at
SIGTERM refuses the requests that still arrive, at every rollout and every node drain.`,
  remedy: 'Delay SIGTERM with a `preStop` sleep of some seconds, and leave the grace period room for it.',
  decides: `Looks at workloads whose pods receive traffic from outside: the Service that selects them is of type LoadBalancer or
NodePort, or an Ingress, Gateway route or similar leads to it. The container that owns the port (all ordinary containers when that
is not known) needs a \`preStop\` hook: \`sleep\`, a command that sleeps, or an \`httpGet\` to a drain endpoint of its own. Any other
command is taken to drain by itself.

Exempt: Jobs, pods without a controller, and images known to delay by themselves.`,
  falsePositives: `Servers that go on accepting for some seconds after SIGTERM need no hook. That can't be seen in a manifest: suppress the rule on that
workload and say so.`,
  versions:
    '`preStop.sleep` is alpha in 1.29, on by default from 1.30, GA in 1.34; below 1.30 the fix is a command.',
  sources: ['kubernetes/pkg/features/kube_features.go (PodLifecycleSleepAction)'],
  stories: [
    'ravelin-ingress-502',
    'chiefio-four-stories',
    'zalando-misc-races',
    'betz-gke-ingress-keepalive',
  ],
  params: {
    minSleepSeconds: { type: 'integer', minimum: 1, default: 5, about: 'The shortest delay that counts.' },
    drainingImages: {
      type: 'array',
      items: { type: 'string' },
      default: ['ingress-nginx/controller'],
      about: 'Image repositories (end of the name) that delay their shutdown by themselves.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report, minor }) {
    if (workload.batch || workload.kind === 'Pod') return
    const entry = graph
      .servicesOf(workload)
      .map((service) => entryOf(service, graph))
      .find((found) => found !== undefined)
    if (!entry) return
    const containers = serving(workload, entry.service, graph).filter(
      (container) =>
        delayOf(container) < params.minSleepSeconds &&
        !params.drainingImages.some((image) => container.image?.split(/[:@]/)[0]?.endsWith(image)),
    )
    const [first] = containers
    if (!first) return
    const names = containers.map((container) => container.name).join(', ')
    const sleep = params.minSleepSeconds
    const delay = delayOf(first)
    report(
      first.spec.lifecycle?.preStop ?? first.spec,
      first.spec.lifecycle?.preStop ? undefined : 'lifecycle',
      delay > 0
        ? `Requests fail at every rollout: container ${names} waits ${delay} s before it stops, ${entry.by} may need longer.`
        : `Requests fail at every rollout: container ${names} stops at once while ${entry.by} still sends to it.`,
      {
        see: [entry.see],
        fix:
          minor >= 30
            ? set(first.spec, 'lifecycle', {
                ...first.spec.lifecycle,
                preStop: { sleep: { seconds: sleep } },
              })
            : set(first.spec, 'lifecycle', {
                ...first.spec.lifecycle,
                preStop: { exec: { command: ['sleep', String(sleep)] } },
              }),
      },
    )
  },
})

/** How traffic from outside reaches the Service, if it does. */
function entryOf(service: Service, graph: Graph) {
  const [route] = graph.routesTo(service)
  if (route) return { service, by: graph.describe(route.from), see: at(route.from, route.node, route.field) }
  const { spec } = service
  if (spec?.type !== 'LoadBalancer' && spec?.type !== 'NodePort') return undefined
  return { service, by: `${graph.describe(service)} (${spec.type})`, see: at(service, spec, 'type') }
}

/** The containers that own the Service's ports; all that run when none declares them. */
function serving(workload: Workload, service: Service, graph: Graph): readonly Container[] {
  const owners = (service.spec?.ports ?? [])
    .map((port) => graph.portOf(workload, port)?.container)
    .filter((container) => container !== undefined)
  return owners.length > 0
    ? [...new Set(owners)]
    : workload.running.filter((container) => container.role === 'ordinary')
}

/** Seconds until SIGTERM; unlimited for hooks that may drain by themselves. */
function delayOf(container: Container): number {
  const hook = container.spec.lifecycle?.preStop
  if (!hook) return 0
  if (hook.sleep) return hook.sleep.seconds ?? 0
  if (hook.httpGet) return Number.POSITIVE_INFINITY
  return delayOfCommand(hook.exec?.command) || Number.POSITIVE_INFINITY
}
