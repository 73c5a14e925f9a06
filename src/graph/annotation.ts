/** The annotations that this program itself reads. */
import { nearestName } from '../values/similar.js'

/** Holds suppressions, one a line or separated by `;`, on an object or on its pod template. */
export const ignoreAnnotation = 'k8s-af.dev/ignore'
/** On Namespace kube-system: something outside the cluster backs etcd up. */
export const etcdBackupAnnotation = 'k8s-af.dev/etcd-backup'

const known = [ignoreAnnotation, etcdBackupAnnotation]
/** The domain of the annotations above, and what fingers make of it: `k8saf.dev`, `k8s_af.io`, `k8-af`. */
const ownDomain = /^k8s?[-_.]?af(\.|$)/i

/**
 * An annotation's key that was meant for this program and is none that it reads, with the key that was probably meant.
 * Undefined for one that it reads and for everybody else's.
 */
export function misspelt(key: string): { readonly meant: string | undefined } | undefined {
  const [domain = '', name] = key.split('/')
  if (name === undefined || !ownDomain.test(domain) || known.includes(key)) return undefined
  const isMeant = (one: string) => one.endsWith(`/${name.toLowerCase()}`)
  return { meant: known.find(isMeant) ?? nearestName(key, known) }
}
