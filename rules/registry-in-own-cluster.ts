import {
  at,
  firstOf,
  type Graph,
  imageParts,
  objectsAt,
  push,
  rule,
  stringAt,
  type Workload,
  waitingForImages,
} from '../src/rule.js'

export default rule({
  title: 'The registry can not start without itself',
  category: 'images',
  severity: 'warning',
  why: `Images come from a registry that runs in the same cluster, and the registry's own image, or that of
the ingress in front of it, comes from there, too. It works while it runs; after a restart of the wrong
nodes nothing can be pulled, the registry least of all.`,
  remedy: 'Take the images of the registry and of the ingress before it from another registry.',
  decides: `The registry host of an image equals a host of an Ingress or HTTPRoute of the input, or the
cluster name of one of its Services, and the workload behind that host takes one of its own images from the
same host. Reported on that workload; in a cluster an error while its pods wait for that image.`,
  falsePositives: 'A cache that falls back to the registry upstream.',
  sources: ['Kubernetes documentation, Images'],
  stories: ['google-playbook', 'zalando-image-policy', 'heroku-2025-upgrade'],
  for: 'Workload',
  check(workload, { graph, report }) {
    const hosts = graph.once('hosts', () => hostsOf(graph)).get(workload)
    if (!hosts) return
    for (const { name, image, spec } of workload.containers) {
      const registry = image ? imageParts(image).registry : ''
      const entry = hosts.find(({ host }) => host === registry || host === registry.split(':')[0])
      if (!entry || registry === 'docker.io') continue
      const waiting = waitingForImages(graph.live?.troubledPodsOf(workload) ?? []).filter(
        (one) => imageParts(one.image).registry === registry,
      )
      if (waiting.length > 0) {
        report(
          spec,
          'image',
          `Nothing can be pulled from ${registry} any more: ${workload.name} serves it, and waits for an image from there itself.`,
          {
            severity: 'error',
            evidence: [
              `waiting: ${firstOf(waiting.map(({ pod }) => pod.metadata?.name ?? ''))}`,
              ...(waiting[0]?.message ? [waiting[0].message] : []),
            ],
            see: [at(entry.of, entry.of)],
          },
        )
        return
      }
      report(
        spec,
        'image',
        `After a full stop nothing can be pulled from ${registry}: it is served by ${workload.name} itself, whose container ${name} comes from there.`,
        { see: [at(entry.of, entry.of)] },
      )
      return
    }
  },
})

interface Entry {
  readonly host: string
  readonly of: object
}

/** The hosts under which each workload is reached. */
function hostsOf(graph: Graph): ReadonlyMap<Workload, Entry[]> {
  const found = new Map<Workload, Entry[]>()
  for (const service of graph.all('Service')) {
    const backends = graph.backendsOf(service)
    const namespace = graph.namespaceOf(service)
    const name = service.metadata?.name ?? ''
    const inner = namespace
      ? [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`]
      : []
    for (const workload of backends) {
      for (const host of inner) push(found, workload, { host, of: service })
      for (const { from } of graph.routesTo(service)) {
        const hosts = [
          ...objectsAt(from, 'spec', 'rules').map((one) => stringAt(one, 'host')),
          ...(Array.isArray((from as { spec?: { hostnames?: unknown } }).spec?.hostnames)
            ? ((from as { spec: { hostnames: unknown[] } }).spec.hostnames as unknown[])
            : []),
        ]
        for (const host of hosts) if (typeof host === 'string') push(found, workload, { host, of: from })
      }
    }
  }
  return found
}
