/** The files that the program reads for itself, whatever they turn out to be. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { whyRefused } from '../values/refusal.js'
import { patience, readToEnd } from './pipe.js'

/** Why a file is not read that the operating system would give; the message is a sentence. */
export class NotReadable extends Error {}

/**
 * The bytes of a file, a device or a pipe. Nobody is waited for who does not write.
 * @param most bytes that it may have
 * @throws NotReadable, or the error of the operating system: an error for `refusalOf`
 */
export function ownBytes(path: string, most: number): Buffer {
  // Without O_NONBLOCK, opening a named pipe waits for a writer.
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const bytes = readToEnd(descriptor, patience, (size) => {
      if (size > most) throw new NotReadable(`It has more than ${most / 1024 / 1024} MiB.`)
    })
    if (bytes === undefined || (bytes.length === 0 && fstatSync(descriptor).isFIFO()))
      throw new NotReadable('It is a pipe that nobody writes to.')
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

/** Why a file is not read, as the end of a sentence. */
export function refusalOf(error: unknown): string {
  if (!(error instanceof NotReadable)) return whyRefused(error as NodeJS.ErrnoException)
  return error.message.replace(/^I/, 'i').replace(/\.$/, '')
}
