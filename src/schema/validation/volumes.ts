/** Volumes, claims and storage. */
import type { PersistentVolumeClaim } from '../../kubernetes.js'
import { quantity } from '../../values/quantity.js'
import { isPlaceholder } from '../format.js'
import { choices, names, paths, sayPath, starts } from './forms.js'
import { type Check, type Checks, hasForm, merged, on, type Say, type Spec } from './say.js'

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
  readonly name?: string
  readonly namespace?: string
}

interface Claim {
  readonly dataSource?: ClaimSource
  readonly dataSourceRef?: ClaimSource
}

/** Where the data of a claim comes from, in the old field and the new one. */
const dataSources = on<Claim>(({ dataSource, dataSourceRef }, say) => {
  if (!dataSourceRef) return
  const { apiGroup, kind, namespace } = dataSourceRef
  // Beside a namespace it is dropped, unless CrossNamespaceVolumeDataSource is on: pkg/api/persistentvolumeclaim/util.go.
  if (namespace) return
  for (const field of ['kind', 'name'] as const)
    if (!dataSourceRef[field]) say.lacks(['dataSourceRef', field])
  // That of dataSource alone is dropped when it is wrong: EnforceDataSourceBackwardsCompatibility.
  say.name(['dataSourceRef', 'apiGroup'], 'subdomain', apiGroup)
  if (kind && !apiGroup && kind !== 'PersistentVolumeClaim' && !isPlaceholder(kind))
    say.conflict(['dataSourceRef', 'kind'], `is ${kind}, which has an apiGroup`)
  const differs = (['apiGroup', 'kind', 'name'] as const).find(
    (field) => dataSource && (dataSource[field] ?? '') !== (dataSourceRef[field] ?? ''),
  )
  if (differs && ![dataSource?.[differs], dataSourceRef[differs]].some(isPlaceholder))
    say.conflict(['dataSourceRef', differs], 'differs from that of dataSource, and has to be the same')
})

const alone = 'ReadWriteOncePod'

/** The mode for one pod alone goes with no other. */
const modes: Check = on<{ readonly accessModes?: readonly string[] }>(({ accessModes = [] }, say) => {
  const other = accessModes.find((mode) => mode !== alone)
  if (accessModes.includes(alone) && other !== undefined)
    say.conflict(['accessModes', accessModes.indexOf(alone)], `is ${alone}, and cannot stand beside ${other}`)
})

interface Iscsi {
  readonly iqn?: string
  readonly initiatorName?: string
  readonly chapAuthDiscovery?: boolean
  readonly chapAuthSession?: boolean
  readonly secretRef?: object
}

/** iscsiInitiatorIqnRegex, …EuiRegex and …NaaRegex of pkg/apis/core/validation. */
const iscsiName =
  /^(?:iqn.*iqn\.|iqn\.)\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$|^eui.[A-Za-z0-9]{16}$|^naa.[A-Za-z0-9]{32}$/

const iscsi = on<Iscsi>(({ iqn, initiatorName, chapAuthDiscovery, chapAuthSession, secretRef }, say) => {
  for (const [field, name] of Object.entries({ iqn, initiatorName }))
    if (name && !iscsiName.test(name) && !isPlaceholder(name))
      say.conflict(
        [field],
        `is no name of iSCSI such as iqn.2015-02.example.com:disk: ${JSON.stringify(name)}`,
        name,
      )
  if ((chapAuthDiscovery || chapAuthSession) && !secretRef)
    say.lacks(['secretRef'], `and ${chapAuthDiscovery ? 'chapAuthDiscovery' : 'chapAuthSession'} is true`)
})

interface FibreChannel {
  readonly targetWWNs?: readonly string[]
  readonly wwids?: readonly string[]
  readonly lun?: number
}

const fibreChannel = on<FibreChannel>(({ targetWWNs = [], wwids = [], lun }, say) => {
  if (targetWWNs.length + wwids.length === 0) say.conflict([], 'needs one of targetWWNs or wwids')
  if (targetWWNs.length === 0) return
  if (wwids.length > 0) say.conflict(['wwids'], 'cannot stand beside targetWWNs')
  if (lun === undefined) say.lacks(['lun'], 'and targetWWNs are there')
  say.bounds(['lun'], lun, 0, 255)
})

interface Projected {
  readonly sources?: readonly Readonly<
    Partial<
      Record<string, { readonly path?: string; readonly items?: readonly { readonly path?: string }[] }>
    >
  >[]
}

/** Files of several sources under one name. */
const projected = on<Projected>(({ sources = [] }, say) => {
  const seen = new Set<string>()
  const visit = (file: string | undefined, path: readonly (string | number)[], say: Say) => {
    if (!file || isPlaceholder(file)) return
    if (seen.has(file)) say.conflict(path, `is the path of another file, too: ${JSON.stringify(file)}`)
    seen.add(file)
  }
  for (const [i, source] of sources.entries()) {
    for (const field of ['secret', 'configMap', 'downwardAPI'])
      for (const [j, { path }] of (source[field]?.items ?? []).entries())
        visit(path, ['sources', i, field, 'items', j, 'path'], say)
    visit(source.clusterTrustBundle?.path, ['sources', i, 'clusterTrustBundle', 'path'], say)
  }
})

interface DirectVolume {
  readonly capacity?: Readonly<Record<string, string>>
  readonly local?: object
  readonly nodeAffinity?: object
  readonly hostPath?: { readonly path?: string }
  readonly persistentVolumeReclaimPolicy?: string
}

/** What a PersistentVolume wants that is an object of its own, and not part of a VolumeAttachment. */
const direct = on<{ readonly spec?: DirectVolume }>(({ spec }, say) => {
  if (!spec) return
  const { capacity, local, nodeAffinity, hostPath, persistentVolumeReclaimPolicy } = spec
  if (!capacity) say.lacks(['spec', 'capacity'])
  else if (capacity.storage === undefined) say.lacks(['spec', 'capacity', 'storage'])
  for (const resource in capacity)
    if (resource !== 'storage' && !isPlaceholder(resource))
      say.conflict(['spec', 'capacity', resource], 'is no capacity of a volume: storage is the only one')
  if (local && !nodeAffinity) say.lacks(['spec', 'nodeAffinity'], 'and a local volume is on one node')
  if (persistentVolumeReclaimPolicy === 'Recycle' && hostPath && /^\/+$/.test(hostPath.path ?? ''))
    say.conflict(['spec', 'persistentVolumeReclaimPolicy'], 'cannot be Recycle for the root of the node')
})

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

interface Parametrised {
  readonly parameters?: Readonly<Record<string, string>>
}

/** maxProvisionerParameterLen of pkg/apis/storage/validation. */
const mostParameters = 512

function parameters({ parameters: all = {} }: Parametrised, say: Say): void {
  const count = Object.keys(all).length
  if (count > mostParameters)
    say.conflict(['parameters'], `has ${count} entries, and takes ${mostParameters} at most`)
  if (Object.hasOwn(all, '')) say.conflict(['parameters'], 'has a key that is empty')
}

/** The name of what provides storage, in letters of either case. */
function driver(field: string, name: string | undefined, say: Say): void {
  if (name && !hasForm('label key', name.toLowerCase())) say.name([field], 'label key', name)
}

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
      dataSources,
      modes,
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
    'core.PersistentVolume': [direct],
    'core.PersistentVolumeSpec': [
      on<{ readonly capacity?: Readonly<Record<string, string>> }>(({ capacity }, say) => {
        if ((quantity(capacity?.storage) ?? 1) <= 0)
          say.conflict(['capacity', 'storage'], 'has to be more than 0')
      }),
      on<{ readonly volumeAttributesClassName?: string; readonly csi?: object }>((spec, say) => {
        if (spec.volumeAttributesClassName && !spec.csi)
          say.conflict(['volumeAttributesClassName'], 'goes with csi only')
      }),
      modes,
    ],
    'core.FCVolumeSource': [fibreChannel],
    'core.ISCSIPersistentVolumeSource': [iscsi],
    'core.ISCSIVolumeSource': [iscsi],
    'core.PersistentVolumeClaimTemplate': [
      // allowedTemplateObjectMetaFields of pkg/apis/core/validation.
      on<{ readonly metadata?: Readonly<Record<string, unknown>> }>(({ metadata = {} }, say) => {
        for (const [field, value] of Object.entries(metadata))
          if (field !== 'labels' && field !== 'annotations' && value !== '' && value != null)
            say.conflict(['metadata', field], 'cannot stand here: the claim gets it from its pod')
      }),
    ],
    'core.PodCertificateProjection': [
      on<{ readonly keyType?: string; readonly signerName?: string }>(({ keyType, signerName }, say) => {
        // Servers drop the projection before: PodCertificateRequest is on by default from 1.37. Source: pkg/features/kube_features.go.
        if (say.minor < 37) return
        if (!keyType) say.lacks(['keyType'])
        if (!signerName) say.lacks(['signerName'])
      }),
    ],
    'core.ProjectedVolumeSource': [projected],
    'core.ServiceAccountTokenProjection': [
      // AllowNonLocalProjectedTokenPath of pkg/api/pod/util.go: since 1.30.
      on<{ readonly path?: string }>(({ path }, say) => {
        if (say.minor >= 30) sayPath(say, 'path', path, 'of a file')
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
    'storage.StorageClass': [
      terms,
      on<{ readonly provisioner?: string }>(({ provisioner }, say) =>
        driver('provisioner', provisioner, say),
      ),
      on<Parametrised>(parameters),
    ],
    'storage.VolumeAttachmentSpec': [
      // In letters of either case: ValidateCSIDriverName of pkg/apis/core/validation.
      on<{ readonly attacher?: string }>(({ attacher }, say) => {
        if (attacher && !hasForm('subdomain', attacher.toLowerCase()))
          say.name(['attacher'], 'subdomain', attacher)
      }),
    ],
    'storage.VolumeAttributesClass': [
      on<{ readonly driverName?: string }>(({ driverName }, say) => driver('driverName', driverName, say)),
      on<Parametrised>(parameters),
    ],
    'storage.CSIDriverSpec': [
      on<{ readonly serviceAccountTokenInSecrets?: boolean; readonly tokenRequests?: readonly object[] }>(
        ({ serviceAccountTokenInSecrets, tokenRequests = [] }, say) => {
          if (serviceAccountTokenInSecrets !== undefined && tokenRequests.length === 0)
            say.conflict(['serviceAccountTokenInSecrets'], 'goes with tokenRequests only')
        },
      ),
    ],
    'storage.CSIStorageCapacity': [
      on<{ readonly capacity?: string; readonly maximumVolumeSize?: string }>((value, say) => {
        for (const field of ['capacity', 'maximumVolumeSize'] as const)
          if ((quantity(value[field]) ?? 0) < 0)
            say.conflict([field], `is ${value[field]}, and has to be at least 0`)
      }),
    ],
  },
  starts({ 'core.NFSVolumeSource': { path: '/' } }),
  paths({
    'core.ClusterTrustBundleProjection': { path: 'of a file' },
    'core.DownwardAPIVolumeFile': { path: 'of a file' },
    'core.GitRepoVolumeSource': { directory: 'downwards' },
    'core.HostPathVolumeSource': { path: 'without steps back' },
    'core.KeyToPath': { path: 'of a file' },
    'core.LocalVolumeSource': { path: 'without steps back' },
    'core.VolumeDevice': { devicePath: 'without steps back' },
    'core.VolumeMount': { subPath: 'downwards', subPathExpr: 'downwards' },
  }),
  choices({
    'core.FlockerVolumeSource': [1, 'datasetName', 'datasetUUID'],
    'core.DownwardAPIVolumeFile': [1, 'fieldRef', 'resourceFieldRef'],
    // Without those of feature gates, which a server may drop.
    'core.VolumeProjection': [0, 'configMap', 'downwardAPI', 'secret', 'serviceAccountToken'],
    'storage.VolumeAttachmentSource': [1, 'inlineVolumeSpec', 'persistentVolumeName'],
  }),
  names({
    'core.PersistentVolumeClaimSpec': {
      storageClassName: 'subdomain',
      volumeAttributesClassName: 'subdomain',
    },
    'core.PersistentVolumeSpec': { storageClassName: 'subdomain', volumeAttributesClassName: 'subdomain' },
    'storage.CSIStorageCapacity': { storageClassName: 'subdomain' },
    'storage.CSINodeDriver': { topologyKeys: 'label key' },
    'storage.VolumeAttachmentSource': { persistentVolumeName: 'subdomain' },
    'storage.VolumeAttachmentSpec': { nodeName: 'subdomain' },
  }),
)
