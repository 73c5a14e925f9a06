/** Webhooks and admission policies. */
import { isPlaceholder } from '../format.js'
import { choice, companions, names } from './forms.js'
import { type Checks, merged, on } from './say.js'

export const admission: Checks = merged(
  {
    'admissionregistration.WebhookClientConfig': [
      choice(['url', 'service'], 1),
      on<{ readonly url?: string }>(({ url }, say) => {
        if (url && !url.startsWith('https://') && !isPlaceholder(url))
          say.conflict(['url'], 'has to start with https://')
      }),
    ],
  },
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
