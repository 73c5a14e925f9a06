import {
  enumerate,
  isRuledIn,
  rule,
  selects,
  type Webhook,
  type WebhookRequest,
  webhooksOf,
} from '../src/rule.js'

/** What a cluster needs to run and to heal, and the requests for it. The first that is refused names it. */
const vital: readonly {
  readonly what: string
  /** Without them nodes and controllers are taken for dead, whether or not anything else is wrong. */
  readonly isHeartbeat?: true
  /** The first minor version of Kubernetes that asks no webhook about them. */
  readonly exemptFrom?: number
  readonly requests: readonly WebhookRequest[]
}[] = [
  {
    what: 'heartbeats of nodes',
    isHeartbeat: true,
    requests: [
      {
        group: 'coordination.k8s.io',
        resource: 'leases',
        operation: 'UPDATE',
        namespace: 'kube-node-lease',
      },
      { group: '', resource: 'nodes/status', operation: 'UPDATE', namespace: undefined },
    ],
  },
  {
    what: 'leader election',
    isHeartbeat: true,
    requests: [
      { group: 'coordination.k8s.io', resource: 'leases', operation: 'UPDATE', namespace: 'kube-system' },
    ],
  },
  {
    what: 'new nodes',
    requests: [
      { group: '', resource: 'nodes', operation: 'CREATE', namespace: undefined },
      {
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        operation: 'CREATE',
        namespace: undefined,
      },
    ],
  },
  {
    what: 'pods of kube-system',
    requests: [{ group: '', resource: 'pods', operation: 'CREATE', namespace: 'kube-system' }],
  },
  {
    what: 'tokens of pods',
    requests: [
      { group: '', resource: 'serviceaccounts/token', operation: 'CREATE', namespace: 'kube-system' },
    ],
  },
  {
    what: 'endpoints of Services',
    requests: [
      {
        group: 'discovery.k8s.io',
        resource: 'endpointslices',
        operation: 'UPDATE',
        namespace: 'kube-system',
      },
      { group: '', resource: 'endpoints', operation: 'UPDATE', namespace: 'kube-system' },
    ],
  },
  {
    what: 'checks of tokens and permissions',
    exemptFrom: 37,
    requests: [
      {
        group: 'authentication.k8s.io',
        resource: 'tokenreviews',
        operation: 'CREATE',
        namespace: undefined,
      },
      {
        group: 'authorization.k8s.io',
        resource: 'subjectaccessreviews',
        operation: 'CREATE',
        namespace: undefined,
      },
    ],
  },
]

export default rule({
  title: 'A fail-closed webhook stands in the way of what a cluster needs to heal',
  category: 'admission',
  severity: 'warning',
  why: `With \`failurePolicy: Fail\` the API server refuses every matching write while the webhook does not
answer. When that covers the pods of kube-system, nodes or their heartbeats, an outage of the webhook becomes
one of the cluster: DNS and network pods are not made again, nodes look dead and are replaced, and the
webhook's own pods may wait for all of these.

A namespaceSelector does not help with nodes and other objects without a namespace: the API server applies it
only to namespaced objects and to Namespaces.`,
  remedy:
    'Name the resources that the policy is about, and exclude kube-system and kube-node-lease with a namespaceSelector.',
  decides: `A webhook that fails closed (the default of v1) and whose rules and selectors match one of

- updates of Leases or of \`nodes/status\` (an error: heartbeats);
- creation of pods in kube-system, of nodes, certificate signing requests and service account tokens, and for
  targets before 1.37 of token reviews and subject access reviews;
- updates of endpoints.

\`*\` in \`resources\` leaves subresources out, as in the API server. A webhook at a \`url\` is an info: often the
provider's, outside the cluster.

Not reported: webhooks with \`matchConditions\` or whose selectors a patch of a kustomization adds, and selectors
for labels that the input does not show: \`scan\` reads them from the Namespace.`,
  sources: [
    'k8s.io/api/admissionregistration/v1/types.go',
    'k8s.io/apiserver/pkg/admission/plugin/webhook/predicates',
    'kubernetes/pkg/kubeapiserver/admission/exclusion/resources.go (what policies leave out, and webhooks from 1.37 on)',
    'k8s.io/apiserver/pkg/features/kube_features.go (ExcludeAdmissionWebhookVirtualResources)',
  ],
  versions:
    'Token reviews and access reviews are sent to no webhook from 1.37 on (ExcludeAdmissionWebhookVirtualResources, beta and on by default).',
  stories: ['jetstack-webhook', 'heureka-gatekeeper', 'dfds-kyverno-down'],
  for: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  check(configuration, { graph, minor, report }) {
    const asked = vital.filter(({ exemptFrom }) => exemptFrom === undefined || minor < exemptFrom)
    const refusedBy = (webhook: Webhook) =>
      asked.filter(({ requests }) =>
        requests.some(
          (request) =>
            isRuledIn(webhook, request) &&
            selects(webhook, request.namespace, {}, graph, configuration) === true,
        ),
      )
    const closed = webhooksOf(configuration)
      .filter((webhook) => webhook.closed)
      .map((webhook) => ({ webhook, refused: refusedBy(webhook) }))
      .filter(({ refused }) => refused.length > 0)
    const [worst] = closed.sort((a, b) => b.refused.length - a.refused.length)
    if (!worst) return
    const { spec, name } = worst.webhook
    const all = vital.filter((one) => closed.some(({ refused }) => refused.includes(one)))
    const { service, url } = spec.clientConfig ?? {}
    const who = service?.name ? `${service.namespace ? `${service.namespace}/` : ''}${service.name}` : name
    const shown = all.slice(0, 3).map(({ what }) => what)
    report(
      spec,
      'rules',
      `While ${who} does not answer, the API server refuses ${enumerate(shown, 'and')}: ${closed.length > 1 ? `${closed.length} webhooks fail` : 'the webhook fails'} closed.`,
      {
        severity: url ? 'info' : all.some(({ isHeartbeat }) => isHeartbeat) ? 'error' : 'warning',
        // Generators of code write no selectors: patches add them.
        restsOn: closed.flatMap(({ webhook }) => [
          [webhook.spec, 'namespaceSelector'],
          [webhook.spec, 'objectSelector'],
        ]),
      },
    )
  },
})
