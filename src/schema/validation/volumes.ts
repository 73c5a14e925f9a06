/** Volumes, claims and storage. */
import type { PersistentVolumeClaim } from '../../kubernetes.js'
import { quantity } from '../../values/quantity.js'
import { isPlaceholder } from '../format.js'
import { choices, names, starts } from './forms.js'
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

/** Storage that is described by a claim or a snapshot. */
interface ClaimSource {
  readonly apiGroup?: string
  readonly kind?: string
}

const secretRefs = [
  'controllerExpandSecretRef',
  'controllerPublishSecretRef',
  'nodeExpandSecretRef',
  'nodePublishSecretRef',
] as const

interface SecretRef {
  readonly name?: string
  readonly namespace?: string
}

const terms = on<{ readonly allowedTopologies?: readonly unknown[] }>(({ allowedTopologies = [] }, say) => {
  const seen = allowedTopologies.map((term) => JSON.stringify(term))
  for (const [i, term] of seen.entries())
    if (seen.indexOf(term) < i) say.conflict(['allowedTopologies', i], 'is there already')
})

interface DownwardFile {
  readonly fieldRef?: { readonly fieldPath?: string }
  readonly resourceFieldRef?: { readonly containerName?: string }
}

// pkg/apis/core/validation: validVolumeDownwardAPIFieldPathExpressions.
const volumeFields = /^metadata\.(name|namespace|uid|labels|annotations|(labels|annotations)\['.+'\])$/

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
  {
    'core.PersistentVolumeClaimSpec': [
      on<{ readonly dataSourceRef?: ClaimSource }>(({ dataSourceRef }, say) => {
        const { apiGroup, kind } = dataSourceRef ?? {}
        if (kind && !apiGroup && kind !== 'PersistentVolumeClaim' && !isPlaceholder(kind))
          say.conflict(['dataSourceRef', 'kind'], `is ${kind}, which has an apiGroup`)
      }),
    ],
    'core.PersistentVolumeSpec': [
      on<{ readonly capacity?: Readonly<Record<string, string>> }>(({ capacity }, say) => {
        if ((quantity(capacity?.storage) ?? 1) <= 0)
          say.conflict(['capacity', 'storage'], 'has to be more than 0')
      }),
      on<{ readonly volumeAttributesClassName?: string; readonly csi?: object }>((spec, say) => {
        if (spec.volumeAttributesClassName && !spec.csi)
          say.conflict(['volumeAttributesClassName'], 'goes with csi only')
      }),
    ],
    'core.CSIPersistentVolumeSource': [
      on<Partial<Record<(typeof secretRefs)[number], SecretRef>>>((source, say) => {
        for (const field of secretRefs)
          for (const part of ['name', 'namespace'] as const)
            if (source[field] && !source[field][part]) say.lacks([field, part])
      }),
    ],
    'core.DownwardAPIVolumeFile': [
      on<DownwardFile>(({ fieldRef, resourceFieldRef }, say) => {
        const path = fieldRef?.fieldPath
        if (path && !volumeFields.test(path) && !isPlaceholder(path))
          say.conflict(['fieldRef', 'fieldPath'], `is no field that a file can have: ${JSON.stringify(path)}`)
        if (resourceFieldRef && !resourceFieldRef.containerName)
          say.lacks(['resourceFieldRef', 'containerName'], 'and a volume belongs to no container')
      }),
    ],
    'core.CSIVolumeSource': [
      on<{ readonly nodePublishSecretRef?: SecretRef }>(({ nodePublishSecretRef }, say) => {
        if (nodePublishSecretRef && !nodePublishSecretRef.name) say.lacks(['nodePublishSecretRef', 'name'])
      }),
    ],
    'storage.StorageClass': [terms],
  },
  starts({ 'core.NFSVolumeSource': { path: '/' } }),
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
    'storage.CSINodeDriver': { topologyKeys: 'label key' },
    'storage.VolumeAttachmentSource': { persistentVolumeName: 'subdomain' },
    'storage.VolumeAttachmentSpec': { nodeName: 'subdomain' },
  }),
)
