import { at, defaultsIn, type Graph, imageNamed, type LimitRange, rule, type Workload } from '../src/rule.js'

export default rule({
  title: 'Default limits of a namespace fall on platform pods',
  category: 'resources',
  severity: 'warning',
  why: `A LimitRange writes its defaults into every container that sets no limits of its own. That is meant
for applications; an ingress controller, a DNS server or an agent in the same namespace gets the same few
megabytes and is killed at the first peak, although nobody ever wrote that limit into its manifest.`,
  remedy: 'Write the limits of platform pods into their own manifests.',
  decides: `A LimitRange with a default memory or CPU limit for containers (\`default\`, else \`max\`), in a
namespace where a workload of the platform (by image: ingress controllers, DNS, CNI, webhooks, monitoring)
has a container without that limit. Amounts that the API server refuses beside each other are reported by
\`conflicting-fields\`.`,
  sources: ['kubernetes/plugin/pkg/admission/limitranger/admission.go'],
  stories: ['dfds-limitrange-502', 'bluematador-node-oom', 'betz-resource-limits'],
  params: {
    images: {
      type: 'array',
      items: { type: 'string' },
      default: [
        'traefik',
        'ingress-nginx',
        'nginx-ingress',
        'skipper',
        'haproxy-ingress',
        'coredns',
        'envoy',
        'contour',
        'calico',
        'cilium',
        'prometheus',
        'cert-manager-controller',
        'cert-manager-webhook',
        'kyverno',
        'gatekeeper',
      ],
      about: 'Parts of image names of the platform.',
    },
  },
  for: 'LimitRange',
  check(range, { graph, params, report }) {
    for (const limit of range.spec?.limits ?? []) {
      if (limit.type !== 'Container') continue
      for (const resource of ['memory', 'cpu'] as const) {
        const given = defaultsIn(limit, 'limit', resource)
        const name = resource === 'cpu' ? 'CPU' : 'memory'
        if (!given) continue
        const surprised = platformPods(range, graph, params.images).find(
          ({ container }) => container.spec.resources?.limits?.[resource] === undefined,
        )
        if (!surprised) continue
        report(
          given,
          resource,
          `${surprised.workload.name} gets a ${name} limit of ${given[resource]} that its manifest does not show, and is ${resource === 'cpu' ? 'throttled' : 'killed'} when it needs more.`,
          {
            see: [at(surprised.workload, surprised.container.spec, 'resources', 'no limit of its own')],
          },
        )
        return
      }
    }
  },
})

function platformPods(
  range: LimitRange,
  graph: Graph,
  images: readonly string[],
): readonly { workload: Workload; container: Workload['running'][number] }[] {
  return graph.workloads
    .filter((workload) => !workload.pod.resources?.limits && graph.together(workload, range))
    .flatMap((workload) =>
      workload.running
        .filter(({ image }) => imageNamed(image, images))
        .map((container) => ({ workload, container })),
    )
}
