/** From a file to its text, whatever the file turns out to be. */
import { isUtf8 } from 'node:buffer'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { isThere } from '../values/stats.js'
import type { FoundFile } from './files.js'
import { NotReadable, ownBytes } from './own.js'
import { patience, readToEnd } from './pipe.js'

/** Larger files that are met on a walk are no manifests; what the user names may be the dump of a cluster. */
const largestMet = 32 * 1024 * 1024
const largestNamed = 256 * 1024 * 1024

export type Content =
  | { readonly text: string }
  /** What is wrong and what to do, and where in the text if it is one. Who has encrypted a file knows that it can't be read. */
  | {
      readonly problem: string
      readonly text?: string
      readonly offset?: number
      readonly isEncrypted?: boolean
    }

/** Given as a word, the encoding makes Node put options together for each file: a seventh of reading small ones. */
const asText = { encoding: 'utf8', flag: 'r' } as const

/** Reads a file. Never throws and never waits for somebody to write to a pipe. */
export function contentOf(file: FoundFile): Content {
  try {
    if (!file.isFile) return decode(bytesOf(file))
    const text = readFileSync(file.path, asText)
    checkSize(text.length, file.explicit)
    return isOrdinary(text) ? { text } : decode(readFileSync(file.path))
  } catch (error) {
    return { problem: reasonOf(error) }
  }
}

function checkSize(size: number, explicit: boolean): void {
  const largest = explicit ? largestNamed : largestMet
  if (size > largest) throw new NotReadable(tooLarge(largest))
}

function checkNamed(size: number): void {
  checkSize(size, true)
}

function tooLarge(largest: number): string {
  return `It has more than ${largest / 1024 / 1024} MiB: split it, or leave it out with .k8s-af-ignore.`
}

/** Decoded text that holds no sign of another encoding. */
function isOrdinary(text: string): boolean {
  return !text.startsWith('\ufeff') && !text.includes('\ufffd') && !text.includes('\0')
}

/** Why the operating system refused, in words. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotReadable) return error.message
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ERR_FS_FILE_TOO_LARGE':
    case 'ERR_STRING_TOO_LONG':
      return tooLarge(largestNamed)
    case 'EACCES':
    case 'EPERM':
      return 'No permission to read it: change its mode or leave it out with .k8s-af-ignore.'
    case 'ENOENT':
      // What Node.js makes of bytes that are no UTF-8 names no file.
      if ((error as NodeJS.ErrnoException).path?.includes('\ufffd'))
        return 'Its name, or that of a folder above it, is not UTF-8: rename it.'
      return 'It does not exist, or is a link that leads nowhere: correct the path.'
    case 'ELOOP':
      return 'It is a symbolic link that leads back to itself: remove the link.'
    case 'ENOTDIR':
      return 'A part of its path is a file, not a folder: correct the path.'
    case 'EISDIR':
      return 'It is a folder where a file was expected: correct the path.'
    case 'ENAMETOOLONG':
      return 'Its path is longer than this system allows: correct the path.'
    case 'EMFILE':
    case 'ENFILE':
      return 'Too many files are open: raise the limit (ulimit -n) and run again.'
    default:
      return `The system refused to read it (${code ?? String(error)}): check the file and the disk.`
  }
}

/** Larger files do not say how a program is to run. */
const largestOwn = 16 * 1024 * 1024

/**
 * The text of a file that the program reads for itself: its configuration, a baseline, an ignore file. It may be a pipe or a device, and
 * nobody is waited for who does not write. What is not UTF-8 in it is left to who reads it.
 * @param most bytes that it may have
 * @throws an error for `reasonOf`, or for `refusalOf`
 */
export function ownText(path: string, most = largestOwn): string {
  const content = decode(bytesAt(path, most))
  if ('problem' in content && content.isEncrypted)
    throw new NotReadable('It is encrypted by git-crypt: unlock the repository.')
  if ('problem' in content && content.problem === utf16)
    throw new NotReadable('It is encoded in UTF-16: save it as UTF-8.')
  if (content.text === undefined) throw new NotReadable('It is binary, not text.')
  return content.text
}

function bytesAt(path: string, most: number): Buffer {
  try {
    return ownBytes(path, most)
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (isMissing && isThere(path)) throw new NotReadable('It is a link that leads nowhere.')
    throw error
  }
}

function bytesOf({ path, explicit }: FoundFile): Buffer {
  // Without O_NONBLOCK, opening a named pipe waits for a writer.
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = fstatSync(descriptor)
    if (stats.isFIFO()) return pipeBytes(descriptor, explicit)
    if (stats.isDirectory()) throw new NotReadable('It is a folder: give its name without an extension.')
    if (!stats.isFile())
      throw new NotReadable('It is a device or a socket, not a file: give a file, or - for standard input.')
    checkSize(stats.size, explicit)
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** A pipe that the user named, as in `<(helm template …)`, is read while it has a writer. */
function pipeBytes(descriptor: number, explicit: boolean): Buffer {
  const bytes = explicit ? readToEnd(descriptor, patience, checkNamed) : undefined
  if (bytes === undefined || bytes.length === 0)
    throw new NotReadable('It is a pipe that nobody writes to: give a file.')
  return bytes
}

/** The bytes of standard input, whatever it is connected to. */
export function standardInput(): Buffer {
  return readToEnd(0, Number.POSITIVE_INFINITY, checkNamed) ?? Buffer.alloc(0)
}

/** Text without its byte order mark. */
export function decode(bytes: Buffer): Content {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { problem: utf16, text: bytes.toString('utf16le', 2) }
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { problem: utf16 }
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const text = bytes.toString('utf8', hasMark ? 3 : 0)
  const nul = text.indexOf('\0')
  if (nul >= 0) {
    if (text.startsWith('\0GITCRYPT'))
      return {
        problem: 'It is encrypted by git-crypt: unlock the repository, or leave it out with .k8s-af-ignore.',
        isEncrypted: true,
      }
    const utf16Like = bytes.length % 2 === 0 && bytes[1] === 0 && bytes[0] !== 0
    return utf16Like
      ? { problem: utf16, text: bytes.toString('utf16le') }
      : { problem: 'It is binary, not text: rename it, or leave it out with .k8s-af-ignore.' }
  }
  const strange = text.indexOf('\ufffd')
  if (strange >= 0 && !isUtf8(bytes))
    return {
      problem: 'It is not UTF-8 from this character on: save it as UTF-8.',
      text,
      offset: firstInvalid(text, hasMark ? bytes.subarray(3) : bytes),
    }
  return { text }
}

const utf16 = 'It is encoded in UTF-16, which kubectl does not split into documents: save it as UTF-8.'

/** The offset of the first replacement character that the bytes do not hold themselves. */
function firstInvalid(text: string, bytes: Buffer): number {
  let position = 0
  let from = 0
  for (;;) {
    const at = text.indexOf('\ufffd', from)
    if (at < 0) return 0
    position += Buffer.byteLength(text.slice(from, at))
    if (bytes.toString('hex', position, position + 3) !== 'efbfbd') return at
    position += 3
    from = at + 1
  }
}
