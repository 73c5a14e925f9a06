/**
 * Standard output and standard error. Node's streams for them take a tenth of the time of a short run to load: they are opened
 * where a terminal, or somebody who reads slowly, needs them. What files and pipes take is written as it comes.
 */
import { once } from 'node:events'
import { fstatSync, writeSync } from 'node:fs'
import type { Terminal } from '../reporters/look.js'
import { printable } from '../reporters/text.js'
import { whyRefused } from '../values/refusal.js'

type Name = 'stdout' | 'stderr'

const descriptors = { stdout: 1, stderr: 2 } as const
const opened = new Map<Name, NodeJS.WriteStream>()

/** What is at the other end, as far as it matters for how output looks. */
export function terminalOf(name: Name): Terminal {
  return isPlain(name) ? {} : stream(name)
}

/** Writes a text. Ends the run when nobody reads any more, or the disk is full. */
export function write(text: string, name: Name = 'stdout'): void {
  const rest = isPlain(name) ? writeNow(Buffer.from(text), name) : text
  if (rest.length > 0) stream(name).write(rest)
}

/** Says something to whoever runs the program, beside its results. */
export function tell(line: string): void {
  write(`${line}\n`, 'stderr')
}

/** The same under the name of the program. What it holds of the input cannot steer the terminal. */
export function note(text: string): void {
  tell(`k8s-af: ${printable(text)}`)
}

/** Waits until whoever reads standard output has taken enough of it for more to be written. */
export async function readersPace(): Promise<void> {
  const slow = opened.get('stdout')
  if (slow?.writableNeedDrain) await once(slow, 'drain')
}

/** Whether all has left the process. */
export function isFlushed(): boolean {
  return [...opened.values()].every(({ writableLength }) => writableLength === 0)
}

/** Whether the other end is a file or a pipe, which Node makes of sockets. Windows has encodings of its own, which Node's streams know. */
function isPlain(name: Name): boolean {
  if (opened.has(name) || process.platform === 'win32') return false
  try {
    const stats = fstatSync(descriptors[name])
    return stats.isFile() || stats.isFIFO() || stats.isSocket()
  } catch {
    return false
  }
}

/** Writes what is taken at once, and gives what is not: a pipe that another process has set not to wait may be full. */
function writeNow(bytes: Buffer, name: Name): Buffer {
  let rest = bytes
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(descriptors[name], rest))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EAGAIN') fail(error as NodeJS.ErrnoException, name)
  }
  return rest
}

/** Node's stream. */
function stream(name: Name): NodeJS.WriteStream {
  const known = opened.get(name)
  if (known) return known
  const made = process[name].on('error', (error: NodeJS.ErrnoException) => fail(error, name))
  opened.set(name, made)
  return made
}

/** A reader that has seen enough (`| head`) is no error, and does not change the verdict. A full disk is one. */
function fail(error: NodeJS.ErrnoException, name: Name): never {
  if (error.code === 'EPIPE') process.exit()
  // What standard error cannot take is lost.
  if (name === 'stdout') note(`standard output cannot be written: ${whyRefused(error)}.`)
  process.exit(2)
}
