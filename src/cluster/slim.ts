/** Drops on arrival what no rule reads, and what nobody should hold: most of the bytes of a cluster, and copies of secrets. */
import { memberAnnotation, memberText, writesOfPatroni } from '../graph/patroni.js'
import { type KindName, lastApplied, type Untyped } from '../kubernetes.js'
import { isObject, numberAt, objectsAt, stringAt, valueAt } from '../values/untyped.js'
import type { Resource } from './discover.js'
import { droppedFields } from './dropped.js'

/** Bytes from which an image of a node is kept: rules ask for the large ones. */
const largeImage = 1_000_000_000

/**
 * The object without kubectl's copy of it and all but the large images of a node; of a Secret the metadata alone, and whether
 * it is immutable. Of managedFields those stay that say in which other API version a client applied it, or that its number
 * of replicas was applied; kubectl's copy becomes such an entry, with the fields that the API server has dropped. So does, of a
 * ConfigMap or Secret, who has written its data, and when; of a pod, when Patroni has described its database. Of a
 * Secret nobody looks at the copy.
 * @param minor the minor version of the server, when it is known
 */
export function slim(item: Untyped, resource: Resource, minor: number | undefined): Untyped {
  const { apiVersion, kind, kindName } = resource
  const metadata = slimMetadata(item, resource, minor)
  // Items of lists do not say what they are.
  if (kindName === 'Secret')
    return { apiVersion, kind, metadata, ...(item.immutable === true && { immutable: true }) }
  // In this order: V8 gives an object that begins with the fields of another one a hidden class for itself alone (see state.ts).
  const object = { apiVersion, kind, ...item, metadata }
  if (kindName !== 'Node' || !isObject(item.status)) return object
  const { images: _, ...status } = item.status
  const large = objectsAt(item.status, 'images').filter(
    (image) => (numberAt(image, 'sizeBytes') ?? 0) >= largeImage,
  )
  return { ...object, status: large.length > 0 ? { ...status, images: large } : status }
}

function slimMetadata(item: Untyped, resource: Resource, minor: number | undefined): Untyped {
  const { metadata } = item
  const { apiVersion, kindName } = resource
  if (!isObject(metadata)) return {}
  const { managedFields: _, annotations, ...rest } = metadata
  const { [lastApplied]: copy, ...others } = isObject(annotations) ? annotations : {}
  const described = kindName === 'Pod' ? others[memberAnnotation] : undefined
  const member = typeof described === 'string' ? memberText(described) : undefined
  const held = member === undefined ? others : { ...others, [memberAnnotation]: member }
  const applied = [
    ...objectsAt(metadata, 'managedFields')
      .filter(({ operation }) => operation === 'Apply')
      .map((entry) =>
        appliedBy(
          entry.manager,
          entry.apiVersion,
          isObject(valueAt(entry, 'fieldsV1', 'f:spec', 'f:replicas')),
        ),
      ),
    ...(typeof copy === 'string' && kindName !== 'Secret'
      ? appliedByKubectl(copy, item, resource, minor)
      : []),
  ].filter(
    (entry) =>
      (entry.apiVersion !== undefined && entry.apiVersion !== apiVersion) ||
      'fieldsV1' in entry ||
      'dropped' in entry,
  )
  const entries = [
    ...applied,
    ...(kindName === 'ConfigMap' || kindName === 'Secret' ? writes(metadata) : []),
    ...(member === undefined ? [] : writesOfPatroni(metadata)),
  ]
  return {
    ...rest,
    ...(Object.keys(held).length > 0 && { annotations: held }),
    ...(entries.length > 0 && { managedFields: entries }),
  }
}

/** An entry of managedFields with the one field that a rule asks for. */
function appliedBy(manager: unknown, apiVersion: unknown, replicas: boolean): Untyped {
  return {
    apiVersion,
    manager,
    operation: 'Apply',
    ...(replicas && { fieldsV1: { 'f:spec': { 'f:replicas': {} } } }),
  }
}

/** The entry of kubectl; none when its copy is no manifest. Anybody may have written anything there. */
function appliedByKubectl(
  copy: string,
  item: Untyped,
  resource: Resource,
  minor: number | undefined,
): Untyped[] {
  try {
    const manifest: unknown = JSON.parse(copy)
    if (!isObject(manifest)) return []
    const replicas = numberAt(manifest, 'spec', 'replicas') !== undefined
    const dropped = minor === undefined ? [] : droppedFields(manifest, item, resource, minor)
    const entry = appliedBy('kubectl', stringAt(manifest, 'apiVersion'), replicas)
    return [{ ...entry, ...(dropped.length > 0 && { dropped }) }]
  } catch {
    return []
  }
}

/** Who has written data, and when. */
function writes(metadata: Untyped): Untyped[] {
  return objectsAt(metadata, 'managedFields')
    .filter(({ fieldsV1 }) => isObject(fieldsV1) && 'f:data' in fieldsV1)
    .map(({ apiVersion, manager, operation, time }) => ({ apiVersion, manager, operation, time }))
}

/** Whether it is no use to report on an object: it is over, or nobody can change it. It stays evidence for others. */
export function isSilent(item: Untyped, kindName: KindName): boolean {
  return isOver(item, kindName) || isOwn(item, kindName)
}

/** Whether the object ends, or is a Job or Pod that has ended. Sources: k8s.io/api/batch/v1/types.go, core/v1/types.go. */
function isOver(item: Untyped, kindName: KindName): boolean {
  if (stringAt(item, 'metadata', 'deletionTimestamp') !== undefined) return true
  if (kindName === 'Pod') return ['Succeeded', 'Failed'].includes(stringAt(item, 'status', 'phase') ?? '')
  return (
    kindName === 'Job' &&
    objectsAt(item, 'status', 'conditions').some(
      ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
    )
  )
}

/**
 * Whether Kubernetes itself, or the addon manager of who runs the cluster, makes and keeps the object: a change by anybody
 * else is undone.
 * Sources: pkg/controlplane/controller, pkg/controller/certificates/rootcacertpublisher,
 * plugin/pkg/auth/authorizer/rbac/bootstrappolicy, pkg/apis/scheduling/helpers.go, cluster/addons/addon-manager/README.md.
 */
function isOwn(item: Untyped, kindName: KindName): boolean {
  const name = stringAt(item, 'metadata', 'name') ?? ''
  const namespace = stringAt(item, 'metadata', 'namespace')
  const labels = isObject(item.metadata) && isObject(item.metadata.labels) ? item.metadata.labels : {}
  if (labels['addonmanager.kubernetes.io/mode'] === 'Reconcile') return true
  switch (kindName) {
    case 'Namespace':
      return ['kube-system', 'kube-public', 'kube-node-lease'].includes(name)
    case 'ConfigMap':
      return (
        name === 'kube-root-ca.crt' ||
        (namespace === 'kube-system' &&
          [
            'extension-apiserver-authentication',
            'kube-apiserver-legacy-service-account-token-tracking',
          ].includes(name))
      )
    case 'Service':
      return name === 'kubernetes' && namespace === 'default'
    case 'PriorityClass':
      return name.startsWith('system-')
    case 'Role':
    case 'RoleBinding':
    case 'ClusterRole':
    case 'ClusterRoleBinding':
      return labels['kubernetes.io/bootstrapping'] === 'rbac-defaults'
    default:
      return false
  }
}
