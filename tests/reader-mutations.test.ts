/** Damaged manifests: whatever happens to a text, the reader answers with documents, problems and skips. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPaths } from '../src/reader/read.js'
import { secretRanges } from '../src/reader/secret.js'
import { unfold } from '../src/reader/unfold.js'
import { cases } from './oracle/cases.js'

const root = join(__dirname, '..', 'fixtures')

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : /\.(ya?ml|json)$/.test(entry.name) ? [path] : []
  })
}

const manifests = [
  ...[...filesBelow(join(root, 'healthy')), ...filesBelow(join(root, 'broken'))].map((path) =>
    readFileSync(path, 'latin1'),
  ),
  ...cases()
    .filter(({ name }) => !/^(value|key|flow) /.test(name))
    .map(({ text }) => `apiVersion: v1\nkind: Secret\ndata:\n  a: b\n---\n${text}`),
]

/** Reads a text and asks everything that can be asked about it. */
function readAll(text: string | Buffer): void {
  const input = readPaths(['-'], { cwd: root, stdin: () => text })
  for (const { message, range } of input.problems) {
    expect(message).toMatch(/^[A-Zk][^\n]*\.$/)
    expect(range.line).toBeGreaterThan(0)
    expect(range.column).toBeGreaterThan(0)
  }
  for (const document of input.documents) {
    const place = document.locate()
    place.duplicates.forEach(({ path }) => void expect(place.has(path)).toBe(true))
    secretRanges(document)
    for (const { value, path } of unfold(document))
      for (const field of Object.keys(value)) {
        expect(place.has([...path, field])).toBe(true)
        place.key([...path, field])
        place.value([...path, field, 'missing', 0])
      }
  }
}

const pieces = fc.constantFrom(
  ...[
    '\t',
    ' ',
    '  ',
    '\n',
    '\r',
    '\r\n',
    ':',
    ': ',
    '-',
    '- ',
    '---\n',
    '\n---\n',
    '...',
    '\n...\n',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    '{{',
    '}}',
    '{%',
    ',',
    '#',
    ' #',
    '&a ',
    '*a',
    '<<: ',
    '<<: *a',
    '!!str ',
    '!x ',
    '|',
    '|\n',
    '>-',
    '?',
    '? ',
    '@',
    '`',
    '%',
    '\\',
    '\\x',
    '~',
    'null: ',
    '\0',
    '\u0001',
    '\ufeff',
    '\u2028',
    '\u0085',
    '\ud800',
    '\ue0d0',
    '__proto__: ',
    'apiVersion: v1\n',
    'kind: Secret\n',
    '$patch: delete\n',
    '<<<<<<< HEAD\n',
    '=======\n',
  ],
)

describe('the reader survives', () => {
  it('insertions, deletions, repetitions and swaps', () => {
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.nat({ max: 12 }),
      piece: pieces,
      how: fc.nat({ max: 3 }),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...manifests),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (text, changes) => {
          let changed = text
          for (const { at, length, piece, how } of changes) {
            const start = Math.floor(at * changed.length)
            const [before, middle, after] = [
              changed.slice(0, start),
              changed.slice(start, start + length),
              changed.slice(start + length),
            ]
            changed =
              [
                before + piece + middle + after,
                before + after,
                before + middle + middle + after,
                after + before + middle,
              ][how] ?? changed
          }
          readAll(changed)
        },
      ),
      { numRuns: 3000 },
    )
  })
  it('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...manifests), (bytes, text) => {
        readAll(Buffer.concat([Buffer.from(text.slice(0, 200)), bytes, Buffer.from(text.slice(200))]))
        readAll(Buffer.from(bytes))
      }),
      { numRuns: 500 },
    )
  })
  it('a text that ends anywhere', () => {
    for (const text of manifests.slice(0, 30))
      for (let end = 0; end < text.length; end += 7) readAll(text.slice(0, end))
  })
})
