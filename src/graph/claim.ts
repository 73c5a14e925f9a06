/** What claims of volumes ask for. */
import type { PersistentVolumeClaim } from '../kubernetes.js'

/** Whether only one node at a time may have the volume of a claim. */
export function isForOneNode({ spec }: PersistentVolumeClaim): boolean {
  const modes = spec?.accessModes ?? []
  return modes.length > 0 && modes.every((mode) => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod')
}
