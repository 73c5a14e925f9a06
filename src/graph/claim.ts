/** What claims of volumes ask for. */
import type { PersistentVolumeClaim, StorageClass } from '../kubernetes.js'
import { arrayAt } from '../values/untyped.js'
import type { Workload } from './workload.js'

/** Whether each of its pods keeps data of its own. */
export function hasOwnVolumes({ object }: Workload): boolean {
  return arrayAt(object, 'spec', 'volumeClaimTemplates').length > 0
}

/** Whether only one node at a time may have the volume of a claim. */
export function isForOneNode({ spec }: PersistentVolumeClaim): boolean {
  const modes = spec?.accessModes ?? []
  return modes.length > 0 && modes.every((mode) => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod')
}

/** Whether claims that name no class get this one. Source: kubernetes/pkg/apis/storage/util/helpers.go (IsDefaultAnnotation). */
export function isDefaultClass({ metadata }: StorageClass): boolean {
  return ['storageclass.kubernetes.io', 'storageclass.beta.kubernetes.io'].some(
    (domain) => metadata?.annotations?.[`${domain}/is-default-class`] === 'true',
  )
}
