/** Names, labels and selectors. */
import type { Path } from '../../finding.js'
import type { KubernetesObject, ObjectMeta } from '../../kubernetes.js'
import type { NameForm } from '../format.js'
import { labels } from './forms.js'
import { type Checks, hasForm, type Labels, on, type Say } from './say.js'

interface Requirement {
  readonly operator?: string
  readonly values?: readonly string[]
}

interface FieldRequirement extends Requirement {
  readonly key?: string
}

function valuesOf({ operator, values = [] }: Requirement, say: Say): void {
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    say.lacks(['values'], `and operator is ${operator}`)
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    say.conflict(['values'], `cannot stand beside operator ${operator}`)
}

interface Term {
  readonly matchExpressions?: readonly Requirement[]
}

/** What no label can have for a value. */
function valueForms({ values = [] }: Requirement, say: Say, at: Path): void {
  for (const [i, value] of values.entries()) say.name([...at, 'values', i], 'label value', value)
}

/** How the names of built-in kinds have to look; those that are not listed have rules of their own. */
const nameFormOf: Readonly<Record<string, NameForm>> = {
  Namespace: 'label',
  Service: 'label',
  ...Object.fromEntries(
    [
      'CSIDriver',
      'CSINode',
      'CSIStorageCapacity',
      'ConfigMap',
      'ControllerRevision',
      'CronJob',
      'DaemonSet',
      'Deployment',
      'DeviceClass',
      'EndpointSlice',
      'Endpoints',
      'FlowSchema',
      'HorizontalPodAutoscaler',
      'Ingress',
      'IngressClass',
      'Job',
      'Lease',
      'LimitRange',
      'MutatingAdmissionPolicy',
      'MutatingAdmissionPolicyBinding',
      'MutatingWebhookConfiguration',
      'NetworkPolicy',
      'Node',
      'PersistentVolume',
      'PersistentVolumeClaim',
      'Pod',
      'PodDisruptionBudget',
      'PodTemplate',
      'PriorityClass',
      'PriorityLevelConfiguration',
      'ReplicaSet',
      'ReplicationController',
      'ResourceClaim',
      'ResourceClaimTemplate',
      'ResourceQuota',
      'ResourceSlice',
      'RuntimeClass',
      'Secret',
      'ServiceAccount',
      'ServiceCIDR',
      'StatefulSet',
      'StorageClass',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
      'ValidatingWebhookConfiguration',
      'VolumeAttachment',
      'VolumeAttributesClass',
    ].map((kind) => [kind, 'subdomain'] as const),
  ),
}

/** Checks the name of an object, as it is written. */
export function checkName(
  { kind = '', metadata }: KubernetesObject,
  say: Say,
  form = Object.hasOwn(nameFormOf, kind) ? nameFormOf[kind] : undefined,
): void {
  if (metadata !== undefined && typeof metadata !== 'object') return
  const { name, generateName } = metadata ?? {}
  if (typeof name === 'string' && name) {
    // Of the other kinds, too, names are parts of paths.
    say.name(['metadata', 'name'], form ?? 'path segment', name)
    // ValidateStatefulSetName: since 1.27. Before, such a set has no pods, whose host names are labels.
    if (kind === 'StatefulSet' && say.minor >= 27 && hasForm('subdomain', name))
      say.name(['metadata', 'name'], 'label', name)
  } else if (form && !name && !generateName) say.lacks(['metadata', 'name'])
  if (kind === 'CronJob' && name && name.length > 52)
    say.conflict(['metadata', 'name'], `has ${name.length} characters, and Jobs take 11 of 63: at most 52`)
}

export const metadata: Checks = {
  'core.NodeSelectorTerm': [
    on<{ readonly matchFields?: readonly FieldRequirement[] }>(({ matchFields = [] }, say) => {
      for (const [i, { key, operator, values = [] }] of matchFields.entries()) {
        if (key && key !== 'metadata.name') say.conflict(['matchFields', i, 'key'], 'has to be metadata.name')
        if (operator === 'In' || operator === 'NotIn') {
          if (values.length > 1) say.conflict(['matchFields', i, 'values'], 'takes one value only')
        } else if (operator) say.conflict(['matchFields', i, 'operator'], 'has to be In or NotIn')
      }
    }),
  ],
  'core.NodeSelectorRequirement': [
    on<FieldRequirement>((requirement, say) => {
      valuesOf(requirement, say)
      say.name(['key'], 'label key', requirement.key)
      const { operator, values = [] } = requirement
      if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1)
        say.conflict(['values'], `needs one number, and operator is ${operator}`)
    }),
  ],
  'meta.LabelSelector': [
    on<{ readonly matchLabels?: Labels }>(({ matchLabels }, say) =>
      labels(matchLabels, say, ['matchLabels']),
    ),
  ],
  'meta.LabelSelectorRequirement': [
    on<FieldRequirement>((requirement, say) => {
      valuesOf(requirement, say)
      say.name(['key'], 'label key', requirement.key)
      // LabelSelectorValidationOptions: since 1.26.
      if (say.minor >= 26) valueForms(requirement, say, [])
    }),
  ],
  'core.NodeSelector': [
    on<{ readonly nodeSelectorTerms?: readonly Term[] }>(({ nodeSelectorTerms = [] }, say) => {
      // AllowInvalidLabelValueInRequiredNodeAffinity of pkg/api/pod/util.go: since 1.33.
      if (say.minor < 33) return
      for (const [i, { matchExpressions = [] }] of nodeSelectorTerms.entries())
        for (const [j, requirement] of matchExpressions.entries())
          valueForms(requirement, say, ['nodeSelectorTerms', i, 'matchExpressions', j])
    }),
  ],
  'meta.ObjectMeta': [
    on<ObjectMeta>((metadata, say) => {
      labels(metadata.labels, say, ['labels'])
      for (const key in metadata.annotations) {
        const name = key.toLowerCase()
        if (!hasForm('label key', name)) say.name(['annotations', key], 'label key', name)
      }
      say.name(['namespace'], 'label', metadata.namespace)
    }),
  ],
}
