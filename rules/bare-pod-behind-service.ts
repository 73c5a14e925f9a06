import {
  advise,
  at,
  isAway,
  isLeaving,
  type Live,
  namespaceNamed,
  type ObjectOf,
  type Pod,
  rule,
  spanSince,
} from '../src/rule.js'

export default rule({
  title: 'Clients outside the cluster depend on a Pod that nothing brings back',
  category: 'workload-lifecycle',
  severity: 'warning',
  why: `A Pod is bound to one node for its whole life. The kubelet restarts its containers there. When the node is drained,
replaced or lost, the Pod is deleted; when the kubelet evicts it, it stays failed. Only a controller (a Deployment, a
StatefulSet) would make another one: until somebody applies the manifest again, the Service has no endpoint.
\`kubectl drain\` refuses to delete such Pods without \`--force\`; an upgrade of managed nodes does not ask.`,
  remedy: 'Make it the pod template of a Deployment.',
  decides: `Pods without an owner, behind a Service of type LoadBalancer or with an Ingress or route, when no
workload with a controller is behind it. In a cluster also on which node the Pod is, since when, and whether that
node is going away.

Exempt: Pods of a file of the kubelet and their mirrors, Pods with \`restartPolicy\` Never or OnFailure (tasks),
tests of Helm, and namespaces of development or previews. Services of type NodePort without a route are left alone.`,
  falsePositives: 'Demonstrations: suppress with that reason.',
  sources: [
    'Kubernetes documentation, Pod Lifecycle (Pod lifetime)',
    'k8s.io/kubectl/pkg/drain/filters.go (unreplicatedFilter)',
    'kubernetes/pkg/kubelet/types/constants.go, pod_update.go (kubernetes.io/config.mirror, kubernetes.io/config.source)',
  ],
  stories: ['google-how-not-to'],
  params: {
    quietNamespaces: {
      type: 'array',
      items: { type: 'string' },
      default: ['dev', 'development', 'preview', 'test', 'sandbox'],
      about: 'Parts of namespace names (between hyphens) where a Pod of its own is fine.',
    },
  },
  for: 'Pod',
  check(pod, { graph, params, report }) {
    const workload = graph.workload(pod)
    if (!workload || isOwnedOrStatic(pod) || (pod.spec?.restartPolicy ?? 'Always') !== 'Always') return
    if (namespaceNamed(workload.namespace, params.quietNamespaces)) return
    for (const service of graph.servicesOf(workload)) {
      if (service.spec?.type !== 'LoadBalancer' && graph.routesTo(service).length === 0) continue
      const entrance = graph.entranceOf(service)
      const backends = graph.backendsOf(service)
      // Of several Pods one stands for all.
      if (!entrance || backends[0] !== workload || backends.some(({ kind }) => kind !== 'Pod')) continue
      const more = backends.length - 1
      report(
        pod,
        'kind',
        `${entrance.by} leads to Pod ${workload.name}${more > 0 ? ` and ${more} more` : ''}, which nothing makes anew when ${more > 0 ? 'their nodes are' : 'its node is'} drained, replaced or lost.`,
        {
          see: [at(entrance.of, entrance.node, entrance.field)],
          fix: advise('make it the pod template of a Deployment'),
          evidence: graph.live && placeOf(pod, graph.seen('Node'), graph.live),
        },
      )
      return
    }
  },
})

/** Whether something else keeps the Pod: an owner, the kubelet from a file, or Helm for a test. */
function isOwnedOrStatic({ metadata }: Pod): boolean {
  const annotations = metadata?.annotations ?? {}
  return (
    (metadata?.ownerReferences?.length ?? 0) > 0 ||
    'kubernetes.io/config.mirror' in annotations ||
    (annotations['kubernetes.io/config.source'] ?? 'api') !== 'api' ||
    'helm.sh/hook' in annotations
  )
}

/** Where the Pod is, and what becomes of its node. */
function placeOf({ spec, status }: Pod, nodes: readonly ObjectOf<'Node'>[], live: Live): readonly string[] {
  if (!spec?.nodeName) return []
  const node = nodes.find(({ metadata }) => metadata?.name === spec.nodeName)
  const started = Date.parse(status?.startTime ?? '')
  const since = Number.isNaN(started) ? '' : ` for ${spanSince(started, live)}`
  const fate = !node
    ? ''
    : isLeaving(node)
      ? ', which is being removed'
      : isAway(node)
        ? ', which is not ready'
        : node.spec?.unschedulable
          ? ', which is cordoned'
          : ''
  return [`it ${since ? 'has been' : 'is'} on node ${spec.nodeName}${since}${fate}`]
}
