/** What a pod needs by name before it can start. */
import type { Workload } from './workload.js'

/** A place in a pod spec that names an object which the pod needs. */
export interface ConfigReference {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount'
  readonly name: string
  /** The keys that must exist in it, when single ones are named. */
  readonly keys: readonly string[]
  /** With `optional: true` the pod starts without it. */
  readonly optional: boolean
  /** How the pod uses it. An `imagePullSecret` that is missing is skipped by the kubelet; all others stop the pod. */
  readonly as:
    | 'volume'
    | 'projected volume'
    | 'CSI volume'
    | 'envFrom'
    | 'env'
    | 'imagePullSecret'
    | 'serviceAccount'
    | 'claim'
  /** The mapping that names it, with the field. */
  readonly node: object
  readonly field: string
  /** The container, for `env` and `envFrom`. */
  readonly container: string | undefined
}

/** All references of the workload's pod template. */
export function configReferences(workload: Workload): readonly ConfigReference[] {
  const found: ConfigReference[] = []
  const add = (
    kind: ConfigReference['kind'],
    as: ConfigReference['as'],
    node: object | undefined,
    field: string,
    name: string | undefined,
    rest: { keys?: readonly (string | undefined)[]; optional?: boolean | undefined; container?: string } = {},
  ) => {
    if (!node || !name) return
    const keys = (rest.keys ?? []).filter((key) => key !== undefined)
    found.push({
      kind,
      as,
      node,
      field,
      name,
      keys,
      optional: rest.optional ?? false,
      container: rest.container,
    })
  }
  const { pod } = workload
  for (const volume of pod.volumes ?? []) {
    const { secret, configMap, projected, csi, persistentVolumeClaim } = volume
    add('Secret', 'volume', secret, 'secretName', secret?.secretName, {
      keys: secret?.items?.map((item) => item.key) ?? [],
      optional: secret?.optional,
    })
    add('ConfigMap', 'volume', configMap, 'name', configMap?.name, {
      keys: configMap?.items?.map((item) => item.key) ?? [],
      optional: configMap?.optional,
    })
    for (const source of projected?.sources ?? []) {
      add('Secret', 'projected volume', source.secret, 'name', source.secret?.name, {
        keys: source.secret?.items?.map((item) => item.key) ?? [],
        optional: source.secret?.optional,
      })
      add('ConfigMap', 'projected volume', source.configMap, 'name', source.configMap?.name, {
        keys: source.configMap?.items?.map((item) => item.key) ?? [],
        optional: source.configMap?.optional,
      })
    }
    add('Secret', 'CSI volume', csi?.nodePublishSecretRef, 'name', csi?.nodePublishSecretRef?.name)
    add(
      'PersistentVolumeClaim',
      'claim',
      persistentVolumeClaim,
      'claimName',
      persistentVolumeClaim?.claimName,
    )
  }
  for (const { name: container, spec } of workload.containers) {
    for (const from of spec.envFrom ?? []) {
      add('Secret', 'envFrom', from.secretRef, 'name', from.secretRef?.name, {
        optional: from.secretRef?.optional,
        container,
      })
      add('ConfigMap', 'envFrom', from.configMapRef, 'name', from.configMapRef?.name, {
        optional: from.configMapRef?.optional,
        container,
      })
    }
    for (const env of spec.env ?? []) {
      const { secretKeyRef, configMapKeyRef } = env.valueFrom ?? {}
      add('Secret', 'env', secretKeyRef, 'name', secretKeyRef?.name, {
        keys: [secretKeyRef?.key],
        optional: secretKeyRef?.optional,
        container,
      })
      add('ConfigMap', 'env', configMapKeyRef, 'name', configMapKeyRef?.name, {
        keys: [configMapKeyRef?.key],
        optional: configMapKeyRef?.optional,
        container,
      })
    }
  }
  for (const secret of pod.imagePullSecrets ?? [])
    add('Secret', 'imagePullSecret', secret, 'name', secret.name)
  add('ServiceAccount', 'serviceAccount', pod, 'serviceAccountName', pod.serviceAccountName)
  return found
}
