/** Reads pipes, which may have nobody who writes to them, or somebody who never ends. */
import { readSync } from 'node:fs'

/** How long a pipe with a silent writer is waited for, in milliseconds. */
export const patience = 30_000
const nap = 5

/**
 * Reads until the end, without blocking where the descriptor was opened so. Undefined when nothing comes for longer than `limit`
 * milliseconds.
 * @param check told how many bytes there are so far: it throws when they are too many
 */
export function readToEnd(
  descriptor: number,
  limit: number,
  check: (size: number) => void,
): Buffer | undefined {
  const parts: Buffer[] = []
  const clock = new Int32Array(new SharedArrayBuffer(4))
  let silence = 0
  let size = 0
  for (;;) {
    const part = Buffer.alloc(65_536)
    let count: number
    try {
      count = readSync(descriptor, part)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EOF') count = 0
      else if (code !== 'EAGAIN') throw error
      else if (silence >= limit) return undefined
      else {
        silence += nap
        Atomics.wait(clock, 0, 0, nap)
        continue
      }
    }
    silence = 0
    if (count === 0) return Buffer.concat(parts)
    size += count
    check(size)
    parts.push(part.subarray(0, count))
  }
}
