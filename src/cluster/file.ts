/** The files that a kubeconfig is, and those that it names. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { patience, readToEnd } from '../reader/pipe.js'
import { whyRefused } from '../values/refusal.js'

/** In bytes: kubeconfigs with thousands of contexts have some megabytes. */
const largest = 2 ** 26

/** Why a file could not be read; the message is the end of a sentence. */
export class Refused extends Error {
  /** That there is no such file. */
  readonly isAbsent: boolean

  constructor(message: string, isAbsent = false) {
    super(message)
    this.isAbsent = isAbsent
  }
}

/** What came out of pipes, `<(vault read …)`: they give it once, and it is asked for by each context, and by each connection. */
const piped = new Map<string, Buffer>()

/**
 * The bytes of a file, or of a pipe that somebody writes to. It never waits for a writer.
 * @param path absolute
 * @param most bytes
 * @throws Refused
 */
export function bytesIn(path: string, most = largest): Buffer {
  const known = piped.get(path)
  if (known) return known
  let descriptor: number | undefined
  try {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = fstatSync(descriptor)
    if (stats.isDirectory()) throw new Refused('it is a folder')
    const bytes = readToEnd(descriptor, patience, (size) => {
      if (size > most) throw new Refused(`it is larger than ${most >> 20} MiB`)
    })
    if (!stats.isFIFO() && bytes) return bytes
    if (!bytes || bytes.length === 0) throw new Refused('it is a pipe that nobody writes to')
    piped.set(path, bytes)
    return bytes
  } catch (error) {
    if (error instanceof Refused) throw error
    const refusal = error as NodeJS.ErrnoException
    throw new Refused(whyRefused(refusal), refusal.code === 'ENOENT')
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
