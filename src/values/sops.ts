/** What SOPS leaves in the files that it encrypts. */
import { isObject } from './untyped.js'

/** What SOPS writes beside the values that it encrypts, and takes away when it decrypts them, before anything is applied. */
export function isSopsRecord(value: unknown): boolean {
  return isObject(value) && typeof value.mac === 'string' && ('lastmodified' in value || 'version' in value)
}
