/** What is left out of a walk: patterns in gitignore syntax, of the configuration and of `.k8s-af-ignore` files. */
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { isThere } from '../values/stats.js'
import { ownText } from './content.js'

/** The file that lists what to leave out, in any folder. */
export const ignoreFile = '.k8s-af-ignore'

/** Patterns in gitignore syntax, relative to the folder `base` (an absolute path). */
export interface IgnorePatterns {
  readonly patterns: readonly string[]
  readonly base: string
}

/** Ignore patterns with the folder that they are relative to. */
export interface Rules {
  readonly base: string
  readonly rules: Ignore
}

/** The patterns of a configuration. */
export function configured({ patterns, base }: IgnorePatterns): Rules {
  return { base, rules: rulesOf(patterns) }
}

/** Longer patterns match nothing: no path is that long, and no regular expression may be. */
const longestPattern = 4096

/** Hears of an ignore file that is there and cannot be read. */
type Refused = (path: string, error: unknown) => void

/** The ignore file of that name in a folder, if it can be read. */
export function rulesIn(folder: string, refused: Refused = () => {}, file = ignoreFile): Rules[] {
  const path = join(folder, file)
  try {
    return [{ base: folder, rules: rulesOf(ownText(path).split(/\r?\n/)) }]
  } catch (error) {
    // In a folder that nobody may look into there may be none.
    if (isThere(path)) refused(path, error)
    return []
  }
}

function rulesOf(patterns: readonly string[]): Ignore {
  return ignore().add(patterns.filter((one) => one.length <= longestPattern))
}

/** The ignore files of all folders above a path, nearest last. */
export function rulesAbove(path: string, refused?: Refused): Rules[] {
  const folder = dirname(path)
  return folder === path ? [] : [...rulesAbove(folder, refused), ...rulesIn(folder, refused)]
}

/** The last rule that says something decides, as in git; `byDefault` where none does. */
export function isIgnored(
  path: string,
  isFolder: boolean,
  all: readonly Rules[],
  byDefault = false,
): boolean {
  let ignored = byDefault
  for (const { base, rules } of all) {
    const name = relative(base, path).split(sep).join('/')
    if (name === '' || name.startsWith('..') || isAbsolute(name)) continue
    const result = rules.test(isFolder ? `${name}/` : name)
    if (result.ignored) ignored = true
    else if (result.unignored) ignored = false
  }
  return ignored
}
