import {
  callCounts,
  callsOf,
  enumerate,
  isOptIn,
  type Live,
  rule,
  set,
  type Webhook,
  webhooksOf,
} from '../src/rule.js'

/** The groups of what clusters are made of. */
const workloadGroups = new Set(['*', '', 'apps', 'batch', 'extensions'])
/** More than so many kinds are not rare ones. */
const fewResources = 5
/** Fewer calls since the API server started say little. */
const enoughCalls = 100
/** Percent of the calls that may take longer than a second. */
const slowShare = 5

export default rule({
  title: 'A webhook may hold up writes for many seconds',
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
failed ones, and writes that went through unchecked. A webhook with narrower rules or a shorter timeout is a warning
when at least 100 calls were counted, and one in twenty took longer than a second.`,
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
    if (!worst) {
      const { live } = graph
      for (const webhook of live ? webhooksOf(configuration) : [])
        if (live && isSlow(webhook, live))
          report(
            webhook.spec,
            'name',
            `Writes of ${kindsOf(webhook)} wait for ${backendOf(webhook)}, ${shareOfSlow(webhook, live)} % of them for more than a second.`,
            { evidence: callsOf(webhook.name, live) },
          )
      return
    }
    const { spec, timeout, closed } = worst
    const isWritten = spec.timeoutSeconds !== undefined
    report(
      spec,
      isWritten ? 'timeoutSeconds' : 'rules',
      `${writesOf(worst)} waits up to ${timeout} s while ${backendOf(worst)} is slow or gone${closed ? ', and then fails' : ''}${isWritten ? '' : `: timeoutSeconds is not set (default ${timeout})`}.`,
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

/** Whether the API server has counted that many calls that took longer than a second. */
function isSlow(webhook: Webhook, live: Live): boolean {
  const { calls } = callCounts(webhook.name, live)
  return writtenIn(webhook).length > 0 && calls >= enoughCalls && shareOfSlow(webhook, live) >= slowShare
}

/** The percentage of its calls that took longer than a second. */
function shareOfSlow({ name }: Webhook, live: Live): number {
  const { calls, slow } = callCounts(name, live)
  return Math.round((100 * slow) / calls)
}

/** `pods`, `pods and deployments`, `3 kinds`. */
function kindsOf(webhook: Webhook): string {
  const kinds = [...new Set(writtenIn(webhook))].map((one) => (one.startsWith('*') ? 'all kinds' : one))
  return kinds.includes('all kinds')
    ? 'all kinds'
    : kinds.length > 2
      ? `${kinds.length} kinds`
      : enumerate(kinds, 'and')
}

/** What waits for the webhook: `Nearly every write`, `Every write to API groups apps and batch`, `A write to one of 6 kinds`. */
function writesOf(webhook: Webhook): string {
  if (isOptIn(webhook)) return 'Every write to what its selectors choose'
  const groups = groupsWithAll(webhook)
  if (groups.includes('*') || groups.length > 3) return 'Nearly every write'
  const named = [...groups].sort().map((group) => group || 'core')
  return named.length > 0
    ? `Every write to API group${named.length > 1 ? 's' : ''} ${enumerate(named, 'and')}`
    : `A write to one of ${kindsIn(webhook).size} kinds`
}

/** The API groups of which the webhook sees creations or updates of all resources. */
function groupsWithAll({ spec }: Webhook): readonly string[] {
  const groups = (spec.rules ?? [])
    .filter(({ resources = [], operations = [] }) => resources.some(isEvery) && operations.some(isWrite))
    .flatMap(({ apiGroups = [] }) => apiGroups)
  return [...new Set(groups)]
}

const isEvery = (resource: string) => resource === '*' || resource === '*/*'

const isWrite = (operation: string) => ['*', 'CREATE', 'UPDATE'].includes(operation)

/** The resources of what workloads are made of whose creations or updates the webhook sees. */
function writtenIn({ spec }: Webhook): readonly string[] {
  return (spec.rules ?? [])
    .filter(
      ({ apiGroups = [], operations = [] }) =>
        apiGroups.some((group) => workloadGroups.has(group)) && operations.some(isWrite),
    )
    .flatMap((one) => one.resources ?? [])
}

/** The same without parts of them: `pods/status`. */
function kindsIn(webhook: Webhook): ReadonlySet<string> {
  return new Set(writtenIn(webhook).filter((one) => !one.includes('/')))
}

/** Whether the rules match what workloads are made of, all or much of it. */
function isWide(webhook: Webhook): boolean {
  return writtenIn(webhook).some(isEvery) || kindsIn(webhook).size > fewResources
}
