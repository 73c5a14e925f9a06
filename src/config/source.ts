/** The text of a configuration file, its value, and where the parts of the value stand. */
import { CORE_SCHEMA, load, YAMLException } from 'js-yaml'
import type { Range } from '../document.js'
import type { Path } from '../finding.js'
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
    const value = load(text, { schema: CORE_SCHEMA }) ?? undefined
    return { name, value, locate: (path, at) => locator(text, 1, 1)[at](path) }
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    const { line = 0, column = 0 } = error.mark ?? {}
    throw new UsageError(`${name}:${line + 1}:${column + 1}: this is not YAML: ${error.reason}.`)
  }
}
