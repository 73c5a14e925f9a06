/** Webhooks and admission policies. */
import { isPlaceholder } from '../format.js'
import { choice, choices, companions, filled, names, starts } from './forms.js'
import { type Checks, hasForm, merged, on, type Say } from './say.js'

/** A binding may do without resourceRules, a policy may not. */
const constrained = on<{ readonly matchConstraints?: { readonly resourceRules?: readonly unknown[] } }>(
  ({ matchConstraints }, say) => {
    if (matchConstraints && (matchConstraints.resourceRules ?? []).length === 0)
      say.lacks(['matchConstraints', 'resourceRules'])
  },
)

interface Rule {
  readonly apiGroups?: readonly string[]
  readonly apiVersions?: readonly string[]
  readonly operations?: readonly string[]
  readonly resources?: readonly string[]
}

/** What stands for all goes with nothing else. Source: validateRule, validateResources of pkg/apis/admissionregistration/validation. */
const wildcards = on<Rule>((rule, say) => {
  for (const field of ['apiGroups', 'apiVersions', 'operations'] as const) {
    const own = rule[field] ?? []
    if (own.length > 1 && own.includes('*'))
      say.conflict([field, own.indexOf('*')], 'is *, and has to be the only one')
  }
  const { resources = [] } = rule
  if (resources.length < 2) return
  if (resources.includes('*/*'))
    say.conflict(['resources', resources.indexOf('*/*')], 'is */*, and has to be the only one')
  // The last one without a subresource decides, in the server too.
  else if (resources.includes('*') && (resources.findLast((one) => !one.includes('/')) ?? '*') !== '*')
    say.conflict(['resources', resources.indexOf('*')], 'is *, and stands for the other resources, too')
  const before = new Set<string>()
  for (const [i, one] of resources.entries()) {
    const [resource = '', subresource] = one.split(/\/(.*)/s)
    if (subresource === undefined) continue
    const whole = [`${resource}/*`, `*/${subresource}`].find((all) => before.has(all))
    if (whole !== undefined) say.conflict(['resources', i], `is ${one}, which ${whole} stands for`)
    before.add(one)
  }
})

interface Webhook {
  readonly name?: string
  readonly admissionReviewVersions?: readonly string[]
}

const versions = ['v1', 'v1beta1']

const webhook = on<Webhook>(({ name, admissionReviewVersions = [] }, say) => {
  // IsFullyQualifiedName of k8s.io/apimachinery.
  if (name && name.split('.').length < 3 && hasForm('subdomain', name) && !isPlaceholder(name))
    say.conflict(
      ['name'],
      `is ${JSON.stringify(name)}, and needs three parts: validate.pods.example.com`,
      name,
    )
  reviewed('admissionReviewVersions', admissionReviewVersions, say)
})

/** The versions of the reviews that a webhook understands, of which the server writes two. */
export function reviewed(field: string, own: readonly string[], say: Say): void {
  if (own.length > 0 && !own.some((version) => versions.includes(version) || isPlaceholder(version)))
    say.conflict([field], 'needs one of v1 or v1beta1')
}

/** The most conditions of a webhook or a policy: validateMatchConditions. */
const mostConditions = 64

const conditions = on<{ readonly matchConditions?: readonly object[] }>(({ matchConditions = [] }, say) => {
  if (matchConditions.length > mostConditions)
    say.conflict(
      ['matchConditions'],
      `has ${matchConditions.length} entries, and takes ${mostConditions} at most`,
    )
})

/** The path of a webhook: its parts are written as domains are. Source: ValidateWebhookService of k8s.io/apiserver. */
export const segments = on<{ readonly path?: string }>(({ path }, say) => {
  if (!path?.startsWith('/') || path === '/' || isPlaceholder(path)) return
  const wrong = path
    .slice(1)
    .replace(/\/$/, '')
    .split('/')
    .find((segment) => segment === '' || !hasForm('subdomain', segment))
  if (wrong !== undefined)
    say.conflict(
      ['path'],
      wrong === ''
        ? `is ${JSON.stringify(path)}, with nothing between two slashes`
        : `is ${JSON.stringify(path)}, and takes lower case letters, digits, hyphens and dots between slashes`,
      path,
    )
})

export const admission: Checks = merged(
  {
    'admissionregistration.MutatingAdmissionPolicySpec': [constrained],
    'admissionregistration.ValidatingAdmissionPolicySpec': [constrained],
    'admissionregistration.RuleWithOperations': [wildcards],
    'admissionregistration.NamedRuleWithOperations': [wildcards],
    'admissionregistration.MutatingWebhook': [webhook, conditions],
    'admissionregistration.ValidatingWebhook': [webhook, conditions],
    'admissionregistration.ServiceReference': [segments],
    'admissionregistration.WebhookClientConfig': [
      choice(['url', 'service'], 1),
      on<{ readonly url?: string }>(({ url }, say) => {
        if (url && !url.startsWith('https://') && !isPlaceholder(url))
          say.conflict(['url'], 'has to start with https://', url)
      }),
    ],
  },
  choices({
    'admissionregistration.ParamRef': [1, 'name', 'selector'],
  }),
  filled({
    'admissionregistration.NamedRuleWithOperations': ['apiVersions', 'resources'],
    'admissionregistration.RuleWithOperations': ['apiVersions', 'resources'],
  }),
  starts({
    'admissionregistration.ServiceReference': { path: '/' },
    'apiextensions.ServiceReference': { path: '/' },
  }),
  companions({
    'admissionregistration.Mutation': [
      { field: 'applyConfiguration', of: 'patchType', value: 'ApplyConfiguration', needed: true },
      { field: 'jsonPatch', of: 'patchType', value: 'JSONPatch', needed: true },
    ],
  }),
  names({
    'admissionregistration.MatchCondition': { name: 'label key' },
    'admissionregistration.MutatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
    'admissionregistration.MutatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
    'admissionregistration.ValidatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
    'admissionregistration.ValidatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
  }),
)
