/**
 * The job could not be done because of how the program was asked: a flag, the configuration, a path that is not there.
 * Shown as lines that start with `k8s-af:`, without a stack; the exit code is 2.
 */
export class UsageError extends Error {
  /** One sentence each, with the remedy. */
  readonly lines: readonly string[]

  constructor(...lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'UsageError'
    this.lines = lines
  }
}
