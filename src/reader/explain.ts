/** Says in words what is wrong with a text that is no YAML, and what to do about it. */
import type { Mistake } from './parse.js'

/** One sentence or two, for a `ReadProblem`. */
export function explain(mistake: Mistake, _text: string): string {
  return `This is not valid YAML: ${mistake.reason}.`
}
