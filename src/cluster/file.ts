/** The files that a kubeconfig is, and those that it names. */
import { statSync } from 'node:fs'
import { ownBytes, refusalOf } from '../reader/own.js'

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
  try {
    const bytes = ownBytes(path, most)
    if (statSync(path).isFIFO()) piped.set(path, bytes)
    return bytes
  } catch (error) {
    throw new Refused(refusalOf(error), (error as NodeJS.ErrnoException).code === 'ENOENT')
  }
}
