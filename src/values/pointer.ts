/** Steps of JSON pointers, RFC 6901. */

/** A step as a pointer has it. */
export function escapedStep(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** What a step of a pointer stands for. */
export function unescapedStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}
