/** The text of a configuration file, its value, and where the parts of the value stand. */
import { CORE_SCHEMA, load, YAMLException } from 'js-yaml'
import type { Range } from '../document.js'
import type { Path } from '../finding.js'
import { expand, Refusal } from '../reader/expand.js'
import { locator } from '../reader/locate.js'
import { UsageError } from './usage.js'

export interface Source {
  /** As the user would name it. */
  readonly name: string
  /** Undefined for an empty file. */
  readonly value: unknown
  locate(path: Path, at: 'key' | 'value'): Range
}

/** Parses YAML 1.2 or JSON. Repeated keys are an error. */
export function parseSource(name: string, text: string): Source {
  try {
    const value = expand(load(text, { schema: CORE_SCHEMA })) ?? undefined
    let places: ReturnType<typeof locator> | undefined
    return {
      name,
      value,
      locate: (path, at) => {
        places ??= locator(text, 1, 1)
        return places[at](path)
      },
    }
  } catch (error) {
    if (error instanceof Refusal)
      throw new UsageError(`${name}: its aliases make far too many values: write them out, or use fewer.`)
    if (!(error instanceof YAMLException)) throw error
    const { line = 0, column = 0 } = error.mark ?? {}
    const why =
      error.reason === 'duplicated mapping key'
        ? 'this key is in the mapping already'
        : `this is not YAML: ${error.reason}`
    throw new UsageError(`${name}:${line + 1}:${column + 1}: ${why}.`)
  }
}
