/** Asks kubectl's own reader (main.go). Needs Go. */
import { execFileSync } from 'node:child_process'

/** What kubectl's reader makes of a file. */
export interface Verdict {
  /** The values of the documents up to the first that is refused, empty ones left out. */
  readonly values: readonly unknown[]
  /** Why the rest was refused. */
  readonly error?: string
  /** Whether a mapping of the first document repeats a key. */
  readonly duplicates?: boolean
}

export function ask(texts: readonly string[]): Verdict[] {
  const run = (mode: string) =>
    JSON.parse(
      execFileSync('go', ['run', '.', mode], {
        cwd: __dirname,
        input: JSON.stringify(texts),
        maxBuffer: 2 ** 30,
        env: { ...process.env, GOFLAGS: '' },
      }).toString(),
    ) as { values: unknown[] | null; error?: string; duplicates?: boolean }[]
  const documents = run('document')
  return run('stream').map(({ values, error }, i) => ({
    values: values ?? [],
    ...(error !== undefined && { error }),
    ...(documents[i]?.duplicates && { duplicates: true }),
  }))
}
