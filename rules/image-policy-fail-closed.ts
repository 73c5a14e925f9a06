import {
  arrayAt,
  at,
  atMost,
  type Custom,
  type Fault,
  type Graph,
  objectAt,
  objectsAt,
  rule,
  stringAt,
  timeOf,
  type Untyped,
  valueAt,
} from '../src/rule.js'

export default rule({
  title: 'When the image check is down, nothing can start, nor can its own repair',
  category: 'admission',
  severity: 'warning',
  why: `A check of image signatures that fails closed stops every new pod while its service is unreachable
or wrong. That includes the CI jobs that would build the cure, the registry and the signer, so the cluster
can't be repaired by the usual way.`,
  remedy:
    'Exclude the namespaces that the repair needs (registry, signer, CI, the policy engine itself), or fail open with an alert. For the time that Kyverno itself is away they have to be left out of its webhooks (`config.webhooks`): it reads `exclude` of a policy itself.',
  decides: `Reported are

- an AdmissionConfiguration with the ImagePolicyWebhook plugin whose \`defaultAllow\` is not true;
- a Kyverno (Cluster)Policy with \`verifyImages\` rules whose failure policy is Fail (the default) and whose match
  excludes no namespace at all, unless it says that it only audits;
- a Sigstore ClusterImagePolicy in enforce mode, next to a webhook of the input that fails closed without a
  namespace selector.

In a cluster an error, with the events, while controllers report (15 minutes at most ago) that the webhook of
Kyverno or Sigstore can't be called, or that Kyverno refuses images by the policy because it can't reach the registry,
a transparency log or a key server.`,
  falsePositives:
    'Failing closed is often wanted for security: suppress with the break-glass procedure as the reason.',
  versions: '`defaultAllow` is false when it is absent.',
  sources: [
    'kubernetes/plugin/pkg/admission/imagepolicy/config.go',
    'Kyverno documentation, verify images; kyverno issue 11518 (what it says without a way out)',
    'kyverno/charts/kyverno/values.yaml (config.webhooks, config.excludeKyvernoNamespace)',
    'kyverno/pkg/controllers/webhook/controller.go (buildResourceMutatingWebhookRules: namespaces of a policy are not in its webhook)',
  ],
  stories: ['zalando-image-policy', 'google-playbook'],
  for: [
    'apiserver.config.k8s.io/AdmissionConfiguration',
    // Before 1.17.
    'apiserver.k8s.io/AdmissionConfiguration',
    'kyverno.io/ClusterPolicy',
    'kyverno.io/Policy',
    'policy.sigstore.dev/ClusterImagePolicy',
  ],
  check(subject, { graph, report }) {
    for (const fault of faultsOf(subject, graph)) report(...fault)
  },
})

function faultsOf(subject: Custom, graph: Graph): readonly Fault[] {
  switch (subject.kind) {
    case 'AdmissionConfiguration':
      return objectsAt(subject, 'plugins').flatMap(faultOfPlugin)
    case 'ClusterImagePolicy':
      return faultOfSigstore(subject, graph)
    default:
      return faultOfKyverno(subject, graph)
  }
}

function waitsFor(what: string, where = ''): string {
  return `No pod can start${where} while the image check is down, its own repair included: ${what}.`
}

/** By default these are kube-system and Kyverno's own. Source: kyverno/charts/kyverno/values.yaml (config.webhooks). */
const outsideOfKyvernos = ' outside of the namespaces that its webhooks leave out'

function faultOfPlugin(plugin: Untyped): Fault[] {
  const policy =
    plugin.name === 'ImagePolicyWebhook' ? objectAt(plugin, 'configuration', 'imagePolicy') : undefined
  if (!policy || policy.defaultAllow === true) return []
  const is = policy.defaultAllow === undefined ? 'absent, which means false' : 'false'
  return [[policy, 'defaultAllow', waitsFor(`defaultAllow is ${is}`)]]
}

function faultOfKyverno(subject: Custom, graph: Graph): Fault[] {
  const spec = objectAt(subject, 'spec')
  const failure =
    stringAt(spec, 'webhookConfiguration', 'failurePolicy') ?? stringAt(spec, 'failurePolicy') ?? 'Fail'
  const audits = /^audit$/i.test(stringAt(spec, 'validationFailureAction') ?? '')
  if (failure !== 'Fail' || audits) return []
  const first = objectsAt(spec, 'rules').find((one) => refusesImages(one) && !leavesNamespacesOut(one))
  if (!first) return []
  const down = failuresOf('kyverno', graph)
  if (down.length > 0)
    return [
      [
        first,
        'verifyImages',
        `No pod can start${outsideOfKyvernos}: the image check is down, fails closed, and its policy leaves no namespace out.`,
        { severity: 'error', evidence: down },
      ],
    ]
  const cutOff = unreachable(subject.metadata?.name ?? '', graph)
  if (cutOff.length > 0)
    return [
      [
        first,
        'verifyImages',
        `New pods are refused${outsideOfKyvernos}: the image check can't reach what it asks, fails closed, and leaves no namespace out.`,
        { severity: 'error', evidence: cutOff },
      ],
    ]
  return [
    [
      first,
      'verifyImages',
      waitsFor('the policy fails closed and leaves no namespace out', outsideOfKyvernos),
    ],
  ]
}

function faultOfSigstore(subject: Custom, graph: Graph): Fault[] {
  const spec = objectAt(subject, 'spec')
  const enforces = (stringAt(spec, 'mode') ?? 'enforce') === 'enforce'
  const webhook = enforces ? closedSigstoreWebhook(graph) : undefined
  if (!webhook || !spec) return []
  const see = [at(webhook, webhook, undefined, 'fails closed')]
  const down = failuresOf('sigstore', graph)
  return [
    down.length > 0
      ? [
          spec,
          'mode',
          'No pod can start, its own repair included: the image check is down and fails closed in every namespace.',
          { severity: 'error', evidence: down, see },
        ]
      : [spec, 'mode', waitsFor('the policy webhook fails closed in every namespace'), { see }],
  ]
}

/** Whether a Kyverno rule looks at images, and not only to audit them. */
function refusesImages(policyRule: Untyped): boolean {
  return !arrayAt(policyRule, 'verifyImages').every((one) => stringAt(one, 'failureAction') === 'Audit')
}

/** Whether a Kyverno rule limits itself to some namespaces or excludes some. */
function leavesNamespacesOut(policyRule: unknown): boolean {
  const text = JSON.stringify([
    valueAt(policyRule, 'match') ?? '',
    valueAt(policyRule, 'exclude') ?? '',
    valueAt(policyRule, 'preconditions') ?? '',
  ])
  return /"namespaces?"|"namespaceSelector"|request\.namespace/.test(text)
}

function closedSigstoreWebhook(graph: Graph) {
  return graph
    .all('ValidatingWebhookConfiguration')
    .find((one) =>
      one.webhooks?.some(
        (webhook) =>
          webhook.name?.includes('sigstore.dev') &&
          (webhook.failurePolicy ?? 'Fail') === 'Fail' &&
          !webhook.namespaceSelector,
      ),
    )
}

/**
 * What controllers say who could not make pods because the webhooks of a product did not answer, in the
 * last 15 minutes.
 */
function failuresOf(product: string, graph: Graph): readonly string[] {
  return refusals(new RegExp(`failed calling webhook "[^"]*${product}[^"]*": (.*)$`), graph)
}

/** What Go says of a server that it can't reach, or not in time. */
const networkErrors =
  'dial tcp|i/o timeout|connection refused|no such host|server misbehaving|deadline exceeded|context canceled|TLS handshake|50[234] '

/** The same of images that Kyverno refuses by a policy because it can't reach a registry, a log or a key server. */
function unreachable(policy: string, graph: Graph): readonly string[] {
  const name = policy.replaceAll('.', '\\.')
  return refusals(
    new RegExp(
      `webhook "[^"]*kyverno[^"]*" denied the request:.*\\b${name}:.*(failed to verify image .*(?:${networkErrors}).*)$`,
      's',
    ),
    graph,
  )
}

/** What controllers said in the last 15 minutes, as far as the pattern tells it. */
function refusals(pattern: RegExp, { live }: Graph): readonly string[] {
  const found = (live?.events ?? []).flatMap((event) => {
    const { involvedObject, message } = event
    const why = pattern.exec(message ?? '')?.[1]
    const isOver = (live?.now ?? 0) - timeOf(event) > 900_000
    return why === undefined || isOver
      ? []
      : [
          `${involvedObject?.kind} ${involvedObject?.namespace}/${involvedObject?.name}: ${why
            .replace(/\s+/g, ' ')
            .slice(0, 160)
            .replace(/[\s']+$/, '')}`,
        ]
  })
  return atMost(3, [...new Set(found)])
}
