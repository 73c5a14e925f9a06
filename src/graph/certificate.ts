/** Certificates in PEM, as bundles of certificate authorities hold them. */
import { isBase64 } from '../schema/format.js'

/** What matters here of an X.509 certificate. */
export interface Certificate {
  /** The subject's common name, or all of the subject where it has none. */
  readonly name: string
  /** In milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

const begin = '-----BEGIN CERTIFICATE-----'
const end = '-----END CERTIFICATE-----'

/**
 * The certificates of a text; undefined when a block in it is no certificate. Other text around the blocks is passed
 * over, as Go does. Never throws, and takes linear time whatever the text is.
 */
export function certificatesIn(pem: string): readonly Certificate[] | undefined {
  const found: Certificate[] = []
  for (let start = pem.indexOf(begin); start >= 0; ) {
    const stop = pem.indexOf(end, start)
    if (stop < 0) return undefined
    const one = certificate(pem.slice(start, stop + end.length))
    if (!one) return undefined
    found.push(one)
    start = pem.indexOf(begin, stop)
  }
  return found
}

function certificate(block: string): Certificate | undefined {
  try {
    // Loaded when the first certificate comes along: 4 ms.
    const { X509Certificate } = process.getBuiltinModule('node:crypto')
    const { subject, validFrom, validTo } = new X509Certificate(block)
    const [notBefore, notAfter] = [Date.parse(validFrom), Date.parse(validTo)]
    const name = /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ')
    return Number.isNaN(notBefore) || Number.isNaN(notAfter)
      ? undefined
      : { name: printable(name), notBefore, notAfter }
  } catch {
    // OpenSSL refuses it.
    return undefined
  }
}

/** The certificate of a bundle that ends last: as long as it is valid, the bundle may serve. */
export function lastToEnd(certificates: readonly Certificate[]): Certificate | undefined {
  return [...certificates].sort((a, b) => b.notAfter - a.notAfter)[0]
}

/** The day of a time in milliseconds since 1970, in UTC: `2027-03-01`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** A certificate may hold any text for a name. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 64) || 'without a name'
}

/** The text of base64 data; undefined when it is none. */
export function decoded(base64: string): string | undefined {
  const text = base64.replace(/\s/g, '')
  return isBase64(text) ? Buffer.from(text, 'base64').toString('latin1') : undefined
}
