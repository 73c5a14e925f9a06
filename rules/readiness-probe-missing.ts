import { at, rule } from '../src/rule.js'

export default rule({
  title: 'A Service sends traffic to containers that are not ready',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `Without a readiness probe a pod is an endpoint as soon as its processes run, before they listen, have warmed up or reach their database. Every rollout and every restart sends requests into that gap, and a rollout of a broken
version goes on to the last pod, because each of them counts as ready.`,
  remedy: 'Add a readiness probe that answers when the process can serve.',
  decides: `A workload that a Service selects, where the container that owns the Service's port (all ordinary containers when that can't be told) has no \`readinessProbe\` and the pod no \`readinessGates\`. Another container's probe does not
stand in for it; a startup probe alone does not count. One finding per workload.

Exempt: Jobs, single Pods, and Services that publish addresses before readiness for peer discovery.`,
  falsePositives: 'A process that listens within milliseconds and never gets stuck.',
  sources: ['kubernetes/pkg/kubelet/prober', 'k8s.io/api/core/v1/types.go (ReadinessProbe)'],
  stories: ['oneandone-open-issues', 'gke-upgrade-two-replicas', 'dfds-ami-latest'],
  for: 'Workload',
  check(workload, { graph, report }) {
    if (workload.batch || workload.kind === 'Pod' || (workload.pod.readinessGates?.length ?? 0) > 0) return
    const service = graph.servicesOf(workload).find((one) => !one.spec?.publishNotReadyAddresses)
    if (!service) return
    const owners = (service.spec?.ports ?? [])
      .map((port) => graph.portOf(workload, port)?.container)
      .filter((container) => container !== undefined)
    const serving =
      owners.length > 0
        ? [...new Set(owners)]
        : workload.running.filter((container) => container.role === 'ordinary')
    const bare = serving.filter(({ spec }) => !spec.readinessProbe)
    const [first] = bare
    // Where the port's owner is unknown one probe may well be the owner's.
    if (!first || (owners.length === 0 && bare.length < serving.length)) return
    report(
      first.spec,
      'readinessProbe',
      `${graph.describe(service)} sends requests to ${bare.map(({ name }) => name).join(' and ')} before it can answer, at every rollout and restart.`,
      { see: [at(service, service.spec ?? service, 'selector')] },
    )
  },
})
