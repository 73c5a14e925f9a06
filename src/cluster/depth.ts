/**
 * How deep an object may be: as deep as one in a file. An API server takes 10,000 levels in custom objects, and nobody who follows
 * them can go so far. Source: maxNestingDepth in sigs.k8s.io/json/internal/golang/encoding/json/scanner.go.
 */
import { deepest } from '../reader/dialect.js'
import { isObject } from '../values/untyped.js'

/** The value itself, from which what is nested deeper is gone. */
export function bounded<T>(value: T): T {
  cut(value, deepest)
  return value
}

function cut(value: unknown, levels: number): void {
  if (Array.isArray(value)) {
    if (levels === 0) value.length = 0
    for (const one of value) if (typeof one === 'object') cut(one, levels - 1)
  } else if (isObject(value)) {
    for (const field of Object.keys(value)) {
      const one = value[field]
      if (typeof one !== 'object' || one === null) continue
      if (levels === 0) Reflect.deleteProperty(value, field)
      else cut(one, levels - 1)
    }
  }
}
