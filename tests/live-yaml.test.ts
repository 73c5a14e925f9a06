/** The YAML of live objects: it means the object, and every part stands where the locator says. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { render } from '../src/cluster/yaml.js'
import type { Path } from '../src/finding.js'
import { locator, locatorOf } from '../src/reader/locate.js'
import { parseAny } from '../src/reader/parse.js'
import { isObject } from '../src/values/untyped.js'

const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom(...'ab:# -\n\t\'"|>[]{}&*!%@`,?.=~1e0xyn<\r\u00a0é') }),
  fc.constantFrom(
    'yes',
    'on',
    'null',
    '~',
    '1.10',
    '0755',
    '1e3',
    '-',
    '--',
    '---',
    '...',
    '--v=2',
    '- a',
    '<<',
    '',
    'a: b',
    'a #b',
    'x\ny\n',
    '\n',
    ' x\ny',
    'x\n\n',
    'x\n  \n y',
  ),
)
const { value: objects } = fc.letrec<{ value: Record<string, unknown>; any: unknown }>((tie) => ({
  value: fc.dictionary(texts, tie('any'), { maxKeys: 5 }) as fc.Arbitrary<Record<string, unknown>>,
  any: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    texts,
    fc.constantFrom(0, 1.5, -3, 1e21, true, false, null),
    fc.array(tie('any'), { maxLength: 4 }),
    tie('value'),
  ),
}))

function paths(value: unknown, path: Path = []): Path[] {
  const steps: readonly (string | number)[] = Array.isArray(value)
    ? value.map((_, i) => i)
    : isObject(value)
      ? Object.keys(value)
      : []
  return [
    path,
    ...steps.flatMap((step) => paths((value as Record<string | number, unknown>)[step], [...path, step])),
  ]
}

describe('the YAML of a live object', () => {
  it('means the object, and its places are those of the text', () => {
    fc.assert(
      fc.property(objects, (object) => {
        const { text, root } = render(object)
        const parsed = parseAny(text)
        expect(parsed.ok && parsed.value).toEqual(object)
        const ours = locatorOf(text, root, 1, 1)
        const read = locator(text, 1, 1)
        for (const path of paths(object)) {
          expect(ours.has(path)).toBe(true)
          expect(ours.key(path)).toEqual(read.key(path))
          expect(ours.value(path)).toEqual(read.value(path))
          expect(ours.extent(path)).toEqual(read.extent(path))
        }
      }),
      { numRuns: 2000 },
    )
  })
  it('leaves out what is nested too deep, and what is not there', () => {
    let deep: unknown = 'end'
    for (let i = 0; i < 20_000; i++) deep = i % 2 ? [deep] : { a: deep }
    expect(render({ deep, absent: undefined }).text).toMatch(/^deep:\n- a:\n/)
  })
})
