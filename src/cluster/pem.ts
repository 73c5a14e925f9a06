/** Certificates and keys in a kubeconfig, or in files that it names. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { UsageError } from '../config/usage.js'
import { stringAt } from '../graph/untyped.js'
import { type Entry, pathAt, shortened, titleOf } from './kubeconfig.js'

/** PEM text, and the field or file that it is from. */
export interface Pem {
  readonly text: string
  readonly from: string
}

/**
 * What `field-data` holds, or the file that `field` names.
 * @throws UsageError when there is no such file
 */
export function pemAt(entry: Entry, field: string): Pem | undefined {
  const inside = stringAt(entry.fields, `${field}-data`)
  if (inside) return { text: Buffer.from(inside, 'base64').toString(), from: `the ${field}-data` }
  const file = pathAt(entry, field)
  return file === undefined
    ? undefined
    : { text: fileAt(file, field, entry), from: `the ${field} ${shortened(file)}` }
}

/** The authorities that a server's certificate may be signed by, in PEM. @throws UsageError when there are none in it */
export function authorityAt(entry: Entry, field: string): string | undefined {
  const found = pemAt(entry, field)
  if (found) parsed(found, `of ${titleOf(entry)}`, 'certificate', (text) => new X509Certificate(text))
  return found?.text
}

/** The text of a file that a field names. @throws UsageError when it cannot be read */
export function fileAt(file: string, field: string, entry: Entry): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error))
    throw new UsageError(
      `the ${field} ${shortened(file)} of ${titleOf(entry)} ${code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`}.`,
    )
  }
}

/** @throws UsageError when the text is no such thing */
export function parsed<T>({ text, from }: Pem, of: string, what: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch {
    throw new UsageError(`${from} ${of} holds no ${what} that can be read.`)
  }
}
