import {
  at,
  atMost,
  type Graph,
  isWorkload,
  keptFromIstio,
  meshOf,
  objectsAt,
  type Pod,
  presentPods,
  rule,
  stringAt,
  valueAt,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Pods of a mesh run without their sidecar',
  category: 'networking',
  severity: 'warning',
  why: `The sidecar comes from a webhook when a pod is made. A pod that was made before the namespace was labelled, or
while the webhook was away, runs without it: it has no policies and no mTLS, looks healthy, and is refused by
neighbours that accept mTLS only. Replicas of one workload then behave differently.`,
  remedy: 'Restart the pods that lack the sidecar, and find out why the injector did not see them.',
  decides: `In a cluster: pods of a workload that run without a container \`istio-proxy\` or \`linkerd-proxy\` in a
namespace with injection (\`istio-injection: enabled\`, \`istio.io/rev\`, annotation \`linkerd.io/inject\`), an
error where a PeerAuthentication of the namespace or of the mesh asks for STRICT mTLS. In manifests and clusters: a
pod template that opts out (\`sidecar.istio.io/inject: "false"\`) and has a Service in such a namespace with STRICT;
and a Namespace that has both of Istio's labels, of which \`istio-injection\` wins (with \`enabled\` beside the
revision \`default\` both say the same). Asked for, the rule also names templates that opt out and have no Service.

Exempt: hostNetwork, which is never injected, pods of Jobs, ambient namespaces, and in a cluster templates that
opt out.`,
  sources: [
    'istio/pkg/kube/inject/inject.go (injectRequired)',
    'istio, chart istio-discovery, templates/mutatingwebhook.yaml (both labels)',
    'istio.io/api/security/v1/peer_authentication.proto (UNSET is inherited)',
    'Istio documentation, Installing the sidecar',
    'Linkerd documentation, Automatic proxy injection',
  ],
  stories: ['exponea-istio'],
  for: ['Workload', 'Namespace'],
  check(subject, { graph, report }) {
    if (!isWorkload(subject)) {
      const { labels } = subject.metadata ?? {}
      const revision = labels?.['istio.io/rev']
      const injection = labels?.['istio-injection']
      if (!labels || !revision || injection === undefined) return
      if (injection === 'enabled' && revision === 'default') return
      report(
        labels,
        'istio.io/rev',
        `Pods of namespace ${subject.metadata?.name} do not get the sidecar of revision ${revision}: the label istio-injection wins.`,
      )
      return
    }
    const mesh = meshOf(subject, graph)
    if (!mesh || subject.batch || subject.pod.hostNetwork) return
    const strict = mesh === 'Istio' ? strictFor(subject, graph) : undefined
    const out = keptFromIstio(subject)
    if (out) {
      if (strict)
        report(
          out,
          'sidecar.istio.io/inject',
          `Pods of ${subject.name} cannot call others of their namespace: they have no sidecar, and the others accept mTLS only.`,
          // What nobody calls may call nobody either.
          { recommended: graph.servicesOf(subject).length > 0, see: [at(strict, strict, 'spec')] },
        )
      return
    }
    const { live } = graph
    if (!live) return
    const pods = presentPods(subject, live).filter(({ status }) => status?.phase === 'Running')
    const bare = pods.filter((pod) => !hasProxy(pod))
    if (bare.length === 0) return
    report(
      subject.object,
      undefined,
      `${bare.length} of ${pods.length} pods of ${subject.name} ${bare.length === 1 ? 'runs' : 'run'} outside the mesh, without ${mesh === 'Istio' ? 'istio-proxy' : 'linkerd-proxy'}${strict ? ': neighbours with STRICT mTLS refuse them' : ''}.`,
      {
        severity: strict ? 'error' : 'warning',
        see: [strict && at(strict, strict, 'spec')],
        evidence: linesOf(bare),
      },
    )
  },
})

/** The PeerAuthentication without a selector that asks for STRICT in the workload's namespace, or in all. */
function strictFor(workload: Workload, graph: Graph) {
  const own = graph.namespaceOf(workload.object)
  const all = graph
    .all('security.istio.io/PeerAuthentication')
    .filter((one) => valueAt(one, 'spec', 'selector') === undefined && modeOf(one) !== 'UNSET')
  const decisive =
    all.find((one) => graph.namespaceOf(one) === own) ??
    all.find((one) => graph.namespaceOf(one) === 'istio-system')
  return decisive && modeOf(decisive) === 'STRICT' ? decisive : undefined
}

/** What a PeerAuthentication asks for; `UNSET` leaves it to that of the mesh. */
function modeOf(policy: object): string {
  return stringAt(policy, 'spec', 'mtls', 'mode') ?? 'UNSET'
}

/** Whether the pod has a proxy, as a container or as a native sidecar. */
function hasProxy({ status }: Pod): boolean {
  return [...objectsAt(status, 'containerStatuses'), ...objectsAt(status, 'initContainerStatuses')].some(
    ({ name }) => name === 'istio-proxy' || name === 'linkerd-proxy',
  )
}

function linesOf(pods: readonly Pod[]): string[] {
  const lines = pods.map(
    ({ metadata }) => `pod ${metadata?.name}, made ${metadata?.creationTimestamp ?? 'at an unknown time'}`,
  )
  return atMost(3, lines.sort())
}
