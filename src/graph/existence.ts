/** Whether an object that another one names exists, as far as the input tells. */
import type { External } from '../config/settings.js'
import type { KindName } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { lazy, memo } from './lazy.js'
import { madeKey, madeNames } from './made.js'
import type { Objects } from './objects.js'
import { matchesWildcard } from './wildcard.js'

/** What rules may ask about the existence of objects. */
export interface Existence {
  /**
   * Whether an object of that name exists as far as the input or the externals tell: written anywhere in a
   * namespace that may be the same, made by an object of the input (ExternalSecret, SealedSecret,
   * Certificate, generator…), or external.
   */
  exists(kind: KindName, name: string, near: object): boolean
  /**
   * Whether an object of the input creates or completes the ConfigMap or Secret, so that its
   * written keys are not all it has.
   */
  isFilledElsewhere(kind: 'ConfigMap' | 'Secret', name: string): boolean
}

/** Answers what rules ask about the existence of objects. */
export function existence(
  { ofKind, resource, resources }: Objects,
  kustomizations: readonly Kustomization[],
  externals: readonly External[],
): Existence {
  const made = lazy(() => madeNames(resources, kustomizations))
  const written = memo((kind: KindName) => {
    const index = new Map<string, Set<string>>()
    for (const { name, namespace } of ofKind(kind))
      index.set(name, (index.get(name) ?? new Set()).add(namespace))
    return index
  })
  return {
    exists: (kind, name, near) => {
      const { namespace } = resource(near)
      const maybeSame = (other: string) => namespace === '' || other === '' || other === namespace
      return (
        [...(written(kind).get(name) ?? [])].some(maybeSame) ||
        (made().get(madeKey(kind, name))?.some(maybeSame) ?? false) ||
        externals.some((external) => isExternal(external, kind, name, namespace))
      )
    },
    isFilledElsewhere: (kind, name) => made().has(madeKey(kind, name)),
  }
}

function isExternal(external: External, kind: string, name: string, namespace: string): boolean {
  return (
    matchesWildcard(external.kind, kind) &&
    matchesWildcard(external.name, name) &&
    (external.namespace === undefined || namespace === '' || matchesWildcard(external.namespace, namespace))
  )
}
