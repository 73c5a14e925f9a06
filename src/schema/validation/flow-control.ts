/** Priority and fairness of requests. */
import { companions, names } from './forms.js'
import { type Checks, merged } from './say.js'

export const flowControl: Checks = merged(
  companions({
    'flowcontrol.LimitResponse': [{ field: 'queuing', of: 'type', value: 'Queue', needed: true }],
    'flowcontrol.PriorityLevelConfigurationSpec': [
      { field: 'exempt', of: 'type', value: 'Exempt' },
      { field: 'limited', of: 'type', value: 'Limited', needed: true },
    ],
    'flowcontrol.Subject': [
      { field: 'group', of: 'kind', value: 'Group', needed: true },
      { field: 'serviceAccount', of: 'kind', value: 'ServiceAccount', needed: true },
      { field: 'user', of: 'kind', value: 'User', needed: true },
    ],
  }),
  names({
    'flowcontrol.PriorityLevelConfigurationReference': { name: 'subdomain' },
  }),
)
