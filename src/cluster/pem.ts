/** Certificates and keys in a kubeconfig, or in files that it names. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { UsageError } from '../config/usage.js'
import { stringAt } from '../values/untyped.js'
import { bytesIn, Refused } from './file.js'
import { type Entry, pathAt, shortened, titleOf } from './kubeconfig.js'

/** PEM text, and the field or file that it is from. */
export interface Pem {
  readonly text: string
  readonly from: string
}

/** What is in the file that a field of an entry names, if it names one. @throws UsageError when it cannot be read, or is empty */
export function contentAt(entry: Entry, field: string): Buffer | undefined {
  const path = pathAt(entry, field)
  if (path === undefined) return undefined
  const where = `the ${field} ${shortened(path)} of ${titleOf(entry)}`
  try {
    const bytes = bytesIn(path)
    if (bytes.some((byte) => byte > 32)) return bytes
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw new UsageError(`${where} ${error.isAbsent ? 'is not there' : `cannot be read: ${error.message}`}.`)
  }
  throw new UsageError(`${where} is empty.`)
}

/** What was read from `field-data`, or else from the file that `field` names. */
export function pemOf(entry: Entry, field: string, content: unknown): Pem | undefined {
  if (!content) return undefined
  const isInside = stringAt(entry.fields, `${field}-data`)
  const from = isInside ? `the ${field}-data` : `the ${field} ${shortened(pathAt(entry, field) ?? '')}`
  return { text: String(content), from }
}

/** The authorities that a server's certificate may be signed by, in PEM. @throws UsageError when there are none in it */
export function authorityOf(entry: Entry, field: string, content: unknown): string | undefined {
  const found = pemOf(entry, field, content)
  if (found) parsed(found, `of ${titleOf(entry)}`, 'certificate', (text) => new X509Certificate(text))
  return found?.text
}

/** A certificate with its key, in PEM, and when it has expired, if it has. */
export interface Pair {
  readonly cert: string
  readonly key: string
  readonly expired: Date | undefined
}

/** @throws UsageError when they are no certificate and key, or do not belong together */
export function pairOf(cert: Pem, key: Pem, of: string): Pair {
  const certificate = parsed(cert, of, 'certificate', (text) => new X509Certificate(text))
  const own = parsed(key, of, 'private key', createPrivateKey)
  if (!certificate.checkPrivateKey(own))
    throw new UsageError(`${key.from} ${of} is not the one of ${cert.from}.`)
  const end = new Date(certificate.validTo)
  return { cert: cert.text, key: key.text, expired: end < new Date() ? end : undefined }
}

function parsed<T>({ text, from }: Pem, of: string, what: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch {
    throw new UsageError(`${from} ${of} holds no ${what} that can be read.`)
  }
}
