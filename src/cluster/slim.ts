/** Drops on arrival what no rule reads, and what nobody should hold: most of the bytes of a cluster, and copies of secrets. */
import { isObject, objectsAt, stringAt } from '../graph/untyped.js'
import type { KindName, Untyped } from '../kubernetes.js'
import type { Resource } from './discover.js'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** The object without managedFields, kubectl's copy of it and the images of a node; of a Secret the metadata alone. */
export function slim(item: Untyped, { apiVersion, kind, kindName }: Resource): Untyped {
  const metadata = slimMetadata(item.metadata)
  // Items of lists do not say what they are.
  if (kindName === 'Secret') return { apiVersion, kind, metadata }
  const object = { ...item, apiVersion, kind, metadata }
  if (kindName !== 'Node' || !isObject(item.status)) return object
  const { images: _, ...status } = item.status
  return { ...object, status }
}

function slimMetadata(metadata: unknown): Untyped {
  if (!isObject(metadata)) return {}
  const { managedFields: _, annotations, ...rest } = metadata
  if (!isObject(annotations)) return rest
  const { [lastApplied]: __, ...own } = annotations
  return Object.keys(own).length > 0 ? { ...rest, annotations: own } : rest
}

/** The uid of the object that controls this one. */
export function controllerOf(item: Untyped): string | undefined {
  const owner = objectsAt(item, 'metadata', 'ownerReferences').find(({ controller }) => controller === true)
  return stringAt(owner, 'uid')
}

/**
 * Whether Kubernetes itself makes and keeps the object, so that its owner can change nothing about it.
 * Sources: pkg/controlplane/controller, pkg/controller/certificates/rootcacertpublisher,
 * plugin/pkg/auth/authorizer/rbac/bootstrappolicy, pkg/apis/scheduling/helpers.go.
 */
export function isOwn(item: Untyped, kindName: KindName): boolean {
  const name = stringAt(item, 'metadata', 'name') ?? ''
  const namespace = stringAt(item, 'metadata', 'namespace')
  const labels = isObject(item.metadata) && isObject(item.metadata.labels) ? item.metadata.labels : {}
  switch (kindName) {
    case 'Namespace':
      return ['default', 'kube-system', 'kube-public', 'kube-node-lease'].includes(name)
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
    case 'APIService':
      return 'kube-aggregator.kubernetes.io/automanaged' in labels
    case 'Role':
    case 'RoleBinding':
    case 'ClusterRole':
    case 'ClusterRoleBinding':
      return labels['kubernetes.io/bootstrapping'] === 'rbac-defaults'
    default:
      return false
  }
}
