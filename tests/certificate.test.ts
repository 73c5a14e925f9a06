/** Certificates come from whoever wrote the manifest: no text may stop a run. */
import { describe, expect, it } from 'vitest'
import { certificatesIn, decoded } from '../src/graph/certificate.js'

const begin = '-----BEGIN CERTIFICATE-----'
const end = '-----END CERTIFICATE-----'

describe('certificatesIn', () => {
  it('finds none in a text without blocks', () => {
    expect(certificatesIn('')).toEqual([])
    expect(certificatesIn('no certificate')).toEqual([])
    expect(certificatesIn(end)).toEqual([])
  })

  it.each([
    ['nothing', ''],
    ['no base64', '\n%%%%\n'],
    ['no DER', '\nbm90IGEgY2VydGlmaWNhdGU=\n'],
    ['a length of two gigabytes', '\nMIR/////AAAA\n'],
    ['nested sequences', `\n${Buffer.from('3080'.repeat(5000), 'hex').toString('base64')}\n`],
  ])('refuses a block with %s', (_, body) => {
    expect(certificatesIn(`${begin}${body}${end}`)).toBeUndefined()
  })

  it('refuses a block without an end', () => {
    expect(certificatesIn(begin.repeat(30_000))).toBeUndefined()
  })
})

describe('decoded', () => {
  it.each([
    ['Cg==', '\n'],
    [' SGVs\nbG8= ', 'Hello'],
    ['', ''],
    ['CRT', undefined],
    ['$' + '{CA}', undefined],
  ])('%j is %j', (text, value) => {
    expect(decoded(text)).toBe(value)
  })
})
