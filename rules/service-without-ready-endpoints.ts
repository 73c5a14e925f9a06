import { at, rule } from '../src/rule.js'

export default rule({
  title: 'A Service has no pod behind it',
  category: 'networking',
  severity: 'warning',
  why: `A Service whose workload is scaled to zero is a name that resolves and refuses. Callers hang or
fail, some proxies treat a service without endpoints as an error of their own, and a webhook behind it stops
writes.`,
  remedy: 'Scale the workload up, or remove the Service with it.',
  decides: `All workloads that the Service selects have zero pods: \`replicas: 0\` without an autoscaler
that could raise it. An error when an Ingress or route, or a webhook that fails closed, leads to the
Service.

Exempt: KEDA ScaledObjects, Knative and HorizontalPodAutoscalers with minReplicas 0, which scale to zero and
back, and ExternalName.`,
  versions:
    'A HorizontalPodAutoscaler can start from 0 only with minReplicas 0 and HPAScaleToZero (alpha 1.16, on by default from 1.37).',
  sources: [
    'kubernetes/pkg/controller/podautoscaler/horizontal.go',
    'kubernetes/pkg/features/kube_features.go (HPAScaleToZero)',
  ],
  stories: ['monzo-linkerd-etcd', 'machu-kube-proxy-ipvs', 'dfds-kyverno-down'],
  for: 'Service',
  check(service, { graph, report }) {
    const backends = graph.backendsOf(service)
    const [first] = backends
    if (!first) return
    const asleep = backends.every(
      (workload) =>
        workload.scale?.replicas === 0 &&
        !graph.scaledObjectOf(workload) &&
        graph.autoscalerOf(workload)?.spec?.minReplicas !== 0,
    )
    if (!asleep || !first.scale) return
    const hpa = graph.autoscalerOf(first)
    const [route] = graph.routesTo(service)
    report(
      service,
      undefined,
      `Calls of ${graph.describe(service)} fail: ${first.kind} ${first.name} runs no pods${hpa ? ', and its autoscaler does nothing while replicas is 0' : ''}.`,
      {
        severity: route ? 'error' : 'warning',
        see: [
          at(first, first.scale.node, 'replicas'),
          route ? at(route.from, route.node, route.field) : undefined,
        ],
      },
    )
  },
})
