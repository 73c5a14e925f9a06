import {
  arrayAt,
  at,
  firstOf,
  type Graph,
  imageParts,
  type KubernetesObject,
  objectsAt,
  push,
  rule,
  type Service,
  stringAt,
  type Workload,
  waitingForImages,
} from '../src/rule.js'

export default rule({
  title: 'The registry cannot start without itself',
  category: 'images',
  severity: 'warning',
  why: `Images come from a registry that runs in the same cluster, and the registry's own image, or that of
the ingress in front of it, comes from there, too. It works while it runs; after a restart of the wrong
nodes nothing can be pulled, the registry least of all.`,
  remedy: 'Take the images of the registry and of the ingress before it from another registry.',
  decides: `The registry host of an image equals a host of an Ingress or HTTPRoute of the input, or a name or
address of one of its Services, and the workload behind that host (or an ingress controller of the input) takes one
of its own images from the same host. Reported on that workload; in a cluster an error while its pods wait for that
image.`,
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
      if (!entry || registry === '' || registry === 'docker.io') continue
      const waiting = waitingForImages(graph.live?.troubledPodsOf(workload) ?? []).filter(
        (one) => imageParts(one.image).registry === registry,
      )
      if (waiting.length > 0) {
        report(
          spec,
          'image',
          `Nothing can be pulled from ${registry} any more: ${workload.name} ${entry.own ? 'serves it' : 'leads to it'}, and waits for an image from there itself.`,
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
        `After a full stop nothing can be pulled from ${registry}: it is ${entry.own ? `served by ${workload.name} itself` : `reached through ${workload.name}`}, whose container ${name} comes from there.`,
        { see: [at(entry.of, entry.of)] },
      )
      return
    }
  },
})

interface Entry {
  readonly host: string
  readonly of: object
  /** Whether the workload serves the host itself; else it is the ingress controller on the way to it. */
  readonly own: boolean
}

/** Repositories of ingress controllers, in whatever registry they are mirrored. */
const controllers =
  /(^|\/)(ingress-nginx\/controller|nginx-ingress(-controller)?|traefik|haproxy-ingress|kubernetes-ingress|contour|kong)$/

/** The hosts under which each workload is reached, and those that each ingress controller leads to. */
function hostsOf(graph: Graph): ReadonlyMap<Workload, Entry[]> {
  const found = new Map<Workload, Entry[]>()
  const add = (workload: Workload, hosts: readonly string[], of: object, own: boolean) => {
    for (const host of hosts) push(found, workload, { host, of, own })
  }
  for (const service of graph.seen('Service')) {
    const hosts = hostsOfService(service, graph.namespaceOf(service))
    for (const workload of graph.backendsOf(service)) {
      add(workload, hosts, service, true)
      for (const { from } of graph.routesTo(service)) add(workload, hostsOfRoute(from), from, true)
    }
  }
  const gates = graph.seenWorkloads.filter(({ running }) =>
    running.some(({ image }) => image && controllers.test(imageParts(image).repository)),
  )
  for (const route of [...graph.seen('Ingress'), ...graph.seen('gateway.networking.k8s.io/HTTPRoute')]) {
    const hosts = hostsOfRoute(route)
    for (const gate of gates) add(gate, hosts, route, false)
    for (const { name, service } of graph.backendsNamedBy(route)) {
      // Without the Service, a workload of its name tells as much.
      const workload = service ? undefined : graph.nearby(route).find((one) => one.name === name)
      if (workload) add(workload, hosts, route, true)
    }
  }
  return found
}

function hostsOfRoute(route: KubernetesObject): readonly string[] {
  const hosts = [
    ...objectsAt(route, 'spec', 'rules').map((one) => stringAt(one, 'host')),
    ...arrayAt(route, 'spec', 'hostnames'),
  ]
  return hosts.filter((host) => typeof host === 'string')
}

/** The names of a Service in the cluster, and its names and addresses outside. */
function hostsOfService({ metadata, spec, status }: Service, namespace: string): readonly string[] {
  const name = metadata?.name ?? ''
  const outside = [
    spec?.loadBalancerIP,
    ...(spec?.externalIPs ?? []),
    ...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => [ip, hostname]),
    ...(metadata?.annotations?.['external-dns.alpha.kubernetes.io/hostname'] ?? '')
      .split(',')
      .map((one) => one.trim()),
  ]
  return [
    ...(namespace
      ? [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`]
      : []),
    ...outside.filter((host) => host !== undefined),
  ]
}
