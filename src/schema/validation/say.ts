/**
 * What the checks of `src/schema/validation` are made of.
 *
 * Checks are listed by Go type and see values whose types are true. Source: pkg/apis/…/validation of k8s.io/kubernetes; each was
 * tried with a kube-apiserver (docs/validation.md).
 */
import type { Path } from '../../finding.js'
import { isPlaceholder, type NameForm, nameForms } from '../format.js'

/** Says that something is refused. `path` starts at the value that is looked at. */
export interface Say {
  /** The target minor version, for what servers refuse from some release on. */
  readonly minor: number
  /**
   * @param message follows the path of the field: `names no volume of the pod: "data"`
   * @param value the text of the field, where nothing else is wrong: it may still have to be filled in
   */
  conflict(path: Path, message: string, value?: string): void
  /** @param because follows "is missing, ": `and type is ExternalName` */
  lacks(path: Path, because?: string): void
  name(path: Path, form: NameForm, value: string | undefined): void
  /** A number that may be out of bounds which hold only beside certain values of other fields. */
  bounds(path: Path, value: number | undefined, minimum: number, maximum: number): void
}

export type Check = (value: never, say: Say) => void

/** Checks by `group.Type`, or `group/version.Type` where they hold for one version only. */
export type Checks = Readonly<Record<string, readonly Check[]>>

/** Declares a check with the type of its value, which the walk guarantees. */
export const on = <T>(check: (value: T, say: Say) => void): Check => check as Check

export type Spec<T extends { readonly spec?: unknown }> = NonNullable<T['spec']>

export type Item<T> = T extends readonly (infer U)[] ? U : never

export type Labels = Readonly<Record<string, string>>

/** @param fields those that there are, of which the server wants one or takes one at most */
export function oneOf(value: object, fields: readonly string[]): readonly string[] {
  return fields.filter((field) => ((value as Readonly<Record<string, unknown>>)[field] ?? '') !== '')
}

/** The tables as one; a type may stand in several. */
export function merged(...tables: readonly Checks[]): Checks {
  const all: Record<string, readonly Check[]> = {}
  for (const [type, own] of tables.flatMap((table) => Object.entries(table)))
    all[type] = [...(all[type] ?? []), ...own]
  return all
}

/** Whether a name has the form; the empty one is somebody else's problem. */
export function hasForm(form: NameForm, value: string | undefined): boolean {
  return !value || nameForms[form](value) || isPlaceholder(value)
}
