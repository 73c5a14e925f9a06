/** Places of keys and values: each stands exactly where its text stands, however a document is written. */
import fc from 'fast-check'
import { dump } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { Locator, Range } from '../src/document.js'
import type { Path } from '../src/finding.js'
import { locator } from '../src/reader/locate.js'
import { parse } from '../src/reader/parse.js'

/** The text of a range. */
function cut(text: string, { line, column, endLine, endColumn }: Range): string {
  const starts = [0, ...[...text.matchAll(/\r\n|\n|\r/g)].map((match) => match.index + match[0].length)]
  return text.slice((starts[line - 1] ?? 0) + column - 1, (starts[endLine - 1] ?? 0) + endColumn - 1)
}

/** What a text as it stands in a document means. */
function meaning(text: string): unknown {
  const parsed = parse(text)
  return parsed.ok ? parsed.value : undefined
}

/** Checks the places of all keys and scalars of a value. */
function check(text: string, value: unknown, place: Locator, path: Path = []): void {
  if (typeof value !== 'object' || value === null) {
    const found = cut(text, place.extent(path))
    // What is not written stands at its key, or at its dash.
    if (value === null && (found === '-' || found === cut(text, place.key(path)))) return
    // A block scalar's text alone has lost its indentation: its first and last lines have to do.
    if (/^[|>]/.test(found)) expect(typeof value).toBe('string')
    else if (found.includes('\n')) expect(meaning(`[${found}]`)).toEqual([value])
    else expect(meaning(/^(?:$|[^"'{[])/.test(found) ? `- ${found}` : `[${found}]`)).toEqual([value])
    return
  }
  for (const [key, item] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    expect(place.has(here)).toBe(true)
    if (!Array.isArray(value)) {
      const written = cut(text, place.key(here))
      expect(Object.keys((meaning(`? ${written}\n: x`) ?? {}) as object)).toEqual([key])
    }
    check(text, item, place, here)
  }
  expect(place.has([...path, 'no such key'])).toBe(false)
  expect(place.has([...path, 10_000])).toBe(false)
  expect(place.depth([...path, 'no such key', 0])).toBe(path.length)
}

function checkText(text: string, value: unknown): void {
  const parsed = parse(text)
  expect(parsed, text).toMatchObject({ ok: true })
  if (!parsed.ok) return
  expect(parsed.value, text).toEqual(value)
  check(text, value, locator(text, 1, 1))
}

const word = fc.oneof(
  fc.stringMatching(/^[a-z][a-zA-Z0-9./-]{0,12}$/),
  fc.constantFrom(
    'name',
    'spec',
    'app.kubernetes.io/name',
    'yes',
    'null',
    '0644',
    '1e3',
    '<<',
    '~',
    '',
    'é',
    '日本',
    '😀',
    '- a',
    'a: b',
    'a #b',
    '"',
    "'",
    '*x',
    '&x',
    '!x',
    '{',
    '[',
    '@',
    '%',
    '# x',
    ' x ',
    'a\tb',
    '__proto__',
    'constructor',
    '12',
    '-1',
    '.5',
    '?',
    ':',
    '-',
  ),
)
const text = fc.oneof(
  word,
  fc.constantFrom(
    'two\nlines',
    'two\nlines\n',
    '\nleading',
    '  indented\nlines',
    'trailing \nspace',
    'a\n\n\nb\n\n',
    '\ttab',
    'x'.repeat(200),
    `${'long words '.repeat(30)}end`,
    '---',
    '...',
    'a\n---\nb',
  ),
  fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter(
      (s) =>
        !/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ue0d0-\ue0d2]|[\ud800-\udfff]/.test(s),
    ),
)
const leaf = fc.oneof(
  text,
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(0.5, 1e21, -2.25),
)
const { tree } = fc.letrec<{ tree: unknown; object: object }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(word, tie('tree'), { maxKeys: 5 }),
}))
const documents = fc
  .oneof(
    fc.dictionary(word, tree, { minKeys: 1, maxKeys: 5 }),
    fc.array(tree, { minLength: 1, maxLength: 4 }),
  )
  .map(
    // Plain objects, so that they compare equal to what is read.
    (value) => structuredClone(value),
  )

describe('places', () => {
  it('in what js-yaml writes', () => {
    const styles = fc.record({
      indent: fc.integer({ min: 2, max: 6 }),
      noArrayIndent: fc.boolean(),
      flowLevel: fc.integer({ min: -1, max: 3 }),
      lineWidth: fc.constantFrom(-1, 20, 80),
      quotingType: fc.constantFrom<"'" | '"'>("'", '"'),
      forceQuotes: fc.boolean(),
      condenseFlow: fc.constant(false),
    })
    fc.assert(
      fc.property(documents, styles, (value, style) => {
        checkText(dump(value, { ...style, noRefs: true }), value)
      }),
      { numRuns: 400 },
    )
  })
  it('in JSON', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 1, 2, '\t'), (value, indent) => {
        const json = JSON.stringify(value, null, indent)
        check(json, value, locator(json, 1, 1))
      }),
      { numRuns: 200 },
    )
  })
  it('in what a person might write', () => {
    fc.assert(
      fc.property(documents, fc.infiniteStream(fc.nat({ max: 1000 })), (value, stream) => {
        const choose = (count: number) => (stream.next().value as number) % count
        checkText(written(value, choose), value)
      }),
      { numRuns: 400 },
    )
  })
  it('with CRLF', () => {
    fc.assert(
      fc.property(documents, (value) => {
        const lines = dump(value, { noRefs: true })
        fc.pre(!/[|>]/.test(lines))
        checkText(lines.replaceAll('\n', '\r\n'), value)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the place of', () => {
  const manifest = `# comment
apiVersion: v1
kind: "Pod" # é
metadata:
    labels: &labels {a: "1",  'b c' : [x, "y"]}
    annotations:
      script: |-  # comment
        # no comment
        a: b

      folded: >
        text
      日本: 😀  # 😀
      empty:
      "quoted \\"key\\"": plain  text # comment
      multi: first
        second
spec:
  containers:
  - name: web
    image: web:1
    env:
    - {name: A, value: b}
    -
    - name: B
  - &sidecar
    name: sidecar
  initContainers:
  -   *sidecar
  selector:
    <<: *labels
    own: "2"
  other:
    <<: [{k: v}, *labels]
    a: again
`
  const place = locator(manifest, 1, 1)
  const key = (...path: Path) => cut(manifest, place.key(path))
  const value = (...path: Path) => cut(manifest, place.value(path))
  const extent = (...path: Path) => cut(manifest, place.extent(path))
  it('keys', () => {
    expect(key('apiVersion')).toBe('apiVersion')
    expect(key('metadata', 'labels', 'b c')).toBe("'b c'")
    expect(key('metadata', 'annotations', '日本')).toBe('日本')
    expect(key('metadata', 'annotations', 'quoted "key"')).toBe('"quoted \\"key\\""')
    expect(key('spec', 'containers', 0, 'env', 2, 'name')).toBe('name')
  })
  it('values', () => {
    expect(value('kind')).toBe('"Pod"')
    expect(value('metadata', 'labels')).toBe(`{a: "1",  'b c' : [x, "y"]}`)
    expect(value('metadata', 'labels', 'b c', 1)).toBe('"y"')
    expect(value('metadata', 'annotations', '日本')).toBe('😀')
    expect(value('metadata', 'annotations', 'quoted "key"')).toBe('plain  text')
    expect(value('metadata', 'annotations', 'multi')).toMatch(/^first\n +second$/)
  })
  it('block scalars: their first line, and their whole', () => {
    expect(value('metadata', 'annotations', 'script')).toBe('|-  # comment')
    expect(extent('metadata', 'annotations', 'script')).toMatch(/^\|-[\s\S]*a: b$/)
    expect(extent('metadata', 'annotations', 'folded')).toMatch(/^>\n +text$/)
  })
  it('values as they are written', () => {
    const { written } = locator('a: 0755\nb: "on"\nc:\nd: &x 1e3\ne: *x\nf: [~]\n', 1, 1)
    expect(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => written([key]))).toEqual([
      '0755',
      '"on"',
      undefined,
      '1e3',
      '*x',
      '[~]',
    ])
    expect(written(['f', 0])).toBe('~')
    expect(written(['f', 1])).toBeUndefined()
  })
  it('collections: to the end of their last part', () => {
    expect(extent('spec', 'containers', 0)).toMatch(/^name: web[\s\S]*- name: B$/)
    expect(extent('spec', 'containers')).toMatch(/^- name: web[\s\S]*name: sidecar$/)
    expect(extent()).toBe(manifest.slice(manifest.indexOf('apiVersion')).trimEnd())
  })
  it('list items: their first line', () => {
    expect(key('spec', 'containers', 0)).toBe('name: web')
    expect(key('spec', 'containers', 0, 'env', 0)).toBe('{name: A, value: b}')
    expect(key('metadata', 'labels', 'b c', 0)).toBe('x')
  })
  it('nothing: the key, or the dash', () => {
    expect(value('metadata', 'annotations', 'empty')).toBe('empty')
    expect(value('spec', 'containers', 0, 'env', 1)).toBe('-')
    expect(place.has(['metadata', 'annotations', 'empty'])).toBe(true)
  })
  it('what is missing: the nearest ancestor', () => {
    expect(key('metadata', 'name')).toBe('metadata')
    expect(value('metadata', 'name')).toBe('metadata')
    expect(key('spec', 'containers', 0, 'livenessProbe', 'httpGet')).toBe('name: web')
    expect(key('spec', 'containers', 7, 'name')).toBe('containers')
    expect(key('kind', 'x')).toBe('kind')
    expect(key('nothing', 'at', 'all')).toBe('apiVersion')
    expect(key()).toBe('apiVersion')
    expect(place.has(['metadata', 'name'])).toBe(false)
  })
  it('aliases: their own place, and inside of them the anchor', () => {
    expect(value('spec', 'initContainers', 0)).toBe('*sidecar')
    expect(key('spec', 'initContainers', 0)).toBe('*sidecar')
    expect(value('spec', 'initContainers', 0, 'name')).toBe('sidecar')
    expect(place.has(['spec', 'initContainers', 0, 'image'])).toBe(false)
    expect(key('spec', 'initContainers', 0, 'image')).toBe('*sidecar')
  })
  it('merged keys: where they are written', () => {
    expect(place.key(['spec', 'selector', 'a'])).toEqual(place.key(['metadata', 'labels', 'a']))
    expect(value('spec', 'selector', 'own')).toBe('"2"')
    expect(value('spec', 'other', 'k')).toBe('v')
    expect(value('spec', 'other', 'a')).toBe('again')
    expect(place.has(['spec', 'other', 'b c', 0])).toBe(true)
    expect(place.has(['spec', 'selector', '<<'])).toBe(false)
  })
  it('repeated keys', () => {
    const text = 'a: 1\nb:\n  c: 2\n  "c": 3\na: 4\n'
    const { duplicates, ...rest } = locator(text, 1, 1)
    expect(duplicates.map(({ path, range }) => [path.join('.'), cut(text, range)])).toEqual([
      ['b.c', '"c"'],
      ['a', 'a'],
    ])
    expect(duplicates.map(({ first, isSame }) => [first.line, isSame])).toEqual([
      [3, false],
      [1, false],
    ])
    const alike = locator('a:\n- "b"\na: [b]\nc: "1"\nc: 1\n', 1, 1).duplicates
    expect(alike.map(({ isSame }) => isSame)).toEqual([false, true])
    expect(cut(text, rest.value(['b', 'c']))).toBe('3')
    expect(cut(text, rest.value(['a']))).toBe('4')
  })
  it('parts of a document within a file', () => {
    const inner = locator('{"a": 1,\n "b": 2}', 5, 10)
    expect(inner.key(['a'])).toEqual({ line: 5, column: 11, endLine: 5, endColumn: 14 })
    expect(inner.key(['b'])).toEqual({ line: 6, column: 2, endLine: 6, endColumn: 5 })
  })
  it('anything in a text that cannot be read: its start', () => {
    for (const text of ['a: [', '', '\ud800', '{"a": "\\q"}']) {
      const { line, column } = locator(text, 3, 2).key(['a', 0, 'b'])
      expect([line, column]).toEqual([3, 2])
    }
  })
})

/** Writes a value in styles picked by `choose`: comments, blank lines, quotes, flow, odd indentation, anchors, tags. */
function written(value: unknown, choose: (count: number) => number): string {
  const noise = () => ['', '', '', '\n', '# comment: [x\n', '\n   # more\n\n'][choose(6)] ?? ''
  const end = () => [' # it\'s: "x', '  ', '', '', ''][choose(5)] ?? ''
  const gap = () => [' ', '  ', ' '][choose(3)] ?? ' '
  const mark = () => ['', '', '', '', `&a${choose(50)} `][choose(5)] ?? ''

  const scalar = (item: unknown): string => {
    if (typeof item !== 'string') return mark() + JSON.stringify(item)
    const plain = /^[a-z][a-zA-Z0-9./-]*$/.test(item) && parse(item).ok && meaning(item) === item
    if (plain && choose(2) === 0) return mark() + item
    if (/^[^\n\t\\]*$/.test(item) && choose(2) === 0) return `${mark()}'${item.replaceAll("'", "''")}'`
    return `${mark()}${['', '!!str '][choose(2)]}${JSON.stringify(item).replaceAll('\u007f', '\\u007f')}`
  }
  const key = (name: string) =>
    scalar(name)
      .replace(/^&\S+ /, '')
      .replace(/^!!str /, '')
  const flow = (item: unknown): string => {
    if (Array.isArray(item))
      return `[${item.map((one) => gap() + flow(one)).join([',', ' ,', ',\n  '][choose(3)])}${gap()}]`
    if (typeof item === 'object' && item !== null)
      return `{${Object.entries(item)
        .map(([name, one]) => `${gap()}${key(name)}${['', ' '][choose(2)]}:${gap()}${flow(one)}`)
        .join([',', ' ,', ',\n    '][choose(3)])}${gap()}}`
    return scalar(item).replace(/^&\S+ /, '')
  }
  const indented = (block: string, by: number) => block.replace(/^(?=[^\n])/gm, ' '.repeat(by))
  /** What comes after a colon or a dash. */
  const after = (item: unknown): string => {
    const isCollection = typeof item === 'object' && item !== null && Object.keys(item).length > 0
    if (!isCollection) {
      const isLiteral =
        typeof item === 'string' && /^[a-z][^\n]*\n[a-z][^\n]*\n$/.test(item) && choose(2) === 0
      if (isLiteral) return ` |${end().trimEnd()}\n${indented(item, 1 + choose(4))}`
      if (item === null && choose(3) === 0) return `${end()}\n`
      const inner = typeof item === 'object' && item !== null ? flow(item) : scalar(item)
      return choose(6) === 0
        ? `${end()}\n${noise()}${indented(`${inner}`, 8)}${end()}\n`
        : `${gap()}${inner}${end()}\n`
    }
    if (choose(4) === 0) return `${gap()}${indented(flow(item), 8).trimStart()}${end()}\n`
    const anchor = mark()
    const by = 1 + choose(4)
    return `${anchor && ` ${anchor.trim()}`}${end()}\n${noise()}${indented(block(item), by)}`
  }
  const block = (item: unknown): string => {
    if (Array.isArray(item))
      return item
        .map((one) => {
          const isMapping = typeof one === 'object' && one !== null && Object.keys(one).length > 0
          const compact = isMapping && choose(2) === 0
          return compact ? `- ${indented(block(one), 2).trimStart()}` : `-${after(one)}`
        })
        .join('')
    return Object.entries(item as object)
      .map(([name, one]) => {
        const explicit = choose(10) === 0
        return explicit
          ? `? ${key(name)}${end()}\n:${after(one)}`
          : `${key(name)}${[':', ' :'][choose(2)]}${after(one)}`
      })
      .join(noiseBetween())
  }
  const noiseBetween = () => ['', '', '\n', '# comment\n'][choose(4)] ?? ''
  return block(value)
}
