/** CustomResourceDefinitions: schemas of all sorts, hostile ones first of all. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPath } from '../src/finding.js'
import { readPaths } from '../src/reader/read.js'
import { unfold } from '../src/reader/unfold.js'
import { check } from '../src/schema/check.js'
import { customKinds } from '../src/schema/custom-kinds.js'
import { newestMinor } from '../src/schema/definitions.js'
import { matcher } from '../src/schema/pattern.js'
import { suggestion } from '../src/schema/suggest.js'

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

/** `kind path` of what is wrong with a Widget, and why its schema cannot be used. */
function judged(crd: ReturnType<typeof definition>, object: Record<string, unknown>) {
  const customs = customKinds([crd])
  const { problems } = check(object, String(object.apiVersion), String(object.kind), newestMinor, customs)
  return {
    problems: problems.map(({ kind, path }) => `${kind} ${formatPath(path)}`),
    unusable: customs.unusable(crd).map(({ message }) => message),
  }
}

const fine = { problems: [], unusable: [] }

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
  it('tells entries of a list apart by the keys that they have', () => {
    const items = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } }
    const map = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a', 'b'] }
    const crd = ofSpec({ type: 'array', items, ...map })
    expect(judged(crd, widget([{ a: 'x' }, { b: 'x' }, { a: 'x', b: 'x' }]))).toEqual(fine)
    expect(judged(crd, widget([{ a: 'x' }, { a: 'x' }])).problems).toEqual(['duplicate-entry .spec[1]'])
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
