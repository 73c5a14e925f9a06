/** Where the parts of built objects are written: certain, or nothing. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sourcesOf, writtenIn } from '../src/built/match.js'
import { takeOrigin } from '../src/built/origin.js'
import { sourcesFrom } from '../src/built/sources.js'
import { treeOf } from '../src/built/tree.js'
import { writersOf, writtenBy } from '../src/built/writers.js'
import type { Document, Written } from '../src/document.js'
import type { Path } from '../src/finding.js'
import type { Mapping } from '../src/reader/classify.js'
import { folderWith, writeFiles } from './folders.js'

const root = folderWith()

function file(name: string, text: string): string {
  writeFiles(root, { [name]: text })
  return join(root, name)
}

const map = (name: string, more: object = {}): Mapping => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
})
const nowhere = {} as Document
const source = (value: Mapping) => ({ document: nowhere, path: [], value })

describe('the source of an object', () => {
  const names = (built: readonly string[], sources: readonly string[]) => {
    const made = built.map((name) => map(name))
    const found = sourcesOf(
      made,
      sources.map((name) => source(map(name))),
    )
    return made.map((one) => (found.get(one)?.value.metadata as { name: string } | undefined)?.name)
  }
  it('is the one whose name is in its own', () => {
    expect(names(['prod-web', 'prod-api'], ['web', 'api'])).toEqual(['web', 'api'])
    expect(names(['web-v2'], ['web', 'api'])).toEqual(['web'])
    // A base that is used twice.
    expect(names(['a-web', 'b-web'], ['web'])).toEqual(['web', 'web'])
  })
  it('is the only one of its kind, whatever it is called', () => {
    expect(names(['other'], ['web'])).toEqual(['web'])
  })
  it('is told by what all names have in common', () => {
    expect(names(['prod-web', 'prod-prod-web'], ['web', 'prod-web'])).toEqual(['web', 'prod-web'])
    expect(names(['web', 'web-a'], ['web', 'web-a'])).toEqual(['web', 'web-a'])
  })
  it('is unknown where it may be several', () => {
    expect(names(['prod-web'], ['web', 'prod-web'])).toEqual([undefined])
    expect(names(['x', 'y'], ['web', 'api'])).toEqual([undefined, undefined])
  })
})

describe('the place of a part', () => {
  const places = (made: object, written: object, ...paths: Path[]) =>
    paths.map((path) => {
      const { path: found, isCertain } = writtenIn(source(map('a', written)), map('a', made), path)
      return `${found.join('.')}${isCertain ? '' : '?'}`
    })
  it('has the same value, or is missing in both', () => {
    expect(places({ a: { b: 1 } }, { a: { b: 1 } }, ['a', 'b'], ['a'], ['a', 'c'])).toEqual([
      'a.b',
      'a',
      'a.c',
    ])
    expect(places({ a: { b: 1 } }, { a: { b: 2 } }, ['a', 'b'], ['a'])).toEqual(['a.b?', 'a?'])
    expect(places({ a: {} }, { a: { b: 2 } }, ['a', 'b'])).toEqual(['a?'])
    expect(places({ a: { b: 2 } }, {}, ['a', 'b'], ['a', 'c'])).toEqual(['?', '?'])
  })
  it('is in the item of the same name, wherever that stands', () => {
    const items = (...list: object[]) => ({ list })
    const made = items({ name: 'new' }, { name: 'web', image: 'a:2' })
    const written = items({ name: 'web', image: 'a:1' })
    expect(places(made, written, ['list', 1], ['list', 1, 'x'], ['list', 1, 'image'], ['list', 0])).toEqual([
      'list.0',
      'list.0.x',
      'list.0.image?',
      'list?',
    ])
    const twins = items({ name: 'web' }, { name: 'web' })
    expect(places(twins, twins, ['list', 1])).toEqual(['list?'])
    // Items without names have to be the same.
    expect(places(items({ port: 1 }), items({ port: 2 }, { port: 1 }), ['list', 0, 'port'])).toEqual([
      'list.1.port',
    ])
  })
  it('is none for the values of Secrets, which nobody has read', () => {
    const value = { ...map('a'), kind: 'Secret', data: { x: '' } }
    expect(writtenIn(source(value), value, ['data', 'x']).isCertain).toBe(false)
  })
})

describe('what a kustomization writes', () => {
  const kustomization = file(
    'kustomization.yaml',
    `patches:
  - path: merge.yaml
  - path: operations.yaml
    target: { kind: Deploy.*, name: web }
  - target: { kind: Deployment }
    patch: |-
      - op: add
        path: /spec/paused
        value: true
  - target: { kind: Deployment, name: web }
    patch: '{"spec": {"minReadySeconds": 3}}'
replicas:
  - name: web
    count: 4
images:
  - { name: x, newName: z, newTag: "2" }
`,
  )
  file(
    'merge.yaml',
    'kind: Deployment\nmetadata: {name: web}\nspec:\n  revisionHistoryLimit: 2\n  progressDeadlineSeconds: 9\n',
  )
  file(
    'operations.yaml',
    '- op: replace\n  path: /spec/progressDeadlineSeconds\n  value: 9\n- op: add\n  path: /spec/template\n  value:\n    spec: {hostNetwork: true}\n',
  )
  const sources = sourcesFrom(root)
  const writers = writersOf(treeOf(kustomization, sources), sources)
  const written = (spec: object, ...path: Path) => {
    const value = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec }
    return writtenBy(writers, { value, source: source(value), file: undefined }, ['spec', ...path])
  }
  const at = ([one, another]: readonly Written[]) => {
    if (!one || another) return undefined
    const { line, column } = one.document.locate().key(one.path)
    return `${one.document.file.name}:${line}:${column}`
  }
  it('is in patches, their files and their texts', () => {
    expect(at(written({ revisionHistoryLimit: 2 }, 'revisionHistoryLimit'))).toBe('merge.yaml:4:3')
    expect(at(written({ paused: true }, 'paused'))).toBe('kustomization.yaml:9:9')
    expect(at(written({ minReadySeconds: 3 }, 'minReadySeconds'))).toBe('kustomization.yaml:11:12')
    const template = { spec: { hostNetwork: true } }
    expect(at(written({ template }, 'template', 'spec', 'hostNetwork'))).toBe('operations.yaml:7:12')
  })
  it('is in counts and images', () => {
    expect(at(written({ replicas: 4 }, 'replicas'))).toBe('kustomization.yaml:14:5')
    expect(at(written({ image: 'z:2' }, 'image'))).toBe('kustomization.yaml:16:28')
  })
  it('is unknown where the value is another one, or several have written it', () => {
    expect(at(written({ revisionHistoryLimit: 3 }, 'revisionHistoryLimit'))).toBeUndefined()
    expect(at(written({ progressDeadlineSeconds: 9 }, 'progressDeadlineSeconds'))).toBeUndefined()
    expect(at(written({ replicas: 5 }, 'replicas'))).toBeUndefined()
    expect(at(written({ image: 'z:3' }, 'image'))).toBeUndefined()
  })
  it('reaches what it builds on, and of several the outermost decides', () => {
    const replicas = 'replicas: [{ name: web, count: 2 }]\n'
    file('nested/a/kustomization.yaml', `resources: [web.yaml]\n${replicas}`)
    file('nested/b/kustomization.yaml', `resources: [web.yaml]\ncomponents: [../c]\n`)
    file('nested/c/kustomization.yaml', `kind: Component\n${replicas}`)
    for (const one of ['a', 'b']) file(`nested/${one}/web.yaml`, '')
    const found = (top: string, of: string) => {
      const tree = treeOf(file('nested/kustomization.yaml', top), sourcesFrom(root))
      const value = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { replicas: 2 },
      }
      const made = { value, source: source(value), file: join(root, of) }
      return writtenBy(writersOf(tree, sourcesFrom(root)), made, ['spec', 'replicas']).map(
        ({ document }) => document.file.name,
      )
    }
    const both = 'resources: [a, b]\n'
    expect(found(both, 'nested/a/web.yaml')).toEqual(['nested/a/kustomization.yaml'])
    expect(found(both, 'nested/b/web.yaml')).toEqual(['nested/c/kustomization.yaml'])
    expect(found(both, 'elsewhere.yaml')).toEqual([])
    expect(found(`${both}${replicas}`, 'nested/a/web.yaml')).toEqual(['nested/kustomization.yaml'])
  })
})

describe('the annotation about the origin', () => {
  const object = (annotations: string) =>
    `data:\n  x: |\n    annotations:\n        config.kubernetes.io/origin: |\nkind: ConfigMap\nmetadata:\n${annotations}  name: a\n`
  const own = '    config.kubernetes.io/origin: |\n      path: ../a.yaml\n'
  it('is taken away, and nothing else', () => {
    expect(takeOrigin(object(`  annotations:\n${own}`))).toEqual({
      text: object(''),
      origin: { path: '../a.yaml' },
    })
    const more = '    a: |\n      b\n\n      c\n'
    const last = '    z: ""\n'
    expect(takeOrigin(object(`  annotations:\n${more}${own}${last}`))).toEqual({
      text: object(`  annotations:\n${more}${last}`),
      origin: { path: '../a.yaml' },
    })
    expect(takeOrigin(object(''))).toEqual({ text: object(''), origin: undefined })
  })
})
