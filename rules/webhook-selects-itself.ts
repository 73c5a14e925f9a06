import { at, isRuledIn, rule, selects, type Webhook, webhooksOf } from '../src/rule.js'

export default rule({
  title: 'A webhook decides about the pods that serve it',
  category: 'admission',
  severity: 'error',
  why: `The API server asks the webhook before it stores a pod, and refuses the pod when nobody answers. The
webhook's own pods are no exception: once the last one is gone, none can be created, and no write that the
webhook is asked about goes through until somebody deletes its configuration by hand.`,
  remedy: "Exclude the webhook's own namespace with a namespaceSelector, or its pods with an objectSelector.",
  decides: `A webhook that fails closed (the default of v1), is asked about the creation of pods, and whose
selectors match the namespace of its Service and the labels of the pods behind it. An error with a single
replica: its first drain or crash is the deadlock; a warning with more.

Not reported: webhooks without a Service, with \`matchConditions\` or with selectors that a patch of a
kustomization adds, Services that the input does not have unless nothing is selected at all, and selectors
for labels that the input does not show.`,
  sources: [
    'k8s.io/api/admissionregistration/v1/types.go',
    'k8s.io/apiserver/pkg/admission/plugin/webhook/predicates',
  ],
  stories: ['heureka-gatekeeper', 'jetstack-webhook', 'dfds-kyverno-down'],
  unless: ['webhook-fail-closed-system-scope'],
  for: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  check(configuration, { graph, report }) {
    const selectsOwn = (webhook: Webhook) => {
      const { name, namespace } = webhook.spec.clientConfig?.service ?? {}
      if (!webhook.closed || !name || !namespace) return undefined
      const request = { group: '', resource: 'pods', operation: 'CREATE', namespace } as const
      if (!isRuledIn(webhook, request)) return undefined
      const service =
        graph.find('Service', name, configuration, namespace) ??
        graph.find('Service', name, configuration, '')
      const [backend] = service ? graph.backendsOf(service) : []
      // What selects pods by their labels can't be judged without them.
      if (!backend && (webhook.spec.objectSelector || graph.complete)) return undefined
      const isOwn = selects(webhook, namespace, backend?.labels ?? {}, graph, configuration)
      return isOwn ? { webhook, backend, name: `${namespace}/${name}` } : undefined
    }
    const own = webhooksOf(configuration).flatMap((webhook) => selectsOwn(webhook) ?? [])
    const [first] = own
    if (!first) return
    const fewest = first.backend && graph.fewestPods(first.backend)
    const isAlone = (fewest?.pods ?? 2) < 2
    report(
      first.webhook.spec,
      first.webhook.spec.namespaceSelector ? 'namespaceSelector' : 'rules',
      `When ${isAlone ? 'the only pod' : 'the last pod'} of ${first.name} is gone, no new one can be created: the webhook is asked about it and fails closed.`,
      {
        severity: isAlone ? 'error' : 'warning',
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
