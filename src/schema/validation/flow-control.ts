/** Priority and fairness of requests. */
import { isPlaceholder } from '../format.js'
import { companions, names } from './forms.js'
import { type Checks, merged, on } from './say.js'

interface ResourceRule {
  readonly clusterScope?: boolean
  readonly namespaces?: readonly string[]
}

interface Queuing {
  readonly handSize?: number
  readonly queues?: number
}

// pkg/apis/flowcontrol/validation: supportedVerbs.
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

/** One * or the verbs themselves. */
const knownVerbs = on<{ readonly verbs?: readonly string[] }>((rule, say) => {
  const own = rule.verbs ?? []
  if (own.length === 1 && own[0] === '*') return
  for (const [i, verb] of own.entries())
    if (!verbs.includes(verb) && !isPlaceholder(verb))
      say.conflict(
        ['verbs', i],
        verb === '*' ? 'has to be the only verb' : `is no verb: ${JSON.stringify(verb)}`,
      )
})

export const flowControl: Checks = merged(
  {
    'flowcontrol.NonResourcePolicyRule': [
      knownVerbs,
      on<{ readonly nonResourceURLs?: readonly string[] }>(({ nonResourceURLs = [] }, say) => {
        for (const [i, url] of nonResourceURLs.entries())
          if (!url.startsWith('/') && url !== '*' && !isPlaceholder(url))
            say.conflict(['nonResourceURLs', i], `is ${JSON.stringify(url)}, and has to start with /`)
      }),
    ],
    'flowcontrol.ResourcePolicyRule': [
      knownVerbs,
      on<ResourceRule>(({ clusterScope, namespaces = [] }, say) => {
        if (!clusterScope && namespaces.length === 0)
          say.lacks(['namespaces'], 'and clusterScope is not true')
        for (const [i, one] of namespaces.entries())
          if (one === '*' && namespaces.length > 1) say.conflict(['namespaces', i], 'has to be the only one')
          else if (one === '') say.conflict(['namespaces', i], 'is empty')
          else if (one !== '*') say.name(['namespaces', i], 'label', one)
      }),
    ],
    'flowcontrol.ServiceAccountSubject': [
      on<{ readonly name?: string }>(({ name }, say) => {
        if (name !== '*') say.name(['name'], 'subdomain', name)
      }),
    ],
    'flowcontrol.QueuingConfiguration': [
      on<Queuing>(({ handSize = 8, queues = 64 }, say) => {
        if (queues > 0 && handSize > queues)
          say.conflict(['handSize'], `is ${handSize}, more than queues, ${queues}`)
      }),
    ],
  },
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
    'flowcontrol.ServiceAccountSubject': { namespace: 'label' },
  }),
)
