/** Compares verdicts. */
import { isDeepStrictEqual } from 'node:util'
import type { Verdict } from './oracle.js'

/** Whether two verdicts have the same values and both refuse, or both accept, the rest. */
export function sameVerdict(theirs: Verdict, mine: Verdict): boolean {
  if ((theirs.error === undefined) !== (mine.error === undefined)) return false
  return isDeepStrictEqual(json(theirs.values), json(mine.values))
}

/** Without what JSON cannot say: -0, undefined, prototypes. */
function json(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
