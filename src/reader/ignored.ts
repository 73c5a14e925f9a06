/** What is left out of a walk: patterns in gitignore syntax, of the configuration and of `.k8s-af-ignore` files. */
import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import ignore, { type Ignore } from 'ignore'

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
  return { base, rules: ignore().add([...patterns]) }
}

/** The ignore file of that name in a folder, if it can be read. */
export function rulesIn(folder: string, file = ignoreFile): Rules[] {
  try {
    return [{ base: folder, rules: ignore().add(readFileSync(join(folder, file), 'utf8')) }]
  } catch {
    return []
  }
}

/** The ignore files of all folders above a path, nearest last. */
export function rulesAbove(path: string): Rules[] {
  const folder = dirname(path)
  return folder === path ? [] : [...rulesAbove(folder), ...rulesIn(folder)]
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
