/** CustomResourceDefinitions and APIServices. */
import type { CustomResourceDefinition } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { reviewed, segments } from './admission.js'
import { choice, names, starts } from './forms.js'
import { type Checks, merged, on } from './say.js'

interface Version {
  readonly storage?: boolean
  readonly deprecated?: boolean
  readonly deprecationWarning?: string
}

export const definitionsOfKinds: Checks = merged(
  {
    'apiextensions.CustomResourceDefinition': [
      on<CustomResourceDefinition>(({ metadata, spec }, say) => {
        const { group, names } = spec ?? {}
        // Capitals are told at the plural, which no name could equal.
        const name = `${String(names?.plural).toLowerCase()}.${group}`
        if (
          names?.plural &&
          group &&
          metadata?.name &&
          metadata.name !== name &&
          !isPlaceholder(name + metadata.name)
        )
          say.conflict(['metadata', 'name'], `has to be plural and group, ${JSON.stringify(name)}`)
        say.name(['spec', 'group'], 'subdomain', group)
      }),
    ],
    'apiextensions/v1.CustomResourceDefinitionSpec': [
      on<{ readonly preserveUnknownFields?: boolean; readonly versions?: readonly Version[] }>(
        ({ preserveUnknownFields, versions = [] }, say) => {
          if (preserveUnknownFields)
            say.conflict(
              ['preserveUnknownFields'],
              'cannot be true in v1: x-kubernetes-preserve-unknown-fields in the schema does it',
            )
          const stored = versions.filter((version) => version.storage).length
          if (versions.length > 0 && stored !== 1)
            say.conflict(['versions'], `has ${stored} with storage true, and has to have one`)
        },
      ),
    ],
    'apiextensions/v1.CustomResourceDefinitionVersion': [
      on<Version>(({ deprecated, deprecationWarning }, say) => {
        if (deprecationWarning !== undefined && !deprecated)
          say.conflict(['deprecationWarning'], 'goes with deprecated true only')
      }),
    ],
    'apiextensions/v1.CustomResourceConversion': [
      on<{ readonly strategy?: string; readonly webhook?: { readonly clientConfig?: object } }>(
        ({ strategy, webhook }, say) => {
          if (strategy === 'Webhook' && !webhook?.clientConfig)
            say.lacks(webhook ? ['webhook', 'clientConfig'] : ['webhook'], 'and strategy is Webhook')
          if (strategy === 'None' && webhook) say.conflict(['webhook'], 'goes with strategy Webhook only')
        },
      ),
    ],
    'apiextensions/v1.WebhookConversion': [
      on<{ readonly conversionReviewVersions?: readonly string[] }>(
        ({ conversionReviewVersions = [] }, say) =>
          reviewed('conversionReviewVersions', conversionReviewVersions, say),
      ),
    ],
    'apiextensions.ServiceReference': [segments],
    'apiextensions.WebhookClientConfig': [choice(['url', 'service'], 1)],
    'apiregistration.APIServiceSpec': [
      on<{
        readonly service?: object
        readonly caBundle?: string
        readonly insecureSkipTLSVerify?: boolean
      }>(({ service, caBundle, insecureSkipTLSVerify }, say) => {
        if (!insecureSkipTLSVerify) return
        if (caBundle) say.conflict(['insecureSkipTLSVerify'], 'cannot stand beside caBundle')
        if (!service) say.conflict(['insecureSkipTLSVerify'], 'goes with a service only')
      }),
    ],
  },
  starts({
    'apiextensions/v1.CustomResourceColumnDefinition': { jsonPath: '.' },
    'apiextensions.CustomResourceSubresourceScale': {
      labelSelectorPath: '.',
      specReplicasPath: '.spec.',
      statusReplicasPath: '.status.',
    },
  }),
  names({
    'apiextensions/v1.WebhookConversion': { conversionReviewVersions: 'label' },
    'apiextensions.CustomResourceDefinitionNames': {
      categories: 'label',
      plural: 'label',
      shortNames: 'label',
      singular: 'label',
    },
    'apiextensions.CustomResourceDefinitionVersion': { name: 'label' },
    'apiregistration.APIServiceSpec': { group: 'subdomain', version: 'label' },
  }),
)
