/** CustomResourceDefinitions and APIServices. */
import type { CustomResourceDefinition } from '../../kubernetes.js'
import { isPlaceholder } from '../format.js'
import { names } from './forms.js'
import { type Checks, merged, on } from './say.js'

export const definitionsOfKinds: Checks = merged(
  {
    'apiextensions.CustomResourceDefinition': [
      on<CustomResourceDefinition>(({ metadata, spec }, say) => {
        const { group, names } = spec ?? {}
        const name = `${names?.plural}.${group}`
        if (
          names?.plural &&
          group &&
          metadata?.name &&
          metadata.name !== name &&
          !isPlaceholder(name + metadata.name)
        )
          say.conflict(['metadata', 'name'], `has to be plural and group, ${JSON.stringify(name)}`)
        say.name(['spec', 'group'], 'subdomain', group)
        for (const field of ['plural', 'singular'] as const)
          say.name(['spec', 'names', field], 'label', names?.[field])
        for (const field of ['categories', 'shortNames'] as const)
          for (const [i, one] of (names?.[field] ?? []).entries())
            say.name(['spec', 'names', field, i], 'label', one)
      }),
    ],
  },
  names({
    'apiextensions.CustomResourceDefinitionVersion': { name: 'label' },
    'apiregistration.APIServiceSpec': { group: 'subdomain', version: 'label' },
  }),
)
