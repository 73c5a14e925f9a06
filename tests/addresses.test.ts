/** Address ranges and Corefiles, as rules read them. */
import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corefile } from '../src/graph/corefile.js'
import { cidr, cidrs, overlaps } from '../src/values/cidr.js'
import { isIP as version } from '../src/values/ip.js'

const range = (text: string) => {
  const found = cidr(text)
  return found && [found.first, found.last - found.first + 1n, found.width, found.bits]
}

describe('an address', () => {
  it('has the version that Node.js finds, and with a zone none', () => {
    const byte = fc.constantFrom(
      '0',
      '1',
      '9',
      '10',
      '99',
      '100',
      '199',
      '249',
      '250',
      '255',
      '256',
      '300',
      '01',
      '00',
      '',
      'a',
    )
    const dotted = fc.array(byte, { minLength: 3, maxLength: 5 }).map((all) => all.join('.'))
    const text = fc.oneof(
      dotted,
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV6().map((one) => `${one}%eth0`),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (one) => version(one) === (one.includes('%') ? 0 : isIP(one))),
      { numRuns: 3000 },
    )
    for (const one of ['1.2.3.4\n', ' 1.2.3.4', '1.2.3.4 ', '1.2.3.4.', '::ffff:1.2.3.4', '::', ':'])
      expect([one, version(one)]).toEqual([one, isIP(one)])
  })
})

describe('a range', () => {
  it('begins where its prefix does', () => {
    expect(range('10.1.2.3/24')).toEqual([167838208n, 256n, 32, 24])
    expect(range('10.1.2.3')).toEqual([167838211n, 1n, 32, 32])
    expect(range('0.0.0.0/0')).toEqual([0n, 4294967296n, 32, 0])
  })

  it('may be of IPv6', () => {
    expect(range('::1')).toEqual([1n, 1n, 128, 128])
    expect(range('::ffff:10.0.0.1')).toEqual(range('::ffff:a00:1'))
    expect(range('fd00::/8')).toEqual([0xfdn << 120n, 1n << 120n, 128, 8])
    expect(range('1:2:3:4:5:6:7:8')?.[0]).toBe(0x00010002000300040005000600070008n)
  })

  it.each([
    '',
    '10.0.0/8',
    '10.0.0.256',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    ':::',
    '1:2',
    'a.b.c.d',
    '::12345',
  ])('is not %s', (text) => {
    expect(cidr(text)).toBeUndefined()
  })

  it('overlaps what has an address of it', () => {
    const [a, b, c, d] = cidrs('10.0.0.0/8, 10.255.255.255,11.0.0.0/8,fd00::/8')
    const pairs = [a, b, c, d].flatMap((one) => (one ? [one] : []))
    expect(pairs.map((one) => pairs.map((other) => overlaps(one, other)))).toEqual([
      [true, true, false, false],
      [true, true, false, false],
      [false, false, true, false],
      [false, false, false, true],
    ])
  })
})

describe('a Corefile', () => {
  it('has server blocks with plugins and their options', () => {
    const text = `
# comment {
(snippet) {
    errors
}
.:53, example.org
cluster.local {
    import snippet # }
    kubernetes cluster.local {
        pods insecure
        deeper {
            still deeper
        }
        ttl 30
    }
    log . "{remote} says \\"#1\\"" {
        class error
    }
}
other { 
  whoami
}`
    expect(corefile(text)).toEqual([
      { keys: ['(snippet)'], plugins: [{ name: 'errors', args: [], options: [] }] },
      {
        keys: ['.:53', 'example.org', 'cluster.local'],
        plugins: [
          { name: 'import', args: ['snippet'], options: [] },
          {
            name: 'kubernetes',
            args: ['cluster.local'],
            options: [
              { name: 'pods', args: ['insecure'] },
              { name: 'deeper', args: [] },
              { name: 'ttl', args: ['30'] },
            ],
          },
          {
            name: 'log',
            args: ['.', '{remote} says \\"#1\\"'],
            options: [{ name: 'class', args: ['error'] }],
          },
        ],
      },
      { keys: ['other'], plugins: [{ name: 'whoami', args: [], options: [] }] },
    ])
  })

  it.each(['', '}', '{', '} } }', '. {', '. {\n  forward . {'])('may be broken: %j', (text) => {
    expect(() => corefile(text)).not.toThrow()
  })
})
