/** Reads what a server answers: unpacked, with limits of size. */
import type { IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { promisify } from 'node:util'
import { constants, createGunzip, gunzip, gunzipSync } from 'node:zlib'
import { stringAt } from '../values/untyped.js'
import { RequestError, TooLarge } from './failure.js'

/** Bytes of an answer's start: the metadata of a list fits. */
const startBytes = 4096
/**
 * Bytes of an answer: a page of 500 objects of the largest size that etcd takes by default (1.5 MiB) would be more, but not readable in one
 * text.
 */
const largest = 256 * 1024 * 1024
/** Bytes of a text that is read line by line, and characters of a line: a longer one is left out. */
const largestText = 64 * 1024 * 1024
const longestLine = 64 * 1024

function isZipped({ headers }: IncomingMessage): boolean {
  return headers['content-encoding'] === 'gzip'
}

function unzipped(response: IncomingMessage): NodeJS.ReadableStream {
  if (!isZipped(response)) return response
  // Larger pieces than the 16 KiB of the default: each costs more than to unpack it.
  const stream = createGunzip({ chunkSize: 256 * 1024 })
  return response.on('error', (error) => stream.destroy(error)).pipe(stream)
}

/** The text of an answer. `onStart` is called with how it begins. @throws RequestError when it is longer than `most` bytes */
export async function textOf(
  response: IncomingMessage,
  { most = largest, onStart }: { readonly most?: number; readonly onStart?: (start: string) => void },
): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) {
      response.destroy()
      throw new TooLarge(most)
    }
    if (chunks.push(chunk) === 1 && onStart) onStart(startOf(chunk, response))
  }
  const bytes = Buffer.concat(chunks)
  return (isZipped(response) ? await whole(bytes, most) : bytes).toString('utf8')
}

function startOf(chunk: Buffer, response: IncomingMessage): string {
  const bytes = isZipped(response)
    ? gunzipSync(chunk.subarray(0, startBytes), { finishFlush: constants.Z_SYNC_FLUSH })
    : chunk
  return bytes.toString('utf8', 0, startBytes)
}

/**
 * Unpacks an answer as a whole. The API server sends a page in a hundred pieces, and to unpack those one by one as they come costs
 * more than the work itself: a twentieth of a large scan.
 */
async function whole(bytes: Buffer, most: number): Promise<Buffer> {
  try {
    // It ends with its length, by which it fits into one piece. RFC 1952, 2.3.1: ISIZE.
    const length = bytes.length < 4 ? 0 : Math.min(most, bytes.readUInt32LE(bytes.length - 4))
    return await promisify(gunzip)(bytes, { maxOutputLength: most, chunkSize: length + 64 })
  } catch (error) {
    throw stringAt(error, 'code') === 'ERR_BUFFER_TOO_LARGE' ? new TooLarge(most) : error
  }
}

/** A text that ends within a line was cut off there: what is left of it is no line. */
export async function readLines(response: IncomingMessage, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let size = 0
  let rest = ''
  let isLong = false
  for await (const chunk of unzipped(response) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > largestText) {
      response.destroy()
      throw new RequestError(0, `it is larger than ${largestText >> 20} MiB; what came before was read`)
    }
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const [i, line] of lines.entries()) {
      if (!(isLong && i === 0) && line.length <= longestLine) onLine(line)
    }
    if (lines.length > 0) isLong = false
    if (rest.length > longestLine) {
      isLong = true
      rest = ''
    }
  }
}
