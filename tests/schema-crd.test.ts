/** CustomResourceDefinitions: schemas of all sorts, hostile ones first of all. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { dump, load } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { formatPath } from '../src/finding.js'
import type { Untyped } from '../src/kubernetes.js'
import { readBlock } from '../src/reader/block.js'
import { parseAny } from '../src/reader/parse.js'
import { readPaths } from '../src/reader/read.js'
import { unfold } from '../src/reader/unfold.js'
import { check } from '../src/schema/check.js'
import { customKinds } from '../src/schema/custom-kinds.js'
import { newestMinor } from '../src/schema/definitions.js'
import { knownSchema } from '../src/schema/known.js'
import { matcher } from '../src/schema/pattern.js'
import { suggestion } from '../src/schema/suggest.js'
import { isObject, objectAt, objectsAt } from '../src/values/untyped.js'

function definition(schema: unknown, more: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    spec: {
      group: 'example.com',
      names: { kind: 'Widget' },
      versions: [{ name: 'v1', served: true, schema: { openAPIV3Schema: schema }, ...more }],
    },
  }
}

const ofSpec = (spec: unknown) => definition({ type: 'object', properties: { spec } })
const widget = (spec: unknown) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'a' },
  spec,
})

/** `kind path` of what is wrong with a Widget, and why its schema cannot be used: the same whether its definition is read from a text. */
function judged(crd: ReturnType<typeof definition>, object: Record<string, unknown>) {
  const own = judgedBy(crd, object)
  if (!isSmall(crd)) return own
  const text = dump(crd, { noRefs: true })
  const read = readBlock(text)?.value
  if (isObject(read)) {
    expect(judgedBy(read, object), text).toEqual(own)
    for (const minor of [20, newestMinor])
      expect(problemsOf(read, minor), text).toEqual(problemsOf(load(text), minor))
    expect(read, text).toEqual(load(text))
  }
  return own
}

/** Whether it can be written down. */
function isSmall(value: unknown, count = { left: 1000 }, depth = 0): boolean {
  if (--count.left < 0 || depth > 50) return false
  return (
    typeof value !== 'object' ||
    value === null ||
    Object.values(value).every((one) => isSmall(one, count, depth + 1))
  )
}

function problemsOf(crd: unknown, minor: number) {
  return check(crd as object, 'apiextensions.k8s.io/v1', 'CustomResourceDefinition', minor).problems
}

function judgedBy(crd: object, object: Record<string, unknown>) {
  const customs = customKinds([crd as Untyped])
  const { problems } = check(object, String(object.apiVersion), String(object.kind), newestMinor, customs)
  return {
    problems: problems.map(({ kind, path }) => `${kind} ${formatPath(path)}`),
    unusable: customs.unusable(crd).map(({ message }) => message),
  }
}

const fine = { problems: [], unusable: [] }

describe('the text of a schema', () => {
  const crdWith = (schema: string) => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.com
  names:
    kind: Widget
  versions:
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
${schema.replace(/^(?=.)/gm, '        ')}
    storage: true
`

  /** How many of its schemas have values that are left alone until somebody asks for them. */
  const schemasIn = (crd: unknown) =>
    objectsAt(crd, 'spec', 'versions').filter((one) => {
      const holder = objectAt(one, 'schema')
      return holder !== undefined && knownSchema(holder) !== undefined
    }).length

  function isKnown(schema: string): boolean {
    const text = crdWith(schema)
    const read = readBlock(text)
    const known = schemasIn(read?.value)
    if (read) expect(read, text).toMatchObject({ value: load(text, { json: true }) })
    return known === 1
  }

  const object = (properties: string) => `type: object\nproperties:\n${properties.replace(/^(?=.)/gm, '  ')}`

  const cases = [
    ['types', object('a:\n  type: string\nb:\n  items:\n    type: integer\n  type: array')],
    ['texts of all sorts', object('a:\n  description: |-\n    a: b\n\n      - c\n  type: string')],
    ['texts in lines', object('a:\n  description: one two\n    three\n\n    four\n  type: string')],
    ['texts in quotes', object("a:\n  description: 'it''s\n    fine'\n  type: string")],
    ['a short text', object('a:\n  description: TLS\n  type: string')],
    ['numbers', object('a:\n  type: integer\n  minimum: 1\n  maximum: 65535\n  format: int32')],
    ['what must be there', `${object('a:\n  type: string')}\nrequired:\n- a`],
    [
      'lists with keys',
      object(
        'a:\n  type: array\n  items:\n    type: object\n    required:\n    - name\n    properties:\n      name:\n        type: string\n  x-kubernetes-list-type: map\n  x-kubernetes-list-map-keys:\n  - name',
      ),
    ],
    [
      'integers or texts',
      object('a:\n  anyOf:\n  - type: integer\n  - type: string\n  x-kubernetes-int-or-string: true'),
    ],
    [
      'alternatives',
      object(
        'a:\n  type: object\n  properties:\n    c:\n      type: string\n  oneOf:\n  - required:\n    - b\n  - properties:\n      c: {}',
      ),
    ],
    [
      'rules',
      object('a:\n  type: string\n  x-kubernetes-validations:\n  - rule: self != ""\n    message: is empty'),
    ],
    ['maps', object('a:\n  type: object\n  additionalProperties:\n    type: string\n  default: {}')],
  ] as const
  const everyWord = crdWith(
    object(cases.map(([, schema], i) => `p${i}:\n${schema.replace(/^(?=.)/gm, '  ')}`).join('\n')),
  )

  it.each(cases)('is read as a schema at once: %s', (_, schema) => {
    expect(isKnown(schema)).toBe(true)
  })

  it.each([
    ['a word that is none', object('a:\n  type: string\n  desciption: x')],
    ['a type that is none', object('a:\n  type: text')],
    ['no type', object('a:\n  description: x')],
    ['a word twice', object('a:\n  type: string\n  type: string')],
    ['a description twice', object('a:\n  description: x\n  type: string\n  description: x')],
    ['a text twice', object('a:\n  type: string\n  format: date\n  format: date')],
    ['a property twice', object('a:\n  type: string\na:\n  type: string')],
    ['a key twice in a default', object('a:\n  type: object\n  default:\n    b: 1\n    b: 2')],
    ['a description that is a number', object('a:\n  type: string\n  description: 5')],
    ['a description that is null', object('a:\n  type: string\n  description: null')],
    ['a description that is a list', object('a:\n  type: string\n  description:\n  - x')],
    ['an anchor', object('a: &a\n  type: string\nb: *a')],
    ['an anchor at a scalar', object('a:\n  type: &a string\nb:\n  type: *a')],
    ['a fraction of a length', object('a:\n  type: string\n  maxLength: 1.5')],
    ['a text for a flag', object("a:\n  type: string\n  nullable: 'true'")],
    [
      'an unknown type of list',
      object('a:\n  type: array\n  items:\n    type: string\n  x-kubernetes-list-type: list'),
    ],
    ['a list without items', object('a:\n  type: array')],
    [
      'keys without a map',
      object('a:\n  type: array\n  items:\n    type: string\n  x-kubernetes-list-map-keys:\n  - b'),
    ],
    [
      'a key that is no property',
      object(
        'a:\n  type: array\n  items:\n    type: object\n  x-kubernetes-list-type: map\n  x-kubernetes-list-map-keys:\n  - b',
      ),
    ],
    [
      'a rule twice',
      object('a:\n  type: string\n  x-kubernetes-validations:\n  - rule: self\n  - rule: self'),
    ],
    ['a type in an alternative', object('a:\n  type: object\n  oneOf:\n  - type: object')],
    [
      'properties beside others',
      object(
        'a:\n  type: object\n  additionalProperties:\n    type: string\n  properties:\n    b:\n      type: string',
      ),
    ],
    ['a root that is no object', 'type: array\nitems:\n  type: string'],
    ['a root that may be null', `${object('a:\n  type: string')}\nnullable: true`],
    ['a root in one line', '{type: object}'],
  ])('is left to whoever judges values: %s', (_, schema) => {
    expect(isKnown(schema)).toBe(false)
  })

  it('is judged the same after any slip', () => {
    const pieces = [
      ' ',
      '  ',
      '- ',
      ': ',
      ' #',
      '"',
      "'",
      '\n',
      '\t',
      '|',
      '>',
      '&a ',
      '*a',
      '{',
      ']',
      ',',
      '~',
      'null',
      'true',
      '<<: ',
      '---',
      'é',
    ]
    const line = fc.nat(everyWord.split('\n').length - 1)
    const slip = fc.oneof(
      fc.record({ at: fc.nat(everyWord.length), put: fc.constantFrom(...pieces) }),
      fc.record({ at: fc.nat(everyWord.length), cut: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ from: line, to: line, move: fc.boolean() }),
    )
    let known = 0
    fc.assert(
      fc.property(fc.array(slip, { minLength: 1, maxLength: 2 }), (slips) => {
        const text = slips.reduce<string>((before, one) => {
          if ('put' in one) return before.slice(0, one.at) + one.put + before.slice(one.at)
          if ('cut' in one) return before.slice(0, one.at) + before.slice(one.at + one.cut)
          const lines = before.split('\n')
          lines.splice(one.to, 0, ...(one.move ? lines.splice(one.from, 1) : [lines[one.from] ?? '']))
          return lines.join('\n')
        }, everyWord)
        const read = readBlock(text)
        if (!read) return
        const any = parseAny(text)
        const value = any.ok ? any.value : undefined
        if (isObject(read.value)) {
          if (schemasIn(read.value) > 0) known++
          for (const minor of [20, newestMinor])
            expect(problemsOf(read.value, minor), text).toEqual(problemsOf(value, minor))
          expect(judgedBy(read.value, widget({})), text).toEqual(judgedBy(value as object, widget({})))
        }
        expect({ ok: true, ...read, isPlain: false }, text).toEqual(any)
      }),
      { numRuns: 1500, unbiased: true },
    )
    expect(known).toBeGreaterThan(30)
  })

  it('is judged the same by whoever reads it', () => {
    const rarely = <T>(usual: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.jsonValue() as never })
    const name = fc.constantFrom('a', 'b', 'cc', 'type', 'items', 'null', 'x y')
    const text = rarely(
      fc.oneof(fc.string(), fc.constantFrom('one: two', 'a\n\n  b\n', '5', '- x', 'it is #1')),
    )
    const flag = rarely(fc.boolean())
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof(
        fc.record(
          { type: rarely(fc.constantFrom('string', 'integer', 'boolean')), description: text },
          { requiredKeys: ['type'] },
        ),
        fc.record(
          {
            type: rarely(fc.constantFrom('string', 'integer', 'number')),
            format: rarely(fc.constantFrom('int32', 'date-time')),
            nullable: flag,
            enum: rarely(fc.array(fc.constantFrom('a', 'b', 1, true))),
            default: fc.jsonValue(),
            minLength: rarely(fc.nat()),
            minimum: rarely(fc.double({ noNaN: true, noDefaultInfinity: true })),
            'x-kubernetes-validations': rarely(fc.array(fc.record({ rule: text, message: text }))),
          },
          { requiredKeys: ['type'] },
        ),
        fc.record(
          {
            type: fc.constant('object'),
            properties: fc.dictionary(name, tie('schema')),
            required: rarely(fc.array(name)),
            additionalProperties: rarely(
              fc.oneof(
                { weight: 1, arbitrary: tie('schema') },
                { weight: 9, arbitrary: fc.constant(undefined as never) },
              ),
            ),
            oneOf: rarely(
              fc.array(
                fc.record(
                  { required: fc.array(name), properties: fc.dictionary(name, fc.constant({})) },
                  { requiredKeys: [] },
                ),
                { minLength: 1 },
              ),
            ),
            'x-kubernetes-map-type': rarely(fc.constant('atomic')),
            'x-kubernetes-preserve-unknown-fields': flag,
          },
          { requiredKeys: ['type'] },
        ),
        fc.record(
          {
            type: fc.constant('array'),
            items: tie('schema'),
            'x-kubernetes-list-type': rarely(fc.constantFrom('atomic', 'map', 'set')),
            'x-kubernetes-list-map-keys': rarely(fc.array(name)),
          },
          { requiredKeys: ['type', 'items'] },
        ),
        fc.constant({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }),
      ),
    }))
    let known = 0
    fc.assert(
      fc.property(schema, fc.jsonValue(), (spec, value) => {
        const own = ofSpec(JSON.parse(JSON.stringify(spec)))
        judged(own, widget(value))
        const holder = objectAt(
          readBlock(dump(own, { noRefs: true }))?.value,
          'spec',
          'versions',
          0,
          'schema',
        )
        if (holder && knownSchema(holder)) known++
      }),
      { numRuns: 400 },
    )
    expect(known).toBeGreaterThan(100)
  })
})

describe('a schema that cannot be used', () => {
  const where = 'spec.versions[0].schema.openAPIV3Schema'
  const cases: Readonly<Record<string, readonly [schema: unknown, why: string]>> = {
    'no schema at all': ['object', `${where} is no schema`],
    'no object': [{ type: 'string' }, `${where}.type has to be object`],
    'an unknown type': [{ type: 'obejct' }, `${where}.type cannot be "obejct"`],
    'two types': [{ type: ['object', 'null'] }, `${where}.type cannot be ["object","null"]`],
    'no type': [{ properties: {} }, `${where}.type is missing`],
    'a reference': [
      { type: 'object', properties: { a: { $ref: '#' } } },
      `${where}.properties.a.$ref is not allowed`,
    ],
    'a list of anything': [
      { type: 'object', properties: { a: { type: 'array' } } },
      `${where}.properties.a.items is missing`,
    ],
    'a type within a branch': [
      { type: 'object', anyOf: [{ type: 'string' }, { type: 'object' }] },
      `${where}.anyOf[0].type cannot stand here: only the schema around it has a type`,
    ],
    'fields and any others': [
      { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
      `${where}.additionalProperties cannot stand beside properties`,
    ],
    'unique items': [
      { type: 'object', properties: { a: { type: 'array', items: { type: 'string' }, uniqueItems: true } } },
      `${where}.properties.a.uniqueItems cannot be true`,
    ],
    'a keyword of the wrong type': [
      { type: 'object', required: 'spec' },
      `${where}.required has to be a list of texts`,
    ],
    'a property that is no schema': [
      { type: 'object', properties: { a: null } },
      `${where}.properties.a is no schema`,
    ],
  }
  for (const [name, [schema, why]] of Object.entries(cases))
    it(`says so once and leaves its objects alone: ${name}`, () => {
      const { problems, unusable } = judged(definition(schema), widget({ a: 5, b: [] }))
      expect(problems).toEqual([])
      expect(unusable).toEqual([`kubectl apply is refused: ${why}, so no Widget is checked here.`])
    })
  it('is one that is too deep', () => {
    let schema: object = { type: 'string' }
    for (let i = 0; i < 5000; i++) schema = { type: 'object', properties: { a: schema } }
    const { problems, unusable } = judged(definition(schema), widget({ a: 5 }))
    expect(problems).toEqual([])
    expect(unusable).toEqual([
      expect.stringMatching(/^No Widget is checked: .* stands more than 100 levels deep\.$/),
    ])
  })
  it('is one that is too large', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 100_001 }, (_, i) => [`f${i}`, { type: 'string' }]),
    )
    const { unusable } = judged(definition({ type: 'object', properties }), widget({}))
    expect(unusable).toEqual([
      expect.stringMatching(/is part number 100000 of its schema, and there are more\.$/),
    ])
  })
  it('is one that contains itself', () => {
    const schema: Record<string, unknown> = { type: 'object' }
    schema.properties = { spec: schema }
    expect(judged(definition(schema), widget({})).unusable).toHaveLength(1)
  })
  it('is looked at when there is an object of its kind', () => {
    const crd = definition({ type: 'array' })
    const customs = customKinds([crd])
    expect(customs.problems({}, 'other.com/v1', 'Widget')).toBeUndefined()
    expect(customs.unusable(crd)).toEqual([])
  })
  it('may be left empty', () => {
    expect(judged(definition(null), widget({ a: 5 }))).toEqual(fine)
  })
  it('may be any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue({ maxDepth: 4 }), (schema, spec) => {
        judged(definition(schema), widget(spec))
      }),
    )
  })
})

describe('a schema that takes long', () => {
  it('by alternatives within alternatives is given up', () => {
    let branch: object = { minLength: 1 }
    for (let i = 0; i < 12; i++) branch = { anyOf: [{ not: branch }, { not: branch }, { not: branch }] }
    const list = { type: 'array', items: { type: 'string', ...branch } }
    const { problems, unusable } = judged(
      ofSpec(list),
      widget(Array.from({ length: 10_000 }, (_, i) => `${i}`)),
    )
    expect(problems).toEqual([])
    expect(unusable).toHaveLength(1)
  })
  it('by a pattern that makes others backtrack is applied all the same', () => {
    const spec = { type: 'string', pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' }
    expect(judged(ofSpec(spec), widget('a'.repeat(5000)))).toEqual({ ...fine, problems: ['bad-value .spec'] })
  })
  it('by a huge pattern is not applied', () => {
    const spec = { type: 'string', pattern: '^((a{0,1000}){0,1000}){0,1000}$' }
    expect(judged(ofSpec(spec), widget('b'))).toEqual(fine)
  })
  it('by a huge enumeration is applied', () => {
    const spec = { type: 'string', enum: Array.from({ length: 50_000 }, (_, i) => `v${i}`) }
    expect(judged(ofSpec(spec), widget('v49999'))).toEqual(fine)
    expect(judged(ofSpec(spec), widget('w')).problems).toEqual(['bad-enum .spec'])
  })
})

describe('the definition of a kind', () => {
  const strict = ofSpec({ type: 'object', properties: { a: { type: 'string' } } })
  it('drops unknown fields in v1, and in v1beta1 when it says so', () => {
    const unknown = ['unknown-field .spec.b']
    expect(judged(strict, widget({ b: 1 })).problems).toEqual(unknown)
    const beta = { ...strict, apiVersion: 'apiextensions.k8s.io/v1beta1' }
    expect(judged(beta, widget({ b: 1 }))).toEqual(fine)
    const prunes = { ...beta, spec: { ...beta.spec, preserveUnknownFields: false } }
    expect(judged(prunes, widget({ b: 1 })).problems).toEqual(unknown)
  })
  it('may have one schema for all versions in v1beta1', () => {
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1beta1',
      kind: 'CustomResourceDefinition',
      spec: {
        group: 'example.com',
        version: 'v1',
        names: { kind: 'Widget' },
        versions: [],
        validation: { openAPIV3Schema: { properties: { spec: { type: 'string' } } } },
      },
    }
    expect(judged(crd, widget(5)).problems).toEqual(['wrong-type .spec'])
  })
  it('wants fields that it does not have: a piece, which tells nothing of others', () => {
    const spec = { type: 'object', required: ['name'], properties: { refs: { type: 'integer' } } }
    expect(judged(ofSpec(spec), widget({ name: 'a', template: 'b' }))).toEqual(fine)
    expect(judged(ofSpec({ ...spec, required: ['refs'] }), widget({ refs: 1, name: 'a' })).problems).toEqual([
      'unknown-field .spec.name',
    ])
  })
  it('of text that keeps unknown fields takes anything: it was made from raw JSON', () => {
    const config = { type: 'string', format: 'byte', 'x-kubernetes-preserve-unknown-fields': true }
    const spec = { type: 'object', properties: { config, other: { type: 'string', format: 'byte' } } }
    expect(judged(ofSpec(spec), widget({ config: { size: 5 } }))).toEqual(fine)
    expect(judged(ofSpec(spec), widget({ other: { size: 5 } })).problems).toEqual(['wrong-type .spec.other'])
  })
  it('says nothing of a configuration with the kind of its objects', () => {
    const crd = ofSpec({ type: 'object' })
    const found = (object: object) =>
      check(
        { apiVersion: 'example.com/v1', kind: 'Widget', ...object },
        'example.com/v1',
        'Widget',
        newestMinor,
        customKinds([crd]),
      ).problems.map(({ kind, path }) => `${kind} ${formatPath(path)}`)
    expect(found({ projectName: 'widgets' })).toEqual([])
    expect(found({ projectName: 'widgets', spec: {} })).toEqual([
      'missing-field .metadata.name',
      'unknown-field .projectName',
    ])
    expect(found({})).toEqual(['missing-field .metadata.name'])
  })
  it('hides the status from the objects that are applied', () => {
    const schema = { type: 'object', required: ['status'], properties: { status: { type: 'string' } } }
    const object = { ...widget(undefined), status: 5 }
    expect(judged(definition(schema), object).problems).toContain('wrong-type .status')
    expect(judged(definition(schema, { subresources: { status: {} } }), object).problems).toEqual([
      'unknown-field .spec',
    ])
  })
  it('may restrict the name of its objects, and leaves the rest of metadata to the server', () => {
    const metadata = { type: 'object', properties: { name: { type: 'string', pattern: '^w-' } } }
    const crd = definition({ type: 'object', properties: { metadata }, required: ['metadata', 'kind'] })
    const named = (metadata: object) => judged(crd, { ...widget(undefined), metadata }).problems
    expect(named({ name: 'w-a', labels: { a: 'b' } })).toEqual(['unknown-field .spec'])
    expect(named({ name: 'a' })).toEqual(['bad-value .metadata.name', 'unknown-field .spec'])
    expect(named({ name: 5 })).toEqual(['wrong-type .metadata.name', 'unknown-field .spec'])
  })
  it('tells entries of a list apart by the keys that they have, or get by default', () => {
    const b = { type: 'string', default: 'y' }
    const items = { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b } }
    const map = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a', 'b'] }
    const crd = ofSpec({ type: 'array', items, ...map })
    expect(judged(crd, widget([{ a: 'x' }, { a: 'y' }, { a: 'x', b: 'x' }]))).toEqual(fine)
    expect(judged(crd, widget([{ a: 'x' }, { a: 'x', b: 'y' }])).problems).toEqual([
      'duplicate-entry .spec[1]',
    ])
  })
  it('may be there in variants: the one that fits best counts', () => {
    const other = ofSpec({ type: 'object', properties: { b: { type: 'integer' } } })
    const problems = (spec: unknown) =>
      customKinds([strict, other])
        .problems(widget(spec), 'example.com/v1', 'Widget')
        ?.map(({ kind }) => kind)
    expect(problems({ b: 1 })).toEqual([])
    expect(problems({ a: 'x' })).toEqual([])
    expect(problems({ b: 'x', c: 1 })).toEqual(['unknown-field', 'unknown-field'])
  })
  it('says where a field belongs', () => {
    const crd = ofSpec({
      type: 'object',
      properties: { pool: { type: 'object', properties: { size: { type: 'integer' } } } },
    })
    const meant = (spec: Record<string, unknown>) => {
      const object = widget(spec)
      const [problem] = customKinds([crd]).problems(object, 'example.com/v1', 'Widget') ?? []
      return problem?.kind === 'unknown-field'
        ? suggestion(object as never, problem.path, newestMinor, problem.root)
        : undefined
    }
    expect(meant({ pol: {} })).toMatchObject({ wrong: 'name', place: '.pool' })
    expect(meant({ size: 5 })).toMatchObject({ wrong: 'place', place: '.spec.pool.size', only: true })
    expect(meant({ size: 'big' })).toBeUndefined()
  })
})

describe('null and defaults', () => {
  const crd = ofSpec({
    type: 'object',
    required: ['a', 'b'],
    properties: {
      a: { type: 'string', nullable: true },
      b: { type: 'object', default: {}, required: ['c'], properties: { c: { type: 'integer', default: 1 } } },
      d: { type: 'array', items: { type: 'string' } },
      e: { type: 'object', additionalProperties: { type: 'string' } },
    },
  })
  it('stand for what the server makes of them', () => {
    expect(judged(crd, widget({ a: null }))).toEqual(fine)
    expect(judged(crd, widget({ a: 'x', b: null, d: null, e: { f: null } }))).toEqual(fine)
    expect(judged(crd, widget({ a: 'x', b: { c: null }, d: [null] })).problems).toEqual([
      'wrong-type .spec.d[0]',
    ])
    expect(judged(crd, widget({ b: {} })).problems).toEqual(['missing-field .spec.a'])
  })
  it('are no value of an enumeration', () => {
    const spec = { type: 'string', nullable: true, enum: ['a', null] }
    expect(judged(ofSpec(spec), widget('a'))).toEqual(fine)
    expect(judged(ofSpec(spec), widget(null)).problems).toEqual(['bad-value .spec'])
  })
  it('leave names such as __proto__ alone', () => {
    const spec = JSON.parse('{"a": "x", "__proto__": {"polluted": true}, "constructor": 1}')
    expect(judged(crd, widget(spec)).problems).toEqual([
      'unknown-field .spec.__proto__',
      'unknown-field .spec.constructor',
    ])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('a pattern of Go', () => {
  const matches = (pattern: string, text: string) => matcher(pattern)?.(text, { steps: 1e6 })
  it('may be a name, which matches nothing else', () => {
    for (const name of ['web', 'web-1', 'web_1', ''])
      for (const text of ['web', 'web-1', 'web_1', '', 'web-', 'xweb', 'web\n', 'WEB'])
        expect([name, text, matches(`^(?:${name})$`, text)]).toEqual([name, text, name === text])
    expect(matches('^(?:web.1)$', 'web-1')).toBe(true)
    expect(matches('^(?:a|web-1)$', 'web-1')).toBe(true)
  })
  it('matches as JavaScript does where both mean the same', () => {
    const parts = [
      'a',
      'b',
      '[ab]',
      '[^a]',
      '.',
      '\\d',
      '\\w',
      '(a|b)',
      '(?:ab)',
      '^',
      '$',
      '\\b',
      '[[:alpha:]]',
      '\\.',
    ]
    const part = fc.tuple(
      fc.constantFrom(...parts),
      fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '*?'),
    )
    const pattern = fc
      .array(part, { minLength: 1, maxLength: 6 })
      .map((all) => all.map((one) => one.join('')).join(''))
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab1.]{0,8}$/), (text, against) => {
        fc.pre(!/[$^b][*+?{]/.test(text.replaceAll('[ab]', '').replaceAll('(a|b)', '')))
        const javascript = new RegExp(text.replaceAll('[[:alpha:]]', '[a-zA-Z]'), 'u')
        expect(matches(text, against)).toBe(javascript.test(against))
      }),
    )
  })
  it('may have what JavaScript has not', () => {
    const cases: readonly [pattern: string, text: string, matches: boolean][] = [
      ['(?i)^go$', 'GO', true],
      ['^(?i:g)o$', 'GO', false],
      ['^(?P<name>a+)\\z', 'aa', true],
      ['\\A[[:upper:]][^[:space:]]$', 'Ab', true],
      ['^\\Qa.b\\E+$', 'a.b', true],
      ['^\\x{e9}\\pL$', 'éß', true],
      ['^\\S+$', 'a\u00a0b', true],
      ['(?s)^.$', '\n', true],
      ['(?m)^b$', 'a\nb', true],
      ['^[\\w\\-./]+$', 'a-b/c.d', true],
      ['^[]a]+$', ']a', true],
      ['a{,2}', 'a{,2}', true],
      ['', 'anything', true],
    ]
    for (const [pattern, text, expected] of cases)
      expect([pattern, matches(pattern, text)]).toEqual([pattern, expected])
  })
  it('is left alone when Go refuses it', () => {
    for (const pattern of [
      '(?=a)',
      '(?<!a)b',
      'a**',
      '(',
      ')',
      '[',
      '[z-a]',
      '\\1',
      'a{1001}',
      '*',
      '\\8',
      '[[:nothing:]]',
    ])
      expect([pattern, matcher(pattern)]).toEqual([pattern, undefined])
  })
  it('never throws and never hangs', () => {
    const characters = fc.constantFrom(...'ab()[]{}*+?|^$.\\1,-:pLQEdsx<>P')
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 30 }), fc.string(), (pattern, text) => {
        matches(pattern, text)
      }),
      { numRuns: 500 },
    )
  })
})

/** A folder of public repositories, where there is one. */
const corpus = process.env.K8S_AF_CORPUS ?? join(__dirname, '..', '..', 'shared', 'corpus')

describe.skipIf(!existsSync(corpus))('public manifests', () => {
  for (const project of existsSync(corpus) ? readdirSync(corpus) : [])
    it(`agree with their own definitions: ${project}`, () => {
      const objects = readPaths([project], { cwd: corpus })
        .documents.flatMap(unfold)
        .map(({ value }) => value)
      const customs = customKinds(objects)
      const found = objects.flatMap((one) => [
        ...(customs.problems(one, String(one.apiVersion), String(one.kind)) ?? []),
        ...customs.unusable(one),
      ])
      expect(found).toEqual([])
    })
})

describe('several definitions of one kind', () => {
  it('count where they belong to one that belongs to the object, which may be an old copy', () => {
    const old = ofSpec({ type: 'object', properties: { size: { type: 'integer' } } })
    const current = ofSpec({
      type: 'object',
      properties: { size: { type: 'integer' }, color: { type: 'string' } },
    })
    const object = widget({ size: 1, color: 'red' })
    const judgedWith = (near: readonly (readonly object[])[]) =>
      customKinds([old, current], (definition, other) =>
        near.some((pair) => pair.includes(definition) && pair.includes(other)),
      ).problems(object, 'example.com/v1', 'Widget')
    expect(judgedWith([[old, object]])).toMatchObject([{ kind: 'unknown-field', path: ['spec', 'color'] }])
    expect(
      judgedWith([
        [old, object],
        [old, current],
      ]),
    ).toEqual([])
    expect(judgedWith([[old, current]])).toBeUndefined()
  })
})
