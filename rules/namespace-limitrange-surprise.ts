import {
  at,
  defaultsIn,
  type Fault,
  firstOf,
  formatMemoryKill,
  type Graph,
  hasDefault,
  imageNamed,
  isKind,
  isNamespaceOf,
  type LimitRange,
  memoryKillsOf,
  type Namespace,
  rule,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Default limits of a namespace fall on platform pods',
  category: 'resources',
  severity: 'warning',
  why: `A LimitRange writes its defaults into every new container that sets no limits of its own. That is meant
for applications; an ingress controller, a DNS server or an agent in the same namespace gets the same few
megabytes and is killed at the first peak, although nobody ever wrote that limit into its manifest.`,
  remedy: 'Write the limits of platform pods into their own manifests.',
  decides: `A LimitRange with a default memory or CPU limit for containers (\`default\`, else \`max\`), in a
namespace where a workload of the platform (by image: ingress controllers, DNS, CNI, webhooks, monitoring) has a
container without that limit. In a cluster an error, whatever the image, when the kernel has killed a container
within the last day whose memory limit came from there, by the annotation that Kubernetes leaves on the pod. Amounts
that the API server refuses beside each other are reported by \`conflicting-fields\`. Where the rule is asked for,
an info for a Namespace of the input with workloads without a memory limit, and without a LimitRange that gives them
one.`,
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
  for: ['LimitRange', 'Namespace'],
  check(range, { graph, params, report, isAsked }) {
    const fault = !isKind(range, 'Namespace')
      ? (killsBySurprise(range, graph) ?? maySurprise(range, params.images, graph))
      : isAsked
        ? withoutDefaults(range, graph)
        : undefined
    if (fault) report(...fault)
  },
})

/** That containers of a cluster were killed at a default limit for memory. */
function killsBySurprise(range: LimitRange, graph: Graph): Fault | undefined {
  const killed = killedIn(range, graph)
  const [first] = killed
  if (!first) return undefined
  const workloads = [...new Set(killed.map(({ workload }) => workload))]
  for (const limit of range.spec?.limits ?? []) {
    const given = limit.type === 'Container' ? defaultsIn(limit, 'limit', 'memory') : undefined
    if (!given) continue
    return [
      given,
      'memory',
      `Containers of ${firstOf(workloads.map(({ name }) => name))} are killed at a memory limit of ${given.memory} that no manifest of theirs shows.`,
      {
        severity: 'error',
        evidence: killed.slice(0, 3).map(({ line }) => line),
        see: [at(first.workload, first.workload.template, undefined, 'no limit of its own')],
      },
    ]
  }
  return undefined
}

/** That a default limit is for containers of the platform which write none. */
function maySurprise(range: LimitRange, images: readonly string[], graph: Graph): Fault | undefined {
  for (const limit of range.spec?.limits ?? [])
    for (const resource of ['memory', 'cpu'] as const) {
      const given = limit.type === 'Container' ? defaultsIn(limit, 'limit', resource) : undefined
      const surprised =
        given &&
        platformPods(range, graph, images).find(
          ({ container }) => container.spec.resources?.limits?.[resource] === undefined,
        )
      if (!surprised) continue
      const { workload, container } = surprised
      return [
        given,
        resource,
        `${workload.name} gets a ${resource === 'cpu' ? 'CPU' : 'memory'} limit of ${given[resource]} that its manifest does not show, and is ${resource === 'cpu' ? 'throttled' : 'killed'} when it needs more.`,
        { see: [at(workload, container.spec, 'resources', 'no limit of its own')] },
      ]
    }
  return undefined
}

/** That a Namespace of the input gives no limits to the workloads in it that write none. */
function withoutDefaults(namespace: Namespace, graph: Graph): Fault | undefined {
  const name = namespace.metadata?.name
  if (!name || name.startsWith('kube-')) return undefined
  const ranges = graph.allIn('LimitRange', name)
  if (hasDefault(ranges, 'limit', 'memory')) return undefined
  const bare = graph
    .workloadsIn(name)
    .filter(
      (one) =>
        !one.controlled &&
        isNamespaceOf(namespace, one.object, graph) &&
        one.pod.resources?.limits?.memory === undefined &&
        one.running.some(({ spec }) => spec.resources?.limits?.memory === undefined),
    )
  const [first] = bare
  if (!first) return undefined
  return [
    namespace,
    undefined,
    `Nothing limits the memory of ${firstOf(bare.map((one) => one.name))}: ${bare.length === 1 ? 'its manifest has' : 'their manifests have'} containers without a limit, and no LimitRange of ${graph.source} gives one to pods of ${name}.`,
    { severity: 'info', recommended: false, see: [at(first, first.template, undefined, 'no memory limit')] },
  ]
}

function platformPods(
  range: LimitRange,
  graph: Graph,
  images: readonly string[],
): readonly { workload: Workload; container: Workload['running'][number] }[] {
  return graph.workloads
    .filter((workload) => graph.together(workload, range))
    .flatMap((workload) =>
      workload.running
        .filter(({ image }) => imageNamed(image, images))
        .map((container) => ({ workload, container })),
    )
}

/** The containers that were killed at a limit which a LimitRange of this namespace gave them, the latest first. */
function killedIn(range: LimitRange, graph: Graph) {
  const live = graph.live?.seen
  if (!live) return []
  return graph
    .nearby(range)
    .filter((workload) => !workload.controlled && graph.together(workload, range))
    .flatMap((workload) =>
      live.podsOf(workload).flatMap((pod) => {
        const set = pod.metadata?.annotations?.['kubernetes.io/limit-ranger'] ?? ''
        return memoryKillsOf(pod).flatMap((kill) => {
          if (live.now - kill.at > 86_400_000 || !isLimited(kill.container, set)) return []
          const line = `${formatMemoryKill(kill, live)}, ${set.replace('LimitRanger plugin set: ', 'set by the LimitRange: ')}`
          return [{ workload, line, time: kill.at }]
        })
      }),
    )
    .sort((a, b) => b.time - a.time)
}

/** Whether the annotation says that the container got a memory limit: `cpu, memory limit for container web; …`. */
function isLimited(container: string, set: string): boolean {
  return set
    .split('; ')
    .some((part) => /\bmemory\b.* limit for/.test(part) && part.endsWith(`container ${container}`))
}
