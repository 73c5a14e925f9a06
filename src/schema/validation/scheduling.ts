/** Where pods may run: tolerations, affinities, spread and gates. */
import type { PodSpec } from '../../kubernetes.js'
import { companions, labels, names } from './forms.js'
import { type Checks, type Item, merged, on } from './say.js'

interface Term {
  readonly labelSelector?: object
  readonly matchLabelKeys?: readonly string[]
  readonly mismatchLabelKeys?: readonly string[]
}

/** Keys whose values are taken from the pod itself. */
const keys = on<Term>((term, say) => {
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const)
    if ((term[field] ?? []).length > 0 && !term.labelSelector)
      say.conflict([field], 'goes with a labelSelector only')
  for (const [i, key] of (term.matchLabelKeys ?? []).entries())
    if (term.mismatchLabelKeys?.includes(key))
      say.conflict(['matchLabelKeys', i], `is among mismatchLabelKeys, too: ${JSON.stringify(key)}`)
})

const ofServer = ['system-cluster-critical', 'system-node-critical']

export const scheduling: Checks = merged(
  {
    'core.PodAffinityTerm': [keys],
    'core.PodSpec': [
      on<PodSpec>(({ nodeSelector }, say) => labels(nodeSelector, say, ['nodeSelector'])),
      on<PodSpec>(({ nodeName, schedulingGates = [] }, say) => {
        say.name(['nodeName'], 'subdomain', nodeName)
        for (const [i, { name }] of schedulingGates.entries())
          say.name(['schedulingGates', i, 'name'], 'label key', name)
      }),
    ],
    'core.Pod': [
      on<{ readonly spec?: PodSpec }>(({ spec }, say) => {
        if (spec?.nodeName && (spec.schedulingGates ?? []).length > 0)
          say.conflict(['spec', 'nodeName'], 'cannot stand beside schedulingGates')
      }),
    ],
    'core.Toleration': [
      on<Item<PodSpec['tolerations']>>(({ key, operator, value, effect, tolerationSeconds }, say) => {
        say.name(['key'], 'label key', key)
        if (!operator || operator === 'Equal') say.name(['value'], 'label value', value)
        if (operator === 'Exists' && value) say.conflict(['value'], 'cannot stand beside operator Exists')
        if (!key && operator !== 'Exists') say.conflict(['operator'], 'has to be Exists without a key')
        if (tolerationSeconds !== undefined && effect !== 'NoExecute')
          say.conflict(['tolerationSeconds'], 'goes with effect NoExecute only')
      }),
    ],
    'core.TopologySpreadConstraint': [keys],
    'scheduling.PriorityClass': [
      on<{ readonly metadata?: { readonly name?: string } }>(({ metadata }, say) => {
        const { name = '' } = metadata ?? {}
        // What comes with the server has to be as it comes: ValidatePriorityClass of pkg/apis/scheduling/validation.
        if (name.startsWith('system-') && !ofServer.includes(name))
          say.conflict(['metadata', 'name'], 'starts with system-, which Kubernetes keeps for itself', name)
      }),
    ],
    'node.Scheduling': [
      on<{ readonly nodeSelector?: Readonly<Record<string, string>> }>(({ nodeSelector }, say) =>
        labels(nodeSelector, say, ['nodeSelector']),
      ),
    ],
  },
  companions({
    'core.TopologySpreadConstraint': [
      { field: 'minDomains', of: 'whenUnsatisfiable', value: 'DoNotSchedule' },
    ],
  }),
  names({
    'core.PodAffinityTerm': {
      matchLabelKeys: 'label key',
      mismatchLabelKeys: 'label key',
      namespaces: 'label',
      topologyKey: 'label key',
    },
    'core.PodReadinessGate': { conditionType: 'label key' },
    'core.Taint': { key: 'label key', value: 'label value' },
    'core.TopologySpreadConstraint': { matchLabelKeys: 'label key', topologyKey: 'label key' },
  }),
)
