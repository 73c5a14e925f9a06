/** Lists that are read object by object say what they say when they are read as a whole. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pageIn } from '../src/cluster/page.js'

interface List {
  readonly metadata: unknown
  readonly items: readonly unknown[]
}

/** The text as an API server writes it. */
function text(
  items: readonly object[],
  metadata: object = { resourceVersion: '7', continue: 'next' },
): string {
  return `${JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items })}\n`
}

/** An entry of managedFields, its fields in the order of the Go type. */
function entry(fieldsV1: object, operation = 'Update', subresource?: string): object {
  const time = '2026-01-01T00:00:00Z'
  const manager = 'kubelet'
  return { manager, operation, apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1, subresource }
}

function pod(
  managedFields: readonly object[],
  name = 'web',
  rest: object = { spec: { nodeName: 'a' } },
): object {
  return { metadata: { name, labels: { app: 'web' }, managedFields }, ...rest }
}

function read(written: string): List {
  const { metadata, items } = pageIn(written) as { metadata: unknown; items: Iterable<unknown> }
  return { metadata, items: [...items] }
}

/** The same as a whole, without the fields that updates have set. */
function whole(written: string): List {
  const { metadata, items } = JSON.parse(written, (_, value) =>
    value?.operation === 'Update' && value.fieldsType ? { ...value, fieldsV1: {} } : value,
  )
  return { metadata, items }
}

const hostile = [
  '}]},"spec',
  '}},{"manager":"',
  '},"subresource":"',
  '},{"metadata":{"name":"x',
  '"items":[{"metadata":{"',
  '"operation":"Update","apiVersion":"v1","time":"","fieldsType":"FieldsV1","fieldsV1":{',
  'x}}]},',
  'x}],',
  '\\',
  '"',
  '\u2028',
]

describe('a page of a list', () => {
  it('comes without the fields that updates have set, and with all else', () => {
    const update = entry({ 'f:status': { 'f:phase': {} } }, 'Update', 'status')
    const apply = entry({ 'f:spec': { 'f:replicas': {} } }, 'Apply')
    const written = text([
      pod([update, apply, update]),
      pod([apply], 'api'),
      pod([], 'db'),
      pod([update], 'x'),
    ])
    expect(read(written)).toEqual(whole(written))
    expect(JSON.stringify(read(written))).not.toContain('f:phase')
    expect(JSON.stringify(read(written))).toContain('f:replicas')
  })
  it('may end with metadata, and be empty', () => {
    const bare = text([pod([entry({ a: {} })], 'web', {}), pod([entry({ a: {} })], 'api', {})])
    expect(read(bare).items).toHaveLength(2)
    expect(read(text([]))).toEqual({ metadata: { resourceVersion: '7', continue: 'next' }, items: [] })
  })
  it.each(hostile)('holds what names say: %s', (name) => {
    const fields = { [`f:${name}`]: { [`k:{"name":${JSON.stringify(name)}}`]: {} } }
    const spec = { containers: [{ env: [{ name, value: name }] }] }
    const one = { ...pod([entry(fields, 'Update', name)], name, { spec }), [name]: { [name]: [name] } }
    const written = text([one, pod([entry(fields)]), one], { continue: name })
    expect(read(written)).toEqual(whole(written))
  })
  it('may hold what looks like the next object', () => {
    const spec = { volumeClaimTemplates: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }] }
    const written = text([pod([], 'first'), pod([], 'db', { spec }), pod([], 'last')])
    expect(read(written)).toEqual(JSON.parse(written, (key, value) => (key === '' ? pick(value) : value)))
  })
  it('that breaks off is no JSON', () => {
    const written = text([pod([]), pod([])]).trimEnd()
    for (let length = 1; length < written.length; length++)
      expect(() => read(written.slice(0, length)), written.slice(0, length)).toThrow(SyntaxError)
  })
  it('of anything else is read as it is', () => {
    expect(pageIn('{"kind":"Status","code":410}')).toEqual({ kind: 'Status', code: 410 })
    expect(pageIn('[]')).toEqual([])
    expect(pageIn('{"items":null,"metadata":{}}')).toEqual({ items: null, metadata: {} })
  })

  const name = fc.oneof(fc.constantFrom(...hostile), fc.string({ maxLength: 8 }))
  /** A set of fields: mappings alone, which end with empty ones. */
  const fieldsOf = (levels: number): fc.Arbitrary<object> =>
    levels === 0 ? fc.constant({}) : fc.dictionary(name, fieldsOf(levels - 1), { maxKeys: 3 })
  const tree = fc.object({ key: name, values: [fc.constant({}), name], maxDepth: 3, maxKeys: 4 })
  const object = fc
    .tuple(fc.array(fc.tuple(fieldsOf(4), fc.constantFrom('Update', 'Apply'), fc.option(name))), name, tree)
    .map(([entries, own, spec]) =>
      pod(
        entries.map(([fields, operation, subresource]) => entry(fields, operation, subresource ?? undefined)),
        own,
        { spec },
      ),
    )
  it('of any objects', () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), (items) => {
        const written = text(items)
        expect(read(written)).toEqual(whole(written))
      }),
      { numRuns: 2000 },
    )
  })
})

function pick({ metadata, items }: List): List {
  return { metadata, items }
}
