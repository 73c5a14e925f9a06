import { at, remove, rule, safe, set } from '../src/rule.js'

const legacy = 'service.alpha.kubernetes.io/tolerate-unready-endpoints'

export default rule({
  title: 'A Service sends traffic to pods that are not ready',
  category: 'networking',
  severity: 'warning',
  why: `\`publishNotReadyAddresses\` tells everybody to treat all pods as ready. That is right for the peers
of a cluster that must find each other before they can be ready, and wrong for clients: they get connections
to pods that start, hang or stop.`,
  remedy: 'Remove the field from Services for clients; keep a headless one of its own for peer discovery.',
  decides: `The field is true on a Service that is not headless, or that is of type LoadBalancer or
NodePort, or that an Ingress or route leads to. Exempt are Services inside the cluster for pods of a
StatefulSet, which is what it is for, or for pods that the input does not show. The old annotation is ignored by current releases: an info, as its author believes it works.`,
  versions: 'The annotation has no effect any more.',
  sources: ['k8s.io/api/core/v1/types.go (PublishNotReadyAddresses)'],
  stories: ['betz-gke-ingress-keepalive'],
  for: 'Service',
  check(service, { graph, report }) {
    const { spec, metadata } = service
    const annotations = metadata?.annotations
    if (annotations?.[legacy] === 'true' && !spec?.publishNotReadyAddresses) {
      report(
        annotations,
        legacy,
        `This annotation does nothing any more: pods that are not ready ${spec?.clusterIP === 'None' ? 'have no DNS record' : 'get no traffic'}.`,
        {
          severity: 'info',
          // Peers that look for each other before they are ready need what the annotation used to do.
          fix:
            spec?.clusterIP === 'None'
              ? set(spec, 'publishNotReadyAddresses', true)
              : remove(annotations, legacy),
        },
      )
      return
    }
    if (!spec?.publishNotReadyAddresses) return
    const [route] = graph.routesTo(service)
    const headless = spec.clusterIP === 'None'
    if (headless && !route) return
    // A Service for one single pod of a StatefulSet is how its peers, or clients that know it, find it.
    if (spec.selector?.['statefulset.kubernetes.io/pod-name'] && !route) return
    // The peers of a StatefulSet find each other so, and are set up while they are not ready yet. Pods that are not
    // in the input may be such peers.
    if (
      !graph.entranceOf(service) &&
      !graph.backendsOf(service).some((workload) => workload.kind !== 'StatefulSet')
    )
      return
    report(
      spec,
      'publishNotReadyAddresses',
      `Clients of ${graph.describe(service)} are sent to pods that start, hang or stop: it counts all pods as ready.`,
      {
        see: [route ? at(route.from, route.node, route.field) : undefined],
        fix: headless ? undefined : safe(remove(spec, 'publishNotReadyAddresses')),
      },
    )
  },
})
