/** The reader for plain block style: what it reads, the reader for all of YAML reads alike. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Path } from '../src/finding.js'
import { nodesOf, readBlock } from '../src/reader/block.js'
import type { Entry, TextNode } from '../src/reader/node.js'
import { outlineAny } from '../src/reader/outline.js'
import { parseAny } from '../src/reader/parse.js'
import { split } from '../src/reader/split.js'
import { valueAt } from '../src/values/untyped.js'
import { cases } from './oracle/cases.js'

const root = join(__dirname, '..', 'fixtures')

const documents = [
  ...readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(join(root, name), 'utf8')),
  ...cases().map(({ text }) => text),
].flatMap((text) =>
  split(text)
    .filter((chunk) => !('json' in chunk))
    .map((chunk) => chunk.text),
)

/** A node without what nobody asks for: the place of something that is not written. */
function shape({ kind, start, end, entries, items, isNull, target }: TextNode): unknown {
  return {
    kind,
    // The end of a collection may lie on either side of an empty last part.
    ...(kind === 'scalar' || kind === 'alias' ? { start, end } : kind === 'nothing' ? {} : { start }),
    ...(target && { target: shape(target) }),
    isNull: isNull ?? false,
    entries: entries.map(({ name, key, value }) => [name, shape(key), shape(value)]),
    items: items.map(shape),
  }
}

/** The paths of a node, down to what it holds. */
function* pathsIn(node: TextNode, path: Path = []): Generator<Path> {
  yield path
  for (const { name, value, isMerge } of node.entries) if (!isMerge) yield* pathsIn(value, [...path, name])
  for (const [i, item] of node.items.entries()) yield* pathsIn(item, [...path, i])
}

/** The last entry at a path, looked for on the way or among all that were read. */
function entryAt(root: TextNode, path: Path, isQuick: boolean) {
  let node = root
  let entry: Entry | undefined
  for (const step of path) {
    if (typeof step === 'number') node = node.items[step] ?? root
    else {
      const quick = isQuick ? node.find?.(step) : undefined
      entry = quick === undefined ? node.entries.findLast(({ name }) => name === step) : (quick ?? undefined)
      if (!entry) return undefined
      node = entry.value
    }
  }
  return entry && { name: entry.name, key: shape(entry.key), value: shape(entry.value) }
}

/** An entry is the same whether the others are read, too. */
function compareEntries(text: string, hasDuplicates: boolean): void {
  const { root } = nodesOf(text)
  for (const path of [...pathsIn(root)].slice(0, 150)) {
    const wanted = entryAt(root, path, false)
    expect(entryAt(nodesOf(text, hasDuplicates).root, path, true), text).toEqual(wanted)
    if (wanted)
      expect(entryAt(nodesOf(text, hasDuplicates).root, [...path, 'not there'], true)).toBeUndefined()
  }
}

/** Whether the text was read at all. */
function compare(text: string): boolean {
  const block = readBlock(text)
  if (!block) return false
  expect({ ok: true, ...block, isPlain: false }, text).toEqual(parseAny(text))
  compareEntries(text, block.hasDuplicates)
  const nodes = nodesOf(text)
  const any = outlineAny(nodes.text)
  // Where js-yaml needed a text with additions, its places are others.
  if (any && any.text === nodes.text) expect(shape(nodes.root), text).toEqual(shape(any.root))
  return true
}

describe('plain block YAML', () => {
  it('is read as by the reader for all of YAML', () => {
    expect(documents.filter(compare).length).toBeGreaterThan(documents.length / 2)
  })

  it('may have the line breaks of Windows', () => {
    const windows = documents.map((text) => text.replace(/\r?\n/g, '\r\n'))
    expect(windows.filter(compare).length).toBeGreaterThan(windows.length / 2)
  })

  it('may have anchors and aliases', () => {
    const scalar = fc.constantFrom(
      ...[
        'x',
        '1',
        'yes',
        'null',
        '"a b"',
        "'it''s'",
        'two words',
        'a # c',
        '|\n  a',
        '[b]',
        '- c',
        'x\n  y',
        'k: v',
        'k: v\n  l:\n    - m',
        'k: *a',
        'k: &b v\n  l: *b',
        '- k: v\n    l: w\n  - *a',
        '- k\n- l',
        '- k: v\n- *b',
        '# c\n  k: v',
        '',
      ],
    )
    const use = fc.constantFrom(
      ...[
        'b: *a',
        'b:\n  - *a\n  - *a',
        'b: *a # c',
        'b: *a c',
        '*a : b',
        '- *a',
        'b: [*a]',
        'b: *ab',
        'b: *a\n  c',
        'b: *a-',
        'a: &a z\nc: *a',
        'b: &b *a',
        'b: *a\r\nc: *a',
      ],
    )
    const anchor = fc.constantFrom(
      ...[
        'a: &a ',
        'a: &a  ',
        'a:\n  - &a ',
        '- &a ',
        'a: &a.b ',
        '&a ',
        'a: &a &b ',
        'a: &a\n  &b ',
        '&a\n&a\n',
        'a: &a\n  &b\n  ',
        'a: &a\n  ',
        'a: &a # c\n  ',
        '- &a\n  ',
        'a:\n- &a\n  ',
        'a: &a\n',
        '- &a\n',
        '- a: &a\n  ',
        '&a\n  ',
        '&a k: ',
        'a: &a !!str ',
      ],
    )
    fc.assert(
      fc.property(anchor, scalar, fc.array(use, { maxLength: 3 }), (mark, value, uses) => {
        compare([mark + value, ...uses].join('\n'))
      }),
      { numRuns: 3000 },
    )
    expect(readBlock('a: &a 1\nb:\n  - *a\n')?.value).toEqual({ a: 1, b: [1] })
    expect(readBlock('a: &a\n  k: v\nb: *a\n')?.value).toEqual({ a: { k: 'v' }, b: { k: 'v' } })
  })

  it('may repeat keys, however they are written', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'toString', 'constructor', 'web-1', 'web-2', 'x', 'a b')
    const quoted = fc.constantFrom('a', 'b', 'toString', '1', '01', 'web-1').map((text) => `"${text}"`)
    const key = fc.oneof(
      name,
      quoted,
      name.map((text) => `'${text}'`),
    )
    const inner = fc.array(key, { maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(key, inner), { minLength: 1, maxLength: 40 }), (entries) => {
        const lines = entries.flatMap(([one, within], i) => [
          within.length > 0 ? `${one}:` : `${one}: ${i}`,
          ...within.map((child) => `  ${child}: ${i}`),
        ])
        expect(compare(lines.join('\n'))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('may have tabs behind values', () => {
    const text = "a: b\t\nc: 80 \t\ne: 'f'\t\ng:\n  - h\t\t\n  - [i]\t\nj: k\t"
    expect(compare(text)).toBe(true)
    const put = fc.record({
      at: fc.nat(80),
      piece: fc.constantFrom('\t', ' \t', '\t#', '\t: ', '-', ':', '- '),
    })
    fc.assert(
      fc.property(fc.array(put, { minLength: 1, maxLength: 3 }), (all) => {
        compare(all.reduce((before, { at, piece }) => before.slice(0, at) + piece + before.slice(at), text))
      }),
      { numRuns: 1000 },
    )
  })

  it('may be JSON with a line for each value', () => {
    const text = JSON.stringify({ a: 1, b: [true, null, { c: 'd', e: 2.5 }], f: {} }, undefined, 2)
    expect(compare(text)).toBe(true)
    const put = fc.record({ at: fc.nat(100), piece: fc.constantFrom('\n', ' x', ' # y\n', ',', ':', 'z') })
    fc.assert(
      fc.property(put, ({ at, piece }) => {
        compare(text.slice(0, at) + piece + text.slice(at))
      }),
      { numRuns: 500 },
    )
  })

  it('gives no value twice, as rules tell values apart by identity', () => {
    const value = readBlock('a: &a\n  k: v\nb: *a\n')?.value
    expect(valueAt(value, 'a')).toEqual({ k: 'v' })
    expect(valueAt(value, 'a')).not.toBe(valueAt(value, 'b'))
  })

  it('leaves aliases that kubectl refuses to the other reader', () => {
    const levels = [...'bcdefgh'].map((name, i) => `${name}: &${name}\n${`  - *${'abcdefg'[i]}\n`.repeat(9)}`)
    const bomb = `a: &a\n  - x\n  - y\n${levels.join('')}`
    expect(readBlock(bomb)).toBeUndefined()
    expect(parseAny(bomb)).toMatchObject({ ok: false, mistake: { reason: 'refused' } })
  })

  it('is left alone once it is no longer plain, or no longer right', () => {
    const piece = fc.constantFrom(
      ...[' ', '  ', '\n', '\n  ', ':', ': ', '- ', '-', '#', ' #', '"', "'", '[', ']', '{', '}', ', ', '|'],
      ...['>', '|-\n', '>+\n', '\\', '&a ', '*a', '!!str ', '? ', '\t', '%', '@', '~', 'null', '0x1', '<<: '],
      ...['\n---\n', '\n...\n', '\n\n', 'a: b\n', '\r\n', '\ufeff', '\u0085', 'é', '😀', '__proto__: 1\n'],
    )
    const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(20), piece })
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.array(change, { maxLength: 3 }), (text, changes) => {
        compare(
          changes.reduce((before, { at, cut, piece: put }) => {
            const from = Math.floor(at * before.length)
            return before.slice(0, from) + put + before.slice(from + cut)
          }, text),
        )
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['a: b: c', 'a mapping on the line of its key'],
    ['a:\n  b\n  c: d', 'a key after text'],
    ['a: |\n    b\n   c', 'a block scalar that ends in the middle'],
    ['a: "b" c', 'text after quotes'],
    ['a: [b] c', 'text after brackets'],
    ['- a\nb: c', 'a mapping after a list'],
    ['a: b\n c: d', 'an indented key'],
    ['a: b # c\n  d', 'text after a comment'],
    ['---a: b', 'a mark of a document'],
    ['toString: 1\n__proto__: 2', 'names that every object has'],
  ])('%j is not its business: %s', (text) => {
    expect(readBlock(text)).toBeUndefined()
  })
})
