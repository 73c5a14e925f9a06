/** What stands at a path that somebody has written. */
import { lstatSync, type Stats, statSync } from 'node:fs'

/**
 * What stands at a path, behind all links; undefined where nothing does, or nobody can see it: names may be too long for the system,
 * links may lead round in a circle, and folders may be closed.
 */
export function statsAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Whether something has the name, were it a link that leads nowhere; not in a folder that nobody may look into. */
export function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}
