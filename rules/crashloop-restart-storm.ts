import { at, rule } from '../src/rule.js'

export default rule({
  title: 'Crashes of this workload would churn the endpoints of the whole cluster',
  category: 'workload-lifecycle',
  severity: 'warning',
  recommended: false,
  why: `Without a readiness probe and \`minReadySeconds\` a container counts as ready the moment it starts.
Each short life of a crashing pod is then two changes of its Service's endpoints, and every kube-proxy of
the cluster processes each of them. Twenty crashing pods have overloaded all nodes that way.`,
  remedy: 'Add a readiness probe, and `minReadySeconds` of a few seconds.',
  decides: `A workload behind a Service with more than \`minPods\` pods at least, no readiness or startup
probe in any container, and \`minReadySeconds\` 0. \`scan\` reports the restarts themselves.`,
  sources: ['kubernetes/pkg/controller/endpointslice', 'k8s.io/api/apps/v1/types.go (MinReadySeconds)'],
  stories: ['oneandone-open-issues', 'dfds-kiam-cert', 'dfds-agent-system-oom', 'betz-chat-message'],
  params: {
    minPods: {
      type: 'integer',
      minimum: 1,
      default: 10,
      about: 'Pods up to which the churn does not matter.',
    },
  },
  for: 'Workload',
  check(workload, { graph, params, report }) {
    const fewest = graph.fewestPods(workload)
    const [service] = graph.servicesOf(workload)
    if (
      !fewest ||
      !service ||
      fewest.pods <= params.minPods ||
      workload.running.some(({ spec }) => spec.readinessProbe ?? spec.startupProbe)
    )
      return
    const minReady = workload.scale?.node as { minReadySeconds?: unknown } | undefined
    if (typeof minReady?.minReadySeconds === 'number' && minReady.minReadySeconds > 0) return
    report(
      workload.template,
      undefined,
      `If ${workload.name} crashes at start, ${fewest.pods} pods flip their endpoints again and again on every node: nothing delays their readiness.`,
      { see: [at(service, service), at(fewest.of, fewest.node, fewest.field)] },
    )
  },
})
