/** Volumes, claims and storage. */
import { quantity } from '../../graph/quantity.js'
import type { PersistentVolumeClaim } from '../../kubernetes.js'
import { choices, names } from './forms.js'
import { type Checks, merged, on, type Spec } from './say.js'

/** Fields of a PersistentVolume that are no source. */
const notSources = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

export const volumes: Checks = merged(
  {
    'core.Volume': [
      on<object>((volume, say) => {
        const sources = Object.keys(volume).filter((field) => field !== 'name')
        if (sources.length > 1) say.conflict([String(sources[1])], `cannot stand beside ${sources[0]}`)
      }),
    ],
    'core.PersistentVolumeClaimSpec': [
      on<Spec<PersistentVolumeClaim>>(({ resources }, say) => {
        if (resources?.requests && !Object.hasOwn(resources.requests, 'storage'))
          say.lacks(['resources', 'requests', 'storage'])
        if ((quantity(resources?.requests?.storage) ?? 1) <= 0)
          say.conflict(['resources', 'requests', 'storage'], 'has to be more than 0')
      }),
    ],
    'core.PersistentVolumeSpec': [
      on<object>((spec, say) => {
        const sources = Object.keys(spec).filter((field) => !notSources.has(field))
        if (sources.length === 0) say.conflict([], 'needs a source, such as csi, nfs or hostPath')
        // The server forgets to count flexVolume when it comes after some of the others.
        const [first, second] = sources.filter((field) => field !== 'flexVolume')
        if (second !== undefined) say.conflict([second], `cannot stand beside ${first}`)
      }),
    ],
  },
  choices({
    'core.DownwardAPIVolumeFile': [1, 'fieldRef', 'resourceFieldRef'],
    // Without those of feature gates, which a server may drop.
    'core.VolumeProjection': [0, 'configMap', 'downwardAPI', 'secret', 'serviceAccountToken'],
    'storage.VolumeAttachmentSource': [1, 'inlineVolumeSpec', 'persistentVolumeName'],
  }),
  names({
    'core.PersistentVolumeClaimSpec': { storageClassName: 'subdomain' },
    'core.PersistentVolumeSpec': { storageClassName: 'subdomain' },
    'storage.CSIStorageCapacity': { storageClassName: 'subdomain' },
    'storage.VolumeAttachmentSpec': { nodeName: 'subdomain' },
  }),
)
