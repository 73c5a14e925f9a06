import {
  accountOf,
  firstOf,
  type Graph,
  imageNamed,
  isStranded,
  isWorkload,
  rule,
  unreadyPods,
  type Workload,
} from '../src/rule.js'

export default rule({
  title: 'Cloud credentials come from an agent that intercepts the metadata service',
  category: 'identity',
  severity: 'info',
  why: `kube2iam, kiam and aad-pod-identity answer calls to the metadata address on behalf of the cloud.
They must first learn which pod has which address: a pod that starts faster than that news travels gets no
credentials, or those of the pod that had the address before. A slow kubelet or API server makes the gap
minutes long, and kiam and aad-pod-identity are retired.`,
  remedy:
    'Give the ServiceAccount a cloud identity (IRSA, EKS Pod Identity, Workload Identity) and drop the annotation.',
  decides: `The pod annotation \`iam.amazonaws.com/role\`, the pod label \`aadpodidbinding\`, and
\`iam.amazonaws.com/permitted\` on Namespaces.

In a cluster, the pods whose node has no agent that is ready stand below the finding; the cause is reported on
the agent, by \`iam-agent-unprotected\`.

Exempt: pods whose ServiceAccount in the input has \`eks.amazonaws.com/role-arn\` (a move under way).`,
  sources: [
    'kube2iam and kiam documentation',
    'uswitch/kiam README (no longer maintained)',
    'Azure AD Pod Identity announcement of its end',
  ],
  stories: [
    'zalando-kubelet-qps',
    'chiefio-four-stories',
    'adevinta-kiam-latency',
    'datadog-10-ways',
    'dfds-kiam-cert',
  ],
  for: ['Workload', 'Namespace'],
  check(subject, { graph, report }) {
    if (!isWorkload(subject)) {
      const annotations = subject.metadata?.annotations
      if (annotations?.['iam.amazonaws.com/permitted'] !== undefined)
        report(
          annotations,
          'iam.amazonaws.com/permitted',
          'Pods here get cloud credentials through kiam, which is retired and races with their start.',
        )
      return
    }
    const { metadata } = subject.template
    const account = graph.find('ServiceAccount', accountOf(subject.pod), subject.object)
    if (account?.metadata?.annotations?.['eks.amazonaws.com/role-arn']) return
    const say = (agent: string) =>
      `${subject.kind} ${subject.name} can start without credentials: ${agent} must learn its pod's address first.`
    const { annotations, labels } = metadata ?? {}
    const cut = withoutAgent(subject, graph)
    const options = { evidence: cut.length > 0 ? [`the agent is not ready beside ${firstOf(cut)}`] : [] }
    if (annotations?.['iam.amazonaws.com/role'] !== undefined)
      report(annotations, 'iam.amazonaws.com/role', say('the agent (kube2iam or kiam)'), options)
    else if (labels?.aadpodidbinding !== undefined)
      report(labels, 'aadpodidbinding', say('aad-pod-identity'), options)
  },
})

/** The running pods of a workload on nodes whose credentials agent is not ready. */
function withoutAgent(workload: Workload, graph: Graph): readonly string[] {
  const live = graph.live?.seen
  if (!live) return []
  const nodes = graph.once('nodes without credentials agent', () => {
    const agents = graph
      .seen('DaemonSet')
      .flatMap((one) => graph.workload(one) ?? [])
      .filter(({ running }) => running.some(({ image }) => imageNamed(image, ['kube2iam', 'kiam', 'nmi'])))
    return new Set(
      agents.flatMap((agent) =>
        unreadyPods(live.podsOf(agent), live, 120).flatMap(({ pod }) =>
          isStranded(pod, graph, agent.object) ? [] : (pod.spec?.nodeName ?? []),
        ),
      ),
    )
  })
  if (nodes.size === 0) return []
  return live
    .podsOf(workload)
    .filter(({ spec, status }) => nodes.has(spec?.nodeName ?? '') && status?.phase === 'Running')
    .map(({ metadata, spec }) => `${metadata?.name} on ${spec?.nodeName}`)
    .sort()
}
