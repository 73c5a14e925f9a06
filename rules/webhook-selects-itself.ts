import { at, isRuledIn, rule, selects, type Webhook, type WebhookRequest, webhooksOf } from '../src/rule.js'

/** A write about which a webhook may be asked. */
type Asked = Pick<WebhookRequest, 'group' | 'resource' | 'operation'>

const pods: Asked = { group: '', resource: 'pods', operation: 'CREATE' }
/** What else makes up the backend of a webhook, what a new release of it needs first. */
const makers: readonly Asked[] = [
  { group: 'apps', resource: 'deployments', operation: 'CREATE' },
  { group: 'apps', resource: 'replicasets', operation: 'CREATE' },
  { group: '', resource: 'services', operation: 'CREATE' },
  { group: '', resource: 'secrets', operation: 'CREATE' },
]

export default rule({
  title: 'A webhook decides about the pods that serve it',
  category: 'admission',
  severity: 'error',
  why: `The API server asks the webhook before it stores a pod, and refuses the pod when nobody answers. The
webhook's own pods are no exception: once the last one is gone, none can be created, and no write that the
webhook is asked about goes through until somebody deletes its configuration by hand.`,
  remedy: "Exclude the webhook's own namespace with a namespaceSelector, or its pods with an objectSelector.",
  decides: `A webhook that fails closed (the default of v1), is asked about the creation of pods, and whose
selectors match the namespace of its Service and the labels of the pods behind it. An error with a single replica:
its first drain or crash is the deadlock; a warning with more, left out where
\`webhook-fail-closed-system-scope\` reports the same configuration. Where the rule is asked for, an info for a webhook
that is asked about the Deployments, ReplicaSets, Services or Secrets of its own namespace instead.

Not reported: webhooks without a Service, with \`matchConditions\` or with selectors that a patch of a
kustomization adds, Services that the input does not have unless nothing is selected at all, and selectors
for labels that the input does not show.`,
  sources: [
    'k8s.io/api/admissionregistration/v1/types.go',
    'k8s.io/apiserver/pkg/admission/plugin/webhook/predicates',
  ],
  stories: ['heureka-gatekeeper', 'jetstack-webhook', 'dfds-kyverno-down'],
  for: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  check(configuration, { graph, report }) {
    const selectsOwn = (webhook: Webhook, { group, resource, operation }: Asked) => {
      const { name, namespace } = webhook.spec.clientConfig?.service ?? {}
      if (!webhook.closed || !name || !namespace) return undefined
      if (!isRuledIn(webhook, { group, resource, operation, namespace })) return undefined
      const service =
        graph.find('Service', name, configuration, namespace) ??
        graph.find('Service', name, configuration, '')
      const [backend] = service ? graph.backendsOf(service) : []
      // What selects objects by their labels can't be judged without them.
      if (!backend && (webhook.spec.objectSelector || graph.complete)) return undefined
      const labels = (resource === 'pods' ? backend?.labels : backend?.object.metadata?.labels) ?? {}
      const isOwn = selects(webhook, namespace, labels, graph, configuration)
      return isOwn ? { webhook, backend, name: `${namespace}/${name}` } : undefined
    }
    const webhooks = webhooksOf(configuration)
    const own = webhooks.flatMap((webhook) => selectsOwn(webhook, pods) ?? [])
    const [first] = own
    if (!first) {
      const [other] = makers.flatMap((maker) =>
        webhooks.flatMap((webhook) => {
          const found = selectsOwn(webhook, maker)
          return found ? [{ ...found, maker }] : []
        }),
      )
      if (other)
        report(
          other.webhook.spec,
          other.webhook.spec.namespaceSelector ? 'namespaceSelector' : 'rules',
          `Nobody can repair ${other.name} by a change of its ${other.maker.resource} while it is away: the webhook is asked about them and fails closed.`,
          {
            severity: 'info',
            recommended: false,
            restsOn: [
              [other.webhook.spec, 'namespaceSelector'],
              [other.webhook.spec, 'objectSelector'],
            ],
          },
        )
      return
    }
    const fewest = first.backend && graph.fewestPods(first.backend)
    const isAlone = (fewest?.pods ?? 2) < 2
    report(
      first.webhook.spec,
      first.webhook.spec.namespaceSelector ? 'namespaceSelector' : 'rules',
      `When ${isAlone ? 'the only pod' : 'the last pod'} of ${first.name} is gone, no new one can be created: the webhook is asked about it and fails closed.`,
      {
        severity: isAlone ? 'error' : 'warning',
        // With several pods both are a matter of who is selected; the deadlock of the only one is told by itself.
        ...(!isAlone && {
          symptomOf: { objects: [configuration], rules: ['webhook-fail-closed-system-scope'] },
        }),
        restsOn: own.flatMap(({ webhook: { spec } }) => [
          [spec, 'namespaceSelector'],
          [spec, 'objectSelector'],
        ]),
        see: fewest
          ? [at(fewest.of, fewest.node, fewest.field, isAlone ? 'one replica' : 'its own pods')]
          : [],
      },
    )
  },
})
