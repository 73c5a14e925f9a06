/** Whether an object that another one names exists, as far as the input tells. */
import type { External } from '../config/settings.js'
import type { KindName } from '../kubernetes.js'
import type { Kustomization } from '../reader/input.js'
import { lazy, memo } from './lazy.js'
import { madeKey, madeNames } from './made.js'
import type { Objects } from './objects.js'

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
    matches(external.kind, kind) &&
    matches(external.name, name) &&
    (external.namespace === undefined || namespace === '' || matches(external.namespace, namespace))
  )
}

/** Whether a text is what a pattern says, in which `*` stands for anything. */
function matches(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(text)
}
