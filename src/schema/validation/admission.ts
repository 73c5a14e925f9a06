/** Webhooks and admission policies. */
import { isPlaceholder } from '../format.js'
import { choice, choices, companions, filled, names, starts } from './forms.js'
import { type Checks, merged, on } from './say.js'

/** A binding may do without resourceRules, a policy may not. */
const constrained = on<{ readonly matchConstraints?: { readonly resourceRules?: readonly unknown[] } }>(
  ({ matchConstraints }, say) => {
    if (matchConstraints && (matchConstraints.resourceRules ?? []).length === 0)
      say.lacks(['matchConstraints', 'resourceRules'])
  },
)

export const admission: Checks = merged(
  {
    'admissionregistration.MutatingAdmissionPolicySpec': [constrained],
    'admissionregistration.ValidatingAdmissionPolicySpec': [constrained],
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
    'admissionregistration.MutatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
    'admissionregistration.MutatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
    'admissionregistration.ValidatingAdmissionPolicyBindingSpec': { policyName: 'subdomain' },
    'admissionregistration.ValidatingWebhook': { name: 'subdomain', admissionReviewVersions: 'label' },
  }),
)
