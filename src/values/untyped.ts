/** Safe steps into values whose shape nothing has checked: custom resources and component configuration. */
import type { Untyped } from '../kubernetes.js'

/** Tells mappings from lists, plain values and null. */
export function isObject(value: unknown): value is Untyped {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Tells plain values from mappings, lists and what is absent. */
export function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** The value at the end of the path, or undefined as soon as a step does not exist. */
export function valueAt(value: unknown, ...path: readonly Step[]): unknown {
  return follow(value, path)
}

type Step = string | number

/** The same with the path as a list: to spread it once more takes longer than to follow it. */
function follow(value: unknown, path: readonly Step[]): unknown {
  let here = value
  // No iterators: nothing is called more often.
  for (let i = 0; i < path.length; i++) {
    const step = path[i] as Step
    if (typeof step === 'number') here = Array.isArray(here) ? here[step] : undefined
    else here = isObject(here) && Object.hasOwn(here, step) ? here[step] : undefined
  }
  return here ?? undefined
}

/** The string there; undefined where there is something else. */
export function stringAt(value: unknown, ...path: readonly Step[]): string | undefined {
  const found = follow(value, path)
  return typeof found === 'string' ? found : undefined
}

/** The number there; undefined where there is something else, or one that no int64 holds: nothing is counted so. */
export function numberAt(value: unknown, ...path: readonly Step[]): number | undefined {
  const found = follow(value, path)
  return typeof found === 'number' && Math.abs(found) <= 2 ** 63 ? found : undefined
}

/** The mapping there; undefined where there is something else. */
export function objectAt(value: unknown, ...path: readonly Step[]): Untyped | undefined {
  const found = follow(value, path)
  return isObject(found) ? found : undefined
}

/** The list there; empty when there is none. */
export function arrayAt(value: unknown, ...path: readonly Step[]): readonly unknown[] {
  return listAt(value, path)
}

function listAt(value: unknown, path: readonly Step[]): readonly unknown[] {
  const found = follow(value, path)
  return Array.isArray(found) ? found : []
}

/** The mappings of the list there; other items are left out. */
export function objectsAt(value: unknown, ...path: readonly Step[]): readonly Untyped[] {
  return listAt(value, path).filter(isObject)
}

/** Sets an own property whatever its name: `__proto__` is data. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true })
  else object[key] = value
}
