import { callsOf, isOptIn, rule, set, type Webhook, webhooksOf } from '../src/rule.js'

/** The groups of what clusters are made of. */
const workloadGroups = new Set(['*', '', 'apps', 'batch', 'extensions'])
/** More than so many kinds are not rare ones. */
const fewResources = 5

export default rule({
  title: 'A webhook may hold up nearly every write for many seconds',
  category: 'admission',
  severity: 'warning',
  why: `While its backend is slow, or its node gone, each matching write waits for the whole timeout, also with
\`failurePolicy: Ignore\`. Mutating webhooks are asked one after the other, so their timeouts add up.
Controllers make their objects one by one and fall behind; clients and leader elections give up after 10 s or
less, and nodes that start many pods appear stuck.`,
  remedy:
    'Set a timeout of a few seconds that the backend keeps in ordinary times, and name fewer resources.',
  decides: `\`timeoutSeconds\` (10 when absent, 30 in v1beta1) above \`maxTimeout\` where rules match creations or
updates of all resources of the core, \`apps\` or \`batch\` group, or of more than five of them. One finding
for a configuration; an info where the number is the default, and where labels that objects or namespaces must
carry make the webhook an exception.

Exempt: rules for custom resources alone.

In a cluster, what the API server has counted of the webhook's calls since it started stands below: slow ones,
failed ones, and writes that went through unchecked.`,
  versions: '`v1beta1` waits 30 s by default, `v1` 10 s.',
  sources: [
    'kubernetes/pkg/apis/admissionregistration/v1/defaults.go',
    'k8s.io/apiserver/pkg/admission/metrics/metrics.go',
  ],
  stories: ['jetstack-webhook', 'dfds-admission-timeout'],
  params: {
    maxTimeout: {
      type: 'integer',
      minimum: 1,
      maximum: 30,
      default: 5,
      about: 'Seconds that a write may wait for a webhook with wide rules.',
    },
  },
  for: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  check(configuration, { graph, params, report }) {
    const slow = webhooksOf(configuration).filter(
      (webhook) => webhook.timeout > params.maxTimeout && isWide(webhook),
    )
    const [worst] = slow.sort((a, b) => b.timeout - a.timeout)
    if (!worst) return
    const { spec, timeout, closed } = worst
    const isWritten = spec.timeoutSeconds !== undefined
    report(
      spec,
      isWritten ? 'timeoutSeconds' : 'rules',
      `Nearly every write waits up to ${timeout} s while ${backendOf(worst)} is slow or gone${closed ? ', and then fails' : ''}${isWritten ? '' : `: timeoutSeconds is not set (default ${timeout})`}.`,
      {
        severity: isWritten && !isOptIn(worst) ? 'warning' : 'info',
        evidence: callsOf(worst.name, graph.live),
        fix: set(spec, 'timeoutSeconds', 3),
      },
    )
  },
})

function backendOf({ spec, name }: Webhook): string {
  const { service } = spec.clientConfig ?? {}
  return service?.name ? `${service.namespace ? `${service.namespace}/` : ''}${service.name}` : name
}

/** Whether the rules match what workloads are made of, all or much of it. */
function isWide({ spec }: Webhook): boolean {
  const resources = (spec.rules ?? [])
    .filter(
      ({ apiGroups = [], operations = [] }) =>
        apiGroups.some((group) => workloadGroups.has(group)) &&
        operations.some((one) => one === '*' || one === 'CREATE' || one === 'UPDATE'),
    )
    .flatMap((one) => one.resources ?? [])
  const isAll = resources.some((one) => one === '*' || one === '*/*')
  return isAll || new Set(resources.filter((one) => !one.includes('/'))).size > fewResources
}
